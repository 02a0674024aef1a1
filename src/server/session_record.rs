//! Form of a session's record in Redis (docs/spec/redis.md, section 9): fields of a hash.
//!
//! Events and rows have their names, since versions of the tables may differ. An unreadable line or message is counted.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use engine::durable::{Changes, Head, Record, SavedCall, SavedLine, SavedMessage, Versions};
use engine::emulate::call_role::Role;
use protocol::event::Event;
use rtm::UserId;
use rtm::time::Time;
use rtm::value::{Text, Value};
use rtm_redis::records::{Changes as Fields, Scope};
use tables::Tables;
use tables::row::RowId;

/// Version of this form, at the beginning of the state. Later versions with the same number may add fields, and elements at the
/// end of a field.
const VERSION: &str = "1";
/// Numbers of elements of a line, a message and a call.
const LINE_ELEMENTS: usize = 6;
const MESSAGE_ELEMENTS: usize = 4;
const CALL_ELEMENTS: usize = 5;
/// Longest field of a line or message in bytes.
const MAX_FIELD: usize = 1024 * 1024;
/// Digits of the number in a session line.
const LINE_DIGITS: usize = 16;

/// Fields and their values.
pub type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

#[derive(Serialize, Deserialize)]
struct Line(Text, Text, Vec<Value>, Text, bool, u64);

#[derive(Serialize, Deserialize)]
struct Message(Text, Text, Vec<Value>, u64);

#[derive(Serialize, Deserialize)]
struct Call(Text, Text, bool, bool, Option<(Text, Vec<Value>)>);

/// A record in a form that this version does not know. It must not be overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session's record has an unknown form")]
pub struct UnknownForm;

/// A record that was read.
#[derive(Debug, Default)]
pub struct Loaded {
    pub record: Record,
    /// Number in the session line of its client.
    pub line: Option<u64>,
    /// Fields with unreadable lines and messages.
    pub unread: Vec<Vec<u8>>,
}

/// Returns the number in a session line.
fn line_number(line: &str) -> &str {
    line.get(..LINE_DIGITS).unwrap_or_default()
}

/// Converts changes to fields.
pub fn fields(changes: Changes, tables: &Tables) -> Fields {
    let mut out = Fields {
        scope: if changes.all { Scope::All } else { Scope::Some },
        ..Fields::default()
    };
    let mut removed = |kind: char, numbers: Vec<u64>| {
        let names = numbers.into_iter().map(|number| format!("{kind}{number}").into_bytes());
        out.removed.extend(names);
    };
    removed('m', changes.removed_lines);
    removed('b', changes.removed_messages);
    if let Some(head) = changes.head {
        if head.ended && !changes.all {
            out.scope = Scope::End;
        }
        let versions = head.versions;
        let acknowledged = versions
            .acknowledged
            .map_or_else(|| "-".to_owned(), |version| version.to_string());
        let state = format!(
            "{VERSION} {} {} {acknowledged} {} {} {} {}",
            head.family,
            u8::from(head.ended),
            u8::from(versions.assumed),
            versions.base,
            versions.fetched,
            head.cids
        );
        out.set.push((b"h".to_vec(), state.into_bytes()));
        out.put(b"l", (!head.ended).then(|| line_number(&head.line).into()));
        out.put(b"c", head.channel.map(|channel| channel.as_bytes().to_vec()));
    }
    if let Some(calls) = changes.calls {
        let calls: Vec<Call> = calls.into_iter().map(|call| saved_call(call, tables)).collect();
        out.put(b"k", (!calls.is_empty()).then(|| json(&calls)));
    }
    for (number, line) in changes.lines {
        let event = line.event;
        let line = Line(
            tables.signatures[event.sig].name.clone(),
            tables.rows[event.row].id.clone(),
            event.args,
            line.sender,
            line.volatile,
            line.at.as_millis(),
        );
        out.set.push((format!("m{number}").into_bytes(), json(&line)));
    }
    for (number, message) in changes.messages {
        let row = tables.rows[message.row].id.clone();
        let message = Message(
            message.peer.text().clone(),
            row,
            message.slots,
            message.until.as_millis(),
        );
        out.set.push((format!("b{number}").into_bytes(), json(&message)));
    }
    out
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Values of these types are always representable.
    serde_json::to_vec(value).unwrap_or_default()
}

