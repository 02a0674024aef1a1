//! A server of this process whose upstream speaks an SDK's names, and its recording.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sigbridge::config::Config;
use sigbridge::front::http::{Front, serve_http};
use sigbridge::front::speeches;
use sigbridge::front::tcp::serve_tcp;
use sigbridge::mapping::Tables;
use sigbridge::shell::{Clock, Running, Server};
use sigbridge::trace::{Bounds, Policy, Redaction};
use sigbridge::upstream::LocalUpstream;
use sigbridge::upstream::embedded::WorldConfig;
use tokio::net::TcpListener;

use super::{AsPlatform, PATIENCE, eventually};

const BOUNDS: Bounds = Bounds {
    file_bytes: 1 << 30,
    file_time: Duration::from_secs(3600),
    files: 100,
};

/// A server that records all its sessions to one file of `folder`, with names and bodies by that policy; its RTM is
/// reached in the words of `platform`.
pub async fn serve_recorded(config: Config, platform: &str, folder: &Path, policy: Policy) -> Running {
    let tables = Arc::new(Tables::built_in().expect("the built-in tables"));
    let vocabulary = tables.platforms.iter().find(|known| &*known.name == platform);
    let vocabulary = vocabulary.unwrap_or_else(|| panic!("no platform {platform}")).clone();
    let clock = Clock::start();
    let world = WorldConfig {
        rate_scale: config.embedded.rate_scale,
        offline_messages: config.embedded.offline_messages,
        ..WorldConfig::default()
    };
    let rtm = LocalUpstream::new(world, clock);
    let upstream = AsPlatform::new(rtm.clone(), vocabulary);
    let speeches = speeches(&tables).expect("a wire for each profile");
    let server = Server::new(config, tables, speeches, upstream, clock).expect("random bytes");
    let redaction = Redaction::new(&server.tables, policy, policy).expect("random bytes");
    let started = server
        .recorder
        .start(folder.to_path_buf(), BOUNDS, redaction, clock.now());
    started.expect("the folder can be written");
    server.tasks.spawn(rtm.run(server.shutdown.clone()));
    let bind = || async { TcpListener::bind("127.0.0.1:0").await.expect("any free port") };
    let (http, tcp) = (bind().await, bind().await);
    let [http_addr, tcp_addr] = [&http, &tcp].map(|listener| listener.local_addr().expect("it is bound"));
    server.tasks.spawn(serve_tcp(server.clone(), tcp));
    let front = Front::new(server.clone(), None, http_addr.port());
    server.tasks.spawn(serve_http(front, http));
    Running {
        server,
        http: http_addr,
        tcp: Some(tcp_addr),
        udp: Vec::new(),
        reports: None,
        wss: None,
        tls: None,
        admin: None,
    }
}

/// Stops it; its trace.
pub async fn trace_of(running: Running, folder: &Path) -> PathBuf {
    running.server.recorder.stop();
    running.server.stop(PATIENCE).await;
    drop(running);
    let finished = || {
        let entries = std::fs::read_dir(folder).expect("the folder is there").flatten();
        let path = entries.map(|entry| entry.path()).next().expect("a file");
        path.extension().is_some_and(|ext| ext == "jsonl").then_some(path)
    };
    eventually("the trace is finished", || finished().is_some()).await;
    finished().expect("it was")
}
