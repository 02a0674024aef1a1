//! The Web wire: JSON frames over WebSocket (signaling-wire 2 to 6).
//!
//! [`decode`] reads client frames, [`encode`] writes server frames. Both are pure and contain no
//! function or notification names: the tables of the family's wire define them.

pub mod decode;
pub mod encode;

/// Largest frame of a client, bytes (decisions D10).
pub const MAX_FRAME_BYTES: usize = 64 * 1024;
