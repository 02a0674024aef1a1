//! The legacy side of a trace, live: what clients said is said again, to sessions whose RTM is there and answers.
//!
//! Nothing of the legs `rtm` and `timer` is played, so traces that lack them can be. All sessions of a trace share one RTM
//! for each app, as they did. What they put out for their clients is compared with what is recorded ([`compare`]).
//!
//! | concern | module |
//! |---|---|
//! | sessions, their timers, what they want of others | `stage` |
//! | the embedded RTM on the trace's clock | `embedded` |
//! | any upstream, on the real clock | `upstream` |
//! | what is known beforehand | `script` |
//! | names that a trace may not tell | `names` |
//! | what may differ | `compare`, `unordered` |

mod compare;
mod embedded;
mod harness;
mod names;
mod script;
mod unordered;
mod upstream;

pub use embedded::replay_embedded;
pub use upstream::replay_upstream;
