//! HTTP client for webhooks and the RESTful API.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::net::IpAddr;
use std::time::Duration;

/// Idle timeout of a pooled connection.
const IDLE: Duration = Duration::from_secs(30);
/// Maximum of idle connections per host.
const IDLE_PER_HOST: usize = 32;
/// Longest accepted response body in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Pooled HTTPS client with the browsers' root CAs.
pub type HttpsClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Creates a client. [`is_private`] decides which addresses may use plain HTTP.
///
/// # Errors
/// The TLS library's.
pub fn client(connect_timeout: Duration) -> Result<HttpsClient, rustls::Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect_timeout));
    let provider = rustls::crypto::ring::default_provider();
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(provider)
        .map_err(|error| rustls::Error::General(error.to_string()))?
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .build(connector))
}

/// Reads status and body; `None` if the body is too long or truncated. A body read to its end allows connection
/// reuse.
pub async fn read(response: Response<Incoming>) -> Option<(StatusCode, Bytes)> {
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.ok()?;
    Some((status, body.to_bytes()))
}

/// Returns true if the traffic is protected: HTTPS, or a loopback address.
pub fn is_private(uri: &Uri) -> bool {
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => true,
        (Some("http"), Some("localhost")) => true,
        (Some("http"), Some(host)) => {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uri: &str, expected: bool) {
        assert_eq!(is_private(&uri.parse().expect(uri)), expected, "{uri}");
    }

    #[test]
    fn plain_http_stays_on_the_machine() {
        check("https://example.com/x", true);
        check("http://127.0.0.1:1/x", true);
        check("http://127.1.2.3/", true);
        check("http://[::1]:80/", true);
        check("http://localhost/", true);
        check("http://localhost.example.com/", false);
        check("http://127.0.0.1.example.com/", false);
        check("http://10.0.0.1/", false);
        check("http://0.0.0.0/", false);
        check("ftp://127.0.0.1/", false);
        check("/path", false);
    }
}
