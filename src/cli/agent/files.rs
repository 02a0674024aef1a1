//! The Web agent's files, which the binary contains, so that it needs no checkout.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

macro_rules! files {
    ($($name:literal,)+) => {
        /// Contents by relative path.
        const FILES: &[(&str, &str)] = &[$( ($name, include_str!(concat!("../../../agent/web/", $name))), )+];
    };
}

files! {
    ".npmrc",
    "launch.mjs",
    "package-lock.json",
    "package.json",
    "launcher/chromium.mjs",
    "launcher/keeper.mjs",
    "launcher/log.mjs",
    "launcher/options.mjs",
    "launcher/page.mjs",
    "launcher/pipe.mjs",
    "launcher/sdk.mjs",
    "launcher/site.mjs",
    "page/calls.mjs",
    "page/channels.mjs",
    "page/clock.mjs",
    "page/errors.mjs",
    "page/events.mjs",
    "page/host.mjs",
    "page/inbox.mjs",
    "page/index.html",
    "page/instance.mjs",
    "page/invitations.mjs",
    "page/kept.mjs",
    "page/link.mjs",
    "page/main.mjs",
    "page/outbox.mjs",
    "page/sessions.mjs",
    "page/values.mjs",
}

/// Systemd unit with default settings.
pub const UNIT: &str = include_str!("../../../agent/web/sigbridge-agent-web.service");

/// Writes missing and changed files. Returns true if npm must install again.
///
/// # Errors
/// The file and the I/O error.
pub fn write(folder: &Path) -> Result<bool, (PathBuf, io::Error)> {
    let mut anew = false;
    for (name, text) in FILES {
        let path = folder.join(name);
        if fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
            continue;
        }
        let written = fs::create_dir_all(path.parent().unwrap_or(folder)).and_then(|()| fs::write(&path, text));
        written.map_err(|error| (path, error))?;
        anew |= *name == "package-lock.json";
    }
    Ok(anew || !folder.join("node_modules/agora-rtm-sdk/package.json").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_agent_is_carried() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("agent/web");
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                let name = path.strip_prefix(&root).expect("below it").display().to_string();
                if path.is_dir() && name != "test" && name != "node_modules" {
                    folders.push(path);
                } else if path.is_file() && name != "sigbridge-agent-web.service" {
                    found.push(name);
                }
            }
        }
        found.sort();
        let mut carried: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        carried.sort_unstable();
        assert_eq!(found, carried);
    }
}
