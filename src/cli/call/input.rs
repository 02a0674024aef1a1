//! Lines of the standard input.

use tokio::sync::mpsc;

use text_files::{Line, Lines};

/// Longest line in bytes; equals the server's frame limit.
const MAX_LINE: usize = 64 * 1024;

/// Reads lines on a separate thread: a blocking terminal read cannot be cancelled and must not delay the exit.
pub(super) fn lines() -> mpsc::Receiver<Line> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in Lines::new(std::io::stdin().lock(), MAX_LINE) {
            let Ok(line) = line else { return };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
