//! Buffer of records to be written: all texts in one string, structure in parallel lists.

use protocol::event::SocketId;
use rtm::value::Value;
use rtm::{CallKind, EventKind, FieldSpec, Part, RtmCall, RtmError, RtmEvent, RtmReply};

use crate::event::TraceEvent;
use crate::record::Record;

/// Records in order.
#[derive(Debug, Default)]
pub struct Batch {
    heads: Vec<Head>,
    text: String,
    parts: Vec<Held>,
    /// Records of other kinds.
    records: Vec<Record>,
    /// Bytes of their texts.
    of_records: usize,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    t_us: u64,
    session: u64,
    kind: Kind,
    /// End of its text.
    end: usize,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Decoded(SocketId),
    /// The frame's share of the text; the row ID follows.
    Sent(SocketId, usize),
    /// Number of parts that are its arguments.
    Call(u64, CallKind, usize),
    Reply(u64, Result<PlainResult, RtmError>),
    /// Number of parts that are its fields.
    Event(EventKind, usize),
    Record,
}

/// Part, with its share of the text.
#[derive(Clone, Copy, Debug)]
enum Held {
    Bool(bool),
    Int(u64),
    Absent,
    Name(&'static str),
    Text(usize),
    UserId(usize),
    ChannelId(usize),
    Message(usize),
}

/// Result without user data.
#[derive(Clone, Copy, Debug)]
pub enum PlainResult {
    /// Success without a value.
    Void,
    Bool(bool),
}

/// Record to be written.
#[derive(Debug)]
pub enum Waiting<'b> {
    /// Frame of the client.
    Decoded(SocketId, &'b str),
    /// Frame for the client, with the row ID or an empty text.
    Sent(SocketId, &'b str, &'b str),
    /// RTM call: number, and arguments in the order of [`CallKind::fields`].
    Call(u64, CallKind, Parts<'b>),
    /// Result of a call.
    Reply(u64, Result<PlainResult, RtmError>),
    /// RTM event with its fields in the order of [`EventKind::fields`].
    Event(EventKind, Parts<'b>),
    /// Any other record; boxed, since it is rare and large.
    Record(Box<Record>),
}

impl Batch {
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Returns the bytes of waiting texts.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.of_records
    }

    /// Returns the allocated bytes.
    pub fn room(&self) -> usize {
        self.text.capacity()
    }

    pub fn clear(&mut self) {
        self.heads.clear();
        self.text.clear();
        self.parts.clear();
        self.records.clear();
        self.of_records = 0;
    }

    /// Adds a record.
    pub fn add(&mut self, t_us: u64, session: u64, what: TraceEvent<'_>) {
        let kind = self.try_add(&what).unwrap_or_else(|| {
            let record = what.record(t_us, session);
            self.of_records += texts(&record.data);
            self.records.push(record);
            Kind::Record
        });
        self.heads.push(Head {
            t_us,
            session,
            kind,
            end: self.text.len(),
        });
    }

    /// Adds a record in compact form; returns `None` if a part does not fit that form.
    fn try_add(&mut self, what: &TraceEvent<'_>) -> Option<Kind> {
        Some(match *what {
            TraceEvent::Decoded { socket, frame } => {
                self.text.push_str(frame);
                Kind::Decoded(socket)
            }
            TraceEvent::Sent { socket, frame, row } => {
                self.text.push_str(frame);
                self.text.push_str(row.map_or("", |row| row));
                Kind::Sent(socket, frame.len())
            }
            TraceEvent::Call { request, call } => {
                let kind = call.kind();
                if !kind.reply().is_plain() {
                    return None;
                }
                Kind::Call(request, kind, self.call(call)?)
            }
            TraceEvent::Reply { request, result } => Kind::Reply(
                request,
                match result {
                    Ok(RtmReply::Void) => Ok(PlainResult::Void),
                    Ok(RtmReply::HasPeerReceived(received)) => Ok(PlainResult::Bool(*received)),
                    Ok(_) => return None,
                    Err(error) => Err(*error),
                },
            ),
            TraceEvent::Event(event) => Kind::Event(event.kind(), self.event(event)?),
            TraceEvent::Other(..) => return None,
        })
    }

    fn call(&mut self, call: &RtmCall) -> Option<usize> {
        let before = (self.parts.len(), self.text.len());
        let mut all = true;
        call.parts(|name, part| all = all && self.hold(name, part).is_some());
        self.held(before, all)
    }

    fn event(&mut self, event: &RtmEvent) -> Option<usize> {
        let before = (self.parts.len(), self.text.len());
        let mut all = true;
        event.parts(|name, part| all = all && self.hold(name, part).is_some());
        self.held(before, all)
    }

    /// Returns the number of added parts, or removes them all.
    fn held(&mut self, before: (usize, usize), all: bool) -> Option<usize> {
        if all {
            return Some(self.parts.len() - before.0);
        }
        self.parts.truncate(before.0);
        self.text.truncate(before.1);
        None
    }

    fn hold(&mut self, name: &str, part: Part<'_>) -> Option<()> {
        let mut copy = |text: &str| {
            self.text.push_str(text);
            text.len()
        };
        let held = match part {
            Part::Bool(truth) => Held::Bool(truth),
            Part::Int(n) => Held::Int(n),
            Part::Absent => Held::Absent,
            Part::Name(name) => Held::Name(name),
            // Tokens are not even copied.
            Part::Text(_) if FieldSpec::is_token(name) => return None,
            Part::Text(text) => Held::Text(copy(text)),
            Part::UserId(id) => Held::UserId(copy(id)),
            Part::ChannelId(id) => Held::ChannelId(copy(id)),
            Part::Message(text) => Held::Message(copy(text)),
            Part::Other => return None,
        };
        self.parts.push(held);
        Some(())
    }

    /// Removes the records: time, session, content.
    pub fn drain(&mut self) -> impl Iterator<Item = (u64, u64, Waiting<'_>)> {
        let (mut at, mut part) = (0, 0);
        let (text, parts) = (&self.text, &self.parts);
        let mut records = self.records.drain(..);
        self.heads.drain(..).filter_map(move |head| {
            let text = &text[std::mem::replace(&mut at, head.end)..head.end];
            let mut next = |count: usize| {
                part += count;
                Parts {
                    parts: &parts[part - count..part],
                    text,
                }
            };
            let what = match head.kind {
                Kind::Decoded(socket) => Waiting::Decoded(socket, text),
                Kind::Sent(socket, len) => {
                    let (frame, row) = text.split_at(len);
                    Waiting::Sent(socket, frame, row)
                }
                Kind::Call(request, kind, count) => Waiting::Call(request, kind, next(count)),
                Kind::Reply(request, result) => Waiting::Reply(request, result),
                Kind::Event(kind, count) => Waiting::Event(kind, next(count)),
                Kind::Record => Waiting::Record(Box::new(records.next()?)),
            };
            Some((head.t_us, head.session, what))
        })
    }
}

/// Returns the bytes of the texts in a value.
fn texts(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Number(_) => 0,
        Value::Text(text) => text.len(),
        Value::List(items) => items.iter().map(texts).sum(),
        Value::Map(entries) => entries.iter().map(|(key, value)| key.len() + texts(value)).sum(),
    }
}

/// Parts of a call or an event.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'b> {
    parts: &'b [Held],
    text: &'b str,
}

impl<'b> Iterator for Parts<'b> {
    type Item = Part<'b>;

    fn next(&mut self) -> Option<Part<'b>> {
        let (held, rest) = self.parts.split_first()?;
        self.parts = rest;
        let mut text = |len: usize| {
            let (text, rest) = self.text.split_at(len);
            self.text = rest;
            text
        };
        Some(match *held {
            Held::Bool(truth) => Part::Bool(truth),
            Held::Int(n) => Part::Int(n),
            Held::Absent => Part::Absent,
            Held::Name(name) => Part::Name(name),
            Held::Text(len) => Part::Text(text(len)),
            Held::UserId(len) => Part::UserId(text(len)),
            Held::ChannelId(len) => Part::ChannelId(text(len)),
            Held::Message(len) => Part::Message(text(len)),
        })
    }
}
