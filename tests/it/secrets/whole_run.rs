//! All outputs of a whole run, searched for planted secrets: logs at every level, traces, metrics, answers of the admin
//! address, the live view, webhooks.

use std::fs;
use std::net::SocketAddr;

use identity::{Account, token};
use rtm::AppId;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{APP, CERTIFICATE};
use crate::support::{
    Client, PATIENCE, Program, Receiver, RedisServer, emit, empty_folder, eventually, free_address, http, is_installed,
    to_file,
};
use sigbridge::admin::{ROUTES, Route};

const LINK: &str = "linksecret-0123456789abcdef";
const LINE_KEY: &str = "linekey-0123456789abcdef";
const WEBHOOK: &str = "webhooksecret-0123456789";
const ADMIN: &str = "admintoken-0123456789abcdef";
const REDIS: &str = "redispassword-0123456789";
/// In a place of the config where no secret belongs.
const MISPLACED: &str = "misplaced-0123456789abcdef";

/// Logs as text; traces and the live view by the default policy, which replaces names and bodies.
#[tokio::test]
async fn no_output_shows_a_secret() {
    Run::start("text", &[], "").await.search(&[BODY, ATTRIBUTE]).await;
}

/// Logs as JSON; traces and the live view keep names and bodies, but no secrets.
#[tokio::test]
async fn no_output_that_keeps_bodies_shows_a_secret() {
    let keep = "names = \"keep\"\nbodies = \"keep\"\n";
    Run::start("json", &["--log-json"], keep).await.search(&[]).await;
}

const BODY: &str = "BODYSECRET";
const ATTRIBUTE: &str = "ATTRSECRET";

/// A sidecar with an agent, a Redis, a receiver of webhooks, an operator, and two clients.
struct Run {
    program: Program,
    agent: Program,
    redis: Option<RedisServer>,
    receiver: Receiver,
    http: SocketAddr,
    admin: SocketAddr,
    agents: SocketAddr,
}

impl Run {
    async fn start(name: &str, args: &[&str], policy: &str) -> Self {
        let folder = empty_folder(&format!("secrets-run-{name}"));
        for (file, secret) in [
            ("certificate", CERTIFICATE),
            ("link", LINK),
            ("line", LINE_KEY),
            ("webhook", WEBHOOK),
            ("admin", ADMIN),
            ("redis", REDIS),
        ] {
            fs::write(folder.join(file), secret).expect("a file");
        }
        let redis = is_installed().then(|| RedisServer::start(&[]));
        let of_redis = redis.as_ref().map_or(String::new(), |redis| {
            let mut connection = redis.connect().expect("it answers");
            let rule = ["SETUSER", "bridge", "on", &format!(">{REDIS}"), "~*", "&*", "+@all"].map(str::to_owned);
            let set: redis::RedisResult<()> = redis::cmd("ACL").arg(&rule[..]).query(&mut connection);
            set.expect("a rule");
            format!(
                "[redis]\nurl = \"{}\"\nuser = \"bridge\"\npassword_file = \"redis\"\n",
                redis.url()
            )
        });
        let receiver = Receiver::start("").await;
        let (agents, admin) = (free_address(), free_address());
        let config = format!(
            "[auth]\napp_id = \"{APP}\"\ncertificate_file = \"certificate\"\n[session]\nline_key_file = \"line\"\n\
             [upstream]\nkind = \"agent\"\n[upstream.agent]\nlisten = \"{agents}\"\nsecret_file = \"link\"\n\
             [webhook]\nurls = [\"http://{}/hook?key=whurlkey\"]\nsecret_file = \"webhook\"\nretries = 0\n\
             [admin]\nlisten = \"{admin}\"\ntoken_file = \"admin\"\n[record]\nfolder = \"traces\"\n{policy}{of_redis}",
            receiver.addr
        );
        let log = to_file(&folder, "log");
        let (program, http) = Program::serve_with(&folder, (&config, args), Some("trace"), log).await;
        let url = format!("ws://{agents}/agent");
        let agent = ["agent", "embedded", "--url", &url, "--secret-file", "link"];
        let agent = Program::start(&folder, &agent, Some("trace"), to_file(&folder, "agent"));
        eventually("the agent is there", || agent.text("agent").contains("linked")).await;
        Self {
            program,
            agent,
            redis,
            receiver,
            http,
            admin,
            agents,
        }
    }

