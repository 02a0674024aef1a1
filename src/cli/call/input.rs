//! Lines of the standard input.

use tokio::sync::mpsc;

use text_files::{Line, Lines};

/// Longest line, bytes: longer ones are no frame that a sidecar would take.
const MAX_LINE: usize = 64 * 1024;

/// The lines, read by a thread of its own: a read of a terminal cannot be given up, and must not keep the program.
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
