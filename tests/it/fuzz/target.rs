//! The program under invented input, and two clients that have nothing to do with it.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::case::{Case, corpus};
use crate::support::{Client, Program, RawNative, empty_folder, eventually, free_address, http, to_file};

/// Secret of agents and of users of the embedded RTM.
pub const SECRET: &str = "agentsecret-0123456789abcdef";
/// Most memory of the process at the end, MiB. A build for development uses 40.
#[cfg(target_os = "linux")]
const MOST_MEMORY: u64 = 160;
/// Largest log at the end, bytes: repeated lines are counted, not written.
const MOST_LOG: usize = 512 * 1024;

/// A process that serves, with every address open.
pub struct Target {
    runtime: Runtime,
    program: Program,
    addr: Addresses,
    bystander: RawNative,
    speaker: Client,
    sent: usize,
}

/// Its addresses.
#[derive(Clone, Copy)]
pub struct Addresses {
    pub http: SocketAddr,
    pub tcp: SocketAddr,
    pub udp: SocketAddr,
    pub admin: SocketAddr,
    pub agents: SocketAddr,
    pub users: SocketAddr,
}

impl Target {
    /// Starts it in a folder of that name; `prepare` may put files there, and returns more config.
    pub fn start(name: &str, prepare: impl FnOnce(&std::path::Path) -> &'static str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let folder = empty_folder(&format!("fuzz-{name}"));
        let more = prepare(&folder);
        let addr = Addresses {
            http: free_address(),
            tcp: free_address(),
            udp: free_address(),
            admin: free_address(),
            agents: free_address(),
            users: free_address(),
        };
        let Addresses { http, tcp, udp, .. } = addr;
        let config = format!(
            "[listen]\nhttp = '{http}'\ntcp = '{tcp}'\nudp = ['{udp}']\n[admin]\nlisten = '{}'\n\
             [limits]\nmessages_per_second = 1000000\nchannel_messages_per_second = 0\ninvitations_per_second = 1000000\n\
             [session]\nlogin_timeout = '2s'\ngrace = '1s'\n[record]\nfolder = 'traces'\nnames = 'keep'\nbodies = 'keep'\n\
             [upstream.agent]\nlisten = '{}'\nsecret_file = 'link.secret'\n\
             [embedded]\nrate_scale = 1000000\nlisten = '{}'\nsecret_file = 'link.secret'\n\
             [[app]]\nid = 'app'\nupstream = 'embedded'\n[[app]]\nid = 'far'\nupstream = 'agent'\n{more}",
            addr.admin, addr.agents, addr.users
        );
        fs::write(folder.join("link.secret"), SECRET).expect("the folder can be written");
        fs::write(folder.join("sigbridge.toml"), config).expect("the folder can be written");
        let args = ["serve", "--config", "sigbridge.toml"];
        let program = Program::start(&folder, &args, None, to_file(&folder, "log"));
        let (bystander, speaker) = runtime.block_on(async {
            eventually("it serves", || {
                std::net::TcpStream::connect(http).is_ok() && std::net::TcpStream::connect(tcp).is_ok()
            })
            .await;
            (
                RawNative::login(tcp, "bystander").await,
                Client::login(http, "speaker").await,
            )
        });
        Self {
            runtime,
            program,
            addr,
            bystander,
            speaker,
            sent: 0,
        }
    }

    /// The folder that it runs in.
    pub fn folder(&self) -> &std::path::Path {
        &self.program.folder
    }

    /// Plays the corpus of a front, then invented cases of it, and looks after each whether others are served.
    pub fn check<S>(
        mut self,
        front: &str,
        cases: u32,
        invented: S,
        play: impl AsyncFn(Addresses, &Case) -> Result<(), String>,
    ) where
        S: proptest::strategy::Strategy<Value = Case>,
    {
        let known = corpus(front);
        assert!(!known.is_empty(), "{front} has no corpus");
        for (name, case) in &known {
            self.one(case, &play).unwrap_or_else(|why| panic!("{name}: {why}"));
        }
        let this = std::cell::RefCell::new(&mut self);
        run(cases, &invented, |case| this.borrow_mut().one(case, &play));
        self.finish();
    }

    fn one(&mut self, case: &Case, play: impl AsyncFn(Addresses, &Case) -> Result<(), String>) -> Result<(), String> {
        let addr = self.addr;
        let played = self.runtime.block_on(play(addr, case));
        let log = self.program.text("log");
        if let Some(line) = log.lines().find(|line| line.contains("panicked")) {
            return Err(line.to_owned());
        }
        played?;
        self.sent += 1;
        let text = format!("message {}", self.sent);
        let (bystander, speaker) = (&mut self.bystander, &mut self.speaker);
        self.runtime.block_on(async {
            let sent = speaker
                .call("user_sendmsg", json!({"peer": "bystander", "content": text}))
                .await;
            assert_eq!(sent.json, json!({"result": "ok"}));
            let emitted = bystander.matching("notify recvmsg ").await;
            let pair: Value = serde_json::from_str(&emitted["notify recvmsg ".len()..]).expect("a version and a line");
            assert!(pair[1].as_str().is_some_and(|line| line.ends_with(&text)), "{emitted}");
            bystander
                .call("user_getmsg", json!({"ver_clear": pair[0], "max": 30}))
                .await;
        });
        Ok(())
    }

    /// Newcomers are served, little is kept, and it stops as it should.
    fn finish(mut self) {
        let Addresses {
            http: front,
            tcp,
            admin,
            ..
        } = self.addr;
        self.runtime.block_on(async {
            RawNative::login(tcp, "newcomer").await;
            Client::login(front, "newcomer").await;
            let metrics = http(admin, "GET /metrics", &[], "").await;
            assert!(metrics.body.ends_with("# EOF\n"), "{}", metrics.body);
        });
        #[cfg(target_os = "linux")]
        assert!(self.program.memory() < MOST_MEMORY, "{} MiB", self.program.memory());
        assert_eq!(self.runtime.block_on(self.program.stop()), Some(0));
        // The recording of the run replays without a difference.
        let mut replay = Command::new(env!("CARGO_BIN_EXE_sigbridge"));
        let replayed = replay.args(["replay", "traces"]).current_dir(self.folder()).output();
        let replayed = replayed.expect("the program starts");
        let stdout = String::from_utf8_lossy(&replayed.stdout);
        assert!(replayed.status.success(), "{stdout:.8000}");
        let log = self.program.text("log");
        assert!(
            log.len() < MOST_LOG,
            "{} bytes of log, such as {:.2000}",
            log.len(),
            log
        );
        assert!(!log.contains("panicked"), "{log}");
    }
}

/// Factor of the default number of cases, by the environment.
fn times() -> u32 {
    let times = std::env::var("FUZZ_CASES").ok();
    times.map_or(1, |text| text.parse().expect("FUZZ_CASES is a number"))
}

/// Runs a property on invented values; one that fails is made as small as can be, and shown as the corpus writes it.
pub fn run<S>(cases: u32, strategy: &S, mut property: impl FnMut(&S::Value) -> Result<(), String>)
where
    S: proptest::strategy::Strategy,
{
    let config = Config {
        cases: cases * times(),
        // Each takes a round trip or two.
        max_shrink_iters: 300,
        // Failing cases are added to the corpus.
        failure_persistence: None,
        ..Config::default()
    };
    let property = std::cell::RefCell::new(&mut property);
    let result = TestRunner::new(config).run(strategy, |value| {
        (property.borrow_mut())(&value).map_err(TestCaseError::fail)
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, value)) => panic!("{why}\nwith {value:?}"),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}
