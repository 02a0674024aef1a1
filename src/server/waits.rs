//! Timer and stop signals of a connection's task.
//!
//! They live as long as the connection, because a registration in the timer wheel or with a token costs more than the
//! rest of a wait. A future that has registered the task's waker is not polled again before it is ready: a task has the
//! same waker for all its life.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// Timer of a connection: set for the earliest of its times, or before it.
pub struct Timer<'w> {
    sleep: Pin<&'w mut Sleep>,
    is_armed: bool,
    is_registered: bool,
}

impl<'w> Timer<'w> {
    /// Creates a timer that is not armed. The time of `sleep` is its latest time before it fires for the first time.
    pub fn new(sleep: Pin<&'w mut Sleep>) -> Self {
        Self {
            sleep,
            is_armed: false,
            is_registered: false,
        }
    }

    /// Sets the timer. It is not moved to a later time: most times move on with each input.
    pub fn arm(&mut self, due: Option<Instant>) {
        self.is_armed = due.is_some();
        if let Some(due) = due
            && (self.sleep.is_elapsed() || due < self.sleep.deadline())
        {
            self.sleep.as_mut().reset(due);
            self.is_registered = false;
        }
    }

    /// Waits for the time.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.is_armed || self.is_registered && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        // Without budget the timer does not register the waker.
        let registers = has_budget_remaining();
        let poll = self.sleep.as_mut().poll(context);
        self.is_registered = registers && poll.is_pending();
        poll
    }
}

/// Signal to stop.
pub struct StopSignal<'w, 's> {
    token: &'s CancellationToken,
    wait: Pin<&'w mut WaitForCancellationFuture<'s>>,
    is_registered: bool,
}

impl<'w, 's> StopSignal<'w, 's> {
    /// Creates a signal from a token and its future.
    pub fn new(token: &'s CancellationToken, wait: Pin<&'w mut WaitForCancellationFuture<'s>>) -> Self {
        Self {
            token,
            wait,
            is_registered: false,
        }
    }

    /// Waits for the signal.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_registered && !self.token.is_cancelled() {
            return Poll::Pending;
        }
        let registers = has_budget_remaining();
        let poll = self.wait.as_mut().poll(context);
        self.is_registered = registers && poll.is_pending();
        poll
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::time::Duration;
    use tokio::time::sleep_until;

    #[tokio::test(start_paused = true)]
    async fn a_timer_fires_at_the_earliest_of_its_times() {
        let began = Instant::now();
        let after = |secs| Some(began + Duration::from_secs(secs));
        let sleep = pin!(sleep_until(began + Duration::from_secs(10)));
        let mut timer = Timer::new(sleep);
        for (times, fires) in [
            (vec![after(9)], 9),
            (vec![after(12), after(11), after(15)], 11),
            (vec![after(20)], 20),
        ] {
            for due in times {
                timer.arm(due);
                assert!(poll_fn(|context| Poll::Ready(timer.poll(context))).await.is_pending());
            }
            poll_fn(|context| timer.poll(context)).await;
            assert_eq!(began.elapsed().as_secs(), fires);
        }
        timer.arm(None);
        assert!(
            poll_fn(|context| Poll::Ready(timer.poll(context))).await.is_pending(),
            "it is not armed"
        );
    }

    #[tokio::test]
    async fn a_signal_wakes_a_task_that_has_polled_it_once() {
        let token = CancellationToken::new();
        let cancelled = pin!(token.cancelled());
        let mut stop = StopSignal::new(&token, cancelled);
        let mut polls = 0;
        let waits = poll_fn(|context| {
            polls += 1;
            stop.poll(context)
        });
        let cancels = async {
            tokio::task::yield_now().await;
            token.cancel();
            std::future::pending().await
        };
        tokio::select! {
            biased;
            () = waits => {}
            () = cancels => {}
        }
        assert!(polls >= 2);
    }

    #[tokio::test]
    async fn a_task_without_budget_registers_later() {
        let token = CancellationToken::new();
        let sleep = pin!(sleep_until(Instant::now()));
        let mut timer = Timer::new(sleep);
        let cancelled = pin!(token.cancelled());
        let mut stop = StopSignal::new(&token, cancelled);
        timer.arm(Some(Instant::now() + Duration::from_secs(3600)));
        poll_fn(|context| {
            while has_budget_remaining() {
                let mut budget = pin!(tokio::task::coop::consume_budget());
                let _ = budget.as_mut().poll(context);
            }
            let _ = (timer.poll(context), stop.poll(context));
            Poll::Ready(())
        })
        .await;
        assert!(!timer.is_registered && !stop.is_registered);
        tokio::task::yield_now().await;
        poll_fn(|context| {
            let _ = (timer.poll(context), stop.poll(context));
            Poll::Ready(())
        })
        .await;
        assert!(timer.is_registered && stop.is_registered);
    }
}
