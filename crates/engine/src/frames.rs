//! Frames of effects.

use protocol::encoder::{Encoder, LineContext, NamedCall, Resumed};
use protocol::event::SocketId;
use tables::row::RowId;
use tables::wire::Wire;

use crate::api::Effect;

impl Effect {
    /// Returns the socket that gets frames for the effect, and the row that made it.
    pub fn recipient(&self) -> Option<(SocketId, Option<RowId>)> {
        Some(match self {
            Self::Answer { call, row, .. } => (call.socket, Some(*row)),
            Self::Mailbox { call, .. } | Self::Resumed(call) => (call.socket, None),
            Self::Notify { socket, event, .. } => (*socket, Some(event.row)),
            Self::Hint { socket, .. } => (*socket, None),
            _ => return None,
        })
    }

    /// Encodes the frames for the recipient. `wire` is the wire of the session.
    pub fn frames(&self, encoder: &dyn Encoder, wire: &Wire, context: LineContext<'_>) -> Vec<String> {
        match self {
            Self::Answer { call, answer, .. } => encoder.answer(*call, answer),
            Self::Mailbox { call, ver_clear, lines } => {
                let named = NamedCall {
                    function: &wire.function(call.function).name,
                    id: call.id,
                };
                let context = LineContext {
                    channel: None,
                    ..context
                };
                encoder.mailbox(named, *ver_clear, lines, context)
            }
            Self::Notify { form, event, .. } => encoder.notify(*form, event, context),
            Self::Hint { version, .. } => encoder.hint(*version),
            Self::Resumed(_) => encoder.resumed(Resumed::Welcome),
            _ => Vec::new(),
        }
    }
}
