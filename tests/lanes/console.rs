//! The console of the admin address in Chromium, with clients of this project at the same server.
//!
//! Needs Chromium, Node 20.11 and npm; without them it is skipped, except on CI.

use std::process::Command;

use crate::support::lane::{Report, lane, missing, missing_node, npm_installed, skipped};
use crate::support::{config, empty_folder, serve_with_config};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_shows_and_closes_sessions() {
    if skipped(missing_node().or_else(|| missing("chromium", [0, 0]))) {
        return;
    }
    let lane = lane("console");
    let packages = npm_installed("console", &lane);
    let folder = empty_folder("console-traces");
    let mut config = config();
    config.admin.listen = Some(([127, 0, 0, 1], 0).into());
    config.record.folder = Some(folder);
    let running = serve_with_config(config).await;
    let admin = running.admin.expect("it is configured");
    let mut run = Command::new("node");
    run.arg(lane.join("run.mjs"))
        .args([
            "--admin",
            &admin.port().to_string(),
            "--http",
            &running.http.port().to_string(),
        ])
        .args(["--tcp", &running.tcp.expect("an address").port().to_string()])
        .args(["--program", env!("CARGO_BIN_EXE_sigbridge"), "--sdk"])
        .arg(&packages);
    if let Some(folder) = std::env::var_os("SCREENSHOTS") {
        run.arg("--screenshots").arg(folder);
    }
    let report = Report::of(&mut run);
    for needed in [
        "appears",
        "message",
        "close",
        "refused",
        "text-only",
        "views",
        "keyboard",
        "cross-site",
        "ten-thousand",
        "dark",
        "nothing-else",
    ] {
        report.assert_passed(needed, &["chromium"]);
    }
}