fn saved_call(call: SavedCall, tables: &Tables) -> Call {
    let origin = call.origin.map(|(row, slots)| (tables.rows[row].id.clone(), slots));
    Call(call.channel, call.peer, call.role == Role::Caller, call.talking, origin)
}

/// Reads a record; `None` if there is none.
///
/// # Errors
/// Another version has written it.
pub fn read(pairs: Pairs, tables: &Tables) -> Result<Option<Loaded>, UnknownForm> {
    let mut loaded = Loaded::default();
    let mut has_state = false;
    for (field, value) in pairs {
        if value.len() > MAX_FIELD {
            loaded.unread.push(field);
            continue;
        }
        let text = std::str::from_utf8(&value).unwrap_or_default();
        let Some((kind, rest)) = field.split_first() else {
            continue;
        };
        let number = std::str::from_utf8(rest).ok().and_then(|rest| rest.parse::<u64>().ok());
        match (kind, number) {
            (b'h', None) => {
                has_state = true;
                loaded.record.head = Head {
                    channel: loaded.record.head.channel.take(),
                    ..head(text).ok_or(UnknownForm)?
                };
            }
            (b'l', None) => loaded.line = u64::from_str_radix(text, 16).ok(),
            (b'c', None) => loaded.record.head.channel = Some(text.into()),
            (b'k', None) => loaded.record.calls = calls(text, tables),
            (b'm', Some(number)) => match line(text, tables) {
                Some(line) => loaded.record.lines.push((number, line)),
                None => loaded.unread.push(field),
            },
            (b'b', Some(number)) => match message(text, tables) {
                Some(message) => loaded.record.messages.push((number, message)),
                None => loaded.unread.push(field),
            },
            _ => {}
        }
    }
    loaded.record.lines.sort_by_key(|(number, _)| *number);
    loaded.record.messages.sort_by_key(|(number, _)| *number);
    Ok(has_state.then_some(loaded))
}

/// Reads an array of elements, of which a later version may have more.
fn elements<T: DeserializeOwned>(text: &str, count: usize) -> Option<T> {
    rtm::json::read(text).ok().or_else(|| {
        let mut list: Vec<Value> = rtm::json::read(text).ok()?;
        list.truncate(count);
        rtm::json::read(&serde_json::to_string(&list).ok()?).ok()
    })
}

fn head(text: &str) -> Option<Head> {
    let words: Vec<&str> = text.split(' ').collect();
    let [VERSION, family, ended, acknowledged, assumed, base, fetched, cids, ..] = words[..] else {
        return None;
    };
    Some(Head {
        family: family.into(),
        ended: ended == "1",
        versions: Versions {
            acknowledged: acknowledged.parse().ok(),
            assumed: assumed == "1",
            base: base.parse().ok()?,
            fetched: fetched.parse().ok()?,
        },
        cids: cids.parse().ok()?,
        ..Head::default()
    })
}

fn line(text: &str, tables: &Tables) -> Option<SavedLine> {
    let Line(event, row, args, sender, volatile, at) = elements(text, LINE_ELEMENTS)?;
    let sig = tables.signature_named(&event)?;
    let row = tables.row_named(&row)?;
    (args.len() == tables.signatures[sig].args.len()).then(|| SavedLine {
        event: Event { sig, row, args },
        sender,
        volatile,
        at: Time::from_millis(at),
    })
}

fn message(text: &str, tables: &Tables) -> Option<SavedMessage> {
    let Message(peer, row, slots, until) = elements(text, MESSAGE_ELEMENTS)?;
    let (row, slots) = run(row, slots, tables)?;
    Some(SavedMessage {
        peer: UserId::new(peer).ok()?,
        row,
        slots,
        until: Time::from_millis(until),
    })
}

fn run(row: Text, slots: Vec<Value>, tables: &Tables) -> Option<(RowId, Vec<Value>)> {
    let row = tables.row_named(&row)?;
    (slots.len() == tables.rows[row].slots.len()).then_some((row, slots))
}

