//! Detection of the moment at which no task can continue without time.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use futures_util::task::AtomicWaker;

/// The moment at which the runtime would park its thread.
///
/// The time of a paused runtime advances only if nothing wakes it between that moment and the park.
#[derive(Default)]
pub struct Idle {
    waker: AtomicWaker,
    is_awaited: AtomicBool,
    is_reached: AtomicBool,
}

impl Idle {
    /// Reports the moment.
    pub fn reach(&self) {
        if self.is_awaited.swap(false, Ordering::AcqRel) {
            self.is_reached.store(true, Ordering::Release);
            self.waker.wake();
        }
    }

    /// Waits for the moment.
    pub async fn reached(&self) {
        self.is_awaited.store(true, Ordering::Release);
        poll_fn(|context| {
            self.waker.register(context.waker());
            match self.is_reached.swap(false, Ordering::AcqRel) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}
