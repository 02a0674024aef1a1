//! The embedded RTM service: documented RTM 1.x behaviour in memory, for development and tests.
//!
//! A [`RtmService`] is the RTM of one app id. It does no I/O and reads no clock. Every input has a
//! time and appends the instances' outputs to a list. [`RtmService::deadline`] returns the time of
//! the next timer. The same calls at the same times give the same outputs, in the same order.
//!
//! | concern | module |
//! |---|---|
//! | inputs, timers | `service`, `timers` |
//! | checks before execution | `dispatch`, `checks`, `rates`, `rtm::rejection` |
//! | login, logout, kicks, tokens | `session`, `token` |
//! | a lost link: 4, 6 and 30 s | `link`, `outage` |
//! | peer messages, offline store | `peers`, `offline` |
//! | presence | `presence` |
//! | attributes | `attributes`, `user_attributes`, `channel_attributes` |
//! | channels | `channels`, `members`, `counts` |
//! | call invitations | `invitations` |
//!
//! Where the documents are silent, the module documents its decision.

mod attributes;
mod channel_attributes;
mod channels;
pub mod checks;
mod client;
mod config;
mod context;
mod counts;
mod dispatch;
mod invitations;
pub mod limits;
mod link;
mod members;
mod offline;
mod outage;
mod peers;
mod presence;
mod random;
mod rates;
mod service;
mod session;
mod timers;
mod token;
mod user_attributes;

#[cfg(test)]
mod tests;

pub use attributes::{select, upsert};
pub use config::RtmServiceConfig;
pub use context::{ClientId, Output};
pub use dispatch::{Needs, needs};
pub use invitations::{End, Handles, Side};
pub use rates::{RateTable, Rates};
pub use service::RtmService;
pub use session::state_changed;
pub use timers::{TimerId, Timers};
pub use token::{BadToken, Expiry, expiry};
