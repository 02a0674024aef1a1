//! Access control of the admin address: by host, origin and token.

use std::net::{IpAddr, SocketAddr};

use hyper::header::{HOST, HeaderMap, ORIGIN};
use hyper::{StatusCode, Uri};

use crate::config::Admin;
use runtime::net::{bearer, is_secret};

/// Paths without a token: load balancers request the probes, and browsers the files of the console. Their content is
/// not confidential.
pub const OPEN: [&str; 6] = ["/livez", "/readyz", "/healthz", "/", "/app.js", "/style.css"];

/// Accepted values of `Sec-Fetch-Site`; browsers send `none` for a typed address.
const OWN_SITES: [&[u8]; 2] = [b"same-origin", b"none"];

/// Admits or rejects a request.
///
/// A browser sends a page's host as `Host`, even if its owner resolves that name to this machine (DNS rebinding).
/// Requests of other sites' pages carry `Origin` or `Sec-Fetch-Site`.
///
/// # Errors
/// Status and body of the rejection.
pub fn admit(
    admin: &Admin,
    local: SocketAddr,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), (StatusCode, &'static str)> {
    let is_ours = |authority: &str| host_of(authority).is_some_and(|host| is_own_host(admin, local.ip(), host));
    let hosts = headers.get_all(HOST).iter().map(|host| host.to_str().unwrap_or(""));
    let mut named = hosts.chain(uri.authority().map(|authority| authority.as_str()));
    if named.any(|name| !is_ours(name)) {
        return Err((StatusCode::FORBIDDEN, "unknown Host; add it to [admin] allowed_hosts\n"));
    }
    if let Some(origin) = headers.get(ORIGIN) {
        let own = headers.get(HOST).map(hyper::header::HeaderValue::as_bytes);
        let schemes = [&b"http://"[..], b"https://"];
        let from = schemes
            .iter()
            .find_map(|scheme| origin.as_bytes().strip_prefix(*scheme));
        if from.is_none() || from != own {
            return Err((StatusCode::FORBIDDEN, "cross-origin request rejected\n"));
        }
    }
    let site = headers.get("sec-fetch-site").map(hyper::header::HeaderValue::as_bytes);
    if site.is_some_and(|site| !OWN_SITES.contains(&site)) {
        return Err((StatusCode::FORBIDDEN, "cross-site request rejected\n"));
    }
    match &admin.token {
        Some(token) if !OPEN.contains(&uri.path()) => {
            let given = bearer(headers).unwrap_or_default();
            let wrong = "missing or invalid token; send `Authorization: Bearer` with the token of [admin] token_file\n";
            is_secret(given, token)
                .then_some(())
                .ok_or((StatusCode::UNAUTHORIZED, wrong))
        }
        _ => Ok(()),
    }
}

/// Returns the host of `host:port`, without the brackets of an IPv6 address.
fn host_of(authority: &str) -> Option<&str> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        return (port.is_empty() || port.starts_with(':')).then_some(host);
    }
    Some(authority.split_once(':').map_or(authority, |(host, _)| host)).filter(|host| !host.is_empty())
}

