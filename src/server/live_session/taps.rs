//! Recorders of a session: of the recording, and of viewers. Without them, each call is one comparison.

use std::sync::Arc;

use engine::{Effect, Input};
use protocol::event::SocketId;
use rtm::time::Time;
use trace::{Begin, SessionRecorder};

use crate::server::live_session::LiveSession;
use crate::server::message::{Message, RecordedFrame, RecordedItem, Viewer};

/// Maximum of viewers of one session.
const MAX_VIEWERS: usize = 4;

/// Recorders of a session.
#[derive(Default)]
pub(super) struct Taps {
    /// The recording of the session, from its beginning.
    recording: Option<SessionRecorder>,
    viewers: Vec<Viewer>,
}

impl Taps {
    /// Returns true if there is a recorder.
    pub(super) fn are_open(&self) -> bool {
        self.recording.is_some() || !self.viewers.is_empty()
    }

    fn each(&self, record: impl Fn(&SessionRecorder)) {
        if let Some(recording) = &self.recording {
            record(recording);
        }
        for viewer in &self.viewers {
            record(&viewer.recorder);
        }
    }

    pub(super) fn input(&self, now: Time, input: &Input) {
        self.each(|recorder| {
            recorder.at(now);
            recorder.input(input);
        });
    }

    pub(super) fn effect(&self, effect: &Effect) {
        self.each(|recorder| recorder.effect(effect));
    }

    pub(super) fn frame_out(&self, socket: SocketId, frame: &str, row: Option<usize>) {
        self.each(|recorder| recorder.frame_out(socket, frame, row));
    }

    /// Ends the recording, but no viewer.
    pub(super) fn end_recording(&mut self, now: Time) {
        if let Some(recording) = self.recording.take() {
            recording.cut(now);
        }
    }

    pub(super) fn cut(&self, now: Time) {
        self.each(|recorder| recorder.cut(now));
    }
}

impl LiveSession {
    /// Sets the recorder of a recorded session.
    pub fn recorded_by(mut self, recorder: Option<SessionRecorder>) -> Self {
        if recorder.is_some() {
            self.view.set_recorded();
        }
        self.taps.recording = recorder;
        self
    }

    /// Adds a viewer. Its stream begins with the state of the session that redaction needs.
    pub(super) fn watch(&mut self, viewer: Viewer) {
        // The session may have taken other tables meanwhile.
        if self.taps.viewers.len() >= MAX_VIEWERS || !Arc::ptr_eq(&viewer.set, &self.set) {
            // The drop of the recorder ends the stream.
            return;
        }
        let now = self.time.now(&self.server.clock);
        viewer.recorder.at(now);
        let profile = self.view.with_client(|client| client.profile.clone());
        let context = self.server.context(&self.key.0, &self.set, self.wire.clone());
        let platform = self.server.upstream.platform(&self.key.0);
        let account = self.key.1.text();
        viewer.recorder.begin(&Begin::of(&profile, account, platform, &context));
        self.taps.viewers.push(viewer);
        self.view.set_watched(true);
    }

    /// Removes a viewer.
    pub(super) fn unwatch(&mut self, number: u64) {
        self.taps.viewers.retain(|viewer| viewer.number != number);
        self.view.set_watched(!self.taps.viewers.is_empty());
    }

    /// Processes a recorded frame as a whole at one time, since a replay does the same. The items count also if the
    /// last viewer has left meanwhile.
    pub(super) fn take_recorded(&mut self, frame: RecordedFrame) {
        let RecordedFrame { socket, text, items } = frame;
        let now = self.time.now(&self.server.clock);
        self.moment = Some(now);
        self.taps.each(|recorder| recorder.at(now));
        // Channel rates apply before the calls of the frame.
        for item in &items {
            if let RecordedItem::Message(Message::Input(input)) = item {
                self.pace(input);
            }
        }
        self.taps.each(|recorder| recorder.frame_in(socket, text.as_str()));
        let mut behind_login = false;
        for item in items {
            if std::mem::take(&mut behind_login) {
                self.taps.each(|recorder| recorder.rest(socket));
            }
            match item {
                RecordedItem::Answered(frames) => {
                    for frame in &frames {
                        self.taps.frame_out(socket, frame, None);
                    }
                }
                RecordedItem::Message(Message::Input(input)) if self.is_of_earlier_tables(&input) => {}
                RecordedItem::Message(Message::Input(input)) => self.step(*input),
                RecordedItem::Message(message) => {
                    behind_login = matches!(message, Message::Login(_));
                    self.serve(message);
                }
            }
        }
        self.moment = None;
        self.take_later();
    }
}
