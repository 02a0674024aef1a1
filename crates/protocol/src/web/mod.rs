//! The Web wire: JSON frames over WebSocket (signaling-wire 2 to 6).
//!
//! [`decode`] reads what clients send, [`encode`] writes what they are sent; both are pure and know no function or
//! notification by name: the tables of the family's wire do.

pub mod decode;
pub mod encode;

/// Largest frame of a client, bytes (decisions D10).
pub const MAX_FRAME_BYTES: usize = 64 * 1024;
