//! Kinds of Redis: a replica that is promoted by hand, a cluster of three, TLS with a user of few rights, data of a later version.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::Connection;
use sigbridge::config::{App, Config, UpstreamKind};
use sigbridge::startup::Running;
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::support::{
    Client, PATIENCE, RedisServer, config, counter, database, emit, empty_folder, eventually, is_installed, on_redis,
    reached, serve_with_config, text,
};
use crate::tls::dev_cert;

/// A `redis-server` with a port, which ends with the value.
struct Served {
    child: Child,
    port: u16,
}

impl Served {
    fn start(folder: &PathBuf, port: u16, args: &[&str]) -> Self {
        std::fs::create_dir_all(folder).expect("the target folder can be written");
        // It ends with its input, so it does not outlive this process.
        let guarded = r#"redis-server "$@" & pid=$!; cat; kill -9 $pid; wait $pid 2>/dev/null"#;
        let child = Command::new("sh")
            .args(["-c", guarded, "sh", "--save", "", "--maxmemory-policy", "noeviction"])
            .args(["--bind", "127.0.0.1", "--protected-mode", "no"])
            .args(args)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self {
            child: child.expect("redis-server starts"),
            port,
        }
    }

    fn connect(&self) -> Option<Connection> {
        connect(&format!("redis://127.0.0.1:{}", self.port))
    }

    fn kill(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.kill();
    }
}

fn connect(url: &str) -> Option<Connection> {
    let mut connection = redis::Client::open(url).ok()?.get_connection().ok()?;
    redis::cmd("PING").query::<String>(&mut connection).ok()?;
    Some(connection)
}

/// A free port whose cluster port, 10 000 above, is free, too.
async fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        if port < 50_000 && TcpListener::bind(("127.0.0.1", port + 10_000)).await.is_ok() {
            return port;
        }
    }
}

async fn sidecars(count: usize, config: &Config) -> Vec<Running> {
    let mut servers = Vec::new();
    for _ in 0..count {
        let running = serve_with_config(config.clone()).await;
        reached(&running).await;
        servers.push(running);
    }
    servers
}

/// Returns the texts of a client's waiting lines, from that number on.
async fn fetched(client: &mut Client, count: usize) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let mut version = 0;
    let begun = tokio::time::Instant::now();
    while texts.len() < count && begun.elapsed() < PATIENCE {
        let (clear, lines) = client.poll(version).await;
        version = lines.last().map_or(clear, |(version, _)| *version);
        texts.extend(lines.iter().map(|(_, line)| text(line).to_owned()));
        sleep(Duration::from_millis(20)).await;
    }
    texts
}

#[tokio::test]
async fn losses_of_a_failover_are_detected_and_repaired() {
    if !is_installed() {
        return;
    }
    let folder = empty_folder("redis-failover");
    let sockets = std::env::temp_dir().join(format!("sb-failover-{}", std::process::id()));
    std::fs::create_dir_all(&sockets).expect("a folder");
    let (first, second, current) = (sockets.join("first"), sockets.join("second"), sockets.join("current"));
    let path = |path: &PathBuf| path.to_str().expect("UTF-8").to_owned();
    let (port, other) = (free_port().await, free_port().await);
    let mut main = Served::start(
        &folder.join("main"),
        port,
        &["--port", &port.to_string(), "--unixsocket", &path(&first)],
    );
    eventually("the main Redis answers", || main.connect().is_some()).await;
    let replica = Served::start(
        &folder.join("replica"),
        other,
        &[
            "--port",
            &other.to_string(),
            "--unixsocket",
            &path(&second),
            "--replicaof",
            "127.0.0.1",
            &port.to_string(),
        ],
    );
    let copies = || {
        let info = replica
            .connect()
            .and_then(|mut redis| redis::cmd("INFO").arg("replication").query::<String>(&mut redis).ok());
        info.is_some_and(|info| info.contains("master_link_status:up"))
    };
    eventually("the replica copies", copies).await;
    symlink(&first, &current).expect("a link");
    let config = on_redis(config(), &format!("redis+unix://{}", path(&current)));
    let servers = sidecars(2, &config).await;
    let mut alice = Client::login(servers[0].http, "alice").await;
    let mut bob = Client::login(servers[1].http, "bob").await;
    bob.poll(0).await;
    emit(&mut alice, "bob", "1").await;
    bob.frame("notify").await;
    // From now on the main Redis does what the replica will not have.
    let mut promoted = replica.connect().expect("it answers");
    redis::cmd("REPLICAOF")
        .arg("NO")
        .arg("ONE")
        .query::<()>(&mut promoted)
        .expect("it is promoted");
    emit(&mut alice, "bob", "2").await;
    bob.frame("notify").await;
    sleep(Duration::from_millis(50)).await;
    main.kill();
    std::fs::remove_file(&current).expect("the link is there");
    symlink(&second, &current).expect("a link");
    let lost = || {
        servers
            .iter()
            .map(|server| counter(server, "sigbridge_redis_lost_batches_total"))
            .sum::<u64>()
    };
    eventually("the loss is counted", || lost() > 0).await;
    let repairs = || {
        servers
            .iter()
            .map(|server| counter(server, "sigbridge_redis_repairs_total"))
            .min()
    };
    // Each sidecar puts its logins back, and its sessions save what they have.
    eventually("all are repaired", || repairs() >= Some(1)).await;
    emit(&mut alice, "bob", "3").await;
    bob.frame("notify").await;
    let lines = || {
        let mut stored = replica.connect().expect("it answers");
        let fields: Vec<String> = redis::cmd("HKEYS")
            .arg("{sb:app}:z:bob")
            .query(&mut stored)
            .expect("a record");
        fields.iter().filter(|field| field.starts_with('m')).count()
    };
    // The line that the failover had lost is in the record again.
    eventually("all lines are saved again", || lines() == 3).await;
    drop(std::fs::remove_dir_all(&sockets));
}