fn calls(text: &str, tables: &Tables) -> Vec<SavedCall> {
    let calls: Vec<Value> = rtm::json::read(text).unwrap_or_default();
    let calls = calls.iter().filter_map(|call| {
        let text = serde_json::to_string(call).ok()?;
        elements::<Call>(&text, CALL_ELEMENTS)
    });
    let call = |Call(channel, peer, is_caller, talking, origin): Call| SavedCall {
        channel,
        peer,
        role: if is_caller { Role::Caller } else { Role::Callee },
        talking,
        origin: origin.and_then(|(row, slots)| run(row, slots, tables)),
    };
    calls.map(call).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_a_round_trip() {
        let tables = Tables::built_in().unwrap();
        let sig = tables.signature_named("onMessageInstantReceive").unwrap();
        let row = tables.row_named("peer.received").unwrap();
        let args = tables.signatures[sig]
            .args
            .iter()
            .map(|_| Value::text("é \"x\" 1"))
            .collect();
        let line = SavedLine {
            event: Event { sig, row, args },
            sender: "bob".into(),
            volatile: true,
            at: Time::from_millis(7),
        };
        let send = tables.row_named("peer.send").unwrap();
        let slots: Vec<Value> = tables.rows[send].slots.iter().map(|_| Value::Int(3)).collect();
        let message = SavedMessage {
            peer: UserId::new("carol").unwrap(),
            row: send,
            slots: slots.clone(),
            until: Time::from_millis(9),
        };
        let call = SavedCall {
            channel: "room".into(),
            peer: "bob".into(),
            role: Role::Callee,
            talking: true,
            origin: Some((send, slots)),
        };
        for acknowledged in [None, Some(8)] {
            let head = Head {
                family: "native".into(),
                versions: Versions {
                    acknowledged,
                    base: 4,
                    fetched: 6,
                    assumed: acknowledged.is_none(),
                },
                cids: 3,
                line: "00000000000000ff-abc".into(),
                channel: Some("a room".into()),
                ended: false,
            };
            let changes = Changes {
                head: Some(head.clone()),
                lines: vec![(10, line.clone()), (9, line.clone())],
                messages: vec![(2, message.clone())],
                calls: Some(vec![call.clone()]),
                ..Changes::default()
            };
            let mut pairs = fields(changes, &tables).set;
            pairs.push((b"m11".to_vec(), b"[1]".to_vec()));
            let loaded = read(pairs, &tables).unwrap().unwrap();
            let expected = Head {
                line: "".into(),
                ..head
            };
            assert_eq!(loaded.record.head, expected);
            assert_eq!(loaded.record.lines, [(9, line.clone()), (10, line.clone())]);
            assert_eq!(loaded.record.messages, vec![(2, message.clone())]);
            assert_eq!(loaded.record.calls, vec![call.clone()]);
            assert_eq!((loaded.line, loaded.unread), (Some(255), vec![b"m11".to_vec()]));
        }
        let later = vec![(b"h".to_vec(), b"2 web".to_vec())];
        assert_eq!(read(later, &tables).unwrap_err(), UnknownForm);
        let no_state = read(vec![(b"o".to_vec(), b"x".to_vec())], &tables);
        assert!(no_state.unwrap().is_none());
    }

    #[test]
    fn additions_of_a_later_version_are_ignored() {
        let tables = Tables::built_in().unwrap();
        let sig = tables.signature_named("onMessageInstantReceive").unwrap();
        let args: Vec<&str> = tables.signatures[sig].args.iter().map(|_| "x").collect();
        let send = tables.row_named("peer.send").unwrap();
        let slots: Vec<i64> = tables.rows[send].slots.iter().map(|_| 3).collect();
        let json = |value: serde_json::Value| value.to_string().into_bytes();
        let line = serde_json::json!(["onMessageInstantReceive", "peer.received", args, "bob", false, 7, {"new": 1}]);
        let message = serde_json::json!(["carol", "peer.send", slots, 9, "new"]);
        let call = serde_json::json!([["room", "bob", true, true, ["peer.send", slots], [1]]]);
        let pairs = [
            ("h", b"1 web 0 4 0 4 6 3 new 7".to_vec()),
            ("z", b"a field of a later version".to_vec()),
            ("m5", json(line)),
            ("b2", json(message)),
            ("k", json(call)),
        ];
        let pairs = pairs.map(|(field, value)| (field.as_bytes().to_vec(), value));
        let loaded = read(pairs.into(), &tables).unwrap().unwrap();
        assert!(loaded.unread.is_empty());
        let record = loaded.record;
        assert_eq!(
            (record.lines.len(), record.messages.len(), record.calls.len()),
            (1, 1, 1)
        );
        assert_eq!(record.head.cids, 3);
        assert!(record.calls[0].origin.is_some());
    }
}
