//! Driver side of a link: RTM behind an agent (docs/agent-link.md).
//!
//! | concern
//! module
//! | |---|---|
//! | upstream: sockets, clock
//! `upstream`
//! |
//! state without sockets; connect and loss; timers `driver_state`, `lifecycle`, `timers`
//! |
//! instance of a session `client`
//! |
//! restore after an agent loss `session_replica`, `restore`
//! |
//! listener for agents; dialling an agent server `listen`, `connect`
//! |
//! RTM tokens
//! `tokens` |

mod client;
mod connect;
mod detached;
mod driver_config;
mod driver_state;
mod lifecycle;
mod listen;
mod metrics;
mod restore;
mod session_replica;
mod timers;
mod tokens;
mod upstream;

pub use connect::dial_server;
pub use detached::DetachedDriver;
pub use driver_config::DriverConfig;
pub use listen::serve_agents;
pub use metrics::{LinkEvent, LinkHealth};
pub use tokens::{Minted, Tokens};
pub use upstream::{Driver, DriverStatus};
