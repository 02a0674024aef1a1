//! Several nodes on one Redis, driven step by step with a time of their own.

use std::collections::HashMap;
use std::time::Duration;

use redis::{Connection, Value};
use rtm::RtmCall;
use rtm::time::Time;
use rtm_embedded::RtmServiceConfig;
use rtm_redis::node::{Node, NodeConfig, Outputs, Request};
use rtm_redis::wire::{Answer, answer, entries};
use rtm_redis::{SCRIPT, SCRIPT_THAT_FREES, Script, prefix, text_of};

/// Nodes of one app.
pub struct Cluster {
    connection: Connection,
    prefix: String,
    nodes: Vec<Option<Node>>,
    names: Vec<String>,
    /// The scripts of nodes that have another version.
    scripts_of: HashMap<usize, Script>,
    pub now: Time,
    /// Number of executed scripts.
    pub scripts: u64,
}

/// Config of a test node.
pub fn config(name: &str, service: RtmServiceConfig, heartbeat: Duration) -> NodeConfig {
    NodeConfig {
        name: name.into(),
        service,
        call_wait: Duration::from_secs(4),
        lease: heartbeat * 5,
        heartbeat,
        grace: heartbeat * 2,
        stream: 10_000,
        has_own_time: true,
    }
}

impl Cluster {
    pub fn new(
        connection: Connection,
        app: &str,
        nodes: usize,
        service: RtmServiceConfig,
        heartbeat: Duration,
    ) -> Self {
        let now = Time::from_millis(1_000_000_000);
        let names: Vec<String> = (0..nodes).map(|n| format!("n{n}")).collect();
        let nodes = names
            .iter()
            .map(|name| Some(Node::new(config(name, service, heartbeat), now)));
        let mut cluster = Self {
            connection,
            prefix: prefix(app),
            nodes: nodes.collect(),
            names,
            scripts_of: HashMap::new(),
            now,
            scripts: 0,
        };
        let mut out = Vec::new();
        cluster.exchange(&mut out);
        cluster
    }

    /// Adds a node of another version, whose script has some texts replaced.
    pub fn add_version(&mut self, heartbeat: Duration, replaced: &[(&str, &str)]) -> usize {
        let mut text = text_of(false);
        for (old, new) in replaced {
            assert!(text.contains(old), "the script has no {old}");
            text = text.replace(old, new);
        }
        let at = self.nodes.len();
        let name = format!("n{at}");
        let config = config(&name, RtmServiceConfig::default(), heartbeat);
        self.nodes.push(Some(Node::new(config, self.now)));
        self.names.push(name);
        self.scripts_of.insert(at, Script::new(text));
        self.exchange(&mut Vec::new());
        at
    }

    pub fn node(&mut self, at: usize) -> &mut Node {
        self.nodes[at].as_mut().expect("a node that runs")
    }

    /// Ends a node without a logout.
    pub fn kill(&mut self, at: usize) {
        self.nodes[at] = None;
    }

    /// Takes a node, which does nothing meanwhile.
    pub fn freeze(&mut self, at: usize) -> Node {
        self.nodes[at].take().expect("a node that runs")
    }

    /// Continues a frozen node.
    pub fn thaw(&mut self, at: usize, node: Node) {
        self.nodes[at] = Some(node);
    }

    pub fn open(&mut self, at: usize, client: u64) {
        self.node(at).open(client);
    }

    pub fn call(&mut self, at: usize, client: u64, request: u64, call: RtmCall, out: &mut Outputs) {
        let now = self.now;
        self.node(at).call(now, client, request, call, out);
    }

    pub fn deadline(&self) -> Option<Time> {
        self.nodes.iter().flatten().filter_map(Node::deadline).min()
    }

    pub fn tick(&mut self, out: &mut Outputs) {
        let now = self.now;
        for node in self.nodes.iter_mut().flatten() {
            node.tick(now, out);
        }
    }