    /// Uses everything, and searches what has come out; `bodies` are texts that recordings do not keep.
    async fn search(mut self, bodies: &[&str]) {
        let (app, certificate) = (AppId::new(APP).expect("an id"), CERTIFICATE.into());
        let token = |account: &str| {
            let account = Account::new(account).expect("a name");
            token::mint(&account, &app, &certificate, u32::MAX.into())
        };
        let (of_alice, of_bob) = (token("alice"), token("bob"));
        let mut alice = login(self.http, "alice", &of_alice).await;
        let mut bob = login(self.http, "bob", &of_bob).await;
        bob.poll(0).await;
        let (live, viewer) = self.follow().await;
        // The viewed session resumes: its login is a frame that the view shows.
        drop(alice);
        alice = login(self.http, "alice", &of_alice).await;
        emit(&mut alice, "bob", BODY).await;
        bob.frame("notify").await;
        alice.call("channel_join", json!({"name": "room"})).await;
        let sent = alice
            .call("channel_sendmsg", json!({"name": "room", "msg": BODY}))
            .await;
        assert_eq!(sent.err, "");
        alice
            .call("user_set_attr", json!({"name": "k", "value": ATTRIBUTE}))
            .await;
        let mut refused = Client::connect(self.http).await;
        let forged = of_alice.replace(":1:", ":2:") + "0";
        refused.send(login_frame("alice", &forged)).await;
        assert_ne!(refused.login_ret().await.err, "");
        self.without_access().await;
        let mut shown = self.operate().await;
        if let Some(redis) = &mut self.redis {
            // It drops the user, so that each connection is refused.
            redis.kill();
            redis.restart();
            let (log, seen) = (self.program.text("log").len(), || self.program.text("log"));
            eventually("the refusal is logged", || {
                seen()[log..].to_lowercase().contains("redis")
            })
            .await;
        }
        shown.extend(self.operate().await);
        viewer.abort();
        shown.push(("live view".into(), live.lock().clone()));
        let lines = [alice.line.clone(), bob.line.clone()];
        drop((alice, bob));
        self.receiver.wait_for(2).await;
        assert_eq!((self.program.stop().await, self.agent.stop().await), (Some(0), Some(0)));
        let secrets = [
            &*of_alice,
            &of_bob,
            &forged,
            CERTIFICATE,
            LINK,
            LINE_KEY,
            WEBHOOK,
            ADMIN,
            REDIS,
            MISPLACED,
            &format!("006{APP}"),
        ];
        let logged = [
            &lines[0],
            &lines[1],
            BODY,
            ATTRIBUTE,
            "REPORTTOKEN",
            "urlsecret",
            "whurlkey",
        ];
        for file in ["log", "agent"] {
            let log = self.program.text(file);
            assert!(log.contains("sigbridge") || !log.is_empty(), "{file} is a log");
            lacks(file, &log, secrets.iter().copied().chain(logged));
        }
        assert!(self.program.text("log").contains("login accepted"));
        for request in self.receiver.seen() {
            let text = format!("{:?}\n{}", request.headers, String::from_utf8_lossy(&request.body));
            lacks(
                "a webhook",
                &text,
                secrets.iter().copied().chain([&*lines[0], &lines[1], BODY, ATTRIBUTE]),
            );
        }
        let traces = fs::read_dir(self.program.folder.join("traces"))
            .expect("a folder")
            .flatten();
        let trace = |entry: fs::DirEntry| {
            let text = fs::read_to_string(entry.path()).expect("readable");
            (entry.path().display().to_string(), text)
        };
        let traces: Vec<_> = traces.map(trace).collect();
        assert!(
            traces.iter().any(|(_, text)| text.contains("\"begin\"")),
            "sessions are recorded"
        );
        shown.extend(traces);
        for (what, text) in &shown {
            lacks(what, text, secrets.iter().chain(bodies).copied());
        }
    }

