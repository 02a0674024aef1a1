//! Names of a certificate: the hosts and addresses that legacy clients connect to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::config::Discovery;

/// Subject alternative name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// Host name in lower case, optionally with a leading `*.`.
    Host(String),
    Ip(IpAddr),
}

/// Lookup hosts of the unmodified Web SDKs (signaling-wire 1.1), spelled out for clients without wildcard support.
const LOOK_UP: [&str; 11] = [
    "lbs-1-sig.agora.io",
    "lbs-2-sig.agora.io",
    "lbs-3-sig.agora.io",
    "lbs-4-sig.agora.io",
    "lbs-sig.agora.io",
    // Two labels below `agora.io`: the wildcard does not cover it.
    "lbs.sig.agora.io",
    "lbs100-1-sig.agora.io",
    "lbs100-2-sig.agora.io",
    "lbs100-3-sig.agora.io",
    "lbs100-4-sig.agora.io",
    "*.agora.io",
];

impl Name {
    /// Parses a host name, optionally with a leading `*.`, or an IP address.
    ///
    /// # Errors
    /// The expected form.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if let Ok(ip) = text.parse() {
            return Ok(Self::Ip(ip));
        }
        let host = text.strip_prefix("*.").unwrap_or(text);
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // Nobody takes numbers with dots for a name.
        let is_number = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
        let last = host.rsplit('.').next().unwrap_or(host);
        if host.len() <= 253 && host.split('.').all(is_label) && !is_number(last) {
            Ok(Self::Host(text.to_ascii_lowercase()))
        } else {
            Err("expected a host name such as \"bridge.example.com\", or an IP address")
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => f.write_str(host),
            Self::Ip(ip) => write!(f, "{ip}"),
        }
    }
}

/// Returns all names without duplicates: `more`, the config's, the SDKs' derived names, this machine, the lookup hosts.
pub fn names(discovery: &Discovery, more: &[Name]) -> Vec<Name> {
    let mut names = more.to_vec();
    if let Some(host) = &discovery.advertise_host {
        // No client could connect to a host that is valid in the config and not here.
        names.extend(Name::parse(&host.host));
    }
    let ip = discovery.advertise_ip;
    let [a, b, c, d] = ip.octets();
    names.push(Name::Ip(ip.into()));
    names.push(Name::Host(format!("{a}-{b}-{c}-{d}-sig-web.agora.io")));
    names.push(Name::Host("localhost".into()));
    names.push(Name::Ip(Ipv4Addr::LOCALHOST.into()));
    names.extend(LOOK_UP.map(|host| Name::Host(host.into())));
    let mut once: Vec<Name> = Vec::with_capacity(names.len());
    for name in names {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HostPort;

    fn check(text: &str, expected: Option<&str>) {
        let shown = Name::parse(text).ok().map(|name| name.to_string());
        assert_eq!(shown.as_deref(), expected, "{text:?}");
    }

    #[test]
    fn names_are_hosts_and_addresses() {
        check("bridge.example.com", Some("bridge.example.com"));
        check("Bridge.Example.COM", Some("bridge.example.com"));
        check("*.example.com", Some("*.example.com"));
        check("laptop", Some("laptop"));
        check("10.0.0.1", Some("10.0.0.1"));
        check("::1", Some("::1"));
        check("xn--bcher-kva.example", Some("xn--bcher-kva.example"));
        check("", None);
        check("*", None);
        check("*.", None);
        check("a.*.com", None);
        check("bridge.example.com:8443", None);
        check("https://bridge.example.com", None);
        check("bücher.example", None);
        check("a..b", None);
        check("-a.example", None);
        check("a_b.example", None);
        check("10.0.0.256", None);
        check(&"a".repeat(64), None);
        check(&"a.".repeat(127), None);
        check(&format!("{}a", "a.".repeat(127)), None);
    }

    fn shown(discovery: &Discovery, more: &[Name]) -> Vec<String> {
        names(discovery, more).iter().map(Name::to_string).collect()
    }

    #[test]
    fn names_come_from_the_config() {
        let default = shown(&Discovery::default(), &[]);
        assert_eq!(
            default[..3],
            ["127.0.0.1", "127-0-0-1-sig-web.agora.io", "localhost"],
            "each once"
        );
        assert_eq!(default.len(), 3 + LOOK_UP.len());
        let discovery = Discovery {
            advertise_ip: [10, 1, 2, 3].into(),
            advertise_host: Some(HostPort {
                host: "bridge.example.com".into(),
                port: 8443,
            }),
            ..Discovery::default()
        };
        let more = [Name::Host("laptop.local".into()), Name::Host("localhost".into())];
        assert_eq!(
            shown(&discovery, &more)[..6],
            [
                "laptop.local",
                "localhost",
                "bridge.example.com",
                "10.1.2.3",
                "10-1-2-3-sig-web.agora.io",
                "127.0.0.1"
            ]
        );
    }
}
