//! Metrics: the registry, docs/guide/metrics.md, the dashboards and the alerting rules agree.
//!
//! `UPDATE_DOCS=1 cargo test --test it metrics::` writes the document.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Client, config, emit, empty_folder, http, serve_with_config};

/// Below this line the document is made from the registry.
const GENERATED: &str = "<!-- from the registry; UPDATE_DOCS=1 cargo test --test it metrics:: writes it -->\n";

/// Metric family.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    help: String,
    labels: BTreeSet<String>,
    /// Has a value.
    has_samples: bool,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The metrics of a server; `used` by two clients, or before its first client.
async fn scrape(used: bool) -> String {
    let mut config = config();
    config.admin.listen = Some(([127, 0, 0, 1], 0).into());
    let running = serve_with_config(config).await;
    let mut clients = Vec::new();
    if used {
        let mut alice = Client::login(running.http, "alice").await;
        let mut bob = Client::login(running.http, "bob").await;
        for client in [&mut alice, &mut bob] {
            assert_eq!(
                client
                    .call("channel_join", serde_json::json!({"name": "room"}))
                    .await
                    .err,
                ""
            );
        }
        let send_line = serde_json::json!({"name": "room", "msg": "hi"});
        assert_eq!(alice.call("channel_sendmsg", send_line).await.err, "");
        for _ in 0..20 {
            emit(&mut alice, "bob", "hi").await;
        }
        clients.extend([alice, bob]);
    }
    http(running.admin.expect("an address"), "GET /metrics", &[], "")
        .await
        .body
}

fn families(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            current = name.to_owned();
            families.entry(current.clone()).or_default().help = help.trim_end_matches('.').to_owned();
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            families.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else if !line.starts_with('#') {
            let family = families.get_mut(&current).expect("a HELP line is first");
            family.has_samples = true;
            let labels = line.split_once('{').map_or("", |(_, rest)| rest);
            let names = labels
                .split("=\"")
                .map(|part| part.rsplit(['"', ',', '{']).next().unwrap_or_default());
            let is_name = |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            let names = names.take(labels.matches("=\"").count()).filter(is_name);
            family
                .labels
                .extend(names.filter(|name| *name != "le").map(str::to_owned));
        }
    }
    families
}

/// The names of a family's samples.
fn samples(name: &str, kind: &str) -> Vec<String> {
    let endings: &[&str] = match kind {
        "counter" => &["_total"],
        "histogram" => &["_bucket", "_count", "_sum"],
        "info" => &["_info"],
        _ => &[""],
    };
    endings.iter().map(|end| format!("{name}{end}")).collect()
}

#[tokio::test]
async fn every_family_has_values_from_the_start() {
    let families = families(&scrape(false).await);
    assert!(families.len() > 40, "{}", families.len());
    let empty: Vec<&String> = families
        .iter()
        .filter(|(_, f)| !f.has_samples)
        .map(|(name, _)| name)
        .collect();
    assert_eq!(empty, [] as [&String; 0]);
}

#[tokio::test]
async fn times_are_measured() {
    let text = scrape(true).await;
    let value = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name}")).parse().expect("a number")
    };
    assert_eq!(value("sigbridge_login_seconds_count{result=\"accepted\"}"), 2.0);
    let calls = "sigbridge_rtm_call_seconds_count{call=\"sendMessageToPeer\",result=\"ok\"}";
    assert_eq!(value(calls), 20.0);
    assert!(value("sigbridge_translate_seconds_count") >= 2.0);
    assert!(value("sigbridge_outbound_wait_seconds_count") >= 2.0);
    assert_eq!(value("sigbridge_fan_out_receivers_count"), 1.0);
    assert_eq!(value("sigbridge_fan_out_receivers_sum"), 2.0);
    let web = "{app=\"other\",profile=\"web\",state=\"connected\"}";
    assert_eq!(value(&format!("sigbridge_client_sessions{web}")), 2.0);
    assert!(value("process_open_fds") > 3.0);
}

#[tokio::test]
async fn the_document_is_that_of_the_registry() {
    let page = root().join("docs/guide/metrics.md");
    let text = fs::read_to_string(&page).expect("the page");
    let (intro, generated) = text.split_once(GENERATED).expect("the mark of the generated part");
    let mut expected = String::from("\n| metric | kind | labels | meaning |\n|---|---|---|---|\n");
    for (name, family) in families(&scrape(false).await) {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let shown = match &*family.kind {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.clone(),
        };
        let _ = writeln!(
            expected,
            "| `{shown}` | {} | {} | {} |",
            family.kind,
            labels.join(", "),
            family.help
        );
    }
    if generated != expected && std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&page, format!("{intro}{GENERATED}{expected}")).expect("the page can be written");
        return;
    }
    assert_eq!(generated, expected, "UPDATE_DOCS=1 writes it");
}

/// All expressions of dashboards, with their place.
fn panels() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("ops/grafana")).expect("dashboards") {
        let path = entry.expect("a file").path();
        let text = fs::read_to_string(&path).expect("text");
        let dashboard: Value = serde_json::from_str(&text).expect("JSON");
        for panel in dashboard["panels"].as_array().expect("panels") {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let place = format!("{}: {}", path.display(), panel["title"]);
                found.push((place, target["expr"].as_str().expect("an expression").to_owned()));
            }
        }
    }
    assert!(found.len() > 60, "only {} expressions", found.len());
    found
}

