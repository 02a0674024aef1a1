//! A Redis of the test's own.

#![allow(dead_code, reason = "each test program uses its own part of this")]
#![expect(clippy::disallowed_methods, reason = "it is used without a runtime, too")]
#![expect(clippy::print_stderr, reason = "skipped tests are reported")]

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

/// A `redis-server` that ends with the value; it listens at a socket in a folder of its own.
pub struct RedisServer {
    /// A shell that kills it when its input ends, so that it does not outlive this process.
    child: Option<Child>,
    folder: PathBuf,
    args: Vec<String>,
}

/// Returns true if `redis-server` is installed. Otherwise tests that need it are skipped with a message; with `CI` set they fail.
pub fn is_installed() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let version = Command::new("redis-server")
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        let found = version.is_ok_and(|status| status.success());
        assert!(
            found || std::env::var_os("CI").is_none(),
            "CI needs redis-server: apt-get install redis-server"
        );
        if !found {
            eprintln!("skipped: redis-server is not installed");
        }
        found
    })
}

impl RedisServer {
    /// Starts a server, if it is installed.
    pub fn start_if_installed() -> Option<Self> {
        is_installed().then(|| Self::start(&[]))
    }

    /// Starts a server with additional arguments.
    pub fn start(args: &[&str]) -> Self {
        let mut random = [0; 8];
        getrandom::fill(&mut random).expect("randomness");
        let folder = std::env::temp_dir().join(format!("sb-redis-{:016x}", u64::from_le_bytes(random)));
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut server = Self {
            child: None,
            folder,
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
        };
        server.restart();
        server
    }

    /// Starts it again with its files.
    pub fn restart(&mut self) {
        let folder = self.folder.to_str().expect("a path of UTF-8");
        let socket = self.socket();
        let guarded = r#"redis-server "$@" & pid=$!; cat; kill -9 $pid; wait $pid 2>/dev/null"#;
        let child = Command::new("sh")
            .args([
                "-c",
                guarded,
                "sh",
                "--port",
                "0",
                "--unixsocket",
                &socket,
                "--dir",
                folder,
                "--save",
                "",
            ])
            .args(["--maxmemory", "128mb", "--maxmemory-policy", "noeviction"])
            .args(&self.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.expect("redis-server starts"));
        let until = Instant::now() + PATIENCE;
        while self.connect().is_none() {
            assert!(Instant::now() < until, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket())
    }

    /// Returns a connection, if it answers.
    pub fn connect(&self) -> Option<redis::Connection> {
        let mut connection = redis::Client::open(self.url()).ok()?.get_connection().ok()?;
        redis::cmd("PING").query::<String>(&mut connection).ok()?;
        Some(connection)
    }

    /// Ends it at once, as by a power failure.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.stdin.take());
            drop(child.wait());
        }
    }

    /// Stops it for that time, as on an overloaded machine.
    pub fn freeze(&self, time: Duration) {
        let Some(mut connection) = self.connect() else { return };
        let info: String = redis::cmd("INFO")
            .arg("server")
            .query(&mut connection)
            .expect("it answers");
        let pid = info
            .lines()
            .find_map(|line| line.strip_prefix("process_id:"))
            .expect("its process")
            .trim();
        let signal = |name: &str| Command::new("kill").args([name, pid]).status().expect("kill runs");
        signal("-STOP");
        std::thread::sleep(time);
        signal("-CONT");
    }

    /// Returns the path of its socket.
    pub fn socket(&self) -> String {
        format!("{}/redis.sock", self.folder.display())
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
