//! Server as a separate process.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::{PATIENCE, eventually};

/// Process that ends with the test.
pub struct Program {
    child: Child,
    /// Working directory.
    pub folder: PathBuf,
}

impl Program {
    /// Returns the path of the program. Long runs under load need a release build.
    pub fn path() -> OsString {
        let other = std::env::var_os("SIGBRIDGE_TEST_PROGRAM");
        other.unwrap_or_else(|| env!("CARGO_BIN_EXE_sigbridge").into())
    }

    /// Starts a command in a directory.
    pub fn start(folder: &Path, args: &[&str], rust_log: Option<&str>, stderr: Stdio) -> Self {
        let mut command = Command::new(Self::path());
        command.args(args);
        Self::spawn(folder, command, rust_log, stderr)
    }

    /// Starts the program by another command, which it replaces.
    pub fn spawn(folder: &Path, mut command: Command, rust_log: Option<&str>, stderr: Stdio) -> Self {
        command.current_dir(folder).env("NO_COLOR", "1");
        match rust_log {
            Some(text) => command.env("RUST_LOG", text),
            None => command.env_remove("RUST_LOG"),
        };
        let (stdin, stdout) = (Stdio::null(), Stdio::null());
        let child = command.stdin(stdin).stdout(stdout).stderr(stderr).spawn();
        Self {
            child: child.expect("the program starts"),
            folder: folder.to_owned(),
        }
    }

    /// Starts `serve` at a free address with more config and arguments, and waits until it is ready.
    pub async fn serve(folder: &Path, (config, args): (&str, &[&str]), stderr: Stdio) -> (Self, SocketAddr) {
        Self::serve_with(folder, (config, args), None, stderr).await
    }

    /// Starts `serve` with `RUST_LOG`.
    pub async fn serve_with(
        folder: &Path,
        (config, args): (&str, &[&str]),
        rust_log: Option<&str>,
        stderr: Stdio,
    ) -> (Self, SocketAddr) {
        let http = free_address();
        let listen = format!("[listen]\nhttp = \"{http}\"\ntcp = \"off\"\nudp = []\n");
        fs::write(folder.join("sigbridge.toml"), listen + config).expect("the folder can be written");
        let args = [&["serve", "--config", "sigbridge.toml"], args].concat();
        let program = Self::start(folder, &args, rust_log, stderr);
        eventually("it serves", || answers(http)).await;
        (program, http)
    }

    /// Returns its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name, e.g. `TERM`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let mut kill = Command::new("kill");
        kill.args([&format!("-{name}"), &pid]);
        assert!(kill.status().expect("kill runs").success());
    }

    /// Waits for the exit.
    pub async fn ended(&mut self) -> ExitStatus {
        let child = parking_lot::Mutex::new(&mut self.child);
        let ended = || child.lock().try_wait().expect("it can be waited for").is_some();
        eventually("it ends", ended).await;
        self.child.wait().expect("it can be waited for")
    }

    /// Terminates the process; returns its exit code.
    pub async fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.ended().await.code()
    }

    /// Returns its resident memory, MiB.
    #[cfg(target_os = "linux")]
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kib.expect("a number of kB") / 1024
    }

    /// Reads a file of its directory.
    pub fn text(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns true if the server answers requests.
fn answers(addr: SocketAddr) -> bool {
    let request = || {
        let mut stream = TcpStream::connect(addr)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /getaddr HTTP/1.1\r\nhost: x\r\n\r\n")?;
        stream.read_exact(&mut [0; 12])
    };
    request().is_ok()
}

/// Creates an empty directory for a test.
pub fn empty_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

/// Redirects stderr to a file of a directory.
pub fn to_file(folder: &Path, name: &str) -> Stdio {
    File::create(folder.join(name))
        .expect("the folder can be written")
        .into()
}

/// Returns a currently unused address.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("any free port");
    listener.local_addr().expect("it is bound")
}
