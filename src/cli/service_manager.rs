//! Notifications for a service manager with `Type=notify` (systemd). Without one, they do nothing.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

/// Notifications that wait for the service manager. Further ones are dropped.
const QUEUE: usize = 8;

/// Sender of notifications. A thread of its own writes them, because a write blocks until it is read.
#[derive(Clone, Debug)]
pub struct ServiceManager {
    queue: Option<SyncSender<String>>,
}

impl ServiceManager {
    /// Starts the thread, if there is a service manager.
    pub fn start() -> Self {
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            return Self { queue: None };
        }
        let (queue, states) = sync_channel::<String>(QUEUE);
        // Without a thread, nothing is reported.
        let _ = std::thread::Builder::new().name("notify".to_owned()).spawn(move || {
            for state in states {
                write(&state);
            }
        });
        Self { queue: Some(queue) }
    }

    /// Reports that all addresses are open.
    pub fn ready(&self) {
        self.emit("READY=1\nSTATUS=serving");
    }

    /// Reports the beginning of a reload. [`ready`](Self::ready) ends it.
    pub fn reloading(&self) {
        // systemd matches the time with that of its request.
        #[cfg(unix)]
        if let Ok(now) = sd_notify::NotifyState::monotonic_usec_now() {
            self.emit(&format!("RELOADING=1\n{now}\nSTATUS=reloading"));
        }
    }

    /// Reports the beginning of the end.
    pub fn stopping(&self) {
        self.emit("STOPPING=1\nSTATUS=draining");
    }

    /// Sends signs of life as often as `WatchdogSec` requires, forever. They come from the runtime that serves clients.
    pub async fn watch(self) {
        if let Some(interval) = watchdog() {
            let mut every = tokio::time::interval((interval / 2).max(Duration::from_millis(1)));
            loop {
                every.tick().await;
                self.emit("WATCHDOG=1");
            }
        }
    }

    fn emit(&self, state: &str) {
        if let Some(queue) = &self.queue {
            // A manager that does not read needs no further states.
            let _ = queue.try_send(state.to_owned());
        }
    }
}

#[cfg(unix)]
fn write(state: &str) {
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Custom(state)]) {
        tracing::debug!(%error, "cannot notify the service manager");
    }
}

#[cfg(unix)]
fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

#[cfg(not(unix))]
fn write(_: &str) {}

#[cfg(not(unix))]
fn watchdog() -> Option<Duration> {
    None
}
