//! HAR 1.2, the archive of a browser's developer tools, with the WebSocket messages that they keep in it.
//!
//! [`import`] makes a trace of the legacy leg out of what a Web app said and was told; [`export`] shows a trace's legacy
//! leg to those tools. A HAR knows nothing of RTM, so what is imported has no leg `rtm` and says so in its header.
//! <http://www.softwareishard.com/blog/har-12-spec/>; the messages are Chromium's addition, which Firefox and Playwright
//! have taken over.

mod error;
mod export;
mod file;
mod import;
mod message;

pub use error::HarError;
pub use export::export;
pub use import::{Imported, import};

/// Largest archive that is read, bytes.
pub const MAX_HAR_BYTES: u64 = 256 * 1024 * 1024;
