//! Files that people and their editors write: texts, lines, folders.
//!
//! All of them are read here. A BOM, the line ends of Windows, blank lines, links that form a circle and the extra files
//! of macOS archives are ignored everywhere.

mod lines;
mod text;
mod walk;

pub use lines::{BadLine, Line, Lines};
pub use text::{NotOneLine, one_line, read_text, text_from};
pub use walk::{Unreadable, files_below, files_in, has_extension};
