//! HAR 1.2, the archive format of browsers' developer tools, with WebSocket messages.
//!
//! [`import`] converts a Web app's frames to a trace of the legacy leg; [`export`] does the reverse. A HAR has no RTM
//! data, so an imported trace has no leg `rtm`, as its header states.
//! <http://www.softwareishard.com/blog/har-12-spec/>; messages are Chromium's extension, adopted by Firefox and
//! Playwright.

mod error;
mod export;
mod file;
mod import;
mod message;

pub use error::HarError;
pub use export::export;
pub use import::{Imported, import};

/// Largest accepted HAR in bytes.
pub const MAX_HAR_BYTES: u64 = 256 * 1024 * 1024;
