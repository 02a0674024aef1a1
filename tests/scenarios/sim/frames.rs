//! Handling of frames from the server.

use rtm::time::Time;
use rtm::value::Value;
use tables::profile::Transport;
use tables::wire::{Local, Polls, Target, Via};

use super::client::{Client, OWN_PING, Pending};
use super::invert;

impl Client {
    /// Handles a frame.
    pub fn frame(&mut self, now: Time, text: &str) {
        self.now = now;
        if self.transport() == Transport::Tcp {
            return self.native_line(text);
        }
        let frame = Value::from_json(text).unwrap_or_default();
        let Some([name, arg]) = frame.as_list() else {
            return self.fault(format!("the frame {text}"));
        };
        match (name.as_text().map_or("", |name| name), arg) {
            ("login_ret", Value::List(items)) => self.login_ret(&items.clone()),
            ("call2-ret", Value::List(items)) => self.call_ret(&items.clone()),
            ("notify", Value::Text(text)) => self.notify_text(&text.clone()),
            ("notify", Value::List(items)) => self.notify_list(&items.clone()),
            ("kick" | "close", _) => self.control(name.as_text().map_or("", |name| name)),
            ("pong", value) if value.as_int() == Some(OWN_PING) => {}
            ("pong", value) => {
                let value = value.to_json();
                self.see(["pong".to_owned(), value]);
            }
            _ => self.fault(format!("the frame {text}")),
        }
    }

    pub(super) fn login_ret(&mut self, items: &[Value]) {
        let wire = self.wire.clone();
        let (Some((err, json)), Target::Row(call)) = (result(items), &wire.login.target) else {
            return self.fault("a login_ret without err and JSON");
        };
        if self.status != 1 && self.status != 2 {
            return self.fault("a login_ret without a pending login");
        }
        match refusal(&err, &json) {
            None => {
                self.status = 2;
                self.line = json
                    .get("line")
                    .cloned()
                    .map(|line| line.into_text().to_string())
                    .unwrap_or_default();
                for words in invert::events_of_reply(&self.tables.clone(), &wire, call, &[], &json) {
                    self.see(words);
                }
                self.declare();
                if wire.polls != Polls::OnNotification {
                    self.poll(self.now);
                }
            }
            Some(text) => {
                self.done();
                let failed = invert::event_of_failure(&self.tables.clone(), &wire, call, &[], &text);
                self.see(failed.unwrap_or_default());
            }
        }
    }

    pub(super) fn call_ret(&mut self, items: &[Value]) {
        let id = items.first().and_then(Value::as_int);
        let Some((id, (err, json))) = id.zip(result(items.get(1..).unwrap_or_default())) else {
            return self.fault(format!("the reply {}", Value::List(items.to_vec())));
        };
        let Some(pending) = self.pending.remove(&id) else {
            return self.fault(format!("a reply to no call: {}", Value::List(items.to_vec())));
        };
        let Pending {
            function,
            name,
            invoked,
            args,
        } = pending;
        let (wire, tables) = (self.wire.clone(), self.tables.clone());
        let Some(function) = function.map(|at| wire.function(at)) else {
            return self.see(["reply".to_owned(), id.to_string(), err, json.to_json()]);
        };
        let failed = refusal(&err, &json);
        if invoked {
            return self.invoked(name, &err, failed, json);
        }
        let call = match &function.target {
            Target::Invoke(_) => panic!("no function of a wire of frames"),
            Target::Local(Local::Mailbox) => return self.mailbox(&json),
            Target::Local(_) => return,
            Target::Row(call) => call,
        };
        match failed {
            None => {
                if function.ends {
                    self.done();
                }
                if let Some(cid) = json.get("cid") {
                    self.channel_msgid = 0;
                    let name = args.iter().find(|(name, _)| name == "channelID");
                    let name = name.map(|(_, value)| value.clone().into_text().to_string());
                    self.channel = name.map(|name| (cid.clone().into_text().to_string(), name));
                }
                if &*tables.rows[call.row].id == "channel.leave" {
                    self.channel = None;
                }
                for words in invert::events_of_reply(&tables, &wire, call, &args, &json) {
                    self.see(words);
                }
            }
            Some(_) if err.is_empty() && self.transport() != Transport::Tcp => {
                self.fault(format!("the SDK's own call failed with {json} only"))
            }
            Some(text) => {
                if let Some(words) = invert::event_of_failure(&tables, &wire, call, &args, &text) {
                    self.see(words);
                }
            }
        }
    }

