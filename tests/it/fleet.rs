//! Clients that reconnect by themselves to any sidecar, under load, while sidecars and Redis are killed and frozen.
//!
//! `SIGBRIDGE_KILLS` is the number of kills and freezes, `SIGBRIDGE_FREEZE` the length of a freeze in seconds; the defaults are
//! small. Many kills need a release build of the sidecars: `SIGBRIDGE_TEST_PROGRAM` is its path.

#![expect(clippy::print_stdout, reason = "figures")]

mod frames;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use protocol::native::PacketCodec;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::codec::FramedRead;

use crate::durable::Sidecar;
use crate::support::{RedisServer, is_installed, packet, text};
use frames::{native_frame, web_frame};

/// Interval of one sender's messages; four senders make 500 a second.
const PACE: Duration = Duration::from_millis(8);
const PAIRS: usize = 4;
/// Interval of acknowledgements, shorter than an SDK's second.
const ACKNOWLEDGE: Duration = Duration::from_millis(200);
/// Time limit of a connect with its login, and of the last messages.
const LOGIN: Duration = Duration::from_secs(6);
const LAST: Duration = Duration::from_secs(30);

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

pub fn kills() -> usize {
    number("SIGBRIDGE_KILLS").map_or(3, |kills| kills as usize)
}

/// A small generator of numbers, the same in each run.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

/// Addresses of the sidecars that run.
#[derive(Default)]
pub struct Places(Mutex<Vec<Option<(SocketAddr, SocketAddr)>>>);

impl Places {
    fn any(&self, dice: &mut Dice) -> Option<(SocketAddr, SocketAddr)> {
        let places = self.0.lock();
        let open: Vec<_> = places.iter().flatten().copied().collect();
        (!open.is_empty()).then(|| open[dice.below(open.len())])
    }
}

enum Wire {
    Web(Box<WebSocketStream<TcpStream>>),
    Native(FramedRead<OwnedReadHalf, PacketCodec>, OwnedWriteHalf),
}

/// A frame of a sidecar.
enum Frame {
    Reply(i64, String, Value),
    Line(u64, String),
    /// Lines wait, or may do.
    Hint,
    LoggedIn(bool, Value),
    Kick,
    Other,
}

impl Wire {
    async fn connect(is_native: bool, (http, tcp): (SocketAddr, SocketAddr)) -> Option<Self> {
        let stream = TcpStream::connect(if is_native { tcp } else { http }).await.ok()?;
        stream.set_nodelay(true).ok()?;
        if is_native {
            let (read, write) = stream.into_split();
            return Some(Self::Native(
                FramedRead::new(read, PacketCodec::with_limit(usize::MAX)),
                write,
            ));
        }
        let (socket, _) = tokio_tungstenite::client_async(format!("ws://{http}/"), stream)
            .await
            .ok()?;
        Some(Self::Web(Box::new(socket)))
    }

    async fn login(&mut self, account: &str, line: &str) -> Option<()> {
        match self {
            Self::Web(socket) => {
                let login = json!(["login", {"vid": "app", "account": account, "uid": 0, "token": "", "device": "websdk", "ip": ""}]);
                socket.send(Message::text(login.to_string())).await.ok()
            }
            Self::Native(_, out) if !line.is_empty() => {
                let login = format!("line_login2 {line} 2 0");
                out.write_all(&packet(login.as_bytes(), false)).await.ok()
            }
            Self::Native(_, out) => {
                let login = json!({"account": account, "device": "", "ip": "", "token": "", "uid": 0, "ver": 1_010_300_009, "vid": "app"});
                out.write_all(&packet(format!("login {login}").as_bytes(), false))
                    .await
                    .ok()
            }
        }
    }

    async fn call(&mut self, id: i64, function: &str, args: Value) -> Option<()> {
        match self {
            Self::Web(socket) => {
                let call = json!(["call2", [function, id, args]]);
                socket.send(Message::text(call.to_string())).await.ok()
            }
            Self::Native(_, out) => {
                let call = format!("call {function} {id} 0 {args}");
                out.write_all(&packet(call.as_bytes(), false)).await.ok()
            }
        }
    }

    /// The next frame; none at the end of the connection.
    async fn next(&mut self) -> Option<Frame> {
        match self {
            Self::Web(socket) => loop {
                match socket.next().await?.ok()? {
                    Message::Text(text) => return Some(web_frame(&text)),
                    Message::Close(_) => return None,
                    _ => {}
                }
            },
            Self::Native(lines, _) => Some(native_frame(&lines.next().await?.ok()?)),
        }
    }
}

