//! Buffer for the effects of a step, shared by the sessions of a thread.

use std::cell::RefCell;

use engine::Effect;

/// Largest buffer that a thread keeps.
const MOST_SPARE: usize = 64;

thread_local! {
    static BUFFER: RefCell<Vec<Effect>> = const { RefCell::new(Vec::new()) };
}

/// Takes the buffer. A step within a step gets a new one.
pub fn take() -> Vec<Effect> {
    BUFFER.take()
}

/// Returns an empty buffer for the next step.
pub fn put(buffer: Vec<Effect>) {
    if buffer.capacity() <= MOST_SPARE {
        BUFFER.set(buffer);
    }
}
