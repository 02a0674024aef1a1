//! Declarations: complete, overridden by variables, compared at a reload.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::config::read::config;
use crate::config::tests::{EXAMPLE, FILES, parse};
use crate::config::{Config, Files, example};
use tables::spanned_toml::requested_keys;

/// `UPDATE_DOCS=1` writes it.
#[test]
fn the_example_is_made_from_the_declarations() {
    let made = example();
    if made != EXAMPLE && std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml"), &made).expect("it can be written");
        return;
    }
    assert_eq!(made, EXAMPLE, "UPDATE_DOCS=1 writes it");
}

/// Every declared key is one that the reader knows, and the reverse.
#[test]
fn all_keys_are_declared() {
    let uncommented = EXAMPLE.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) => rest,
        Some(header) if header.starts_with("[[") => header,
        _ => line,
    });
    let text: Vec<&str> = uncommented.collect();
    let mut asked = requested_keys(&Config::source("example", text.join("\n")), |root| config(root, &FILES));
    // Read only to be rejected.
    asked.retain(|key| !key.ends_with(".certificate") || key == "tls.certificate");
    let mut declared = BTreeSet::new();
    for section in Config::sections() {
        let name = if section.repeated {
            format!("{}[0]", section.name)
        } else {
            section.name.to_owned()
        };
        declared.insert(section.name.to_owned());
        declared.extend(section.keys.iter().map(|key| format!("{name}.{}", key.name)));
    }
    assert_eq!(declared, asked);
    let entries = Config::default().entries();
    assert!(entries.len() > 80, "{}", entries.len());
}

/// Files, and environment variables.
struct WithVariables(&'static [(&'static str, &'static str)]);

impl Files for WithVariables {
    fn read(&self, path: &Path) -> io::Result<String> {
        FILES.read(path)
    }

    fn env(&self, name: &str) -> Option<String> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, text)| (*text).to_owned())
    }
}

#[test]
fn variables_override_the_file() {
    let variables = WithVariables(&[
        ("SIGBRIDGE_LISTEN_HTTP", "0.0.0.0:80"),
        ("SIGBRIDGE_LISTEN_UDP", "127.0.0.1:1, 127.0.0.1:2"),
        ("SIGBRIDGE_LISTEN_ALLOWED_ORIGINS", "[]"),
        ("SIGBRIDGE_LIMITS_SOCKETS", "7"),
        ("SIGBRIDGE_POLICY_FORCE_JOIN", "true"),
        ("SIGBRIDGE_UPSTREAM_AGENT_CALL_WAIT", "1s"),
        ("SIGBRIDGE_ADMIN_TOKEN_FILE", "admin.token"),
    ]);
    let text = "[listen]\nhttp = 'invalid, but overridden'\n[limits]\nmemory = '1MiB'\n";
    let config = Config::parse(&Config::source("sigbridge.toml", text), &variables).expect("legal");
    let given = |name: &str| config.given.place(name).map(ToString::to_string);
    assert_eq!(config.listen.http, "0.0.0.0:80".parse().unwrap());
    assert_eq!(
        config.listen.udp,
        ["127.0.0.1:1", "127.0.0.1:2"].map(|addr| addr.parse().unwrap())
    );
    assert_eq!(config.listen.allowed_origins, Some(vec![]));
    assert_eq!((config.limits.sockets, config.limits.memory), (7, 1 << 20));
    assert!(config.policy.force_join && config.admin.token.is_some());
    assert_eq!(config.upstream.agent.call_wait, Duration::from_secs(1));
    assert_eq!(
        given("listen.http").as_deref(),
        Some("environment variable SIGBRIDGE_LISTEN_HTTP:1:15")
    );
    assert_eq!(given("limits.memory").as_deref(), Some("sigbridge.toml:4:10"));
    assert_eq!(given("listen.tcp"), None);
}

#[test]
fn errors_name_the_variable() {
    let variables = WithVariables(&[("SIGBRIDGE_LIMITS_SOCKETS", "many"), ("SIGBRIDGE_DRAIN_DELAY", "5")]);
    let diags = Config::parse(&Config::source("", ""), &variables).expect_err("two errors");
    insta::assert_snapshot!(diags, @r#"
        error: `drain.delay`: expected a duration such as "500ms", "20s", "1h30m" or "7d"
        --> environment variable SIGBRIDGE_DRAIN_DELAY:1:15

        error: `limits.sockets`: expected an integer, got a string
        --> environment variable SIGBRIDGE_LIMITS_SOCKETS:1:18
        "#);
}

#[test]
fn a_reload_knows_what_has_changed() {
    let of = |text: &str| parse(text).expect(text);
    let changed = |old: &str, new: &str| -> Vec<String> {
        let changes = of(old).changes(&of(new)).into_iter();
        changes
            .map(|changed| {
                let [old, new] = [changed.old, changed.new].map(|value| value.unwrap_or_else(|| "-".to_owned()));
                format!("{} {old} {new} {}", changed.name, changed.change.name())
            })
            .collect()
    };
    assert_eq!(changed("", EXAMPLE), [] as [String; 0]);
    assert_eq!(
        changed(
            "[limits]\nsockets = 7",
            "[listen]\ntcp = 'off'\n[session]\nline_key_file = 'line.key'"
        ),
        [
            "limits.sockets 7 10000 reload",
            "listen.tcp \"127.0.0.1:8003\" \"off\" restart",
            "session.line_key_file - (set) restart",
        ]
    );
    let app = "[[app]]\nid = 'a'\n";
    assert_eq!(
        changed(app, &format!("{app}certificate_file = 'certificate.txt'")),
        ["app.a.certificate_file - (set) reload"]
    );
    let secret = "[admin]\ntoken_file = ";
    assert_eq!(
        changed(&format!("{secret}'line.key'"), &format!("{secret}'other.token'")),
        ["admin.token_file (set) (set) reload"]
    );
    assert_eq!(changed("uid.a = '1'", "uid.a = '2'"), ["uid.a \"1\" \"2\" reload"]);
}
