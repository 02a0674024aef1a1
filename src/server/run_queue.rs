//! Runs sessions where their messages come from, to completion, without waking a task for each.
//!
//! Whoever [`enter`]s a run collects the sessions that get messages meanwhile, and runs them once it holds no lock: those
//! that they send messages to as well. A run is bounded in time. What is left of it, and sessions that get messages
//! outside of any run, are run by one task, which lets others work between its slices.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::send_queue::Outbound;

/// How long a run may take before what is left of it is handed over.
const SLICE: Duration = Duration::from_millis(2);
/// The time is looked at once for so many sessions.
const LOOK_EVERY: usize = 8;

/// A session, or what else has messages to take.
pub trait Runnable: Send + Sync {
    /// Takes the messages that wait. It may be scheduled again meanwhile.
    fn run(self: Arc<Self>);

    /// The queue for runs that are handed over.
    fn run_queue(&self) -> &Arc<RunQueue>;
}

/// Sessions that wait for the task that runs them.
#[derive(Default)]
pub struct RunQueue {
    waiting: Mutex<VecDeque<Arc<dyn Runnable>>>,
    filled: Notify,
}

thread_local! {
    /// The sessions of the run of this thread; none outside of a run.
    static READY: RefCell<Option<VecDeque<Arc<dyn Runnable>>>> = const { RefCell::new(None) };
    /// The connections that the run has frames for.
    static FILLED: RefCell<Vec<Arc<Outbound>>> = const { RefCell::new(Vec::new()) };
}

/// A run of this thread; sessions are run when it is dropped. Locks are released before.
#[must_use = "sessions run when it is dropped"]
pub struct Run {
    is_outermost: bool,
    /// It belongs to its thread.
    _thread: std::marker::PhantomData<*const ()>,
}

/// Begins a run, or joins that of this thread.
pub fn enter() -> Run {
    let is_outermost = READY.with_borrow_mut(|ready| match ready {
        Some(_) => false,
        None => {
            *ready = Some(VecDeque::new());
            true
        }
    });
    Run {
        is_outermost,
        _thread: std::marker::PhantomData,
    }
}

/// Has a session run: within the run of this thread, or else by the task of its queue.
pub fn schedule(session: Arc<dyn Runnable>) {
    let outside = READY.with_borrow_mut(|ready| match ready {
        Some(ready) => {
            ready.push_back(session);
            None
        }
        None => Some(session),
    });
    if let Some(session) = outside {
        session.run_queue().clone().hand_over(session);
    }
}

/// Has the run of this thread write to a connection at its end; false outside of a run.
pub fn write_later(out: &Arc<Outbound>) -> bool {
    let in_run = READY.with_borrow(Option::is_some);
    if in_run {
        FILLED.with_borrow_mut(|filled| filled.push(out.clone()));
    }
    in_run
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.is_outermost {
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
        let left = READY.take().unwrap_or_default();
        let mut filled = FILLED.take();
        filled.drain(..).for_each(|out| out.write());
        FILLED.set(filled);
        for session in left {
            session.run_queue().clone().hand_over(session);
        }
    }
}

fn next() -> Option<Arc<dyn Runnable>> {
    READY.with_borrow_mut(|ready| ready.as_mut()?.pop_front())
}

impl RunQueue {
    /// Has a session run by the task.
    pub fn hand_over(&self, session: Arc<dyn Runnable>) {
        self.waiting.lock().push_back(session);
        self.filled.notify_one();
    }

    /// Runs what is handed over, until the end.
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
                    waiting.into_iter().for_each(schedule);
                }
                tokio::task::yield_now().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a time, and then has others run.
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
            assert!(bench.log.lock().is_empty(), "not while the caller may hold locks");
        }
        assert_eq!(*bench.log.lock(), [1, 2, 3, 4]);
        assert!(bench.queue.waiting.lock().is_empty());
    }

    #[tokio::test]
    async fn what_is_over_the_slice_is_handed_over() {
        let bench = bench();
        let (queue, end) = (bench.queue.clone(), CancellationToken::new());
        let many: Vec<_> = (0..40).map(|name| bench.worker(name, SLICE / 10, Vec::new())).collect();
        {
            let _run = enter();
            many.iter().for_each(|worker| schedule(worker.clone()));
        }
        let first = bench.log.lock().len();
        assert!((10..=24).contains(&first), "{first} in the first slice");
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
