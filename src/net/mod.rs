//! Sockets of the system: listening and accepting, the bytes that a connection has taken, resources that the process lacks;
//! and how a secret is compared.

mod accept;
mod bearer;
mod files;
mod listen;
mod metered;
mod strain;

pub use accept::{Acceptor, Listen};
pub use bearer::{bearer, is_secret};
pub use files::raise_descriptors;
pub use listen::bind;
pub use metered::{Metered, Taken};
pub use strain::{Lack, Strain};