    /// Advances the time of the nodes.
    pub fn pass(&mut self, time: Duration, out: &mut Outputs) {
        let end = self.now + time;
        while let Some(due) = self.deadline().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.tick(out);
            self.exchange(out);
        }
        self.now = end;
    }

    /// Executes the requests of the nodes until there are none.
    pub fn exchange(&mut self, out: &mut Outputs) {
        loop {
            let mut active = false;
            for at in 0..self.nodes.len() {
                active |= self.exchange_at(at, out);
            }
            if !active {
                return;
            }
        }
    }

    /// Executes the next request of a node, without its entries; returns the answer.
    pub fn execute(&mut self, at: usize) -> Answer {
        let request = self.nodes[at].as_mut().and_then(|node| node.next_request(self.now));
        let request = request.expect("a request");
        run(&mut self.connection, &self.prefix, &request, None).expect("an answer")
    }

    fn exchange_at(&mut self, at: usize, out: &mut Outputs) -> bool {
        let (now, key) = (self.now, self.stream(at));
        let Some(node) = self.nodes[at].as_mut() else {
            return false;
        };
        let mut active = false;
        if let Some(request) = node.next_request(now) {
            active = true;
            self.scripts += 1;
            match run(&mut self.connection, &self.prefix, &request, self.scripts_of.get(&at)) {
                Some(answer) => node.answered(now, answer, out),
                None => node.out_of_memory(now, out),
            }
        }
        // The operations that need no memory, or a refused registration.
        if let Some(mut request) = node.same_request()
            // Redis has another time at each attempt.
            && let Some(_) = request.args.get_mut(2).map(|time| *time = now.as_millis().to_string().into())
            && let Some(answer) = run(&mut self.connection, &self.prefix, &request, self.scripts_of.get(&at))
        {
            node.answered(now, answer, out);
            active |= node.same_request().is_none();
        }
        let from = format!("({}", node.seen());
        let read = redis::cmd("XRANGE")
            .arg(key)
            .arg(from)
            .arg("+")
            .query::<Value>(&mut self.connection);
        let read = entries(&read.expect("a stream")).expect("entries");
        active |= !read.is_empty();
        if !read.is_empty() {
            node.entries(now, read, out);
        }
        active
    }

    pub fn command(&mut self, arguments: &[&str]) -> Value {
        let mut command = redis::cmd(arguments[0]);
        for argument in &arguments[1..] {
            command.arg(argument);
        }
        command.query(&mut self.connection).expect("a reply")
    }

    /// Returns the name of one of the app's keys.
    pub fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }

    fn stream(&self, at: usize) -> String {
        self.key(&format!("s:{}", self.names[at]))
    }

    /// Returns the number of entries in a node's stream.
    pub fn entries(&mut self, at: usize) -> u64 {
        let key = self.stream(at);
        let length = redis::cmd("XLEN").arg(key).query(&mut self.connection);
        length.expect("a stream")
    }

    /// Returns the keys of the app.
    pub fn keys(&mut self) -> Vec<String> {
        let pattern = format!("{}:*", self.prefix);
        redis::cmd("KEYS")
            .arg(pattern)
            .query(&mut self.connection)
            .expect("keys")
    }
}

/// Executes a request; returns `None` without memory.
fn run(connection: &mut Connection, prefix: &str, request: &Request, other: Option<&Script>) -> Option<Answer> {
    let own: &Script = if request.frees { &SCRIPT_THAT_FREES } else { &SCRIPT };
    let mut command = redis::cmd("EVAL");
    command
        .arg(&other.unwrap_or(own).text)
        .arg(1)
        .arg(prefix)
        .arg(&request.args);
    match command.query::<Value>(connection) {
        Ok(value) => Some(answer(&value).unwrap_or_else(|| panic!("no answer: {value:?}"))),
        Err(error) if error.code() == Some("OOM") => None,
        Err(error) => panic!("{error}"),
    }
}
