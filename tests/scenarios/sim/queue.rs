//! The queue of frames, closes, replies and events, first in, first out.

use engine::Input;
use protocol::event::SocketId;
use rtm::RtmCall;
use rtm_embedded::{ClientId, Output};

use super::Sim;
use super::effects::SimOutput;
use super::observed::Observed;

/// An item of the queue.
pub(super) enum Item {
    ToBridge(SocketId, String),
    ToClient(SocketId, String),
    Closed(SocketId, Option<u16>),
    Output(Output),
}

impl Sim {
    /// Processes the queue until it is empty.
    pub fn settle(&mut self) {
        self.collect();
        while let Some(item) = self.queue.pop_front() {
            match item {
                Item::ToBridge(socket, text) => {
                    let world = &mut self.world;
                    self.bridge.frame(self.now, socket, &text, &mut || world.open());
                }
                Item::ToClient(socket, text) => {
                    let now = self.now;
                    if let Some(client) = self.clients.values_mut().find(|c| c.socket == Some(socket)) {
                        client.frame(now, &text);
                    }
                }
                Item::Closed(socket, code) => {
                    if let Some(client) = self.clients.values_mut().find(|c| c.socket == Some(socket)) {
                        client.lost(code);
                    }
                    self.bridge.closed(self.now, socket, false);
                }
                Item::Output(output) => self.output(output),
            }
            self.collect();
        }
    }

    fn output(&mut self, output: Output) {
        let output = match &mut self.link {
            Some(link) => link.output(output),
            None => output,
        };
        let (Output::Reply { client, .. } | Output::Event { client, .. }) = &output;
        if let Some(id) = self.bridge.session_of(*client) {
            return match output {
                Output::Reply { request, result, .. } => self.bridge.replied(self.now, id, request, result),
                Output::Event { event, .. } => self.bridge.step(self.now, id, Input::RtmEvent(event)),
            };
        }
        let name = self.native_names.get(client);
        let Some(native) = name.and_then(|name| self.natives.get_mut(name)) else {
            return;
        };
        self.observed.extend(match output {
            Output::Reply { request, result, .. } => native.replied(request, result),
            Output::Event { event, .. } => native.observe_event(&event),
        });
    }

    /// Moves all outputs into the queue, and all events out.
    fn collect(&mut self) {
        for deed in std::mem::take(&mut self.bridge.outputs) {
            match deed {
                SimOutput::Frame(socket, text) => self.queue.push_back(Item::ToClient(socket, text)),
                SimOutput::Close(socket, code) => self.queue.push_back(Item::Closed(socket, code)),
                SimOutput::Rtm(client, request, call) => self.rtm(client, request, call),
                SimOutput::SessionEnded(client) => {
                    self.rtm(client, 0, RtmCall::Logout {});
                    let mut out = Vec::new();
                    self.world.close(self.now, client, &mut out);
                    self.queue.extend(out.into_iter().map(Item::Output));
                }
                SimOutput::Note(account, kind, what) => self.observed.push(Observed::new(&account, [kind, &*what])),
            }
        }
        for client in self.clients.values_mut() {
            let socket = client.socket;
            let (observed, frames) = client.take();
            self.observed.extend(observed);
            let frames = frames
                .into_iter()
                .filter_map(|text| Some(Item::ToBridge(socket?, text)));
            self.queue.extend(frames);
        }
    }

    pub(super) fn rtm(&mut self, client: ClientId, request: u64, call: RtmCall) {
        let mut out = Vec::new();
        let call = match &mut self.link {
            Some(link) => link.call(client, request, call),
            None => call,
        };
        self.world.call(self.now, client, request, call, &mut out);
        self.queue.extend(out.into_iter().map(Item::Output));
    }
}
