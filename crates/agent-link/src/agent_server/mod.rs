//! RTM served over a link (docs/agent-link.md), on the instances of another upstream.
//!
//! With the embedded RTM, it is an agent for tests and development (`serve_driver`), or an RTM for other sidecars
//! (`serve_users`).

mod core;
mod dial;
mod instance;
mod listen;

pub use core::{AgentServer, AgentServerConfig};
pub use dial::serve_driver;
pub use listen::serve_users;
