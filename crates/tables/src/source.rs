//! Sources of table files: the program itself, or a folder.

use std::path::Path;
use std::sync::Arc;

use text_files::{Unreadable, files_in, has_extension, read_text};

use crate::diagnostics::Source;

macro_rules! table_files {
    ($($path:literal),+ $(,)?) => {
        &[$( (concat!("mappings/", $path), include_str!(concat!("../../../mappings/", $path))), )+]
    };
}

const FILES: &[(&str, &str)] = table_files![
    "channel-attr.toml",
    "channel-msg.toml",
    "channel.toml",
    "errors.toml",
    "invite.toml",
    "login.toml",
    "member-count.toml",
    "members.toml",
    "peer.toml",
    "platforms/flutter.toml",
    "platforms/ios-macos.toml",
    "platforms/linux-cpp-2019-08.toml",
    "platforms/linux-cpp.toml",
    "platforms/linux-java.toml",
    "platforms/web.toml",
    "presence.toml",
    "token.toml",
    "user-attr.toml",
    "wire/api.toml",
    "wire/javasdk.toml",
    "wire/native.toml",
    "wire/profiles.toml",
    "wire/web.toml",
];

/// Returns the built-in files.
pub fn embedded() -> Vec<Arc<Source>> {
    FILES.iter().map(|(name, text)| Source::new(*name, *text)).collect()
}

/// Reads every `.toml` file of a folder and of its folders `wire` and `platforms`, by name.
///
/// # Errors
/// The folder or file that cannot be read.
pub fn from_dir(dir: &Path) -> Result<Vec<Arc<Source>>, Unreadable> {
    let mut sources = Vec::new();
    for folder in [dir.to_path_buf(), dir.join("platforms"), dir.join("wire")] {
        for path in files_in(&folder, |path| has_extension(path, "toml"))? {
            let text = read_text(&path).map_err(|source| Unreadable::new(&path, source))?;
            sources.push(Source::new(path.display().to_string(), text));
        }
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_file_is_built_in() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../mappings");
        let on_disk = from_dir(&dir).expect("the folder of this project");
        let mut texts: Vec<&str> = on_disk.iter().map(|s| &*s.text).collect();
        let mut built_in: Vec<&str> = FILES.iter().map(|(_, text)| *text).collect();
        texts.sort_unstable();
        built_in.sort_unstable();
        assert_eq!(texts, built_in);
    }
}
