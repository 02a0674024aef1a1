//! Generated input at every front: no panic, one answer to every call, little memory, and service for the next client.
//!
//! [`entries`] are the readers without a server, which `cargo fuzz` calls, too. The other tests run a process. Each
//! sends the corpus of its front (`tests/fuzz/corpus`), then generated cases; `FUZZ_CASES=50` sends 50 times as many. A
//! case that fails is made small and shown as a file of the corpus would have it: add it there.

mod bytes;
mod calls;
pub mod case;
mod decoders;
#[path = "../../fuzz/src/entries/mod.rs"]
mod entries;
mod replay;
mod target;
