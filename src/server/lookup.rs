//! Answer of `GET /getaddr`: the address for clients.
//!
//! One list has to serve two kinds of clients. Java and Python connect to the plain entry, without TLS. The Web SDKs
//! paste it into a URL, with TLS and the next higher port. So a crafted entry directs them to any host name
//! (signaling-wire 1.3 and 1.6). Browsers send the `Origin` header, so the request decides the list (decisions D4).

use serde_json::{Value as Json, json};

use crate::config::{Discovery, HostPort};

/// Number of copies of the entry in a list. Web SDKs up to 1.2.0.2 open sockets to the first two entries. After a
/// failed connection they continue with the next entry, and do not wrap (signaling-wire 13).
pub const COPIES: usize = 6;

/// Returns the JSON body: `web` and `web2` are the same list, with integer ports. `wx_web` has the mini-program's host
/// names, of which it reads the first.
///
/// `has_origin` is true for a request with an `Origin` header. `bound_port` is the bound port, for a config that
/// advertises no other.
pub fn getaddr(has_origin: bool, discovery: &Discovery, bound_port: u16) -> Vec<u8> {
    let port = discovery.advertise_port.unwrap_or(bound_port);
    let ip = discovery.advertise_ip.to_string();
    let list = match &discovery.advertise_host {
        Some(host) if has_origin => copies(json!([web_entry(host), 0])),
        _ => copies(json!([&ip, port])),
    };
    let wx_host = match &discovery.advertise_host {
        Some(host) => host.to_string(),
        // The mini-program's sockets use TLS too, so they share the port of the other Web SDKs.
        None => format!("{ip}:{}", u32::from(port) + 1),
    };
    let body = json!({ "web": list, "web2": list, "wx_web": [wx_host] });
    body.to_string().into_bytes()
}

/// Returns the JSON body for a Web SDK 1.4 outside a browser: entries that are whole addresses.
///
/// 1.4 uses an entry that is no IPv4 address as the address itself. Browsers accept the form of [`getaddr`] without a
/// scheme, but Node's WebSocket refuses it (signaling-wire 1.6).
pub fn getaddr_1_4(discovery: &Discovery, bound_port: u16) -> Vec<u8> {
    let url = match &discovery.advertise_host {
        Some(host) => format!("wss://{host}/"),
        None => {
            let port = discovery.advertise_port.unwrap_or(bound_port);
            format!("ws://{}:{port}/", discovery.advertise_ip)
        }
    };
    let list = copies(json!(url));
    let body = json!({ "web": list, "web2": list, "wx_web": [] });
    body.to_string().into_bytes()
}

fn copies(entry: Json) -> Json {
    vec![entry; COPIES].into()
}

/// Returns an entry that every Web SDK in a browser expands to `wss://host:port/…` (signaling-wire 1.6).
///
/// The SDKs replace literal dots by hyphens, but not `%2E`. The `?` makes the SDKs' suffix a query. The two slashes
/// select the page's scheme in 1.4, which uses the entry itself as the URL.
fn web_entry(host: &HostPort) -> String {
    format!("//{}:{}/?", host.host.replace('.', "%2E"), host.port)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: bool = true;
    const JAVA: bool = false;

    /// Checks that `entry` is in both lists, and that `wx` is the mini-program's host.
    fn check(has_origin: bool, discovery: Discovery, bound_port: u16, entry: &str, wx: &str) {
        let body = getaddr(has_origin, &discovery, bound_port);
        let list = six(entry);
        let expected = format!(r#"{{"web":[{list}],"web2":[{list}],"wx_web":["{wx}"]}}"#);
        assert_eq!(String::from_utf8(body), Ok(expected));
    }

    fn six(entry: &str) -> String {
        [entry; 6].join(",")
    }

    fn with_host(host: &str, port: u16) -> Discovery {
        Discovery {
            advertise_host: Some(HostPort {
                host: host.into(),
                port,
            }),
            ..Discovery::default()
        }
    }

    #[test]
    fn the_default_is_loopback_and_the_bound_port() {
        for has_origin in [WEB, JAVA] {
            let entry = r#"["127.0.0.1",8001]"#;
            check(has_origin, Discovery::default(), 8001, entry, "127.0.0.1:8002");
        }
    }

    #[test]
    fn the_config_may_advertise_another_place() {
        let discovery = Discovery {
            advertise_ip: [10, 1, 2, 3].into(),
            advertise_port: Some(80),
            ..Discovery::default()
        };
        for has_origin in [WEB, JAVA] {
            let entry = r#"["10.1.2.3",80]"#;
            check(has_origin, discovery.clone(), 8001, entry, "10.1.2.3:81");
        }
    }

    #[test]
    fn browsers_are_sent_to_the_host_and_others_are_not() {
        let wx = "bridge.example.com:8443";
        let discovery = with_host("bridge.example.com", 8443);
        let entry = r#"["//bridge%2Eexample%2Ecom:8443/?",0]"#;
        check(WEB, discovery.clone(), 8001, entry, wx);
        check(JAVA, discovery, 8001, r#"["127.0.0.1",8001]"#, wx);
    }

    /// Checks the URL that a Web SDK up to 1.3.3 makes of the first entry.
    fn check_sdk_url(discovery: Discovery, expected: &str) {
        let body: serde_json::Value = serde_json::from_slice(&getaddr(WEB, &discovery, 8001)).unwrap();
        let host = body["web"][0][0].as_str().expect("a string").replace('.', "-");
        let port = body["web"][0][1].as_u64().expect("an integer") + 1;
        assert_eq!(format!("wss://{host}-sig-web.agora.io:{port}/"), expected);
    }

    #[test]
    fn sdks_make_the_urls_that_are_meant() {
        check_sdk_url(Discovery::default(), "wss://127-0-0-1-sig-web.agora.io:8002/");
        // URL parsers accept any number of slashes after the scheme of `wss`, and decode the host.
        check_sdk_url(
            with_host("bridge.example.com", 8443),
            "wss:////bridge%2Eexample%2Ecom:8443/?-sig-web.agora.io:1/",
        );
        check_sdk_url(
            with_host("localhost", 443),
            "wss:////localhost:443/?-sig-web.agora.io:1/",
        );
    }

    #[test]
    fn a_1_4_outside_a_browser_gets_whole_addresses() {
        let check = |discovery: Discovery, url: &str| {
            let body = getaddr_1_4(&discovery, 8001);
            let list = six(&format!("\"{url}\""));
            let expected = format!(r#"{{"web":[{list}],"web2":[{list}],"wx_web":[]}}"#);
            assert_eq!(String::from_utf8(body), Ok(expected));
        };
        check(Discovery::default(), "ws://127.0.0.1:8001/");
        check(with_host("b.example.com", 8443), "wss://b.example.com:8443/");
    }

    #[test]
    fn the_highest_port_does_not_overflow() {
        let entry = r#"["127.0.0.1",65535]"#;
        check(JAVA, Discovery::default(), 65535, entry, "127.0.0.1:65536");
    }
}
