//! Sections about outbound HTTP.

use std::io;
use std::path::Path;

use secrecy::ExposeSecret;

use crate::config::*;
use tables::diagnostics::Diags;

/// Every file holds its name; the environment has a key and a secret, or not.
struct Fake {
    env: bool,
}

impl Files for Fake {
    fn read(&self, path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("empty") => Ok("\n".into()),
            Some("missing") | None => Err(io::ErrorKind::NotFound.into()),
            Some(name) => Ok(format!("of {name}\n")),
        }
    }

    fn env(&self, name: &str) -> Option<String> {
        (self.env && name.starts_with("SIGBRIDGE_REST_")).then(|| format!("from {name}"))
    }
}

fn parse(text: &str, env: bool) -> Result<Config, Diags> {
    Config::parse(&Config::source("sigbridge.toml", text), &Fake { env })
}

fn check_error(text: &str, expected: &[&str]) {
    let diags = parse(text, false).expect_err(text);
    let got: Vec<&str> = diags.iter().map(|diag| diag.title()).collect();
    assert_eq!(got, expected, "{text}");
}

#[test]
fn receivers_of_webhooks_are_read() {
    let text = "[webhook]\nurls = ['https://example.com/a?b=c', 'http://localhost:8080']\nsecret_file = 's'\n\
                events = ['message']\nproduct_id = 7\nqueue = 1\ntimeout = '1s'\nretries = 0\nbackoff = '5s'";
    let webhook = parse(text, false).expect("legal").webhook;
    let urls: Vec<String> = webhook.urls.iter().map(ToString::to_string).collect();
    assert_eq!(urls, ["https://example.com/a?b=c", "http://localhost:8080/"]);
    assert_eq!(webhook.secret.expose_secret(), "of s");
    assert_eq!(webhook.events, [crate::webhook::EventClass::Message]);
    assert_eq!(
        (webhook.product_id, webhook.queue, webhook.retries),
        (7, 1, 0),
        "{webhook:?}"
    );
    assert!(!format!("{webhook:?}").contains("of s"));
}

#[test]
fn receivers_without_https_or_secret_are_rejected() {
    let with = |url: &str| format!("[webhook]\nurls = ['{url}']\nsecret_file = 's'");
    let plain = "`webhook.urls[0]`: plain http is allowed for this machine only (127.0.0.1, localhost); use https";
    check_error(&with("http://example.com/"), &[plain]);
    check_error(&with("http://10.0.0.1/"), &[plain]);
    let expected = "`webhook.urls[0]`: expected a URL such as \"https://example.com/path\"";
    for url in ["ftp://example.com/", "example.com", "/x", ""] {
        check_error(&with(url), &[expected]);
    }
    let user = "`webhook.urls[0]`: the URL must not contain a user or password";
    check_error(&with("https://u:p@example.com/"), &[user]);
    let unsigned = "`webhook`: `urls` requires `secret_file`";
    check_error("[webhook]\nurls = ['https://example.com/']", &[unsigned]);
    check_error(
        "[webhook]\nsecret_file = 'empty'",
        &["`webhook.secret_file`: `empty` is empty"],
    );
    let many = format!("[webhook]\nurls = [{}]\nsecret_file = 's'", "'https://a/',".repeat(9));
    check_error(&many, &["`webhook.urls`: at most 8, got 9"]);
}

/// Checks the key, secret and URL in use.
fn check_rest(text: &str, env: bool, expected: Option<(&str, &str, &str)>) {
    let rest = parse(text, env).expect(text).rest;
    let url = rest.as_ref().map(|rest| rest.url.to_string()).unwrap_or_default();
    let got = rest
        .as_ref()
        .map(|rest| (rest.key.expose_secret(), rest.secret.expose_secret(), &*url));
    assert_eq!(got, expected, "{text} {env}");
}

#[test]
fn the_restful_api_needs_a_key_and_a_secret() {
    let url = "https://api.agora.io/dev/v2/project";
    let files = "[upstream.rest]\nkey_file = 'k'\nsecret_file = 's'";
    check_rest("", false, None);
    check_rest("[upstream.rest]\nrate = 5", false, None);
    check_rest(files, false, Some(("of k", "of s", url)));
    check_rest(files, true, Some(("of k", "of s", url)));
    let env = ("from SIGBRIDGE_REST_KEY", "from SIGBRIDGE_REST_SECRET");
    check_rest("", true, None);
    check_rest("[upstream.rest]", true, Some((env.0, env.1, url)));
    check_rest(
        "[upstream.rest]\nurl = 'http://127.0.0.1:1/x'",
        true,
        Some((env.0, env.1, "http://127.0.0.1:1/x")),
    );
    let half = "`upstream.rest`: a customer key and a customer secret must both be set";
    check_error("[upstream.rest]\nkey_file = 'k'", &[half]);
    check_error("[upstream.rest]\nsecret_file = 's'", &[half]);
    check_error(
        "[upstream.rest]\nkey_file = 'missing'\nsecret_file = 's'",
        &["`upstream.rest`: cannot read `missing`: entity not found", half],
    );
    check_error(
        &format!("{files}\nurl = 'http://api.agora.io/'"),
        &["`upstream.rest.url`: plain http is allowed for this machine only (127.0.0.1, localhost); use https"],
    );
}

#[cfg(not(feature = "otel"))]
#[test]
fn a_build_without_traces_refuses_a_collector() {
    check_error(
        "[otel]\nendpoint = 'http://127.0.0.1:4318'",
        &["`otel.endpoint`: this build cannot export traces"],
    );
    assert!(
        parse("[otel]\none_in = 100", false).is_ok(),
        "the other keys have no effect"
    );
}

#[cfg(feature = "otel")]
#[test]
fn the_collector_has_the_usual_path() {
    let endpoint = |url: &str| {
        let config = parse(&format!("[otel]\nendpoint = '{url}'"), false).expect(url);
        config.otel.endpoint.map(|endpoint| endpoint.to_string())
    };
    let usual = endpoint("http://127.0.0.1:4318");
    assert_eq!(usual.as_deref(), Some("http://127.0.0.1:4318/v1/traces"));
    let own = endpoint("https://example.com/otlp/v1/traces");
    assert_eq!(own.as_deref(), Some("https://example.com/otlp/v1/traces"));
    check_error(
        "[otel]\nendpoint = 'http://example.com:4318'",
        &["`otel.endpoint`: plain http is allowed for this machine only (127.0.0.1, localhost); use https"],
    );
}
