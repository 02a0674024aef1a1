//! Sockets of the system: how they are listened at and accepted, what there is of them, and what they take.

mod files;
mod listen;
mod metered;
mod strain;

pub use files::raise_descriptors;
pub use listen::{accept, bind};
pub use metered::{Metered, Taken};
pub use strain::{Lack, Strain};
