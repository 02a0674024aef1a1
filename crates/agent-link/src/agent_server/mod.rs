//! RTM served over a link (docs/agent-link.md): the side that has instances, here those of another upstream.
//!
//! With the embedded RTM behind it, it is an agent for tests and development (`serve_driver`), or an RTM that apps can be
//! users of (`serve_users`).

mod core;
mod dial;
mod instance;
mod listen;

pub use core::{Host, HostConfig};
pub use dial::serve_driver;
pub use listen::serve_users;
