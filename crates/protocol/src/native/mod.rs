//! The native wire: text lines in packets over TCP (signaling-wire 10).
//!
//! [`codec`] converts between bytes and packets, [`decode`] reads the lines in them. Both are pure
//! and contain no function names.

pub mod codec;
pub mod decode;
pub mod encode;
pub mod zlib;

pub use codec::{PacketCodec, PacketError, framed};
pub use decode::{BadFrame, TcpFrame, decode};
