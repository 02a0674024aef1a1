//! One connection of the load: its socket, its session, its calls.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use anyhow::{Result, bail};

use crate::wire::{self, Incoming, Writer};
use crate::ws::{self, Opcode};

/// Number of messages after which a client polls at once. A mailbox has room for 500, which a closed loop fills before
/// the usual second is over.
const MANY: u32 = 200;

/// Progress of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The handshake's response is awaited.
    Opening,
    /// `login_ret` is awaited.
    LoggingIn,
    /// The answer of the first poll is awaited.
    Polling,
    /// The session works.
    Ready,
    Closed,
}

/// Purpose of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Poll,
    Join,
    Send,
}

/// Event of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The answer of the login, with the time since the begin of the connection; with an echo, of the handshake.
    LoggedIn {
        client: usize,
        after: u64,
    },
    /// The first poll is answered; messages arrive from now on.
    Ready {
        client: usize,
    },
    Answered {
        client: usize,
        call: Call,
        after: u64,
        ok: bool,
    },
    Delivered {
        client: usize,
        stamp: u64,
        at: u64,
    },
    /// A duplicate message, which the vendor's SDK would drop.
    Repeated {
        client: usize,
    },
    Closed {
        client: usize,
        reason: &'static str,
    },
}

/// A connection with its session. Times are nanoseconds of the load's clock.
#[derive(Debug)]
pub struct Client {
    index: usize,
    tcp: TcpStream,
    state: State,
    opened: u64,
    input: Vec<u8>,
    output: Vec<u8>,
    line: String,
    calls: VecDeque<(u64, Call, u64)>,
    next_call: u64,
    pings: u64,
    /// The highest version of the mailbox that has been seen, and the number of the last line of the channel.
    version: u64,
    number: u64,
    /// Number of messages since the last poll.
    unacknowledged: u32,
    poll_is_due: bool,
    /// True if frames of the server are read.
    pub reads: bool,
    /// Reason of a failed connection or of a refusal.
    pub trouble: Option<String>,
}

impl Client {
    /// Makes a client whose socket is connecting.
    pub fn new(index: usize, tcp: TcpStream, opened: u64) -> Self {
        let mut output = Vec::with_capacity(ws::REQUEST.len());
        output.extend_from_slice(ws::REQUEST);
        Self {
            index,
            tcp,
            state: State::Opening,
            opened,
            input: Vec::new(),
            output,
            line: String::new(),
            calls: VecDeque::new(),
            next_call: 1,
            pings: 0,
            version: 0,
            number: 0,
            unacknowledged: 0,
            poll_is_due: false,
            reads: true,
            trouble: None,
        }
    }

    pub fn state(&self) -> State {
        self.state
    }

    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Returns true if bytes wait for the socket.
    pub fn is_blocked(&self) -> bool {
        !self.output.is_empty()
    }

    pub fn close(&mut self) {
        self.state = State::Closed;
        self.output = Vec::new();
        let _ = self.tcp.shutdown(std::net::Shutdown::Both);
    }

