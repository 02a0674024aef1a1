//! A task's turn: bounded by the time that it works, so that no amount of work in one task delays the others.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;

use tokio::time::Instant;

/// How long a task works before it lets others work: a round of a thousand busy tasks takes some 15 ms on two cores.
const TURN: Duration = Duration::from_micros(30);

/// The turn of a task.
#[derive(Debug)]
pub struct Turn {
    began: Instant,
}

impl Turn {
    /// A turn that begins now.
    pub fn new() -> Self {
        Self { began: Instant::now() }
    }

    /// Awaits; when that had to wait, others have worked meanwhile, and a new turn begins.
    pub async fn wait<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut waited = false;
        let output = poll_fn(|context| {
            let poll = future.as_mut().poll(context);
            waited |= poll.is_pending();
            poll
        })
        .await;
        if waited {
            self.began = Instant::now();
        }
        output
    }

    /// Whether the turn is used up.
    pub fn is_over(&self) -> bool {
        self.began.elapsed() >= TURN
    }

    /// Lets others work when the turn is used up.
    pub async fn pause(&mut self) {
        if self.is_over() {
            tokio::task::yield_now().await;
            self.began = Instant::now();
        }
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
            let mut turn = Turn::new();
            turn.pause().await;
            turn.wait(async {}).await;
            assert_eq!(others.get(), 0, "there is time left");
            tokio::time::advance(TURN).await;
            assert!(turn.is_over());
            let before = others.get();
            turn.pause().await;
            assert!(others.get() > before && !turn.is_over());
            turn.wait(tokio::time::sleep(2 * TURN)).await;
            assert!(!turn.is_over(), "others have worked meanwhile");
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
