//! Clients of all families with one server; actions and events as text.
//!
//! | line | meaning |
//! |---|---|
//! | `native dora` | a client of that family logs in (`web`, `javasdk`, `native`, `api`); it may be refused |
//! | `native dora@2` | a second client of her account |
//! | `dora: messageInstantSend bob 0 "hi there"` | a documented call, or `FUNCTION {json}`, as in `sigbridge call`; the script waits for its answer |
//! | `= {"result":"ok","num":2}` | its answer, if it has values |
//! | `! peer is not online` | its refusal, with the reason |
//! | `> bob onMessageInstantReceive account="dora" uid=0 msg="hi there"` | the next event of that client; the script waits for it |
//! | `~ bob onInviteFailed channelID="room"` | the same, by its beginning |
//! | `wait 1500ms` | no event during that time |
//! | `agent away`, `agent back` | the link to the agent fails and reconnects, if there is one |
//! | `cut dora` | the connection is cut; a native client reconnects by itself |
//! | `quit dora` | the process of the client ends |
//! | `# …` | a remark |
//!
//! `uid(bob)` is Bob's number, `x*300` repeats a letter. Every event must be expected; further ones at the end are an error.
//! A client of the documented API gets all arguments of an event; the expected ones must be among them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use identity::{Account, uid};
use protocol::client::repl::ReplInput;
use protocol::client::{Catalog, LegacyClient, Login, Output, json_words, transport};
use rtm::AppId;
use rtm::value::{Text, Value};
use sigbridge::client::{Connection, ConnectionError};
use sigbridge::startup::Running;
use tables::Tables;
use tables::duration::parse_duration;
use tables::profile::Transport;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::{ApiClient, PATIENCE, QUIET, SdkAgent};

const VID: &str = "app";

/// Everybody.
pub struct Stage {
    running: Running,
    /// Other sidecars with the same RTM: each newcomer is at the next one.
    others: Vec<Running>,
    logins: usize,
    tables: Arc<Tables>,
    people: BTreeMap<String, TestUser>,
    zlib: bool,
    /// The agent that has the server's RTM, where it is behind one.
    agent: Option<SdkAgent>,
    /// Functions that were called, by their names on the wire.
    pub called: BTreeSet<String>,
    /// Events of any user.
    pub seen: BTreeSet<String>,
}

struct TestUser {
    link: Link,
    events: VecDeque<String>,
}

enum Link {
    Legacy(Box<Connection>),
    Api(Box<ApiClient>, Catalog),
}

impl Stage {
    /// Creates a stage without clients; `zlib` makes native clients compress their packets.
    pub fn new(running: Running, zlib: bool) -> Self {
        Self {
            running,
            others: Vec::new(),
            logins: 0,
            tables: Arc::new(Tables::built_in().expect("the built-in tables")),
            people: BTreeMap::new(),
            zlib,
            agent: None,
            called: BTreeSet::new(),
            seen: BTreeSet::new(),
        }
    }

    /// The same, with the people at several sidecars.
    pub fn among(mut self, others: Vec<Running>) -> Self {
        self.others = others;
        self
    }

    /// The same, where the server's RTM is behind an agent.
    pub fn behind(mut self, agent: SdkAgent) -> Self {
        self.agent = Some(agent);
        self
    }

