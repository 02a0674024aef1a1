//! Readers of hand-edited files: texts, lines, folders.
//!
//! They ignore a BOM, Windows line ends, blank lines, circular links and the extra files of macOS
//! archives.

mod lines;
mod text;
mod walk;

pub use lines::{BadLine, Line, Lines};
pub use text::{SingleLineError, one_line, read_text, text_from};
pub use walk::{Unreadable, files_below, files_in, has_extension};
