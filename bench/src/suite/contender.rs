//! The contenders: how each is started, pinned and stopped.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::admin;

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
    /// sigbridge with RTM on Redis, whose own cost is a figure of its own
    Redis,
    /// Two sidecars on one Redis
    RedisTwo,
    /// sigbridge with tables in a folder, for reloads
    Folder,
    /// Two sidecars with an embedded RTM each
    Pair,
}

impl Contender {
    /// Returns its name in options, reports and files.
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
            Contender::Redis => "redis",
            Contender::RedisTwo => "redis-two",
            Contender::Folder => "folder",
            Contender::Pair => "pair",
        }
    }

    /// True for sidecars on a Redis.
    pub fn is_on_redis(self) -> bool {
        matches!(self, Contender::Redis | Contender::RedisTwo)
    }

    /// Returns the number of programs that serve clients.
    fn servers(self) -> u16 {
        match self {
            Contender::RedisTwo | Contender::Pair => 2,
            _ => 1,
        }
    }

    /// True for a proxy to the echo, false for a server of the legacy wire.
    pub fn is_proxy(self) -> bool {
        matches!(
            self,
            Contender::Direct | Contender::Haproxy | Contender::Nginx | Contender::Relay
        )
    }

    /// The Debian package of a contender that is not built here.
    pub fn package(self) -> Option<&'static str> {
        match self {
            Contender::Haproxy => Some("haproxy"),
            Contender::Nginx => Some("nginx-light"),
            Contender::Redis | Contender::RedisTwo => Some("redis-server"),
            _ => None,
        }
    }

    /// Returns true if its program is installed.
    pub fn is_installed(self) -> bool {
        let name = if self.is_on_redis() { REDIS } else { self.name() };
        self.package().is_none() || program(name).is_some()
    }
}

/// Address of all contenders. Clients have 127.0.0.1, so that none of them takes the port of a contender.
const HOST: &str = "127.0.0.2";

/// The program of Redis.
const REDIS: &str = "redis-server";

/// Returns the path of a program, also in the folders of root's `PATH`.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Paths of programs and files, ports, and cores.
#[derive(Clone, Debug)]
pub struct Place {
    /// The folder of the programs of this package.
    pub programs: PathBuf,
    pub sigbridge: PathBuf,
    /// The folder of the mapping tables, which a reload replaces.
    pub mappings: PathBuf,
    /// A folder for configs and logs.
    pub work: PathBuf,
    /// The first of eight ports.
    pub port: u16,
    /// The cores of contenders and of the load, echo and agent.
    pub cores: (usize, usize),
    /// True if programs of the suite have real-time priority.
    pub realtime: bool,
}

/// A running contender. Its drop stops it.
#[derive(Debug)]
pub struct Running {
    children: Vec<Child>,
    pub addresses: Vec<String>,
    /// The programs that serve clients.
    pub pids: Vec<u32>,
    /// The admin address of the first sidecar.
    pub admin: Option<String>,
    /// Redis: its address and its process.
    pub redis: Option<(String, u32)>,
}

