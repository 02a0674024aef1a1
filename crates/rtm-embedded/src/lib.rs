//! The embedded RTM service: documented RTM 1.x behaviour in memory, for development and tests.
//!
//! A [`RtmService`] is the RTM of one app id. It does no I/O and reads no clock. Every input has a
//! time and appends the instances' outputs to a list. [`RtmService::deadline`] returns the time of
//! the next timer. The same calls at the same times give the same outputs, in the same order.
//!
//! | concern | module |
//! |---|---|
//! | inputs, timers, coordination of the modules below | `service` |
//! | login, logout, kicks, tokens | `service/login`, `token` |
//! | a lost link: 4, 6 and 30 s | `service/link`, `outage` |
//! | checks before execution | `service/dispatch`, `needs`, `checks`, `rates`, `rtm::rejection` |
//! | instances and their logins | `client` |
//! | peer messages, offline store | `peers`, `offline` |
//! | presence | `presence` |
//! | attributes | `attributes`, `user_attributes`, `channel_attributes` |
//! | channels | `channels`, `channel`, `counts` |
//! | call invitations | `invitations`, `handles` |
//!
//! Each state machine is a struct of its own. Where it needs another one, it gets it as an argument.
//!
//! Each module documents its decisions on points that the documents leave open.

mod attributes;
mod channel;
mod channel_attributes;
mod channels;
pub mod checks;
mod client;
mod config;
mod context;
mod counts;
mod events;
mod handles;
mod ids;
mod invitations;
pub mod limits;
mod needs;
mod offline;
mod outage;
mod peers;
mod presence;
mod random;
mod rates;
mod service;
mod timers;
mod token;
mod user_attributes;

#[cfg(test)]
mod tests;

pub use attributes::{select, upsert};
pub use config::RtmServiceConfig;
pub use context::Output;
pub use events::state_changed;
pub use handles::{End, Handles, Side};
pub use ids::ClientId;
pub use needs::{Needs, needs};
pub use rates::{RateTable, Rates};
pub use service::RtmService;
pub use timers::{TimerId, Timers};
pub use token::{BadToken, Expiry, expiry};
