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
mod connect;
mod driver_state;
mod lifecycle;
mod listen;
mod metrics;
mod restore;
mod session_replica;
mod timers;
mod tokens;
mod upstream;

pub use connect::join_host;
pub use listen::serve_agents;
pub use metrics::{LinkHealth, LinkNews};
pub use tokens::{Minted, Tokens};
pub use upstream::{Driver, DriverConfig, DriverStatus};