    /// Plays lines, and panics at the first that is not met.
    pub async fn play(&mut self, name: &str, script: &str) {
        let mut answer: Option<Result<Value, Text>> = None;
        for (number, line) in (1..).zip(script.lines().map(str::trim)) {
            let at = format!("{name}:{number}: {line}");
            let line = filled(line);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(expected) = line.strip_prefix("= ") {
                let got = answer.take().unwrap_or_else(|| panic!("{at}: nothing was called"));
                assert_eq!(got.map(|value| value.to_json()), Ok(expected.to_owned()), "{at}");
                continue;
            }
            if let Some(reason) = line.strip_prefix("! ") {
                let got = answer.take().unwrap_or_else(|| panic!("{at}: nothing was called"));
                assert_eq!(got.map_err(|reason| reason.to_string()), Err(reason.to_owned()), "{at}");
                continue;
            }
            if let Some(Err(reason)) = answer.take() {
                panic!("{at}: the call before it failed: {reason}");
            }
            if let Some(expected) = line.strip_prefix("> ") {
                let (who, event) = expected.split_once(' ').expect("who sees what");
                let got = self.event(who, &at).await;
                match &self.person(who, &at).link {
                    Link::Legacy(_) => assert_eq!(got, event, "{at}"),
                    Link::Api(..) => assert!(has(&got, event), "{at}\n  saw {got}"),
                }
                continue;
            }
            if let Some(expected) = line.strip_prefix("~ ") {
                let (who, start) = expected.split_once(' ').expect("who sees what");
                let got = self.event(who, &at).await;
                assert!(got.starts_with(start), "{at}\n  saw {got}");
                continue;
            }
            match line.split_once(' ').unwrap_or((&line, "")) {
                ("wait", time) => self.pass(parse_duration(time).expect("a time")).await,
                ("agent", "away") => self.agent.as_ref().expect("an agent").leave(),
                ("agent", "back") => self.agent.as_mut().expect("an agent").back(),
                ("cut", who) => match &mut self.person(who, &at).link {
                    Link::Legacy(connection) => connection.cut(),
                    Link::Api(..) => panic!("{at}: it does not come back"),
                },
                ("quit", who) => {
                    self.people.remove(who).unwrap_or_else(|| panic!("{at}: who?"));
                }
                (who, call) if who.ends_with(':') => {
                    let who = who.trim_end_matches(':');
                    answer = Some(self.call(who, call, &at).await);
                }
                (family, who) => answer = self.login(family, who, &at).await.err().map(Err),
            }
        }
        if let Some(Err(reason)) = answer {
            panic!("{name}: the last call failed: {reason}");
        }
        for (who, person) in &mut self.people {
            let more = timeout(QUIET, person.event()).await;
            assert_eq!(more.ok().flatten(), None, "{name}: {who} got more");
        }
    }

    /// Disconnects all clients; the server and its agent stay.
    pub fn close(self) -> (Running, Option<SdkAgent>) {
        (self.running, self.agent)
    }

    fn person(&mut self, who: &str, at: &str) -> &mut TestUser {
        self.people.get_mut(who).unwrap_or_else(|| panic!("{at}: who?"))
    }

    async fn login(&mut self, family: &str, who: &str, at: &str) -> Result<(), Text> {
        let wire = self
            .tables
            .wire(family)
            .unwrap_or_else(|| panic!("{at}: no such family"));
        let turn = self.logins % (self.others.len() + 1);
        self.logins += 1;
        let running = self.others.get(turn).unwrap_or(&self.running);
        let url = match transport(&self.tables, wire) {
            Transport::Tcp => format!("tcp://{}", running.tcp.expect("a port for native clients")),
            Transport::WebSocket | Transport::Api => format!("ws://{}/", running.http),
        };
        if wire.documented {
            let mut client = ApiClient::connect(running.http).await;
            assert_eq!(client.log_in(who).await, "null", "{at}");
            let catalog = Catalog::new(self.tables.clone(), wire.clone());
            let link = Link::Api(Box::new(client), catalog);
            let events = VecDeque::new();
            self.people.insert(who.into(), TestUser { link, events });
            return Ok(());
        }
        let login = Login {
            vid: VID.into(),
            account: who.split('@').next().unwrap_or_default().into(),
            token: "_no_need_token".into(),
        };
        let client = LegacyClient::new(self.tables.clone(), wire.clone(), login);
        let connection = Connection::login_with(&url, client, self.zlib).await;
        let mut connection = match connection {
            Ok(connection) => connection,
            Err(ConnectionError::Refused(reason)) => return Err(reason),
            Err(error) => panic!("{at}: {error}"),
        };
        let mut received = None;
        if family == "web" {
            // Later builds declare it; earlier ones get no uids in calls. An answer acknowledges it.
            connection.frame(r#"["set_flag",{"binary":1}]"#.into());
            received = connection.invoke("voip_invite_ack", Vec::new()).ok();
        }
        let mut person = TestUser {
            link: Link::Legacy(Box::new(connection)),
            events: VecDeque::new(),
        };
        if let Some(id) = received {
            person.answer(id).await.expect("an answer");
        }
        self.people.insert(who.into(), person);
        Ok(())
    }

    async fn call(&mut self, who: &str, call: &str, at: &str) -> Result<Value, Text> {
        let person = self.person(who, at);
        let catalog = match &person.link {
            Link::Legacy(connection) => connection.client().catalog(),
            Link::Api(_, catalog) => catalog,
        };
        let line = ReplInput::read(call, catalog).unwrap_or_else(|error| panic!("{at}: {error}"));
        let function = match &line {
            ReplInput::Call { name, .. } => {
                let help = catalog.calls().into_iter().find(|help| help.name == *name);
                help.map_or(name.clone(), |help| help.function)
            }
            ReplInput::Function { name, .. } => name.clone(),
            other => panic!("{at}: {other:?}"),
        };
        let id = match (&mut person.link, line) {
            (Link::Legacy(connection), ReplInput::Call { name, args }) => connection.start(&name, &args),
            (Link::Legacy(connection), ReplInput::Function { name, args }) => connection.invoke(&name, args),
            (Link::Api(client, _), ReplInput::Call { name, args }) => {
                let params = serde_json::from_str(&Value::Map(args).to_json()).expect("JSON");
                Ok(client.start(&name, params).await)
            }
            (_, other) => panic!("{at}: {other:?}"),
        };
        let id = id.unwrap_or_else(|error| panic!("{at}: {error}"));
        let answer = timeout(PATIENCE, person.answer(id)).await;
        self.called.insert(function.to_string());
        answer.unwrap_or_else(|_| panic!("{at}: no answer"))
    }

    /// Lets time pass for all clients: they acknowledge and ping.
    async fn pass(&mut self, time: Duration) {
        let passing = self.people.values_mut().map(|person| async {
            let until = Instant::now() + time;
            while let Ok(Some(got)) = timeout_at(until, person.next()).await {
                if let Got::Event(event) = got {
                    person.events.push_back(event);
                }
            }
            sleep_until(until).await;
        });
        join_all(passing).await;
    }

    async fn event(&mut self, who: &str, at: &str) -> String {
        let event = timeout(PATIENCE, self.person(who, at).event()).await;
        let event = event.unwrap_or_else(|_| panic!("{at}: nothing came"));
        let event = event.unwrap_or_else(|| panic!("{at}: the connection is over"));
        let name = event.split(' ').next().unwrap_or_default();
        self.seen.insert(name.to_owned());
        event
    }
}

impl TestUser {
    async fn answer(&mut self, id: i64) -> Result<Value, Text> {
        loop {
            let got = self.next().await;
            match got.unwrap_or_else(|| panic!("the connection ends before the answer to {id}")) {
                Got::Answer(answered, result) if answered == id => return result,
                Got::Answer(..) => panic!("an answer without a call"),
                Got::Event(event) => self.events.push_back(event),
                Got::Nothing => {}
            }
        }
    }