#[tokio::test]
async fn apps_are_spread_over_a_cluster() {
    if !is_installed() {
        return;
    }
    let folder = empty_folder("redis-cluster");
    let mut nodes = Vec::new();
    for n in 0..3 {
        let port = free_port().await;
        let args = [
            "--port",
            &port.to_string(),
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "2000",
        ];
        nodes.push(Served::start(&folder.join(n.to_string()), port, &args));
    }
    eventually("all answer", || nodes.iter().all(|node| node.connect().is_some())).await;
    let addresses: Vec<String> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
    let made = Command::new("redis-cli")
        .args(["--cluster", "create"])
        .args(&addresses)
        .args(["--cluster-replicas", "0", "--cluster-yes"])
        .output()
        .expect("redis-cli runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    let ok = |node: &Served| {
        let info = node
            .connect()
            .and_then(|mut redis| redis::cmd("CLUSTER").arg("INFO").query::<String>(&mut redis).ok());
        info.is_some_and(|info| info.contains("cluster_state:ok"))
    };
    eventually("the cluster is ok", || nodes.iter().all(ok)).await;
    let names = ["app", "app-2", "app-3", "app-4", "app-5", "app-6"];
    let mut config = on_redis(config(), &format!("redis://{}", addresses[0]));
    config.redis.cluster = true;
    config.apps = names
        .iter()
        .map(|name| App {
            id: rtm::AppId::new(*name).expect("an app id"),
            auth: config.auth.clone(),
            upstream: UpstreamKind::Redis,
            allowed_origins: None,
            limits: Default::default(),
        })
        .collect();
    let servers = sidecars(2, &config).await;
    for name in names {
        let mut alice = Client::connect(servers[0].http).await;
        let mut bob = Client::connect(servers[1].http).await;
        for (client, account) in [(&mut alice, "alice"), (&mut bob, "bob")] {
            let fields = serde_json::json!({"vid": name, "account": account, "uid": 0, "token": "", "device": "websdk", "ip": ""});
            client.send(serde_json::json!(["login", fields])).await;
            assert_eq!(client.login_ret().await.err, "", "{account} of {name}");
        }
        emit(&mut alice, "bob", name).await;
        assert_eq!(fetched(&mut bob, 1).await, [name]);
    }
    let with_keys: BTreeSet<u16> = nodes
        .iter()
        .filter(|node| {
            let mut redis = node.connect().expect("it answers");
            redis::cmd("DBSIZE").query::<u64>(&mut redis).expect("a number") > 0
        })
        .map(|node| node.port)
        .collect();
    assert!(with_keys.len() > 1, "apps are in several nodes");
}

/// The rights that the specification names.
fn documented_rights() -> Vec<String> {
    let text = include_str!("../../docs/spec/redis.md");
    let section = text.split("<a id=\"8\"></a>").nth(1).expect("section 8");
    let rights = section.split("```").nth(1).expect("a block");
    rights.split_whitespace().map(str::to_owned).collect()
}

