//! The native wire from the client's side: lines instead of frames, resume by session line
//! (signaling-wire 10).

use protocol::event::SocketId;
use rtm::value::Value;

use super::client::{Client, OWN_PING};

impl Client {
    /// Resumes the session by its line on a new socket. Pending calls are forgotten; the scenario
    /// may give another channel number.
    pub fn resume(&mut self, socket: SocketId, cid: Option<&str>) {
        self.socket = Some(socket);
        self.status = 3;
        self.pending.clear();
        self.next_poll = None;
        match cid {
            Some("-") => self.channel = None,
            Some(cid) => {
                if let Some((known, _)) = &mut self.channel {
                    *known = cid.into();
                }
            }
            None => {}
        }
        self.out.push(format!("line_login2 {} 2 0", self.line));
    }

    /// Handles a line.
    pub(super) fn native_line(&mut self, line: &str) {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        match name {
            "login_res" => {
                // Words are counted; a space in the JSON would add one.
                let words: Vec<&str> = rest.split(' ').collect();
                match words[..] {
                    ["ok", _, json] | [_, json] => self.login_ret(&["".into(), json.into()]),
                    _ => self.fault(format!("the line {line}")),
                }
            }
            "line_login_res" => self.resumed(rest),
            "call_ret" => match rest.splitn(4, ' ').collect::<Vec<_>>()[..] {
                [_, id, _, json] => self.call_ret(&[Value::from_json(id).unwrap_or_default(), "".into(), json.into()]),
                _ => self.fault(format!("the line {line}")),
            },
            "notify" => self.native_notify(rest),
            _ if name.strip_prefix("line_pong:") == Some(&*OWN_PING.to_string()) => {}
            _ if name.starts_with("line_pong:") => self.see(["pong".to_owned(), name[10..].to_owned()]),
            _ => self.fault(format!("the line {line}")),
        }
    }

    fn resumed(&mut self, word: &str) {
        match word {
            "ok" if self.status == 3 => {
                self.status = 2;
                self.see(["onReconnected"]);
                if let Some((cid, name)) = &self.channel {
                    let fields = serde_json::json!({
                        "cid": cid, "cname": name, "msgid": self.channel_msgid, "vid": super::VID,
                    });
                    self.out.push(format!("channel_sub {fields}"));
                }
            }
            "kick" | "outofsync" if self.status == 3 => self.control(word),
            _ => self.fault(format!("the line line_login_res {word}")),
        }
    }

    fn native_notify(&mut self, rest: &str) {
        let (kind, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let pair = Value::from_json(rest).ok();
        let pair = pair.as_ref().and_then(Value::as_list).unwrap_or_default();
        match (kind, pair) {
            ("msg", _) if rest.parse::<i64>().is_ok() => self.hinted(rest.parse().unwrap_or_default()),
            ("recvmsg", [Value::Int(version), Value::Text(line)]) => self.pushed(*version, &line.clone()),
            ("channel2", _) => match rest
                .split_once(' ')
                .and_then(|(id, line)| Some((id.parse().ok()?, line)))
            {
                Some((msgid, line)) => self.channel_line(msgid, line),
                None => self.fault(format!("the notification {kind} {rest}")),
            },
            ("kick" | "wrong_line" | "TokenErrorExpired" | "outofsync", _) if rest.is_empty() => self.control(kind),
            _ => self.fault(format!("the notification {kind} {rest}")),
        }
    }
}
