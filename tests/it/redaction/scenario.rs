//! Sessions without a server: inputs are written by hand, outputs are those of the engine, and both make a trace.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use engine::SessionLimits;
use identity::lossy_codec;
use protocol::encoder::Encoder;
use protocol::encoders;
use rtm::time::Time;
use rtm::value::{Text, Value};
use serde_json::{Value as Json, json};
use tables::Tables;
use trace::{Begin, Dir, Header, Leg, ReadNames, Record, SessionReplay, TraceNames, VERSION};

/// Start time of every scenario, milliseconds.
const START: u64 = 1_593_475_200_000;
/// The line of every session: what it is made of does not matter.
pub const LINE: &str = "00000000000000f7-cfe685008b347015508fbad5187b7042ffa41244";

/// Users of RTM alone, whose ids are no legacy names.
pub const RTM_IDS: &[&str] = &["a spaced marzipan", "marzipan lover"];

/// Tables, and the languages of their profiles.
pub type Spoken = (Arc<Tables>, Arc<Vec<Arc<dyn Encoder>>>);

/// The built-in tables, compiled once, and the wires of clients.
pub fn tables() -> &'static Spoken {
    static TABLES: OnceLock<Spoken> = OnceLock::new();
    TABLES.get_or_init(|| {
        let tables = Arc::new(Tables::built_in().expect("the built-in tables"));
        let encoders = Arc::new(encoders(&tables).expect("a wire for each profile"));
        (tables, encoders)
    })
}

/// A session that is played as it is written.
pub struct SessionScenario {
    pub records: Vec<Record>,
    player: SessionReplay,
    native: bool,
    api: bool,
    calls: i64,
    t_us: u64,
    /// RTM calls without an answer.
    requested: VecDeque<(u64, String, Json)>,
    /// Replies in place of the usual ones, by the call's name.
    pub replies: Vec<(&'static str, Json)>,
}

impl SessionScenario {
    /// A client of a profile that logs in; `accounts` and `channels` are all that occur in its session.
    pub fn begin(profile: &str, account: &str, accounts: &[&str], channels: &[&str]) -> Self {
        let (tables, encoders) = tables();
        let begin = Begin {
            profile: profile.into(),
            account: account.into(),
            offline_messages: false,
            durable: false,
            lacks: Vec::new(),
            platform: None,
            limits: SessionLimits::default(),
        };
        let mut records = vec![record(0, Leg::Env, Dir::In, json!({"begin": null}))];
        records[0].data = Value::Map(vec![("begin".into(), begin.to_value())]);
        let mut names = ReadNames::default();
        let mut add_name = |which: &str, name: &str, answer: Json| {
            let data = json!({"name": {which: [name, answer]}});
            let record = record(0, Leg::Env, Dir::In, data);
            names.learn(&record.data);
            records.push(record);
        };
        for (uid, account) in (1_085_660_747_i64..).zip(accounts.iter().chain([&account])) {
            let id = lossy_codec::user_id(&Text::from(*account));
            add_name("userId", account, json!(&*id));
            add_name("account", &id, json!(&*lossy_codec::account(&id)));
            add_name("uid", account, json!(uid));
        }
        for id in RTM_IDS {
            let account = lossy_codec::account(&Text::from(*id));
            add_name("account", id, json!(&*account));
            add_name("userId", &account, json!(id));
            add_name("uid", &account, json!(7));
        }
        for channel in channels {
            let id = lossy_codec::channel_id(&Text::from(*channel));
            add_name("channelId", channel, json!(&*id));
            add_name("channel", &id, json!(&*lossy_codec::channel(&id)));
        }
        let names = TraceNames {
            read: Arc::new(names),
            app: None,
        };
        let player = SessionReplay::new(tables.clone(), encoders.clone(), &begin, Arc::new(names)).expect("a profile");
        let mut scenario = Self {
            records,
            player,
            native: profile == "native",
            api: profile == "api",
            calls: 0,
            t_us: 0,
            requested: VecDeque::new(),
            replies: Vec::new(),
        };
        scenario.login(account);
        scenario
    }

