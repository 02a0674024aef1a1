//! The console: three files in the binary.

use hyper::StatusCode;

use crate::admin::reply::{Reply, reply};

const PAGE: &str = include_str!("../console/index.html");
const PROGRAM: &str = include_str!("../console/app.js");
const STYLE: &str = include_str!("../console/style.css");

/// Returns the page.
pub fn page() -> Reply {
    reply(StatusCode::OK, "text/html; charset=utf-8", PAGE)
}

/// Returns the page's program.
pub fn program() -> Reply {
    reply(StatusCode::OK, "text/javascript; charset=utf-8", PROGRAM)
}

/// Returns the page's style.
pub fn style() -> Reply {
    reply(StatusCode::OK, "text/css; charset=utf-8", STYLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_is_small_and_writes_text_only() {
        let files = [("page", PAGE), ("program", PROGRAM), ("style", STYLE)];
        let bytes: usize = files.iter().map(|(_, content)| content.len()).sum();
        assert!(bytes <= 60_000, "{bytes} bytes");
        for (path, content) in files {
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