    /// Sends queued bytes.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn flush(&mut self) -> Result<()> {
        while !self.output.is_empty() {
            match self.tcp.write(&self.output) {
                Ok(written) => drop(self.output.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn send(&mut self, opcode: Opcode, payload: &[u8]) -> Result<()> {
        let waits = self.is_blocked();
        ws::write(&mut self.output, opcode, payload);
        if waits { Ok(()) } else { self.flush() }
    }

    /// Returns the number of a new call.
    fn call(&mut self, call: Call, now: u64) -> u64 {
        let number = self.next_call;
        self.next_call += 1;
        self.calls.push_back((number, call, now));
        number
    }

    pub fn ping(&mut self, writer: &mut Writer) -> Result<()> {
        self.pings += 1;
        self.send(Opcode::Text, writer.ping(self.pings))
    }

    /// Returns true once if received lines need a poll as their acknowledgement.
    pub fn wants_poll(&mut self) -> bool {
        self.unacknowledged > 0 && !std::mem::replace(&mut self.poll_is_due, true)
    }

    /// Polls, which acknowledges all that has been seen.
    pub fn poll(&mut self, writer: &mut Writer, now: u64) -> Result<()> {
        (self.unacknowledged, self.poll_is_due) = (0, false);
        let call = self.call(Call::Poll, now);
        let text = writer.getmsg(call, &self.line, self.version);
        self.send(Opcode::Text, text)
    }

    pub fn join(&mut self, writer: &mut Writer, now: u64) -> Result<()> {
        let call = self.call(Call::Join, now);
        let text = writer.join(call, &self.line);
        self.send(Opcode::Text, text)
    }

    /// Sends a message that carries `now` to a peer.
    pub fn send_peer(&mut self, writer: &mut Writer, to: usize, now: u64) -> Result<()> {
        let call = self.call(Call::Send, now);
        let text = writer.peer(call, &self.line, to, now);
        self.send(Opcode::Text, text)
    }

    /// Sends a message that carries `now` to the channel.
    pub fn send_channel(&mut self, writer: &mut Writer, now: u64) -> Result<()> {
        let call = self.call(Call::Send, now);
        let text = writer.channel(call, &self.line, now);
        self.send(Opcode::Text, text)
    }

    /// Reads once from the socket and appends to `events`.
    ///
    /// # Errors
    /// Those of the socket, and frames that no server of this wire sends.
    pub fn receive(
        &mut self,
        buffer: &mut [u8],
        clock: impl Fn() -> u64,
        echo: bool,
        writer: &mut Writer,
        events: &mut Vec<Event>,
    ) -> Result<()> {
        let read = match self.tcp.read(buffer) {
            Ok(0) => bail!("end of stream"),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let now = clock();
        if self.input.is_empty() {
            let used = self.parse(&buffer[..read], now, echo, writer, events)?;
            self.input.extend_from_slice(&buffer[used..read]);
        } else {
            let mut input = std::mem::take(&mut self.input);
            input.extend_from_slice(&buffer[..read]);
            let used = self.parse(&input, now, echo, writer, events)?;
            input.drain(..used);
            self.input = input;
        }
        // Nine thousand idle clients need no buffer each.
        if self.input.is_empty() && self.input.capacity() > 0 {
            self.input = Vec::new();
        }
        Ok(())
    }

    /// Handles all complete frames and returns the number of their bytes.
    fn parse(
        &mut self,
        bytes: &[u8],
        now: u64,
        echo: bool,
        writer: &mut Writer,
        events: &mut Vec<Event>,
    ) -> Result<usize> {
        let mut used = 0;
        if self.state == State::Opening {
            let Some(length) = ws::accepted(bytes)? else {
                return Ok(0);
            };
            used = length;
            self.upgraded(now, echo, writer, events)?;
        }
        while let Some(frame) = ws::read(&bytes[used..])? {
            used += frame.length;
            match frame.opcode {
                Opcode::Text => self.text(frame.payload, now, writer, events)?,
                Opcode::Ping => self.send(Opcode::Pong, frame.payload)?,
                Opcode::Pong => {}
                Opcode::Close => bail!("a close of the WebSocket"),
            }
            if self.state == State::Closed {
                break;
            }
        }
        Ok(used)
    }

    fn upgraded(&mut self, now: u64, echo: bool, writer: &mut Writer, events: &mut Vec<Event>) -> Result<()> {
        if !echo {
            self.state = State::LoggingIn;
            return self.send(Opcode::Text, writer.login(self.index));
        }
        // An echo gives no line. One of usual length makes the frames as long as a server's.
        self.line = "4f9d2807c7e83271-b8d9ce996045faef75968d3b2bf5415b4547fb1a".into();
        self.state = State::Ready;
        let (client, after) = (self.index, now - self.opened);
        events.extend([Event::LoggedIn { client, after }, Event::Ready { client }]);
        Ok(())
    }

    fn text(&mut self, text: &[u8], now: u64, writer: &mut Writer, events: &mut Vec<Event>) -> Result<()> {
        let client = self.index;
        match wire::read(text)? {
            Incoming::LoginRet { line } => {
                self.line = line;
                self.state = State::Polling;
                let after = now - self.opened;
                events.push(Event::LoggedIn { client, after });
                self.send(Opcode::Text, writer.set_flag())?;
                self.ping(writer)?;
                self.poll(writer, now)?;
            }
            Incoming::Answer { call, ok, messages } => {
                let Some(position) = self.calls.iter().position(|(number, ..)| *number == call) else {
                    bail!("an answer to no call");
                };
                let (_, call, at) = self.calls.remove(position).expect("its position is known");
                if messages {
                    for (version, stamp) in wire::fetched(text)? {
                        self.delivered(version, stamp, now, events);
                    }
                }
                if !ok {
                    self.trouble = Some(format!("refused: {}", String::from_utf8_lossy(text)));
                }
                let after = now - at;
                events.push(Event::Answered {
                    client,
                    call,
                    after,
                    ok,
                });
                if self.state == State::Polling {
                    self.state = State::Ready;
                    events.push(Event::Ready { client });
                }
            }
            Incoming::Peer { version, stamp } => {
                self.delivered(version, stamp, now, events);
                if self.unacknowledged == MANY {
                    self.poll(writer, now)?;
                }
            }
            Incoming::Channel { number, stamp } => {
                if number <= self.number {
                    events.push(Event::Repeated { client });
                } else if let Some(stamp) = stamp {
                    events.push(Event::Delivered { client, stamp, at: now });
                }
                self.number = self.number.max(number);
            }
            Incoming::Echo { stamp } => {
                self.calls.pop_front();
                events.push(Event::Delivered { client, stamp, at: now });
            }
            Incoming::End(reason) => {
                self.close();
                events.push(Event::Closed { client, reason });
            }
            Incoming::Other => {}
        }
        Ok(())
    }

    fn delivered(&mut self, version: u64, stamp: u64, at: u64, events: &mut Vec<Event>) {
        let client = self.index;
        if version <= self.version {
            events.push(Event::Repeated { client });
            return;
        }
        self.version = version;
        self.unacknowledged += 1;
        events.push(Event::Delivered { client, stamp, at });
    }
}
