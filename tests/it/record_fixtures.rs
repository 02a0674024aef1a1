//! Records `fixtures/traces`: clients of this project, and the vendor's where available, with servers of this process. Their
//! upstream has the names of each SDK.
//!
//! ```text
//! cargo test --test it record_fixtures -- --ignored
//! ```
//!
//! Scripts (`tests/it/record_fixtures/ID[.WHAT].txt`) are those of [`Stage`], with further lines at their top:
//!
//! | line | |
//! |---|---|
//! | `@ web ios-macos` | the platforms of the recording; default: all |
//! | `\| [session]` | a line of the server's config; without a setting, RTM's rates are disabled |
//!
//! `$a` and `$b` are the families of the platform's clients. `$attrs` is thirty-two attributes of `room`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::support::lane::{
    Report, config_with_certificate, lane, missing_node, missing_python, npm_installed, python, python_installed,
    skipped,
};
use crate::support::{Stage, config, serve, serve_recorded, trace_of};
use sigbridge::config::{Config, DiskFiles};
use tokio::sync::Semaphore;
use trace::Policy;

/// The platforms, with the families of their clients, `$a` and `$b`.
const PLATFORMS: &[(&str, [&str; 2])] = &[
    ("web", ["web", "web"]),
    ("linux-java", ["javasdk", "native"]),
    ("ios-macos", ["native", "native"]),
    ("linux-cpp", ["native", "native"]),
    ("linux-cpp-2019-08", ["native", "native"]),
];
/// Scenarios of the Python lane that fail with an SDK, which cannot send to a channel from outside.
const FORCED: &str = r#"{"channel-message-forced": "only RTM's RESTful API sends to a channel from outside"}"#;
/// Servers at a time.
const AT_ONCE: usize = 16;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

struct Script {
    name: String,
    text: String,
    config: String,
    platforms: Option<Vec<String>>,
}

fn scripts() -> Vec<Script> {
    let folder = root().join("tests/it/record_fixtures");
    let entries = fs::read_dir(&folder).expect("the scripts").flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths.iter().map(|path| script(path)).collect()
}

fn script(path: &Path) -> Script {
    let text = fs::read_to_string(path).expect("a script");
    let (mut config, mut platforms) = (String::new(), None);
    let mut lines = Vec::new();
    for line in text.lines() {
        if let Some(line) = line.strip_prefix("| ") {
            config = config + line + "\n";
        } else if let Some(names) = line.strip_prefix("@ ") {
            platforms = Some(names.split(' ').map(str::to_owned).collect());
        } else {
            lines.push(line);
            continue;
        }
        // Lines keep their numbers.
        lines.push("");
    }
    Script {
        name: path.file_stem().expect("a name").to_string_lossy().into_owned(),
        text: lines.join("\n"),
        config,
        platforms,
    }
}

/// The config of a script's server: its ports are any.
fn config_of(script: &Script) -> Config {
    let source = Config::source(script.name.clone(), script.config.clone());
    let config = Config::parse(&source, &DiskFiles::beside(&root().join("none.toml")));
    let mut config = config.unwrap_or_else(|diags| panic!("{}", diags.render(false)));
    config.listen = self::config().listen;
    config.listen.udp.clear();
    if !script.config.contains("rate_scale") {
        config.embedded.rate_scale = 0;
    }
    config
}

fn filled(script: &Script, [a, b]: [&str; 2]) -> String {
    let attrs: String = (1..=32)
        .map(|n| {
            format!(
                "dora: channelSetAttr room name-{n} {n}\n~ dora onChannelAttrUpdated channelID=\"room\" name=\"name-{n}\"\n"
            )
        })
        .collect();
    let line = |line: &str| match line.split_once(' ') {
        Some(("$a", who)) => format!("{a} {who}"),
        Some(("$b", who)) => format!("{b} {who}"),
        _ if line == "$attrs" => attrs.clone(),
        _ => line.to_owned(),
    };
    script.text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixtures").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.parent().expect("a folder above")).expect("the target folder can be written");
    folder
}