    /// Runs the callback of `invoke()`: the result without its `result`, or the text of `err`.
    fn invoked(&mut self, name: String, err: &str, failed: Option<String>, json: Value) {
        match failed {
            None => {
                let entries = json
                    .as_map()
                    .unwrap_or_default()
                    .iter()
                    .filter(|(key, _)| &**key != "result");
                let entries = Value::Map(entries.cloned().collect());
                self.see(["onInvokeRet".to_owned(), name, entries.to_json()]);
            }
            Some(text) => {
                let reason = json.get("reason").and_then(Value::as_text).cloned();
                if !err.is_empty() || reason.is_none() {
                    self.fault(format!("invoke failed with err {err} and {json}"));
                }
                self.see(["onInvokeRet".to_owned(), name, "failed".to_owned(), text]);
            }
        }
    }

    fn notify_text(&mut self, text: &str) {
        let pair = text
            .strip_prefix("notify recvmsg ")
            .and_then(|rest| Value::from_json(rest).ok());
        let pair = pair.as_ref().and_then(Value::as_list).unwrap_or_default();
        match (
            pair.first().and_then(Value::as_int),
            pair.get(1).and_then(Value::as_text),
        ) {
            (Some(version), Some(line)) => self.pushed(version, &line.clone()),
            _ => self.fault(format!("the notification {text}")),
        }
    }

    fn notify_list(&mut self, items: &[Value]) {
        match items {
            [kind, Value::Int(version)] if kind.as_text().is_some_and(|kind| &**kind == "msg") => self.hinted(*version),
            [_, _cid, Value::Int(msgid), Value::Text(line)] => self.channel_line(*msgid, line),
            _ => self.fault(format!("the notification {}", Value::List(items.to_vec()))),
        }
    }

    pub(super) fn channel_line(&mut self, msgid: i64, line: &str) {
        if msgid <= self.channel_msgid {
            self.fault(format!("channel line {msgid} after {}", self.channel_msgid));
        }
        self.channel_msgid = msgid;
        self.line(line, Some(msgid));
    }

    /// Records a line of the mailbox or of a channel; returns its type.
    pub(super) fn line(&mut self, line: &str, channel: Option<i64>) -> Option<String> {
        let parts: Vec<&str> = line.splitn(7, ' ').collect();
        let ["msg-v2", src, dst, flag, kind, time, content] = parts[..] else {
            self.fault(format!("the line {line}"));
            return None;
        };
        if src.is_empty() || dst.is_empty() || flag.is_empty() || time.parse::<u64>().is_err() {
            self.fault(format!("the line {line}"));
        }
        let via = if channel.is_some() { Via::Channel } else { Via::Mailbox };
        let (tables, wire) = (self.tables.clone(), self.wire.clone());
        match invert::event_of_line(&tables, &wire, kind, src, content, via, self.old) {
            Ok(words) => self.see(words),
            Err(why) => self.fault(why),
        }
        Some(kind.into())
    }

    /// Handles a control frame. `kick` means that another login took over; a `close` alone counts
    /// as a lost network.
    pub(super) fn control(&mut self, name: &str) {
        if self.status == 0 {
            return;
        }
        let ecode = match name {
            "kick" | "wrong_line" => "103",
            "TokenErrorExpired" => "105",
            _ => "102",
        };
        self.done();
        self.see(["onLogout", ecode]);
    }
}

/// Returns `err` and the JSON object of a reply.
fn result(items: &[Value]) -> Option<(String, Value)> {
    let [Value::Text(err), Value::Text(json)] = items else {
        return None;
    };
    let json = Value::from_json(json).ok().filter(|json| json.as_map().is_some())?;
    Some((err.to_string(), json))
}

/// Returns the reason of a failed call, as determined by SDKs since 1.2.
fn refusal(err: &str, json: &Value) -> Option<String> {
    if !err.is_empty() {
        return Some(err.into());
    }
    if json
        .get("result")
        .and_then(Value::as_text)
        .is_some_and(|result| &**result == "ok")
    {
        return None;
    }
    let text = json
        .get("data")
        .and_then(|data| data.get("result"))
        .and_then(Value::as_text);
    let reason = json.get("reason").and_then(Value::as_text);
    Some(
        text.or(reason)
            .map_or_else(|| "wrong resp:[object Object]".into(), ToString::to_string),
    )
}
