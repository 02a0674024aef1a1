//! Run queue: runs sessions in their senders' threads, to completion, without a task wake-up for each.
//!
//! A run, begun by [`enter`], collects the sessions that get messages. Its end runs them without locks, with the
//! sessions that they send messages to. A run is bounded in time. One task runs the rest of it, and the sessions that
//! get messages outside of any run. The task yields between its slices.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use runtime::clock::{Hold, hold};

/// Time limit of a run; the rest is handed over.
const SLICE: Duration = Duration::from_millis(2);
/// Number of sessions between two checks of the time.
const LOOK_EVERY: usize = 8;

/// Recipient of messages, such as a session.
pub trait Runnable: Send + Sync {
    /// Processes the queued messages. It may be scheduled again meanwhile.
    fn run(self: Arc<Self>);

    /// Returns the queue for runs that are handed over.
    fn run_queue(&self) -> &Arc<RunQueue>;
}

/// Queue of frames that a run writes.
pub trait Writable: Send + Sync {
    /// Writes the queued frames at the end of a run.
    fn write(&self);
}

/// Queue of sessions for the task that runs them.
#[derive(Default)]
pub struct RunQueue {
    waiting: Mutex<VecDeque<Arc<dyn Runnable>>>,
    filled: Notify,
}

thread_local! {
    /// True in a run.
    static IS_RUNNING: Cell<bool> = const { Cell::new(false) };
    /// Sessions of this thread's run.
    static READY: RefCell<VecDeque<Arc<dyn Runnable>>> = const { RefCell::new(VecDeque::new()) };
    /// Connections with frames of the run.
    static FILLED: RefCell<Vec<Arc<dyn Writable>>> = const { RefCell::new(Vec::new()) };
}

/// Run of this thread; its drop runs the sessions. Locks must be released before.
#[must_use = "sessions run when it is dropped"]
pub struct Run {
    /// One time for the sessions of the outermost run, which keeps it on its thread too.
    clock: Option<Hold>,
}

/// Begins a run, or joins the current run of this thread.
pub fn enter() -> Run {
    Run {
        clock: (!IS_RUNNING.replace(true)).then(hold),
    }
}

/// Schedules a session, in the run of this thread or else in the task of its queue.
pub fn schedule(session: Arc<dyn Runnable>) {
    if IS_RUNNING.get() {
        READY.with_borrow_mut(|ready| ready.push_back(session));
    } else {
        session.run_queue().clone().hand_over(session);
    }
}

/// Schedules a write to a connection at the end of this thread's run. Returns false outside of a run.
pub fn write_later(out: &Arc<impl Writable + 'static>) -> bool {
    let in_run = IS_RUNNING.get();
    if in_run {
        FILLED.with_borrow_mut(|filled| filled.push(out.clone()));
    }
    in_run
}

impl Drop for Run {
    #[inline(never)]
    fn drop(&mut self) {
        if self.clock.is_none() {
            return;
        }
        let began = Instant::now();
        let mut runs = 0_usize;
        while let Some(next) = next() {
            next.run();
            runs += 1;
            if runs.is_multiple_of(LOOK_EVERY) && began.elapsed() >= SLICE {
                break;
            }
        }
        IS_RUNNING.set(false);
        let mut filled = FILLED.take();
        filled.drain(..).for_each(|out| out.write());
        FILLED.set(filled);
        if let Some(session) = next() {
            let queue = session.run_queue().clone();
            queue.hand_over_all(session, &mut READY.take());
        }
    }
}

fn next() -> Option<Arc<dyn Runnable>> {
    READY.with_borrow_mut(VecDeque::pop_front)
}

impl RunQueue {
    /// Schedules a session in the task.
    pub fn hand_over(&self, session: Arc<dyn Runnable>) {
        self.waiting.lock().push_back(session);
        self.filled.notify_one();
    }

    /// Schedules the rest of a run in the task. It costs the same for any number of sessions, since a long run has many
    /// slices. All sessions of a run are of one process, and run equally well in any task of it.
    fn hand_over_all(&self, first: Arc<dyn Runnable>, rest: &mut VecDeque<Arc<dyn Runnable>>) {
        rest.push_front(first);
        let mut waiting = self.waiting.lock();
        if waiting.is_empty() {
            std::mem::swap(&mut *waiting, rest);
        } else {
            waiting.append(rest);
        }
        drop(waiting);
        self.filled.notify_one();
    }

    /// Runs the sessions of the queue until the end.
    pub async fn work(self: Arc<Self>, end: CancellationToken) {
        loop {
            tokio::select! {
                () = end.cancelled() => return,
                () = self.filled.notified() => {}
            }
            loop {
                let waiting = std::mem::take(&mut *self.waiting.lock());
                if waiting.is_empty() {
                    break;
                }
                {
                    let _run = enter();
                    READY.set(waiting);
                }
                tokio::task::yield_now().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Session that works for some time and then schedules others.
    struct Worker {
        name: u8,
        takes: Duration,
        then: Vec<Arc<Worker>>,
        log: Arc<Mutex<Vec<u8>>>,
        queue: Arc<RunQueue>,
    }

    impl Runnable for Worker {
        fn run(self: Arc<Self>) {
            self.log.lock().push(self.name);
            let began = Instant::now();
            while began.elapsed() < self.takes {}
            self.then.iter().for_each(|next| schedule(next.clone()));
        }

        fn run_queue(&self) -> &Arc<RunQueue> {
            &self.queue
        }
    }

    struct Bench {
        log: Arc<Mutex<Vec<u8>>>,
        queue: Arc<RunQueue>,
    }

    impl Bench {
        fn worker(&self, name: u8, takes: Duration, then: Vec<Arc<Worker>>) -> Arc<Worker> {
            let (log, queue) = (self.log.clone(), self.queue.clone());
            Arc::new(Worker {
                name,
                takes,
                then,
                log,
                queue,
            })
        }
    }

    fn bench() -> Bench {
        Bench {
            log: Arc::default(),
            queue: Arc::default(),
        }
    }

    #[test]
    fn a_run_goes_on_until_nothing_is_left() {
        let bench = bench();
        let [c, d] = [3, 4].map(|name| bench.worker(name, Duration::ZERO, Vec::new()));
        let b = bench.worker(2, Duration::ZERO, vec![c, d]);
        let a = bench.worker(1, Duration::ZERO, vec![b]);
        {
            let _run = enter();
            schedule(a);
            {
                let _joined = enter();
            }
            assert!(bench.log.lock().is_empty(), "the caller may hold locks");
        }
        assert_eq!(*bench.log.lock(), [1, 2, 3, 4]);
        assert!(bench.queue.waiting.lock().is_empty());
    }

    #[tokio::test]
    async fn the_rest_of_a_long_run_is_handed_over() {
        let bench = bench();
        let (queue, end) = (bench.queue.clone(), CancellationToken::new());
        let many: Vec<_> = (0..40).map(|name| bench.worker(name, SLICE / 10, Vec::new())).collect();
        {
            let _run = enter();
            many.iter().for_each(|worker| schedule(worker.clone()));
        }
        let first = bench.log.lock().len();
        // The time is checked after each eighth run, and has passed after the sixteenth at the latest.
        assert!([8, 16].contains(&first), "{first} in the first slice");
        let work = tokio::spawn(queue.work(end.clone()));
        schedule(many[0].clone());
        while bench.log.lock().len() < 41 {
            tokio::task::yield_now().await;
        }
        end.cancel();
        work.await.unwrap();
        assert_eq!(bench.log.lock()[..40], (0..40).collect::<Vec<_>>());
    }
}