async fn record(script: Arc<Script>, platform: &'static str, families: [&'static str; 2]) -> (String, PathBuf) {
    let name = format!("{}.{platform}", script.name);
    let folder = scratch(&name);
    let (running, agent) = serve_recorded(config_of(&script), platform, &folder, Policy::Keep).await;
    let mut stage = Stage::new(running, true).behind(agent);
    stage.play(&name, &filled(&script, families)).await;
    let (running, _agent) = stage.close();
    (name, trace_of(running, &folder).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes fixtures/traces"]
async fn record_scripts() {
    let only = std::env::var("ONLY").ok();
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = Vec::new();
    for script in scripts().into_iter().map(Arc::new) {
        for &(platform, families) in PLATFORMS {
            let wanted = script
                .platforms
                .as_ref()
                .is_none_or(|of| of.iter().any(|p| p == platform));
            let named = only
                .as_ref()
                .is_none_or(|only| format!("{}.{platform}", script.name).contains(only));
            if wanted && named {
                let (script, permits) = (script.clone(), permits.clone());
                running.push(tokio::spawn(async move {
                    let _permit = permits.acquire().await;
                    record(script, platform, families).await
                }));
            }
        }
    }
    let mut recorded = BTreeMap::new();
    let mut failed = 0;
    for task in running {
        match task.await {
            Ok((name, path)) => {
                recorded.insert(name, path);
            }
            // The error was reported at its place.
            Err(_) => failed += 1,
        }
    }
    assert_eq!(failed, 0, "scripts were not played to their end; nothing is replaced");
    let traces = root().join("fixtures/traces");
    if only.is_none() {
        remove_old(&traces);
    }
    for (name, path) in &recorded {
        keep(name, path);
    }
}

/// Removes what this has written before.
fn remove_old(folder: &Path) {
    for entry in fs::read_dir(folder).expect("fixtures/traces").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".jsonl") && !name.starts_with("vendor-") {
            fs::remove_file(entry.path()).expect("fixtures/traces can be written");
        }
    }
}

/// The vendor's Web SDK, by the scenarios of its lane.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes fixtures/traces"]
async fn record_vendor_web() {
    if skipped(missing_node()) {
        return;
    }
    let lane = lane("web");
    let sdk = npm_installed("vendor-web", &lane);
    let auth = serve(config_with_certificate(&lane.join("token.mjs"))).await;
    let name = "vendor-web-1.4.0";
    let folder = scratch(name);
    let (open, agent) = serve_recorded(config(), "web", &folder, Policy::Placeholder).await;
    let mut run = Command::new("node");
    run.arg(lane.join("run.mjs"))
        .args(["--open", &open.http.port().to_string()])
        .args(["--auth", &auth.http.port().to_string()])
        .arg("--sdk")
        .arg(&sdk)
        .args(["--way", "url"]);
    Report::of(&mut run);
    keep(name, &trace_of(open, &folder).await);
    drop(agent);
}

/// The vendor's Python SDK.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes fixtures/traces"]
async fn record_vendor_python() {
    if skipped(missing_python()) {
        return;
    }
    let lane = lane("python");
    let venv = python_installed("vendor-python", &lane);
    let auth = serve(config_with_certificate(&lane.join("tokens.py"))).await;
    let name = "vendor-python-1.0.2";
    let folder = scratch(name);
    let expected = scratch("expected").with_extension("json");
    fs::write(&expected, FORCED).expect("the target folder can be written");
    let (open, agent) = serve_recorded(config(), "linux-java", &folder, Policy::Placeholder).await;
    let mut run = Command::new(python(&venv));
    run.arg("-B")
        .arg(lane.join("run.py"))
        .args(["--open", &open.http.port().to_string()])
        .args(["--auth", &auth.http.port().to_string()])
        .args(["--sigbridge", env!("CARGO_BIN_EXE_sigbridge")])
        .args(["--way", "lookup"])
        .arg("--expected-failures")
        .arg(&expected);
    Report::of(&mut run);
    keep(name, &trace_of(open, &folder).await);
    drop(agent);
}

fn keep(name: &str, path: &Path) {
    let trace = fs::read(path).expect("a trace");
    fs::write(root().join(format!("fixtures/traces/{name}.jsonl")), trace).expect("fixtures/traces can be written");
}