    /// Connections with a wrong secret, and a report whose URL and body have secrets of a client.
    async fn without_access(&self) {
        http(self.http, "POST /?q=urlsecret", &[], r#"{"key":"REPORTTOKEN"}"#).await;
        for (addr, path, secret) in [(self.agents, "/agent", LINK), (self.admin, "/sessions", ADMIN)] {
            let wrong = format!("authorization: Bearer wrong-{secret}");
            let upgrade = [
                "upgrade: websocket",
                "sec-websocket-version: 13",
                "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
                &wrong,
            ];
            let answer = http(addr, &format!("GET {path}"), &upgrade, "").await;
            assert!([401, 404].contains(&answer.status), "{answer:?}");
            lacks("an answer without access", &answer.body, [secret]);
        }
    }

    /// The answers of every path, and those of a reload of a config with a secret in the wrong place.
    async fn operate(&self) -> Vec<(String, String)> {
        let authorization = format!("authorization: Bearer {ADMIN}");
        let mut shown = Vec::new();
        let list = http(self.admin, "GET /sessions", &[&authorization], "").await;
        let sessions: Value = serde_json::from_str(&list.body).expect("JSON");
        let id = sessions["sessions"][0]["id"].as_str().expect("a session").to_owned();
        let config = self.program.folder.join("sigbridge.toml");
        let good = fs::read_to_string(&config).expect("the config");
        let bad = good.replace("[auth]\n", &format!("[auth]\ncertificate = \"{MISPLACED}\"\n"));
        fs::write(&config, bad).expect("the folder can be written");
        for Route { method, path, .. } in ROUTES {
            // These end the session, the process, or not at all.
            if path.ends_with("/close") || path.ends_with("/live") || *path == "/drain" {
                continue;
            }
            let body = match *path {
                "/log-level" if *method == "PUT" => "trace",
                "/explain" => r#"["call2",["user_sendmsg",7,{"peer":"bob","content":"hi"}]]"#,
                _ => "",
            };
            let request = format!("{method} {}", path.replace("{id}", &id));
            let answer = http(self.admin, &request, &[&authorization], body).await;
            assert_ne!(answer.status, 401, "{request}");
            shown.push((request, format!("{}\n{}", answer.head, answer.body)));
        }
        let reload = shown.iter().find(|(request, _)| request == "POST /reload");
        assert!(reload.is_some_and(|(_, answer)| answer.contains("auth")), "{reload:?}");
        fs::write(&config, good).expect("the folder can be written");
        let started = http(self.admin, "POST /record/start", &[&authorization], "").await;
        assert_eq!(started.status, 200, "{}", started.body);
        shown
    }

    /// Reads the live view of Alice's session.
    async fn follow(&self) -> (std::sync::Arc<parking_lot::Mutex<String>>, tokio::task::JoinHandle<()>) {
        let authorization = format!("authorization: Bearer {ADMIN}");
        let list = http(self.admin, "GET /sessions?account=alice", &[&authorization], "").await;
        let sessions: Value = serde_json::from_str(&list.body).expect("JSON");
        let id = sessions["sessions"][0]["id"].as_str().expect("her session").to_owned();
        let mut stream = TcpStream::connect(self.admin).await.expect("it listens");
        let request = format!(
            "GET /sessions/{id}/live HTTP/1.1\r\nhost: {}\r\n{authorization}\r\n\r\n",
            self.admin
        );
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let seen = std::sync::Arc::new(parking_lot::Mutex::new(String::new()));
        let mine = seen.clone();
        let mut chunk = vec![0; 65_536];
        let first = timeout(PATIENCE, stream.read(&mut chunk)).await.expect("an answer");
        mine.lock()
            .push_str(&String::from_utf8_lossy(&chunk[..first.expect("an answer")]));
        let viewer = tokio::spawn(async move {
            while let Ok(length @ 1..) = stream.read(&mut chunk).await {
                mine.lock().push_str(&String::from_utf8_lossy(&chunk[..length]));
            }
        });
        (seen, viewer)
    }
}

fn lacks<'s>(what: &str, text: &str, secrets: impl IntoIterator<Item = &'s str>) {
    for secret in secrets {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{what} shows {secret}");
    }
}

fn login_frame(account: &str, token: &str) -> Value {
    json!(["login", {"vid": APP, "account": account, "uid": 0, "token": token, "device": "websdk", "ip": ""}])
}

async fn login(addr: SocketAddr, account: &str, token: &str) -> Client {
    let mut client = Client::connect(addr).await;
    client.send(login_frame(account, token)).await;
    let reply = client.login_ret().await;
    assert_eq!(reply.err, "", "{reply:?}");
    client
}