/// All expressions of rules, with their names.
fn rules() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("ops/alerts.yml")).expect("the rules");
    let file: Value = serde_saphyr::from_str(&text).expect("YAML");
    let mut found = Vec::new();
    for rule in file["groups"][0]["rules"].as_array().expect("rules") {
        let name = rule["alert"].as_str().expect("a name").to_owned();
        assert!(["page", "ticket"].contains(&rule["labels"]["severity"].as_str().expect("a severity")));
        for part in ["summary", "action"] {
            assert!(rule["annotations"][part].is_string(), "{name} has no {part}");
        }
        found.push((name, rule["expr"].as_str().expect("an expression").to_owned()));
    }
    found
}

/// The metrics in an expression.
fn metrics_in(expr: &str) -> impl Iterator<Item = &str> {
    expr.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("sigbridge_") || word.starts_with("process_"))
}

#[tokio::test]
async fn panels_and_rules_show_what_the_registry_has() {
    let families = families(&scrape(false).await);
    let known: BTreeMap<String, &String> = families
        .iter()
        .flat_map(|(name, family)| {
            samples(name, &family.kind)
                .into_iter()
                .map(move |sample| (sample, name))
        })
        .collect();
    let mut shown = BTreeSet::new();
    for (place, expr) in panels().into_iter().chain(rules()) {
        for metric in metrics_in(&expr) {
            let family = known
                .get(metric)
                .unwrap_or_else(|| panic!("{place}: no metric {metric}"));
            shown.insert((*family).clone());
        }
    }
    let hidden: Vec<&String> = families.keys().filter(|name| !shown.contains(*name)).collect();
    assert_eq!(hidden, [] as [&String; 0], "no panel shows them");
    for (metric, line) in fs::read_to_string(root().join("docs/guide/production.md"))
        .expect("the page")
        .lines()
        .flat_map(|line| {
            metrics_in(line)
                .map(move |metric| (metric.to_owned(), line.to_owned()))
                .collect::<Vec<_>>()
        })
    {
        let is_known = known.contains_key(&metric) || families.contains_key(&metric);
        assert!(is_known, "docs/guide/production.md names {metric}: {line}");
    }
}

/// Drops are a closed list: each text of the source is in it.
#[test]
fn every_drop_is_listed() {
    let labels = fs::read_to_string(root().join("src/admin/metrics/labels.rs")).expect("the list");
    let mut calls = 0;
    for file in sources(&root().join("src")) {
        let text = fs::read_to_string(&file).expect("a source file");
        for rest in text.split("metrics.dropped(\"").skip(1) {
            let what = rest.split('"').next().unwrap_or_default();
            calls += 1;
            assert!(labels.contains(&format!("(\"{what}\", ")), "{}: {what}", file.display());
        }
    }
    assert!(calls > 8, "only {calls} calls");
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
    found
}

/// Prometheus' own tool reads the rules, each expression of a panel as a rule, and a scrape.
#[tokio::test(flavor = "multi_thread")]
async fn promtool_accepts_all_of_it() {
    if Command::new("promtool").arg("--version").output().is_err() {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI has promtool (Debian package prometheus)"
        );
        println!("not run: promtool is not installed");
        return;
    }
    let folder = empty_folder("promtool");
    let mut wrapped = String::from("groups:\n  - name: panels\n    rules:\n");
    for (at, (place, expr)) in panels().into_iter().enumerate() {
        let expr = expr.replace("$__rate_interval", "5m").replace("$instance", ".*");
        let _ = writeln!(
            wrapped,
            "      # {place}\n      - record: panel:{at}\n        expr: '{expr}'"
        );
    }
    let panels = folder.join("panels.yml");
    fs::write(&panels, wrapped).expect("a file");
    for rules in [panels, root().join("ops/alerts.yml")] {
        promtool(&["check", "rules"], &rules, None);
    }
    let scrape = folder.join("metrics.txt");
    fs::write(&scrape, classic(&scrape_text().await)).expect("a file");
    promtool(&["check", "metrics"], Path::new(""), Some(&scrape));
}

async fn scrape_text() -> String {
    scrape(true).await
}

/// OpenMetrics as the older text format, which `check metrics` reads: counters have the ending in their name.
fn classic(text: &str) -> String {
    let kinds = families(text);
    let mut converted = String::new();
    for line in text
        .lines()
        .filter(|line| !line.starts_with("# UNIT") && *line != "# EOF")
    {
        let mut words = line.splitn(4, ' ');
        let described = match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(what), Some(name), Some(rest)) => match &*kinds[name].kind {
                "counter" => format!("# {what} {name}_total {rest}"),
                "info" => format!("# {what} {name}_info {}", rest.replace("info", "gauge")),
                _ => line.to_owned(),
            },
            _ => line.to_owned(),
        };
        converted += &described;
        converted.push('\n');
    }
    converted
}

fn promtool(args: &[&str], file: &Path, stdin: Option<&Path>) {
    let mut command = Command::new("promtool");
    command.args(args);
    match stdin {
        Some(path) => command.stdin(fs::File::open(path).expect("a file")),
        None => command.arg(file),
    };
    let output = command.output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{args:?} {}:\n{text}", file.display());
}