    fn login(&mut self, account: &str) {
        let fields = json!({
            "vid": "vendor-key-of-Quentin", "account": account, "token": "1:app:99:5ebe2294ecd0e0f08eab7690d2a6ee69",
            "uid": 0, "device": "Phone of Quentin", "ip": "10.77.66.55",
        });
        match (self.native, self.api) {
            (true, _) => self.received(&format!("login {fields}")),
            (_, true) => self.request(
                "login",
                json!(["vendor-key-of-Quentin", account, fields["token"], 0, "Phone of Quentin"]),
            ),
            _ => self.received(&format!("[\"login\",{fields}]")),
        }
        self.come(Leg::Env, json!({"admitted": {"socket": 1, "line": LINE}}));
    }

    /// The client calls.
    pub fn call(&mut self, function: &str, mut args: Json) {
        self.calls += 1;
        let id = self.calls;
        if let Some(args) = args.as_object_mut() {
            args.entry("line").or_insert(LINE.into());
        }
        let frame = if self.native {
            format!("call {function} {id} 0 {args}")
        } else {
            json!(["call2", [function, id, args]]).to_string()
        };
        self.received(&frame);
    }

    /// A request of a client of the documented API.
    pub fn request(&mut self, method: &str, params: Json) {
        self.calls += 1;
        let id = format!("{}-of-Quentin", self.calls);
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.received(&request.to_string());
    }

    /// The client fetches its mailbox.
    pub fn poll(&mut self, ver_clear: u64) {
        self.call("user_getmsg", json!({"ver_clear": ver_clear, "max": 30}));
    }

    /// A frame of the client.
    pub fn received(&mut self, frame: &str) {
        self.come(Leg::Legacy, json!({"socket": 1, "frame": frame}));
    }

    /// An event of RTM.
    pub fn event(&mut self, name: &str, fields: Json) {
        self.come(Leg::Rtm, json!({"event": {name: fields}}));
    }

    /// Processes an input with its effects.
    pub fn come(&mut self, leg: Leg, data: Json) {
        self.feed(leg, data);
        while let Some((request, name, args)) = self.requested.pop_front() {
            let mut data = json!({"request": request});
            let other = self.replies.iter().find(|(known, _)| *known == name);
            match other.map(|(_, reply)| reply.clone()) {
                Some(Json::String(error)) => data["error"] = error.into(),
                Some(reply) => data["reply"] = reply,
                None => data["reply"] = usual(&name, &args),
            }
            self.feed(Leg::Rtm, data);
        }
    }

    fn feed(&mut self, leg: Leg, data: Json) {
        self.t_us += 1_000_000;
        let record = record(self.t_us, leg, Dir::In, data);
        let now = Time::from_millis(START + self.t_us / 1000);
        let outs = self.player.feed(now, &record);
        self.records.push(record);
        for out in outs.expect("it can happen") {
            let data: Json = serde_json::from_str(&out.data.to_json()).expect("JSON");
            if let (Some(request), Some(call)) = (data["request"].as_u64(), data["call"].as_object()) {
                let (name, args) = call.iter().next().expect("a call");
                self.requested.push_back((request, name.clone(), args.clone()));
            }
            self.records.push(Record {
                t_us: self.t_us,
                session: 1,
                leg: out.leg,
                dir: Dir::Out,
                row: out.row,
                data: out.data,
            });
        }
    }
}

fn usual(name: &str, args: &Json) -> Json {
    match name {
        "sendMessageToPeer" => json!(true),
        "queryPeersOnlineStatus" => {
            let ids = args["peerIds"].as_array().expect("ids").iter();
            ids.map(|id| (id.as_str().expect("an id").to_owned(), json!(true)))
                .collect()
        }
        "getMembers" => json!([]),
        _ => json!({}),
    }
}

fn record(t_us: u64, leg: Leg, dir: Dir, data: Json) -> Record {
    Record {
        t_us,
        session: 1,
        leg,
        dir,
        row: None,
        data: Value::from_json(&data.to_string()).expect("JSON"),
    }
}

/// A header without redaction.
pub fn header() -> Header {
    Header {
        sigbridge_trace: VERSION,
        started_ms: START,
        program: "test".into(),
        redaction: "none".into(),
        source: None,
        missing: Vec::new(),
    }
}
