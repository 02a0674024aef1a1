//! Entries: readers of foreign bytes, and properties that hold for all of them. A violated one panics.
//!
//! `cargo fuzz` calls them with bytes of its own. The tests (`tests/it/fuzz`) call the same functions with the corpus
//! and with generated input.

mod admin;
mod bodies;
mod files;
mod link;
mod names;
mod native;
mod sessions;
mod tables;
mod text_frames;

pub use admin::admin;
pub use bodies::bodies;
pub use files::files;
pub use link::link;
pub use names::names;
pub use native::{native, packets};
pub use sessions::sessions;
pub use tables::tables;
pub use text_frames::{json, text_frames};

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use ::tables::Tables;
use protocol::encoder::Encoder;

/// An entry by the name of its target.
pub type Entry = (&'static str, fn(&[u8]));

/// All entries, by the names of the targets.
pub const ALL: &[Entry] = &[
    ("admin", admin),
    ("bodies", bodies),
    ("files", files),
    ("link", link),
    ("names", names),
    ("native", native),
    ("sessions", sessions),
    ("tables", tables),
    ("text_frames", text_frames),
];

static BUILT_IN: LazyLock<Arc<Tables>> =
    LazyLock::new(|| Arc::new(Tables::built_in().expect("the built-in tables compile")));

static ENCODERS: LazyLock<Arc<Vec<Arc<dyn Encoder>>>> =
    LazyLock::new(|| Arc::new(protocol::encoders(&BUILT_IN).expect("a wire for each profile")));

/// Splits off the byte that selects one of several readers.
fn selected(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (*first, rest))
}

fn text(data: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(data)
}
