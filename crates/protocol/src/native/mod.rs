//! The native wire: text lines in packets over TCP, and the discovery by UDP that leads there (signaling-wire 10).
//!
//! [`codec`] makes packets of bytes and bytes of packets, [`decode`] reads the lines in them; both are pure and know
//! no function by name. [`discovery`] answers questions, [`udp`] is its sockets.

pub mod codec;
pub mod decode;
pub mod encode;
pub mod zlib;

pub use codec::{PacketCodec, PacketError, framed};
pub use decode::{BadLine, TcpFrame, decode};