/// Results of a client over all its connections.
#[derive(Default)]
pub struct Seen {
    /// Texts whose calls were answered with success.
    pub accepted: Vec<String>,
    /// Texts of the lines that the client has processed, as its SDK filters them.
    pub got: Vec<String>,
    /// Texts whose acknowledgement was answered.
    pub acknowledged: HashSet<String>,
    /// Texts that came again after that.
    pub again: usize,
    pub logins: usize,
    pub resumes: usize,
    pub kicks: usize,
    pub failed: usize,
}

/// A client that reconnects.
pub struct Robot {
    account: String,
    is_native: bool,
    places: Arc<Places>,
    dice: Dice,
    seen: Arc<Mutex<Seen>>,
    /// To whom it sends, while the switch is on.
    to: Option<(String, Arc<AtomicBool>)>,
    line: String,
    version: u64,
    /// Texts by version that are not acknowledged.
    open: Vec<(u64, String)>,
    next_call: i64,
    next_text: usize,
    calls: HashMap<i64, String>,
    polls: HashMap<i64, u64>,
    first_poll: bool,
}

impl Robot {
    pub fn start(
        account: &str,
        is_native: bool,
        places: &Arc<Places>,
        to: Option<(String, Arc<AtomicBool>)>,
    ) -> (Arc<Mutex<Seen>>, JoinHandle<()>) {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let seed = account
            .bytes()
            .fold(7, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        let robot = Self {
            account: account.to_owned(),
            is_native,
            places: places.clone(),
            dice: Dice::new(seed),
            seen: seen.clone(),
            to,
            line: String::new(),
            version: 0,
            open: Vec::new(),
            next_call: 1,
            next_text: 0,
            calls: HashMap::new(),
            polls: HashMap::new(),
            first_poll: true,
        };
        (seen, tokio::spawn(robot.run()))
    }

    async fn run(mut self) {
        loop {
            if let Some(place) = self.places.any(&mut self.dice)
                && let Ok(Some(wire)) = timeout(LOGIN, self.enter(place)).await
            {
                self.serve(wire).await;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn enter(&mut self, place: (SocketAddr, SocketAddr)) -> Option<Wire> {
        let mut wire = Wire::connect(self.is_native, place).await?;
        let by_line = self.is_native && !self.line.is_empty();
        wire.login(&self.account, &self.line).await?;
        self.calls.clear();
        self.polls.clear();
        loop {
            match wire.next().await? {
                Frame::LoggedIn(true, json) => {
                    let mut seen = self.seen.lock();
                    if by_line {
                        seen.resumes += 1;
                    } else {
                        seen.logins += 1;
                        self.line = json["line"].as_str().unwrap_or_default().to_owned();
                        self.version = 0;
                        self.first_poll = true;
                        self.open.clear();
                    }
                    break;
                }
                Frame::LoggedIn(false, _) => {
                    self.line.clear();
                    return None;
                }
                _ => {}
            }
        }
        self.poll(&mut wire).await?;
        Some(wire)
    }

    async fn poll(&mut self, wire: &mut Wire) -> Option<()> {
        self.next_call += 1;
        self.polls.insert(self.next_call, self.version);
        let args = json!({"line": self.line, "ver_clear": self.version, "max": 30});
        wire.call(self.next_call, "user_getmsg", args).await
    }

    async fn serve(&mut self, mut wire: Wire) -> Option<()> {
        let mut acknowledge = interval(ACKNOWLEDGE);
        let mut send = interval(PACE);
        loop {
            tokio::select! {
                frame = wire.next() => self.take(frame?, &mut wire).await?,
                _ = acknowledge.tick() => {
                    if !self.open.is_empty() {
                        self.poll(&mut wire).await?;
                    }
                }
                _ = send.tick() => {
                    let Some((peer, is_on)) = &self.to else { continue };
                    if is_on.load(Ordering::Relaxed) {
                        let (peer, text) = (peer.clone(), self.next_text.to_string());
                        self.next_text += 1;
                        self.next_call += 1;
                        let args = json!({"line": self.line, "peer": peer, "flag": "v1:E:3600", "t": "instant", "content": text});
                        self.calls.insert(self.next_call, text);
                        wire.call(self.next_call, "user_sendmsg", args).await?;
                    }
                }
            }
        }
    }

    async fn take(&mut self, frame: Frame, wire: &mut Wire) -> Option<()> {
        match frame {
            Frame::Reply(id, error, reply) => {
                if let Some(text) = self.calls.remove(&id) {
                    let mut seen = self.seen.lock();
                    if error.is_empty() {
                        seen.accepted.push(text);
                    } else {
                        seen.failed += 1;
                    }
                } else if let Some(version) = self.polls.remove(&id) {
                    self.polled(version, &reply);
                    if reply["msgs"].as_array().is_some_and(|lines| lines.len() == 30) {
                        self.poll(wire).await?;
                    }
                }
            }
            Frame::Line(version, line) if version == self.version + 1 && !self.first_poll => self.line(version, &line),
            Frame::Line(version, _) if version > self.version => self.poll(wire).await?,
            Frame::Hint => self.poll(wire).await?,
            Frame::Kick => self.seen.lock().kicks += 1,
            Frame::Line(..) | Frame::LoggedIn(..) | Frame::Other => {}
        }
        Some(())
    }

    fn polled(&mut self, requested: u64, reply: &Value) {
        let clear = reply["ver_clear"].as_u64().unwrap_or_default();
        if std::mem::take(&mut self.first_poll) || clear > self.version && requested == self.version {
            self.version = self.version.max(clear);
        }
        // The sidecar has taken the acknowledgement.
        let (done, open) = std::mem::take(&mut self.open)
            .into_iter()
            .partition(|(version, _)| *version <= requested.min(clear));
        self.open = open;
        let done: Vec<(u64, String)> = done;
        self.seen
            .lock()
            .acknowledged
            .extend(done.into_iter().map(|(_, text)| text));
        for entry in reply["msgs"].as_array().into_iter().flatten() {
            let (version, line) = (
                entry[0].as_u64().unwrap_or_default(),
                entry[1].as_str().unwrap_or_default(),
            );
            if version == self.version + 1 {
                self.line(version, line);
            }
        }
    }

    fn line(&mut self, version: u64, line: &str) {
        self.version = version;
        let text = text(line).to_owned();
        let mut seen = self.seen.lock();
        if seen.acknowledged.contains(&text) {
            seen.again += 1;
        }
        seen.got.push(text.clone());
        self.open.push((version, text));
    }
}

/// Results of the messages of a pair.
#[derive(Debug, Default)]
pub struct Outcome {
    pub accepted: usize,
    pub lost: usize,
    pub doubled: usize,
    pub again: usize,
    pub disorder: usize,
}

pub fn outcome(sender: &Seen, receiver: &Seen) -> Outcome {
    let mut times: HashMap<&str, usize> = HashMap::new();
    let mut first: Vec<usize> = Vec::new();
    for text in &receiver.got {
        let count = times.entry(text).or_default();
        *count += 1;
        if *count == 1 {
            first.push(text.parse().expect("a number"));
        }
    }
    Outcome {
        accepted: sender.accepted.len(),
        lost: sender
            .accepted
            .iter()
            .filter(|text| !times.contains_key(text.as_str()))
            .count(),
        doubled: times.values().filter(|&&n| n > 1).count(),
        again: receiver.again,
        disorder: first.windows(2).filter(|pair| pair[0] > pair[1]).count(),
    }
}

type Shared = Arc<Mutex<Seen>>;

/// Senders and receivers; native ones resume by line.
struct Crowd {
    pairs: Vec<(bool, Shared, Shared)>,
    tasks: Vec<JoinHandle<()>>,
    sending: Arc<AtomicBool>,
}

impl Crowd {
    async fn start(places: &Arc<Places>) -> Self {
        let sending = Arc::new(AtomicBool::new(false));
        let (mut pairs, mut tasks) = (Vec::new(), Vec::new());
        for n in 0..PAIRS {
            let is_native = n % 2 == 1;
            let (receiver, task) = Robot::start(&format!("receiver-{n}"), is_native, places, None);
            tasks.push(task);
            let to = (format!("receiver-{n}"), sending.clone());
            let (sender, task) = Robot::start(&format!("sender-{n}"), is_native, places, Some(to));
            tasks.push(task);
            pairs.push((is_native, sender, receiver));
        }
        let begun = Instant::now();
        while pairs
            .iter()
            .any(|(_, a, b)| a.lock().logins == 0 || b.lock().logins == 0)
        {
            assert!(begun.elapsed() < LAST, "not all can log in");
            sleep(Duration::from_millis(20)).await;
        }
        sending.store(true, Ordering::Relaxed);
        Self { pairs, tasks, sending }
    }

    /// Returns how many accepted messages have not arrived.
    fn missing(&self) -> usize {
        let pairs = self.pairs.iter();
        pairs
            .map(|(_, sender, receiver)| outcome(&sender.lock(), &receiver.lock()).lost)
            .sum()
    }

    /// Stops sending, waits for the last messages, and checks.
    async fn finish(self, what: &str) {
        self.sending.store(false, Ordering::Relaxed);
        // A slow machine may have many lines on their way: it waits as long as some arrive.
        let (mut left, mut since) = (self.missing(), Instant::now());
        while left > 0 && since.elapsed() < LAST {
            sleep(Duration::from_millis(200)).await;
            let missing = self.missing();
            if missing < left {
                (left, since) = (missing, Instant::now());
            }
        }
        // The last acknowledgements, and what would come twice.
        sleep(Duration::from_millis(500)).await;
        self.tasks.iter().for_each(JoinHandle::abort);
        let mut bad = Vec::new();
        for (is_native, sender, receiver) in &self.pairs {
            let (sender, receiver) = (sender.lock(), receiver.lock());
            let found = outcome(&sender, &receiver);
            let by = if *is_native { "by line" } else { "by login" };
            println!(
                "{what}, {by}: {} accepted, {} refused, {} lost, {} doubled, {} after their acknowledgement, {} out of order; {} logins, {} resumes, {} kicks",
                found.accepted,
                sender.failed,
                found.lost,
                found.doubled,
                found.again,
                found.disorder,
                receiver.logins,
                receiver.resumes,
                receiver.kicks + sender.kicks
            );
            // Without a version to filter by, a new login gets unacknowledged lines again.
            let doubled = if *is_native { found.doubled } else { found.again };
            if found.accepted == 0 || found.lost + doubled + found.disorder > 0 {
                bad.push((by, found));
            }
        }
        assert!(bad.is_empty(), "{bad:?}");
    }
}

/// Three sidecars on one Redis.
async fn sidecars(name: &str, url: &str) -> (Vec<Sidecar>, Arc<Places>) {
    let mut sidecars = Vec::new();
    for n in 1..=3 {
        let redis = format!("url = \"{url}\"\nrate_scale = 100000\n");
        // Without the bound of a mailbox, at which lines are dropped and counted.
        let config = format!("[mailbox]\nlimit = 100000\n[upstream]\nkind = \"redis\"\n[redis]\n{redis}");
        sidecars.push(Sidecar::start(&format!("fleet-{name}-{n}"), &config).await);
    }
    let places = Arc::new(Places::default());
    *places.0.lock() = sidecars
        .iter()
        .map(|sidecar| Some((sidecar.http, sidecar.tcp)))
        .collect();
    (sidecars, places)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_sidecars_are_killed_under_load() {
    if !is_installed() {
        return;
    }
    let redis = RedisServer::start(&[]);
    let (mut sidecars, places) = sidecars("kills", &redis.url()).await;
    let crowd = Crowd::start(&places).await;
    let mut dice = Dice::new(42);
    for number in 0..kills() {
        if number > 0 && number.is_multiple_of(10) {
            println!("after {number} kills: {} lines are on their way", crowd.missing());
        }
        sleep(Duration::from_millis(300 + dice.below(300) as u64)).await;
        let victim = dice.below(sidecars.len());
        sidecars[victim].kill();
        places.0.lock()[victim] = None;
        sleep(Duration::from_millis(100 + dice.below(400) as u64)).await;
        sidecars[victim].restart().await;
        places.0.lock()[victim] = Some((sidecars[victim].http, sidecars[victim].tcp));
    }
    sleep(Duration::from_millis(500)).await;
    crowd.finish(&format!("{} sidecars killed", kills())).await;
}

/// Interrupts Redis under load.
async fn interrupt(
    title: &str,
    times: usize,
    args: &[&str],
    interruption: impl Fn(&mut RedisServer) + Send + Sync + Copy + 'static,
) {
    let redis = Arc::new(Mutex::new(RedisServer::start(args)));
    let url = redis.lock().url();
    let (_sidecars, places) = sidecars(title, &url).await;
    let crowd = Crowd::start(&places).await;
    for _ in 0..times {
        sleep(Duration::from_millis(700)).await;
        let interrupted = redis.clone();
        tokio::task::spawn_blocking(move || interruption(&mut interrupted.lock()))
            .await
            .expect("an interruption");
    }
    sleep(Duration::from_millis(500)).await;
    crowd.finish(&format!("{times} {title}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_killed_under_load() {
    if is_installed() {
        let times = kills().min(20);
        interrupt("redis-kills", times, &["--appendonly", "yes"], |redis| {
            redis.kill();
            redis.restart();
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_frozen_under_load() {
    if is_installed() {
        let times = kills().min(20);
        let time = Duration::from_secs(number("SIGBRIDGE_FREEZE").unwrap_or(1));
        interrupt("redis-freezes", times, &[], move |redis| redis.freeze(time)).await;
    }
}
