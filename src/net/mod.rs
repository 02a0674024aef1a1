//! What the listeners of this process have in common: how connections are accepted, how a secret is compared.

mod accept;
mod bearer;

pub use accept::{Accepted, Acceptor, Listen};
pub use bearer::{bearer, is_secret};
