//! Recordings: state, files, download.

use std::convert::Infallible;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

use futures_util::stream::unfold;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::StatusCode;
use hyper::body::{Bytes, Frame};
use hyper::header::{CONTENT_DISPOSITION, HeaderValue};
use serde::Serialize;
use serde_json::json;
use tokio::task::spawn_blocking;

use crate::admin::reply::{Reply, json, stream, text};
use crate::server::Server;

/// Bytes of one read.
const CHUNK: usize = 64 * 1024;

/// Recorded file.
#[derive(Debug, Serialize)]
struct Recorded {
    name: String,
    bytes: u64,
    /// Time of the last write, in milliseconds of UNIX time.
    written_ms: u64,
    /// False while sessions are written to it.
    complete: bool,
}

/// Returns the state of the recording and its files, newest first.
pub async fn list(server: &Server) -> Reply {
    let config = &server.config().record;
    let files = match config.folder.clone() {
        None => Vec::new(),
        Some(folder) => spawn_blocking(move || files(&folder)).await.unwrap_or_default(),
    };
    let filter = server.record_filter.lock().clone();
    let state = json!({
        "recording": server.recorder.is_on(),
        "folder": config.folder.is_some(),
        "names": config.names.to_string(),
        "bodies": config.bodies.to_string(),
        "account": filter.account,
        "app": filter.app,
        "files": files,
    });
    json(StatusCode::OK, &state)
}

/// Sends a file of the folder.
pub async fn download(server: &Server, name: &str) -> Reply {
    let unknown = || text(StatusCode::NOT_FOUND, "no such recording; GET /recordings lists them\n");
    let Some(folder) = server.config().record.folder.clone().filter(|_| is_recording(name)) else {
        return unknown();
    };
    let path = folder.join(name);
    let Ok(Ok(file)) = spawn_blocking(move || File::open(path)).await else {
        return unknown();
    };
    let chunks = unfold(Some(file), |file| async move {
        let mut file = file?;
        let read = spawn_blocking(move || {
            let mut chunk = vec![0; CHUNK];
            let length = file.read(&mut chunk).unwrap_or(0);
            chunk.truncate(length);
            (file, chunk)
        });
        let (file, chunk) = read.await.ok()?;
        let end = chunk.is_empty();
        (!end).then(|| (Ok::<_, Infallible>(Frame::data(Bytes::from(chunk))), Some(file)))
    });
    let mut reply = stream(
        StatusCode::OK,
        "application/x-ndjson",
        StreamBody::new(chunks).boxed_unsync(),
    );
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        reply.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    }
    reply
}

/// Returns true for a name that the recorder gives to a file, and for no path.
fn is_recording(name: &str) -> bool {
    let stem = name.strip_suffix(".part").unwrap_or(name).strip_suffix(".jsonl");
    stem.is_some_and(|stem| !stem.is_empty() && stem.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))
}

fn files(folder: &Path) -> Vec<Recorded> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<Recorded> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok().filter(|name| is_recording(name))?;
            let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            let written = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
            Some(Recorded {
                complete: !name.ends_with(".part"),
                name,
                bytes: metadata.len(),
                written_ms: u64::try_from(written.as_millis()).unwrap_or(u64::MAX),
            })
        })
        .collect();
    files.sort_by(|a, b| (b.written_ms, &b.name).cmp(&(a.written_ms, &a.name)));
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_recorder_are_sent() {
        for name in ["1795252300782-0001.jsonl", "1795252300782-0002.jsonl.part"] {
            assert!(is_recording(name), "{name}");
        }
        for name in [
            "..",
            "../1-1.jsonl",
            "/etc/passwd",
            "a.jsonl",
            ".jsonl",
            "1-1.json",
            "1-1.jsonl/x",
            "",
            "1%2F1.jsonl",
        ] {
            assert!(!is_recording(name), "{name}");
        }
    }
}
