//! Requests to sigbridge's admin address, and a viewer of one session.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// Returns the body of a GET.
///
/// # Errors
/// Those of the socket, and a status other than 200.
pub fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = request(address, path)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a head")?;
    let status = head.lines().next().unwrap_or_default();
    ensure!(status.starts_with("HTTP/1.1 200"), "GET {path}: {status}");
    Ok(body.to_owned())
}

fn request(address: SocketAddr, path: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).context("the admin address does not answer")?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    Ok(stream)
}

#[derive(serde::Deserialize)]
struct Page {
    matched: usize,
    sessions: Vec<Session>,
}

#[derive(serde::Deserialize)]
struct Session {
    id: String,
}

/// Returns the number of sessions on a page of `GET /sessions`, and of all sessions.
///
/// # Errors
/// An answer of another form.
pub fn sessions(body: &str) -> Result<(usize, usize)> {
    let page: Page = serde_json::from_str(body)?;
    Ok((page.sessions.len(), page.matched))
}

/// A viewer of one session's live view, which reads all events and discards them.
#[derive(Debug)]
pub struct Viewer {
    stream: TcpStream,
    reader: JoinHandle<u64>,
}

impl Viewer {
    /// Opens the live view of an account's session.
    ///
    /// # Errors
    /// An account without a session, and a refused view.
    pub fn open(address: SocketAddr, account: &str) -> Result<Self> {
        let page: Page = serde_json::from_str(&get(address, &format!("/sessions?account={account}&limit=1"))?)?;
        let session = page.sessions.first().context("the account has no session")?;
        let mut stream = request(address, &format!("/sessions/{}/live", session.id))?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        ensure!(&status == b"HTTP/1.1 200", "the live view is refused");
        stream.set_read_timeout(None)?;
        let mut input = stream.try_clone()?;
        let reader = std::thread::spawn(move || {
            let (mut buffer, mut events) = ([0; 1 << 14], 0);
            while let Ok(read @ 1..) = input.read(&mut buffer) {
                // Each event has one line of data. A line across two reads is not counted.
                events += memchr::memmem::find_iter(&buffer[..read], b"\ndata: ").count() as u64;
            }
            events
        });
        Ok(Self { stream, reader })
    }

    /// Ends the view and returns the number of its events.
    pub fn close(self) -> u64 {
        let _ = self.stream.shutdown(Shutdown::Both);
        self.reader.join().unwrap_or(0)
    }
}
