//! The contenders: how each is started, pinned and stopped.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Contender {
    /// The echo itself
    Direct,
    /// HAProxy as an HTTP tunnel to the echo
    Haproxy,
    /// nginx with an upgrade to the echo
    Nginx,
    /// The minimal relay to the echo
    Relay,
    /// The minimal server of peer messages
    Floor,
    /// The minimal server of one channel
    Broadcast,
    /// sigbridge with its embedded RTM
    Embedded,
    /// sigbridge with RTM at an agent, whose own cost is not counted
    Agent,
    /// sigbridge that records all sessions
    Recording,
    /// sigbridge on two cores
    TwoCores,
}

impl Contender {
    /// Returns the name that is used everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Contender::Direct => "direct",
            Contender::Haproxy => "haproxy",
            Contender::Nginx => "nginx",
            Contender::Relay => "relay",
            Contender::Floor => "floor",
            Contender::Broadcast => "broadcast",
            Contender::Embedded => "embedded",
            Contender::Agent => "agent",
            Contender::Recording => "recording",
            Contender::TwoCores => "two-cores",
        }
    }

    /// True for a proxy to the echo, false for a server of the legacy wire.
    pub fn is_proxy(self) -> bool {
        matches!(
            self,
            Contender::Direct | Contender::Haproxy | Contender::Nginx | Contender::Relay
        )
    }

    /// The Debian package that brings it, where it is not built here.
    pub fn package(self) -> Option<&'static str> {
        match self {
            Contender::Haproxy => Some("haproxy"),
            Contender::Nginx => Some("nginx-light"),
            _ => None,
        }
    }

    /// Whether its program is there.
    pub fn is_installed(self) -> bool {
        self.package().is_none() || program(self.name()).is_some()
    }
}

/// Where all contenders listen. Clients have 127.0.0.1, so that none of them takes a port on which one will listen.
const HOST: &str = "127.0.0.2";

/// Returns where a program is, also where only root looks for it.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Where programs and files are, and which ports are used.
#[derive(Clone, Debug)]
pub struct Place {
    /// The folder of the programs of this package.
    pub programs: PathBuf,
    pub sigbridge: PathBuf,
    /// A folder for configs and logs.
    pub work: PathBuf,
    /// The first of four ports.
    pub port: u16,
    /// The cores of contenders and of the load, echo and agent.
    pub cores: (usize, usize),
    /// Whether programs run before all others that are not part of the suite.
    pub realtime: bool,
}

/// A contender that runs. It is stopped when it is dropped.
#[derive(Debug)]
pub struct Running {
    children: Vec<Child>,
    pub address: String,
    pub pid: u32,
}

impl Running {
    /// Starts a contender, with the echo or the agent that it needs, and waits until it serves.
    ///
    /// # Errors
    /// A program that does not start, with the end of its log.
    pub fn start(contender: Contender, place: &Place) -> Result<Self> {
        let [port, echo, admin, link] = [0, 1, 2, 3].map(|n| place.port + n);
        let mut running = Self {
            children: Vec::new(),
            address: format!("{HOST}:{port}"),
            pid: 0,
        };
        let core = place.cores.0.to_string();
        let rest = place.cores.1.to_string();
        if contender.is_proxy() {
            let address = format!("{HOST}:{echo}");
            let mut command = Command::new(place.programs.join("echo"));
            running.spawn(place, "echo", &rest, command.arg(&address))?;
            running.wait(place, "echo", &address)?;
            if contender == Contender::Direct {
                running.address = address;
                return Ok(running);
            }
        }
        let name = contender.name();
        let (mut command, cores) = match contender {
            Contender::Direct => unreachable!("the echo is all of it"),
            Contender::Haproxy => {
                let config = place.write("haproxy.cfg", &haproxy(port, echo))?;
                (installed(name, &["-db", "-f"], &config)?, core)
            }
            Contender::Nginx => {
                let config = place.write("nginx.conf", &nginx(port, echo, &place.work))?;
                (installed(name, &["-c"], &config)?, core)
            }
            Contender::Relay => {
                let mut command = Command::new(place.programs.join("relay"));
                command.arg(&running.address).arg(format!("{HOST}:{echo}"));
                (command, core)
            }
            Contender::Floor | Contender::Broadcast => {
                let mut command = Command::new(place.programs.join(name));
                command.arg(&running.address);
                (command, core)
            }
            Contender::Embedded | Contender::Agent | Contender::Recording | Contender::TwoCores => {
                let config = sigbridge(contender, port, admin, link, &place.traces());
                let config = place.write("sigbridge.toml", &config)?;
                let mut command = Command::new(&place.sigbridge);
                command.arg("serve").arg("--config").arg(config);
                let both = format!("{core},{rest}");
                (command, if contender == Contender::TwoCores { both } else { core })
            }
        };
        running.spawn(place, name, &cores, &mut command)?;
        let address = running.address.clone();
        running.wait(place, name, &address)?;
        if contender == Contender::Agent {
            let mut command = Command::new(&place.sigbridge);
            let url = format!("ws://{HOST}:{link}/agent");
            command.args(["agent", "embedded", "--rate-scale", "1000", "--url", &url]);
            let pid = running.pid;
            running.spawn(place, "link", &rest, &mut command)?;
            running.pid = pid;
            running.wait_for_agent(admin)?;
        }
        Ok(running)
    }

