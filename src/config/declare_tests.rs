//! Declarations: complete, overridden by variables, compared at a reload.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::config::read::config;
use crate::config::tests::{EXAMPLE, FILES, parse};
use crate::config::{Change, Changed, Config, Files, UpstreamKind, example};
use rtm::AppId;
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

/// The declared keys are those of the reader.
#[test]
fn all_keys_are_declared() {
    let uncommented = EXAMPLE.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) => rest,
        Some(header) if header.starts_with("[[") => header,
        _ => line,
    });
    let text: Vec<&str> = uncommented.collect();
    let mut requested = requested_keys(&Config::source("example", text.join("\n")), |root| config(root, &FILES));
    // Read only to be rejected.
    requested.retain(|key| !key.ends_with(".certificate") || key == "tls.certificate");
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
    assert_eq!(declared, requested);
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
fn a_reload_lists_changed_keys() {
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

/// A config in which each key has another value than the default.
fn all_changed() -> String {
    let mut text = String::new();
    for section in Config::sections().iter().filter(|section| !section.keys.is_empty()) {
        // [auth] and [[app]] exclude each other, and TLS needs real files.
        if section.repeated || section.name == "tls" {
            continue;
        }
        text += &format!("[{}]\n", section.name);
        for key in &section.keys {
            let schema = key.schema.to_json();
            let default = key.default.as_deref();
            let value = match default {
                _ if key.is_secret && key.name == "ca_file" => "\"ca.pem\"".to_owned(),
                _ if key.is_secret && key.name == "certificate_file" => "\"certificate.txt\"".to_owned(),
                _ if key.is_secret => "\"admin.token\"".to_owned(),
                None => key.example.expect("an example").to_owned(),
                Some("true") => "false".to_owned(),
                Some("false") => "true".to_owned(),
                Some(default) if schema.contains("\"integer\"") => {
                    let other: i64 = default.parse::<i64>().expect("a number") + 1;
                    other.to_string()
                }
                Some(default) if schema.contains("KiB") => {
                    if default == "\"2MiB\"" { "\"3MiB\"" } else { "\"2MiB\"" }.to_owned()
                }
                Some(default) if schema.contains("|ms)") => {
                    if default == "\"2s\"" { "\"3s\"" } else { "\"2s\"" }.to_owned()
                }
                Some(default) if schema.contains("enum") && !default.starts_with('[') => {
                    let names = key.range.as_deref().expect("the names").split(", ");
                    names
                        .into_iter()
                        .find(|name| *name != default)
                        .expect("another")
                        .to_owned()
                }
                Some(_) if key.name == "events" => "[\"session\"]".to_owned(),
                Some(_) if key.name == "url" && section.name == "redis" => "\"redis://127.0.0.1:1\"".to_owned(),
                Some(_) if key.name == "url" => "\"https://example.com\"".to_owned(),
                Some(_) if key.name == "advertise_ip" => "\"192.0.2.1\"".to_owned(),
                Some(_) if key.name == "origins" => "[\"http://127.0.0.1:1\"]".to_owned(),
                Some(default) if default.starts_with('[') => "[\"127.0.0.1:1\"]".to_owned(),
                Some(_) => "\"127.0.0.1:1\"".to_owned(),
            };
            text += &format!("{} = {value}\n", key.name);
        }
    }
    // listen.wss needs TLS, and otel.endpoint a feature of the build.
    text.replace("wss = ", "# wss = ")
        .replace("endpoint = ", "# endpoint = ")
}

/// The declarations say which keys a reload uses, and it uses just these.
#[test]
fn a_reload_uses_what_the_declarations_say() {
    let (old, new) = (Config::default(), parse(&all_changed()).expect("legal"));
    let all = old.changes(&new);
    let declared: usize = Config::sections()
        .iter()
        .filter(|section| !section.repeated && section.name != "tls")
        .map(|section| section.keys.len())
        .sum();
    // Without listen.wss and otel.endpoint.
    assert_eq!(
        all.len(),
        declared - 2,
        "{:?}",
        all.iter().map(|changed| &changed.name).collect::<Vec<_>>()
    );
    let used = old.reloaded(&new, |_| old.upstream.kind);
    let names =
        |changes: Vec<Changed>| -> BTreeSet<String> { changes.into_iter().map(|changed| changed.name).collect() };
    let of = |change| {
        all.iter()
            .filter(move |changed| changed.change == change)
            .map(|changed| changed.name.clone())
    };
    assert_eq!(names(old.changes(&used)), of(Change::Reload).collect());
    assert_eq!(names(used.changes(&new)), of(Change::Restart).collect());
}

#[test]
fn a_new_app_waits_for_its_backend() {
    let of = |text: &str| parse(text).expect(text);
    let old = of("[[app]]\nid = 'a'\nupstream = 'agent'\n");
    let new =
        of("[[app]]\nid = 'a'\nallow_no_token = true\n[[app]]\nid = 'b'\n[[app]]\nid = 'c'\nupstream = 'agent'\n");
    let routed = |app: &AppId| old.upstream_of(app);
    let used = old.reloaded(&new, routed);
    let apps: Vec<_> = used
        .apps
        .iter()
        .map(|app| (app.id.as_str(), app.upstream, app.auth.allow_no_token))
        .collect();
    assert_eq!(
        apps,
        [("a", UpstreamKind::Agent, true), ("b", UpstreamKind::Embedded, false)]
    );
    let waiting: Vec<_> = old.apps_for_restart(&new, routed).map(AppId::as_str).collect();
    assert_eq!(waiting, ["c"]);
}