    async fn event(&mut self) -> Option<String> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            match self.next().await? {
                Got::Event(event) => self.events.push_back(event),
                Got::Answer(..) => panic!("an answer without a call"),
                Got::Nothing => {}
            }
        }
    }

    async fn next(&mut self) -> Option<Got> {
        match &mut self.link {
            Link::Legacy(connection) => Some(match connection.next().await? {
                Output::Event(emitted) => Got::Event(emitted.to_string()),
                Output::Reply(reply) => Got::Answer(reply.id, reply.result),
                Output::LoggedIn | Output::LoggedOut | Output::Send(_) => Got::Nothing,
                other => panic!("{other:?}"),
            }),
            Link::Api(client, _) => {
                let got = Value::from_json(&client.next_text().await).ok()?;
                let error = got.get("error").and_then(|error| error.get("message"));
                Some(match (got.get("method"), got.get("id").and_then(Value::as_int)) {
                    (Some(method), _) => {
                        let args = got.get("params").and_then(Value::as_map).unwrap_or_default();
                        Got::Event(format!("{}{}", method.clone().into_text(), json_words(args)))
                    }
                    (None, Some(id)) => {
                        let result = got.get("result").cloned().unwrap_or_default();
                        Got::Answer(id, error.map_or(Ok(result), |text| Err(text.clone().into_text())))
                    }
                    (None, None) => panic!("{got}"),
                })
            }
        }
    }
}

enum Got {
    Event(String),
    Answer(i64, Result<Value, Text>),
    Nothing,
}

/// Returns true if an event contains all expected words in order.
fn has(got: &str, expected: &str) -> bool {
    let mut rest = got;
    let mut words = expected.split_inclusive(' ');
    words.all(|word| match rest.find(word.trim_end()) {
        Some(at) => {
            rest = &rest[at + word.trim_end().len()..];
            true
        }
        None => false,
    })
}

/// With `uid(name)` and `x*300` filled in.
fn filled(line: &str) -> String {
    let mut text = line.to_owned();
    while let Some(start) = text.find("x*") {
        let digits = text[start + 2..].bytes().take_while(u8::is_ascii_digit).count();
        let count = text[start + 2..start + 2 + digits].parse().expect("a number");
        text.replace_range(start..start + 2 + digits, &"x".repeat(count));
    }
    while let Some(start) = text.find("uid(") {
        let end = start + text[start..].find(')').expect("the end of uid(…)");
        let vid = AppId::new(VID).expect("an app id");
        let account = Account::new(&text[start + 4..end]).expect("an account");
        text.replace_range(start..=end, &uid::uid(&vid, &account).to_string());
    }
    text
}
