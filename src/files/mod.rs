//! Files that people and their editors write: texts, lines, folders.
//!
//! All of them are read here, so that a BOM, the line ends of Windows, a blank last line, a link that leads back and the
//! extra files of macOS archives mean the same everywhere: nothing.

mod lines;
mod text;
mod walk;

pub use lines::{BadLine, Line, Lines};
pub use text::{NotOneLine, one_line, read_text, text_from};
pub use walk::{Unreadable, files_below, files_in, has_extension};
