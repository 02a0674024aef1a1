//! Lines of the standard input.

use std::io::{BufRead, Read};

use tokio::sync::mpsc;

/// Longest line, bytes: longer ones are no frame that a sidecar would take.
const MAX_LINE: u64 = 64 * 1024;

/// The lines, read by a thread of its own: a read of a terminal cannot be given up, and must not keep the program.
pub(super) fn lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        loop {
            let mut line = Vec::new();
            let read = input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
            if read.is_err() || line.is_empty() {
                return;
            }
            if sender
                .blocking_send(String::from_utf8_lossy(&line).into_owned())
                .is_err()
            {
                return;
            }
        }
    });
    receiver
}
