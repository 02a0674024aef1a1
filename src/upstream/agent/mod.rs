//! RTM behind a link (docs/agent-link.md): the side that drives.
//!
//! | concern | module |
//! |---|---|
//! | the upstream: sockets, the clock | `driver` |
//! | all that happens, without sockets | `core`; when the link comes and goes `coming`, what is due `due` |
//! | a session's instance | `client` |
//! | what an instance is rebuilt from when its agent has died | `shadow`, `rebuild` |
//! | where agents come in; dialling a host | `listen`, `join` |
//! | tokens for RTM | `tokens` |

mod client;
mod coming;
mod core;
mod driver;
mod due;
mod health;
mod join;
mod listen;
mod rebuild;
mod shadow;
mod tokens;

pub use driver::{Driver, DriverConfig, DriverStatus};
pub use health::LinkHealth;
pub use join::join_host;
pub use listen::serve_agents;
pub use tokens::{Minted, Tokens};
