//! The vendor lane: the vendor's own Web SDK, unmodified, against two servers of this process.
//!
//! Needs Node 20.11 and npm; without them it is skipped, except on CI.

use std::process::Command;

use crate::support::lane::{Report, config_with_certificate, count_files, lane, missing_node, npm_installed, skipped};
use crate::support::{config, serve};

/// The ways in which the SDK finds a server: its debugging address, the look-up, and the look-up for 1.4 in Node.
const WAYS: [&str; 3] = ["url", "lookup", "path"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_vendors_sdk_is_served() {
    if skipped(missing_node()) {
        return;
    }
    let lane = lane("web");
    let sdk = npm_installed("vendor-web", &lane);
    let open = serve(config()).await;
    let auth = serve(config_with_certificate(&lane.join("token.mjs"))).await;
    let mut run = Command::new("node");
    run.arg(lane.join("run.mjs"))
        .args(["--open", &open.http.port().to_string()])
        .args(["--auth", &auth.http.port().to_string()])
        .arg("--sdk")
        .arg(&sdk);
    let report = Report::of(&mut run);
    let scenarios = count_files(&lane.join("scenarios"), "mjs");
    assert!(scenarios >= 40, "only {scenarios} scenarios");
    assert_eq!(report.ran(), WAYS.len() * scenarios, "every scenario runs in every way");
    for needed in [
        "peer-message",
        "channel-message",
        "invite-accept",
        "kicked",
        "reconnect",
        "token-expired",
    ] {
        report.assert_passed(needed, &WAYS);
    }
}