#[tokio::test]
async fn tls_and_a_user_with_the_documented_rights() {
    if !is_installed() {
        return;
    }
    let folder = empty_folder("redis-tls");
    dev_cert(&folder, &["--out", "certs", "--host", "localhost"]);
    let port = free_port().await;
    let mut args: Vec<String> = [
        "--port",
        "0",
        "--tls-port",
        &port.to_string(),
        "--tls-auth-clients",
        "no",
    ]
    .map(str::to_owned)
    .into();
    for (key, file) in [
        ("--tls-cert-file", "cert.pem"),
        ("--tls-key-file", "key.pem"),
        ("--tls-ca-cert-file", "ca.pem"),
    ] {
        args.extend([key.to_owned(), format!("certs/{file}")]);
    }
    args.extend(["--user", "sigbridge", "on", ">a-password", "resetchannels"].map(str::to_owned));
    args.extend(documented_rights());
    args.extend(["--user", "default", "off"].map(str::to_owned));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let _server = Served::start(&folder, port, &args);
    let mut config = on_redis(config(), &format!("rediss://localhost:{port}"));
    config.redis.ca = Some(std::fs::read_to_string(folder.join("certs/ca.pem")).expect("a certificate"));
    config.redis.user = Some("sigbridge".into());
    config.redis.password = Some("a-password".to_owned().into());
    let servers = sidecars(2, &config).await;
    let mut alice = Client::login(servers[0].http, "alice").await;
    let mut bob = Client::login(servers[1].http, "bob").await;
    alice.call("channel_join", serde_json::json!({"name": "room"})).await;
    let joined = bob.call("channel_join", serde_json::json!({"name": "room"})).await;
    assert_eq!(joined.json["result"], "ok");
    emit(&mut alice, "bob", "hi").await;
    assert_eq!(fetched(&mut bob, 1).await, ["hi"]);
    emit(&mut alice, "carol", "later").await;
    let mut carol = Client::login(servers[0].http, "carol").await;
    assert_eq!(fetched(&mut carol, 1).await, ["later"]);
    let failures = |server: &Running| counter(server, "sigbridge_redis_failures_total{reason=\"refused\"}");
    assert_eq!(servers.iter().map(failures).sum::<u64>(), 0);
    config.redis.password = Some("another".to_owned().into());
    let refused = serve_with_config(config).await;
    let redis = refused.server.redis.clone().expect("a Redis upstream");
    eventually("it is refused", || {
        redis
            .health()
            .failure()
            .is_some_and(|trouble| trouble.name() == "refused")
    })
    .await;
}

#[tokio::test]
async fn data_of_a_later_version_is_not_touched() {
    if !is_installed() {
        return;
    }
    let redis = RedisServer::start(&[]);
    let config = on_redis(config(), &redis.url());
    let old = sidecars(1, &config).await;
    let mut alice = Client::login(old[0].http, "alice").await;
    // A sidecar of the same schema, maybe of another version, is no trouble.
    let same = sidecars(1, &config).await;
    let mut bob = Client::login(same[0].http, "bob").await;
    emit(&mut alice, "bob", "hi").await;
    assert_eq!(fetched(&mut bob, 1).await, ["hi"]);
    // A later one has raised it: running sidecars continue, new ones do not start.
    let mut data = redis.connect().expect("it answers");
    redis::cmd("HSET")
        .arg("{sb:app}:m")
        .arg("schema")
        .arg(99)
        .query::<()>(&mut data)
        .expect("a hash");
    emit(&mut alice, "bob", "still").await;
    let late = sidecars(1, &config).await;
    let mut carol = Client::connect(late[0].http).await;
    assert_ne!(carol.log_in("carol").await.err, "");
    let schema: u64 = redis::cmd("HGET")
        .arg("{sb:app}:m")
        .arg("schema")
        .query(&mut data)
        .expect("a number");
    assert_eq!(schema, 99);
    let failures = counter(&late[0], "sigbridge_redis_failures_total{reason=\"schema\"}");
    assert!(failures > 0, "it is counted");
}

#[tokio::test]
async fn nothing_remains_forever() {
    if !is_installed() {
        return;
    }
    let url = database();
    let mut config = on_redis(config(), &url);
    config.redis.offline_messages = true;
    let servers = sidecars(2, &config).await;
    let mut alice = Client::login(servers[0].http, "alice").await;
    let mut bob = Client::login(servers[1].http, "bob").await;
    for client in [&mut alice, &mut bob] {
        client.call("channel_join", serde_json::json!({"name": "room"})).await;
        client
            .call("user_set_attr", serde_json::json!({"name": "a", "value": "1"}))
            .await;
        client
            .call(
                "channel_set_attr",
                serde_json::json!({"channel": "room", "name": "a", "value": "1"}),
            )
            .await;
    }
    bob.poll(0).await;
    emit(&mut alice, "bob", "hi").await;
    emit(&mut alice, "carol", "hi").await;
    let invite = serde_json::json!({"channelName": "room", "peer": "bob", "peeruid": 0, "extra": ""});
    alice.call("voip_invite", invite).await;
    sleep(Duration::from_millis(1_500)).await;
    let mut redis = connect(&url).expect("it answers");
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis).expect("keys");
    let kinds: BTreeSet<&str> = keys
        .iter()
        .filter_map(|key| key.split("}:").nth(1)?.split(':').next())
        .collect();
    for kind in ["m", "l", "n", "s", "u", "p", "j", "c", "d", "o", "z", "secret"] {
        assert!(kinds.contains(kind), "no key of the kind {kind}: {kinds:?}");
    }
    for key in keys {
        let ttl: i64 = redis::cmd("PTTL").arg(&key).query(&mut redis).expect("a time");
        // The secret of session lines is the only one.
        assert!(ttl > 0 || key == "{sb:}:secret", "{key} has no expiry");
    }
}
