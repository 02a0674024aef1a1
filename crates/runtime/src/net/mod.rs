//! Sockets: listening, accepting, socket activation, byte counters, resource shortages, comparison of secrets.

mod accept;
mod bearer;
mod byte_counter;
mod descriptors;
mod inherited;
mod listen;
mod shortage;

pub use accept::{Acceptor, Listen};
pub use bearer::{bearer, is_secret};
pub use byte_counter::{Metered, Taken};
pub use descriptors::raise_descriptors;
pub use inherited::{inherit, unclaimed};
pub use listen::{bind, bind_udp};
pub use shortage::{Shortage, Shortages};