    /// Starts a program on some cores. It ends with this process, whatever ends that.
    fn spawn(&mut self, place: &Place, name: &str, cores: &str, command: &mut Command) -> Result<()> {
        let log = File::create(place.log(name))?;
        let mut pinned = Command::new("setpriv");
        pinned.args(["--pdeathsig", "TERM", "taskset", "-c", cores]);
        pinned.args(place.priority());
        pinned.arg(command.get_program()).args(command.get_args());
        pinned.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = pinned.spawn().context("setpriv does not start: it is in util-linux")?;
        self.pid = child.id();
        self.children.push(child);
        Ok(())
    }

    fn wait(&mut self, place: &Place, name: &str, address: &str) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(address).is_err() {
            let child = self.children.last_mut().context("nothing was started")?;
            if child.try_wait()?.is_some() || Instant::now() > end {
                let log = fs::read_to_string(place.log(name)).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(5).collect();
                bail!(
                    "{name} does not serve {address}: {}",
                    tail.into_iter().rev().collect::<Vec<_>>().join("; ")
                );
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn wait_for_agent(&self, admin: u16) -> Result<()> {
        use std::io::{Read, Write};
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let mut metrics = String::new();
            let mut admin = TcpStream::connect((HOST, admin))?;
            admin.write_all(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
            admin.read_to_string(&mut metrics)?;
            if metrics.contains("\nsigbridge_agent_up 1") {
                return Ok(());
            }
            ensure!(Instant::now() < end, "no agent has connected to sigbridge");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops all programs, and waits for their end.
    pub fn stop(&mut self) {
        for child in &mut self.children {
            let pid = rustix::process::Pid::from_child(child);
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let end = Instant::now() + Duration::from_secs(5);
        for mut child in self.children.drain(..) {
            while Instant::now() < end && matches!(child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(5));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Place {
    /// Where the traces are that a recording contender writes.
    pub fn traces(&self) -> PathBuf {
        self.work.join("traces")
    }

    /// Returns the words that a program is started by, so that it has its priority.
    pub fn priority(&self) -> &'static [&'static str] {
        if self.realtime { &["chrt", "--fifo", "10"] } else { &[] }
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let file = self.work.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.work.join(format!("{name}.log"))
    }
}

fn installed(name: &str, args: &[&str], config: &Path) -> Result<Command> {
    let mut command = Command::new(program(name).with_context(|| format!("{name} is not installed"))?);
    command.args(args).arg(config);
    Ok(command)
}

fn haproxy(port: u16, echo: u16) -> String {
    format!(
        "global\n    nbthread 1\n    maxconn 9900\n\
         defaults\n    mode http\n    timeout connect 5s\n    timeout client 1h\n    timeout server 1h\n    timeout tunnel 1h\n\
         frontend clients\n    bind {HOST}:{port}\n    default_backend echo\n\
         backend echo\n    server echo {HOST}:{echo}\n"
    )
}

/// Returns a config with more connections than 9 500 clients need: nginx closes new ones when fewer than a sixteenth are free.
fn nginx(port: u16, echo: u16, work: &Path) -> String {
    let work = work.display();
    format!(
        "daemon off;\nworker_processes 1;\npid {work}/nginx.pid;\nerror_log stderr;\n\
         events {{ worker_connections 21000; }}\n\
         http {{\n    access_log off;\n\
         \x20   client_body_temp_path {work}/body;\n    proxy_temp_path {work}/proxy;\n    fastcgi_temp_path {work}/fastcgi;\n\
         \x20   uwsgi_temp_path {work}/uwsgi;\n    scgi_temp_path {work}/scgi;\n\
         \x20   server {{\n        listen {HOST}:{port} backlog=1024;\n        location / {{\n\
         \x20           proxy_pass http://{HOST}:{echo};\n            proxy_http_version 1.1;\n\
         \x20           proxy_set_header Upgrade $http_upgrade;\n            proxy_set_header Connection upgrade;\n\
         \x20           proxy_read_timeout 1h;\n            proxy_send_timeout 1h;\n        }}\n    }}\n}}\n"
    )
}

/// Returns a config without the rates that are meant for one user, and with a short grace time: memory is to be that of
/// clients, not of sessions that wait for them.
fn sigbridge(contender: Contender, port: u16, admin: u16, link: u16, traces: &Path) -> String {
    let upstream = match contender {
        Contender::Agent => format!("[upstream]\nkind = \"agent\"\n[upstream.agent]\nlisten = \"{HOST}:{link}\"\n"),
        _ => String::new(),
    };
    let record = match contender {
        Contender::Recording => format!("[record]\nfolder = {:?}\nfiles = 20\n", traces.display().to_string()),
        _ => String::new(),
    };
    format!(
        "[listen]\nhttp = \"{HOST}:{port}\"\ntcp = \"off\"\nudp = []\n\
         [admin]\nlisten = \"{HOST}:{admin}\"\n\
         [session]\ngrace = \"1s\"\n\
         [limits]\nmessages_per_second = 1000000\nchannel_messages_per_second = 0\n\
         [embedded]\nrate_scale = 1000\n{upstream}{record}"
    )
}