/// Returns true for an address of this machine or a configured name.
fn is_own_host(admin: &Admin, local: IpAddr, host: &str) -> bool {
    if let Ok(ip) = host.parse::<IpAddr>() {
        let listens = admin.listen.is_some_and(|listen| listen.ip() == ip);
        return ip.is_loopback() || listens || ip == local.to_canonical();
    }
    let named = admin
        .allowed_hosts
        .iter()
        .any(|allowed| allowed.eq_ignore_ascii_case(host));
    named || host.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(admin: &Admin, local: &str, path: &str, headers: &[(&'static str, &str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("a header"));
        }
        let local = local.parse().expect("an address");
        let uri = path.parse().expect("a path");
        admit(admin, local, &uri, &map).map_or_else(|(status, _)| status.as_u16(), |()| 200)
    }

    fn on_loopback() -> Admin {
        Admin {
            listen: "127.0.0.1:9001".parse().ok(),
            allowed_hosts: vec!["ops.example.com".into()],
            ..Admin::default()
        }
    }

    #[test]
    fn a_name_that_others_can_turn_is_refused() {
        let check = |host: &str, expected: u16| {
            let got = status(&on_loopback(), "127.0.0.1:9001", "/metrics", &[("host", host)]);
            assert_eq!(got, expected, "{host}");
        };
        for host in [
            "127.0.0.1:9001",
            "127.0.0.1",
            "127.8.8.8:80",
            "localhost:9001",
            "LocalHost",
            "[::1]:9001",
            "[::1]",
            "ops.example.com:9001",
            "OPS.example.com",
        ] {
            check(host, 200);
        }
        for host in [
            "evil.example:9001",
            "evil.example",
            "localhost.evil.example",
            "192.0.2.1:9001",
            "10.0.0.1",
            "",
            ":9001",
            "[::1",
            "[::1]x",
            "[::2]:9001",
            "::1",
            "127.0.0.1.evil.example",
            "2130706433",
        ] {
            check(host, 403);
        }
        let admin = on_loopback();
        let twice = [("host", "127.0.0.1"), ("host", "evil.example")];
        assert_eq!(status(&admin, "127.0.0.1:9001", "/metrics", &twice), 403);
        let absolute = "http://evil.example/metrics";
        assert_eq!(
            status(&admin, "127.0.0.1:9001", absolute, &[("host", "127.0.0.1")]),
            403
        );
        // Every browser sends it.
        assert_eq!(status(&admin, "127.0.0.1:9001", "/metrics", &[]), 200);
    }

    #[test]
    fn an_address_of_all_interfaces_is_named_as_it_was_reached() {
        let admin = Admin {
            listen: "0.0.0.0:9001".parse().ok(),
            ..Admin::default()
        };
        let check = |local: &str, host: &str, expected: u16| {
            assert_eq!(
                status(&admin, local, "/metrics", &[("host", host)]),
                expected,
                "{local} {host}"
            );
        };
        check("192.0.2.7:9001", "192.0.2.7:9001", 200);
        check("192.0.2.7:9001", "192.0.2.8:9001", 403);
        check("[::ffff:192.0.2.7]:9001", "192.0.2.7:9001", 200);
        check("192.0.2.7:9001", "bridge.example.com", 403);
    }

    #[test]
    fn a_page_of_another_site_is_refused() {
        const HOST: (&str, &str) = ("host", "127.0.0.1:9001");
        let check = |header: (&'static str, &str), expected: u16| {
            let got = status(&on_loopback(), "127.0.0.1:9001", "/record/stop", &[HOST, header]);
            assert_eq!(got, expected, "{header:?}");
        };
        check(("origin", "http://127.0.0.1:9001"), 200);
        check(("origin", "https://127.0.0.1:9001"), 200);
        check(("origin", "http://127.0.0.1:3000"), 403);
        check(("origin", "http://localhost:9001"), 403);
        check(("origin", "https://evil.example"), 403);
        check(("origin", "null"), 403);
        check(("origin", ""), 403);
        check(("sec-fetch-site", "none"), 200);
        check(("sec-fetch-site", "same-origin"), 200);
        check(("sec-fetch-site", "same-site"), 403);
        check(("sec-fetch-site", "cross-site"), 403);
    }

    #[test]
    fn a_token_opens_all_but_the_probes() {
        let admin = Admin {
            token: Some("0123456789abcdef".into()),
            ..on_loopback()
        };
        let check = |path: &str, header: Option<&str>, expected: u16| {
            let header = header.map(|value| ("authorization", value));
            let headers: Vec<_> = header.into_iter().collect();
            assert_eq!(
                status(&admin, "127.0.0.1:9001", path, &headers),
                expected,
                "{path} {headers:?}"
            );
        };
        for path in [
            "/metrics",
            "/coverage",
            "/doctor?app=a",
            "/record/start",
            "/sessions",
            "/livez/x",
        ] {
            check(path, None, 401);
            check(path, Some("Bearer 0123456789abcdeX"), 401);
            check(path, Some("Bearer 0123456789abcdef0"), 401);
            check(path, Some("Basic 0123456789abcdef"), 401);
            check(path, Some("Bearer "), 401);
            check(path, Some("Bearer 0123456789abcdef"), 200);
        }
        for path in OPEN {
            check(path, None, 200);
        }
    }
}
