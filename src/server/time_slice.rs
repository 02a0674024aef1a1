//! Turn of a task, bounded in time so that one task does not delay the others.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;

use tokio::time::Instant;

/// Duration of a turn: a round of a thousand busy tasks takes some 15 ms on two cores.
const TURN: Duration = Duration::from_micros(30);

/// Turn of a task.
#[derive(Clone, Copy, Debug)]
pub struct TimeSlice {
    began: Instant,
}

impl TimeSlice {
    /// Begins a turn.
    pub fn begin() -> Self {
        Self { began: Instant::now() }
    }

    /// Awaits the next step of the task. Other tasks run while the step is pending. They also run before a ready step
    /// when the turn is used up.
    pub async fn next<F: Future>(&mut self, next: F) -> F::Output {
        let mut next = pin!(next);
        let mut waited = false;
        let output = poll_fn(|context| {
            let poll = next.as_mut().poll(context);
            waited |= poll.is_pending();
            poll
        })
        .await;
        if !waited && self.is_over() {
            tokio::task::yield_now().await;
            waited = true;
        }
        if waited {
            self.began = Instant::now();
        }
        output
    }

    /// Returns true if the turn is used up.
    pub fn is_over(&self) -> bool {
        self.began.elapsed() >= TURN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test(start_paused = true)]
    async fn a_turn_is_over_by_time_and_begins_anew_after_a_wait() {
        let others = Cell::new(0);
        let work = async {
            let mut turn = TimeSlice::begin();
            assert_eq!(turn.next(async { 7 }).await, 7);
            assert_eq!(others.get(), 0, "the turn is not used up");
            tokio::time::advance(TURN).await;
            assert!(turn.is_over());
            let before = others.get();
            assert_eq!(turn.next(async { 8 }).await, 8);
            assert!(others.get() > before && !turn.is_over());
            turn.next(tokio::time::sleep(2 * TURN)).await;
            assert!(!turn.is_over(), "other tasks have run meanwhile");
        };
        let count = async {
            for _ in 0..10 {
                others.set(others.get() + 1);
                tokio::task::yield_now().await;
            }
            std::future::pending().await
        };
        tokio::select! {
            biased;
            () = work => {}
            () = count => {}
        }
    }
}
