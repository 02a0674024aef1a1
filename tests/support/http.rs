//! Minimal HTTP client with full control of the request bytes.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    /// Header lines in lower case.
    pub head: String,
    pub body: String,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        let line = self
            .head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.map(str::trim)
    }
}

/// Sends a request line and headers; reads the answer to its end.
pub async fn http(addr: SocketAddr, request_line: &str, headers: &[&str], body: &str) -> Response {
    let stream = TcpStream::connect(addr).await.expect("the server listens");
    http_over(stream, &addr.to_string(), request_line, headers, body).await
}

/// Sends a request on an open connection.
pub async fn http_over(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    host: &str,
    request_line: &str,
    headers: &[&str],
    body: &str,
) -> Response {
    let mut text = format!(
        "{request_line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for header in headers {
        text += &format!("{header}\r\n");
    }
    text += &format!("\r\n{body}");
    stream.write_all(text.as_bytes()).await.expect("the server reads");
    let mut answer = String::new();
    tokio::time::timeout(super::PATIENCE, stream.read_to_string(&mut answer))
        .await
        .expect("the server answers and closes")
        .expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Response {
        status: status.expect("a status code"),
        head: head.to_lowercase(),
        body: body.to_owned(),
    }
}