impl Running {
    /// Starts a contender with its echo or agent, and waits until it serves.
    ///
    /// # Errors
    /// A program that does not start, with the end of its log.
    pub fn start(contender: Contender, place: &Place) -> Result<Self> {
        let [port, echo, admin, link] = [0, 1, 2, 3].map(|n| place.port + n);
        let mut running = Self {
            children: Vec::new(),
            addresses: vec![format!("{HOST}:{port}")],
            pids: Vec::new(),
            admin: None,
            redis: None,
        };
        let core = place.cores.0.to_string();
        let rest = place.cores.1.to_string();
        if contender.is_proxy() {
            let address = format!("{HOST}:{echo}");
            let mut command = Command::new(place.programs.join("echo"));
            running.spawn(place, "echo", &rest, command.arg(&address))?;
            running.wait(place, "echo", &address)?;
            if contender == Contender::Direct {
                running.pids = running.children.iter().map(Child::id).collect();
                running.addresses = vec![address];
                return Ok(running);
            }
        }
        let name = contender.name();
        if contender.is_on_redis() {
            running.start_redis(place, place.port + 6)?;
        }
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
                command.arg(&running.addresses[0]).arg(format!("{HOST}:{echo}"));
                (command, core)
            }
            Contender::Floor | Contender::Broadcast => {
                let mut command = Command::new(place.programs.join(name));
                command.arg(&running.addresses[0]);
                (command, core)
            }
            _ => {
                let command = sidecar(contender, place, "sigbridge.toml", port, admin)?;
                running.admin = Some(format!("{HOST}:{admin}"));
                let both = format!("{core},{rest}");
                (command, if contender == Contender::TwoCores { both } else { core })
            }
        };
        running.serve(place, name, &cores, &mut command)?;
        if contender.servers() > 1 {
            running.addresses.push(format!("{HOST}:{}", place.port + 4));
            let mut command = sidecar(contender, place, "second.toml", place.port + 4, place.port + 5)?;
            running.serve(place, "second", &cores, &mut command)?;
        }
        if contender == Contender::Agent {
            let mut command = Command::new(&place.sigbridge);
            let url = format!("ws://{HOST}:{link}/agent");
            command.args(["agent", "embedded", "--rate-scale", "1000", "--url", &url]);
            running.spawn(place, "link", &rest, &mut command)?;
            running.wait_for_agent()?;
        }
        Ok(running)
    }

    /// Starts the program of the last address.
    fn serve(&mut self, place: &Place, name: &str, cores: &str, command: &mut Command) -> Result<()> {
        let pid = self.spawn(place, name, cores, command)?;
        self.pids.push(pid);
        let address = self.addresses.last().cloned().unwrap_or_default();
        self.wait(place, name, &address)
    }

    /// Starts an empty Redis as in production: an append-only file, synchronized once a second, and no snapshots.
    fn start_redis(&mut self, place: &Place, port: u16) -> Result<()> {
        let data = place.work.join("redis");
        let _ = fs::remove_dir_all(&data);
        fs::create_dir_all(&data)?;
        let mut command = Command::new(program(REDIS).context("redis-server is not installed")?);
        command
            .args(["--bind", HOST, "--port", &port.to_string(), "--dir"])
            .arg(&data);
        command.args(["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]);
        let pid = self.spawn(place, REDIS, &place.cores.1.to_string(), &mut command)?;
        let address = format!("{HOST}:{port}");
        self.wait(place, REDIS, &address)?;
        self.redis = Some((address, pid));
        Ok(())
    }

    /// Starts a program on some cores. The kernel stops it at the end of this process.
    fn spawn(&mut self, place: &Place, name: &str, cores: &str, command: &mut Command) -> Result<u32> {
        let log = File::create(place.log(name))?;
        let mut pinned = Command::new("setpriv");
        pinned.args(["--pdeathsig", "TERM", "taskset", "-c", cores]);
        pinned.args(place.priority());
        pinned.arg(command.get_program()).args(command.get_args());
        pinned.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = pinned.spawn().context("setpriv does not start: it is in util-linux")?;
        let pid = child.id();
        self.children.push(child);
        Ok(pid)
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

    fn wait_for_agent(&self) -> Result<()> {
        let admin = self.admin.as_deref().context("no admin address")?.parse()?;
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            if admin::get(admin, "/metrics")?.contains("\nsigbridge_agent_up 1") {
                return Ok(());
            }
            ensure!(Instant::now() < end, "no agent has connected to sigbridge");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops all programs, and waits for their end. Redis is the first child and ends last: sidecars log out there.
    pub fn stop(&mut self) {
        let others = self.children.split_off(usize::from(self.redis.take().is_some()));
        end(others);
        end(std::mem::take(&mut self.children));
    }
}

fn end(mut children: Vec<Child>) {
    for child in &mut children {
        let pid = rustix::process::Pid::from_child(child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    let end = Instant::now() + Duration::from_secs(5);
    for mut child in children {
        while Instant::now() < end && matches!(child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Place {
    /// The folder of the traces of a recording contender.
    pub fn traces(&self) -> PathBuf {
        self.work.join("traces")
    }

    /// Returns the command prefix that sets the priority of a program.
    pub fn priority(&self) -> &'static [&'static str] {
        if self.realtime { &["chrt", "--fifo", "10"] } else { &[] }
    }

    /// Returns a text without the paths of this machine.
    pub fn hide(&self, text: &str) -> String {
        let hidden = [
            (&self.work, "WORK"),
            (&self.sigbridge, "sigbridge"),
            (&self.programs, "PROGRAMS"),
            (&self.mappings, "mappings"),
        ];
        hidden.iter().fold(text.to_owned(), |text, (path, name)| {
            text.replace(&path.display().to_string(), name)
        })
    }

    /// The folder of the tables that a reload changes.
    fn tables(&self) -> PathBuf {
        self.work.join("mappings")
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let file = self.work.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }

    /// Returns the path of a program's log.
    pub fn log(&self, name: &str) -> PathBuf {
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

/// Returns the command of a sidecar, after writing its config and, for reloads, its tables.
fn sidecar(contender: Contender, place: &Place, file: &str, port: u16, admin: u16) -> Result<Command> {
    let config = place.write(file, &sigbridge(contender, place, port, admin))?;
    let mut command = Command::new(&place.sigbridge);
    command.arg("serve").arg("--config").arg(config);
    if contender == Contender::Folder {
        let tables = place.tables();
        let _ = fs::remove_dir_all(&tables);
        copy(&place.mappings, &tables).context("cannot copy the mapping tables")?;
        command.arg("--mappings").arg(tables);
    }
    Ok(command)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Returns a config without the rates that are meant for one user, and with a short grace time: memory is to be that of
/// clients, not of sessions that wait for them.
fn sigbridge(contender: Contender, place: &Place, port: u16, admin: u16) -> String {
    let (link, redis) = (place.port + 3, place.port + 6);
    let more = match contender {
        Contender::Agent => format!("[upstream]\nkind = \"agent\"\n[upstream.agent]\nlisten = \"{HOST}:{link}\"\n"),
        Contender::Recording => {
            let traces = place.traces().display().to_string();
            format!("[record]\nfolder = {traces:?}\nfiles = 20\n")
        }
        Contender::Redis | Contender::RedisTwo => {
            format!("[upstream]\nkind = \"redis\"\n[redis]\nurl = \"redis://{HOST}:{redis}\"\nrate_scale = 1000\n")
        }
        Contender::Pair => "[drain]\nspread = \"20s\"\n".into(),
        _ => String::new(),
    };
    format!(
        "[listen]\nhttp = \"{HOST}:{port}\"\ntcp = \"off\"\nudp = []\n\
         [admin]\nlisten = \"{HOST}:{admin}\"\n\
         [session]\ngrace = \"1s\"\n\
         [limits]\nmessages_per_second = 1000000\nchannel_messages_per_second = 0\n\
         [embedded]\nrate_scale = 1000\n{more}"
    )
}
