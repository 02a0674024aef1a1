//! Events that several modules send.

use rtm::{ConnectionReason, ConnectionState, RtmEvent};

/// Returns the event of a connection state.
pub fn state_changed(state: ConnectionState, reason: ConnectionReason) -> RtmEvent {
    RtmEvent::ConnectionStateChanged { state, reason }
}
