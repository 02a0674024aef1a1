//! Sockets of the system: listening and accepting, the bytes that a connection has taken, resources that the process lacks;
//! and how a secret is compared.

mod accept;
mod bearer;
mod byte_counter;
mod descriptors;
mod listen;
mod shortage;

pub use accept::{Acceptor, Listen};
pub use bearer::{bearer, is_secret};
pub use byte_counter::{Metered, Taken};
pub use descriptors::raise_descriptors;
pub use listen::bind;
pub use shortage::{Shortage, Shortages};
