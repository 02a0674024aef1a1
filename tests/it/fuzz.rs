//! Invented input at every front: nobody panics, every call has its answer, little is kept, and the next client is served.
//!
//! Each test plays the corpus of its front (`tests/fuzz/corpus`), then invented cases. `FUZZ_CASES=50` makes it 50 times
//! as many. A case that fails is made small and shown as a file of the corpus would have it: add it there.

mod bytes;
mod calls;
mod case;
mod decoders;
mod target;
