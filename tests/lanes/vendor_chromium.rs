//! The vendor lane in a browser: the vendor's own Web SDK, unmodified, in Chromium, by wss, against three servers of
//! this process with certificates of `sigbridge dev-cert`.
//!
//! Needs Chromium, NSS' certutil, Node 20.11 and npm; without them it is skipped, except on CI.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::lane::{
    Report, config_with_certificate, count_files, lane, missing, missing_node, must_run, npm_installed, skipped,
};
use crate::support::{serve, tables, tests_use_redis};
use sigbridge::config::Config;
use trace::har::import;
use trace::replay_embedded;

/// The names of the lane's README.
const NAMES: [&str; 3] = ["bridge.example.com", "auth.example.com", "app.example.com"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_vendors_sdk_is_served_in_a_browser() {
    if skipped(missing_tools()) {
        return;
    }
    let lane = lane("chromium");
    let sdk = npm_installed("vendor-chromium", &lane);
    let folder = made_certificates();
    let open = serve(config(&folder, "")).await;
    let named = serve(config(
        &folder,
        "[discovery]\nadvertise_host = 'bridge.example.com:8443'",
    ))
    .await;
    let mut config = config(&folder, "[discovery]\nadvertise_host = 'auth.example.com:8443'");
    config.auth = config_with_certificate(&lane.join("../web/token.mjs")).auth;
    let auth = serve(config).await;
    let mut run = Command::new("node");
    run.arg(lane.join("run.mjs")).arg("--certs").arg(folder.join("certs"));
    for (name, server) in [("--open", &open), ("--named", &named), ("--auth", &auth)] {
        run.args([name, &server.http.port().to_string()]);
    }
    let report = Report::of(run.arg("--sdk").arg(&sdk));
    let shared = count_files(&lane.join("../web/scenarios"), "mjs");
    assert!(
        report.ran() > shared,
        "the scenarios of the Web lane, and some of its own"
    );
    for needed in [
        "login",
        "peer-message",
        "channel-message",
        "channel-attribute",
        "invite-accept",
        "kicked",
    ] {
        report.assert_passed(needed, &["hosts", "oneline"]);
    }
    report.assert_passed("reconnect", &["proxy"]);
    if !tests_use_redis() {
        a_live_rtm_emits_the_same(Command::new("node").args(run.get_args()), &folder);
    }
    for needed in [
        "token-expired",
        "untrusted",
        "entry-two-slashes",
        "entry-escaped",
        "written-escaped",
    ] {
        report.assert_passed(needed, &["oneline"]);
    }
}

/// Scenarios after which every client logs out or stays: a HAR does not contain the close of a socket.
const ARCHIVED: [&str; 9] = [
    "channel-attribute",
    "channel-join",
    "channel-message",
    "invite-accept",
    "invite-refuse",
    "kicked",
    "login",
    "peer-message-order",
    "peer-message-text",
];

/// The archive of the browser's network panel is imported and replayed to a live RTM.
fn a_live_rtm_emits_the_same(run: &mut Command, folder: &Path) {
    let har = folder.join("run.har");
    let only = ARCHIVED.iter().flat_map(|name| ["--only", name]);
    Report::of(run.args(only).arg("--har").arg(&har));
    let (tables, encoders) = tables();
    let imported = import(&tables, &fs::read(&har).expect("the browser has written it"));
    let trace = imported.unwrap_or_else(|error| panic!("{error}")).trace;
    let outcome = replay_embedded(&tables, &encoders, &trace, 1).unwrap_or_else(|error| panic!("{error}"));
    assert!(outcome.differences.is_empty(), "{:#?}", outcome.differences);
    // Two ways each, and most of them have two clients.
    assert!(outcome.sessions > 2 * ARCHIVED.len(), "{} sessions", outcome.sessions);
}

/// Returns the reason why the lane cannot run on this machine.
fn missing_tools() -> Option<String> {
    missing_node().or_else(|| missing("chromium", [0, 0])).or_else(|| {
        // It has no option for its version, and prints its usage instead.
        let mut certutil = Command::new("certutil");
        let found = certutil.arg("-H").stdin(Stdio::null()).output().is_ok();
        (!found).then(|| "certutil is not installed".to_owned())
    })
}

/// A folder with `certs` of `sigbridge dev-cert` in it: a new CA each time, which nothing but this run trusts.
fn made_certificates() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("vendor-chromium-certs");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the target folder can be written");
    let hosts = NAMES.iter().flat_map(|name| ["--host", name]);
    must_run(
        Command::new(env!("CARGO_BIN_EXE_sigbridge"))
            .args(["dev-cert", "--out", "certs"])
            .args(hosts)
            .current_dir(&folder),
    );
    folder
}

/// The text of a config with the certificates of a folder.
fn config(folder: &Path, more: &str) -> Config {
    let path = folder.join("sigbridge.toml");
    let listen = "[listen]\nhttp = '127.0.0.1:0'\ntcp = 'off'\nudp = []";
    let tls = "[tls]\ncertificate = 'certs/cert.pem'\nkey = 'certs/key.pem'";
    fs::write(&path, format!("{listen}\n{tls}\n{more}\n")).expect("the target folder can be written");
    Config::load(&path).unwrap_or_else(|diags| panic!("{diags}"))
}
