//! The console: three files in the binary.

use hyper::StatusCode;

use crate::admin::reply::{Reply, reply};

/// Path, media type and content of each file.
const FILES: &[(&str, &str, &str)] = &[
    ("", "text/html; charset=utf-8", include_str!("../console/index.html")),
    (
        "app.js",
        "text/javascript; charset=utf-8",
        include_str!("../console/app.js"),
    ),
    (
        "style.css",
        "text/css; charset=utf-8",
        include_str!("../console/style.css"),
    ),
];

/// Returns a file of the console.
pub fn file(path: &str) -> Option<Reply> {
    let (_, kind, content) = FILES.iter().find(|(known, ..)| *known == path)?;
    Some(reply(StatusCode::OK, kind, *content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_is_small_and_writes_text_only() {
        let bytes: usize = FILES.iter().map(|(_, _, content)| content.len()).sum();
        assert!(bytes <= 60_000, "{bytes} bytes");
        for (path, _, content) in FILES {
            for forbidden in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "http://",
                "https://",
            ] {
                let found = content.replace("http://www.w3.org/2000/svg", "").contains(forbidden);
                assert!(!found, "{path} has {forbidden}");
            }
        }
    }
}
