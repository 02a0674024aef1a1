//! The vendor lane: the vendor's own Python SDK, unmodified, against two servers of this process and some of its own.
//!
//! Needs Python 3.11 with venv; without it is skipped, except on CI.

use std::process::Command;

use crate::support::lane::{Report, config_with_certificate, lane, missing_python, python, python_installed, skipped};
use crate::support::{config, serve};

/// The ways in which the SDK finds a server: its debugging address, and the look-up.
const WAYS: [&str; 2] = ["debug", "lookup"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_vendors_sdk_is_served() {
    if skipped(missing_python()) {
        return;
    }
    let lane = lane("python");
    let venv = python_installed("vendor-python", &lane);
    let open = serve(config()).await;
    let auth = serve(config_with_certificate(&lane.join("tokens.py"))).await;
    let mut run = Command::new(python(&venv));
    // The sources stay as they are.
    run.arg("-B")
        .arg(lane.join("run.py"))
        .args(["--open", &open.http.port().to_string()])
        .args(["--auth", &auth.http.port().to_string()])
        .args(["--sigbridge", env!("CARGO_BIN_EXE_sigbridge")]);
    let report = Report::of(&mut run);
    let ran = report.ran();
    assert!(ran >= 80 && ran.is_multiple_of(WAYS.len()), "only {ran} runs");
    for needed in [
        "login",
        "token-expired",
        "peer-message-text",
        "channel-message",
        "channel-attribute",
        "invite-accept",
        "ping",
        "kicked",
        "drain",
    ] {
        report.assert_passed(needed, &WAYS);
    }
}
