//! Records that wait to be written: most of them are texts, one behind the other in one.

use crate::bridge::SocketId;
use crate::rtm::{Part, RtmCall, RtmError, RtmEvent, RtmReply};

use super::happening::Happening;
use super::record::{Dir, Record};

/// Records in their order.
#[derive(Debug, Default)]
pub struct Batch {
    heads: Vec<Head>,
    text: String,
    pieces: Vec<(PieceKind, usize)>,
    /// Those that are not texts.
    records: Vec<Record>,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    t_us: u64,
    session: u64,
    kind: Kind,
    /// Where its text ends.
    end: usize,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Heard(SocketId),
    /// So much of its text is the frame; the id of its row follows.
    Said(SocketId, usize),
    /// Its pieces end there.
    Rtm(Dir, usize),
    Record,
}

/// A record that is to be written.
#[derive(Debug)]
pub enum Waiting<'b> {
    /// A frame of the client.
    Heard(SocketId, &'b str),
    /// A frame for the client, and the id of its row, or nothing.
    Said(SocketId, &'b str, &'b str),
    /// Of the leg `rtm`: its data as JSON, in pieces.
    Rtm(Dir, Pieces<'b>),
    /// As the trace has it.
    Record(Record),
}

/// A piece of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'b> {
    /// The program's own, to be written as it is.
    Own(&'b str),
    /// A [`UserId`](crate::rtm::UserId).
    UserId(&'b str),
    /// A [`ChannelId`](crate::rtm::ChannelId).
    ChannelId(&'b str),
    /// A channel's name.
    Channel(&'b str),
    /// A message, or what else people say.
    Body(&'b str),
}

impl Batch {
    /// How many records there are.
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Bytes that it keeps room for.
    pub fn room(&self) -> usize {
        self.text.capacity()
    }

    /// Without records.
    pub fn clear(&mut self) {
        self.heads.clear();
        self.text.clear();
        self.pieces.clear();
        self.records.clear();
    }

    /// Adds a record.
    pub fn add(&mut self, t_us: u64, session: u64, what: Happening<'_>) {
        let kind = match what {
            Happening::Heard { socket, frame } => {
                self.text.push_str(frame);
                Kind::Heard(socket)
            }
            Happening::Said { socket, frame, row } => {
                self.text.push_str(frame);
                self.text.push_str(row.map_or("", |row| row));
                Kind::Said(socket, frame.len())
            }
            Happening::Call { request, call } if self.try_add(|pieces| pieces.call(request, call)) => {
                Kind::Rtm(Dir::Out, self.pieces.len())
            }
            Happening::Reply { request, result } if self.try_add(|pieces| pieces.reply(request, result)) => {
                Kind::Rtm(Dir::In, self.pieces.len())
            }
            Happening::Event(event) if self.try_add(|pieces| pieces.event(event)) => {
                Kind::Rtm(Dir::In, self.pieces.len())
            }
            other => {
                self.records.push(other.record(t_us, session));
                Kind::Record
            }
        };
        self.heads.push(Head {
            t_us,
            session,
            kind,
            end: self.text.len(),
        });
    }

    fn try_add(&mut self, add: impl FnOnce(&mut Adding<'_>) -> Option<()>) -> bool {
        let before = (self.text.len(), self.pieces.len());
        let mut adding = Adding {
            text: &mut self.text,
            pieces: &mut self.pieces,
            own: None,
        };
        let added = add(&mut adding);
        adding.end_own();
        if added.is_none() {
            self.text.truncate(before.0);
            self.pieces.truncate(before.1);
        }
        added.is_some()
    }

    /// Takes the records out: moment, session, what.
    pub fn drain(&mut self) -> impl Iterator<Item = (u64, u64, Waiting<'_>)> {
        let (mut at, mut piece) = (0, 0);
        let (text, pieces) = (&self.text, &self.pieces);
        let mut records = self.records.drain(..);
        self.heads.drain(..).filter_map(move |head| {
            let text = &text[std::mem::replace(&mut at, head.end)..head.end];
            let what = match head.kind {
                Kind::Heard(socket) => Waiting::Heard(socket, text),
                Kind::Said(socket, len) => {
                    let (frame, row) = text.split_at(len);
                    Waiting::Said(socket, frame, row)
                }
                Kind::Rtm(dir, end) => {
                    let pieces = &pieces[std::mem::replace(&mut piece, end)..end];
                    Waiting::Rtm(dir, Pieces { pieces, text })
                }
                Kind::Record => Waiting::Record(records.next()?),
            };
            Some((head.t_us, head.session, what))
        })
    }
}

/// The pieces of a record, one behind the other.
#[derive(Clone, Copy, Debug)]
pub struct Pieces<'b> {
    pieces: &'b [(PieceKind, usize)],
    text: &'b str,
}

/// What a piece is, and how long.
#[derive(Clone, Copy, Debug)]
enum PieceKind {
    Own,
    UserId,
    ChannelId,
    Channel,
    Body,
}

impl<'b> Iterator for Pieces<'b> {
    type Item = Piece<'b>;

    fn next(&mut self) -> Option<Piece<'b>> {
        let (&(kind, len), rest) = self.pieces.split_first()?;
        let (text, rest_of_text) = self.text.split_at_checked(len)?;
        (self.pieces, self.text) = (rest, rest_of_text);
        Some(match kind {
            PieceKind::Own => Piece::Own(text),
            PieceKind::UserId => Piece::UserId(text),
            PieceKind::ChannelId => Piece::ChannelId(text),
            PieceKind::Channel => Piece::Channel(text),
            PieceKind::Body => Piece::Body(text),
        })
    }
}

/// Adds the pieces of a record.
struct Adding<'b> {
    text: &'b mut String,
    pieces: &'b mut Vec<(PieceKind, usize)>,
    /// Where the piece begins that is being added.
    own: Option<usize>,
}

impl Adding<'_> {
    /// `{"request":1,"call":{"name":{…}}}`; none when a field or the reply to come is no plain one.
    fn call(&mut self, request: u64, call: &RtmCall) -> Option<()> {
        let kind = call.kind();
        if !kind.reply().is_plain() {
            return None;
        }
        self.own("{\"request\":").number(request).own(",\"call\":");
        self.fields(kind.name(), |show| call.parts(show))?;
        self.own("}");
        Some(())
    }

    fn reply(&mut self, request: u64, result: &Result<RtmReply, RtmError>) -> Option<()> {
        self.own("{\"request\":").number(request);
        match result {
            Ok(RtmReply::Void) => self.own(",\"reply\":{}}"),
            Ok(RtmReply::HasPeerReceived(received)) => self.own(",\"reply\":").truth(*received).own("}"),
            Ok(_) => return None,
            Err(error) => self
                .own(",\"error\":\"")
                .own(error.error_enum().name())
                .own(".")
                .own(error.name())
                .own("\"}"),
        };
        Some(())
    }

    fn event(&mut self, event: &RtmEvent) -> Option<()> {
        self.own("{\"event\":");
        self.fields(event.kind().name(), |show| event.parts(show))?;
        self.own("}");
        Some(())
    }

    /// `{"name":{…}}`.
    fn fields(&mut self, name: &str, of: impl FnOnce(&mut dyn FnMut(&'static str, Part<'_>))) -> Option<()> {
        self.own("{\"").own(name).own("\":{");
        let (mut all, mut between) = (Some(()), "\"");
        of(&mut |name, part| {
            if all.is_some() {
                self.own(between).own(name).own("\":");
                all = self.part(name, part);
                between = ",\"";
            }
        });
        self.own("}}");
        all
    }

    fn part(&mut self, name: &str, part: Part<'_>) -> Option<()> {
        match part {
            Part::Bool(truth) => self.truth(truth),
            Part::Int(n) => self.number(n),
            Part::Absent => self.own("null"),
            Part::Name(name) => self.own("\"").own(name).own("\""),
            Part::UserId(id) => self.piece(PieceKind::UserId, id),
            Part::ChannelId(id) => self.piece(PieceKind::ChannelId, id),
            Part::Text(_) if name == "token" => return None,
            Part::Text(text) if name == "channelId" => self.piece(PieceKind::Channel, text),
            Part::Text(text) => self.piece(PieceKind::Body, text),
            Part::Message(text) => self
                .own("{\"messageType\":\"TEXT\",\"text\":")
                .piece(PieceKind::Body, text)
                .own("}"),
            Part::Other => return None,
        };
        Some(())
    }

    fn own(&mut self, text: &str) -> &mut Self {
        self.own.get_or_insert(self.text.len());
        self.text.push_str(text);
        self
    }

    /// As a [`Value`](crate::value::Value) has it.
    fn number(&mut self, n: u64) -> &mut Self {
        self.own(itoa::Buffer::new().format(i64::try_from(n).unwrap_or(i64::MAX)))
    }

    fn truth(&mut self, truth: bool) -> &mut Self {
        self.own(if truth { "true" } else { "false" })
    }

    fn piece(&mut self, kind: PieceKind, text: &str) -> &mut Self {
        self.end_own();
        self.text.push_str(text);
        self.pieces.push((kind, text.len()));
        self
    }

    fn end_own(&mut self) {
        if let Some(begin) = self.own.take() {
            self.pieces.push((PieceKind::Own, self.text.len() - begin));
        }
    }
}
