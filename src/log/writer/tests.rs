use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;

use crate::log::writer::{Lines, Output, QUEUE_BYTES};

const PATIENCE: Duration = Duration::from_secs(10);

/// Disk with a capacity in bytes.
struct Disk {
    room: usize,
    written: Vec<u8>,
}

impl Disk {
    fn new(room: usize) -> Self {
        let written = Vec::new();
        Self { room, written }
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.room);
        if taken == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        self.room -= taken;
        self.written.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_without_room_are_counted_and_cut_no_later_line() {
    let (mut output, mut disk) = (Output::default(), Disk::new(9));
    assert_eq!(output.write(&mut disk, b"one\ntwo\nthree\nfour\n"), 2);
    assert_eq!(output.write(&mut disk, b"five\n"), 1);
    disk.room = 100;
    assert_eq!(output.write(&mut disk, b"six\n"), 0);
    assert_eq!(String::from_utf8_lossy(&disk.written), "one\ntwo\nt\nsix\n");
    disk.room = 4;
    assert_eq!(output.write(&mut disk, b"ten\nxi\n"), 1, "cut between two lines");
    disk.room = 100;
    assert_eq!(output.write(&mut disk, b"xii\n"), 0);
    assert!(disk.written.ends_with(b"\nten\nxii\n"));
}

/// Pipe whose writes the test completes.
struct Pipe {
    began: SyncSender<String>,
    goes_on: Receiver<io::Result<()>>,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.began.send(String::from_utf8_lossy(bytes).into_owned());
        self.goes_on.recv().unwrap_or(Ok(()))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Reader {
    lines: Lines,
    lost: Counter,
    writes: Receiver<String>,
    answer: SyncSender<io::Result<()>>,
    recovered: Arc<Mutex<Vec<u64>>>,
}

impl Reader {
    fn new() -> Self {
        let (began, writes) = sync_channel(16);
        let (answer, goes_on) = sync_channel(16);
        let lost = Counter::default();
        let lines = Lines::new(lost.clone());
        let recovered = Arc::new(Mutex::new(Vec::new()));
        let log_result = recovered.clone();
        let pipe = Pipe { began, goes_on };
        let started = lines.write_to(pipe, || {}, move |lost| log_result.lock().push(lost));
        started.expect("a thread");
        Self {
            lines,
            lost,
            writes,
            answer,
            recovered,
        }
    }

    /// Waits until the next write begins, and checks its bytes.
    fn begins(&self, expected: &str) {
        let text = self.writes.recv_timeout(PATIENCE).expect("a write");
        assert_eq!(text, expected);
    }

    fn ends(&self, result: io::Result<()>) {
        self.answer.send(result).expect("the thread waits");
    }
}

#[test]
fn a_reader_that_does_not_read_costs_lines_and_nothing_else() {
    let reader = Reader::new();
    reader.lines.put(b"first\n");
    reader.begins("first\n");
    // The thread is blocked from here on.
    let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
    let room = QUEUE_BYTES / line.len();
    for _ in 0..room + 7 {
        reader.lines.put(&line);
    }
    assert_eq!(reader.lost.get(), 7);
    reader.ends(Ok(()));
    reader.begins(&String::from_utf8_lossy(&line.repeat(room)));
    reader.ends(Ok(()));
    reader.lines.put(b"last\n");
    reader.begins("last\n");
    assert_eq!(*reader.recovered.lock(), [7]);
    // The last write has a time limit.
    reader.lines.finish(Duration::from_millis(1));
    reader.ends(Ok(()));
    reader.lines.finish(PATIENCE);
}

#[test]
fn a_failed_write_is_reported_after_recovery() {
    let reader = Reader::new();
    for text in ["one\ntwo\n", "three\n"] {
        reader.lines.put(text.as_bytes());
        reader.begins(text);
        reader.ends(Err(ErrorKind::BrokenPipe.into()));
    }
    reader.lines.put(b"four\n");
    reader.begins("four\n");
    assert_eq!(reader.lost.get(), 3);
    assert_eq!(*reader.recovered.lock(), [] as [u64; 0]);
    reader.ends(Ok(()));
    reader.lines.finish(PATIENCE);
    assert_eq!(*reader.recovered.lock(), [3]);
}
