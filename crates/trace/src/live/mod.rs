//! Live replay: client frames of a trace are replayed to sessions with a live RTM.
//!
//! The legs `rtm` and `timer` are not replayed, so traces without them work. All sessions of a trace share one RTM per
//! app. Outputs to clients are compared with the recording ([`compare`]).
//!
//! | concern | module |
//! |---|---|
//! | sessions, timers, requests to RTM | `harness` |
//! | embedded RTM on the trace's clock | `embedded` |
//! | any upstream, in real time | `upstream` |
//! | data known in advance | `script` |
//! | tolerated differences | `compare`, `unordered` |

mod compare;
mod embedded;
mod harness;
mod script;
mod unordered;
mod upstream;

pub use embedded::{play_embedded, replay_embedded};
pub use upstream::replay_upstream;
