//! Loading of the config for commands.

use std::path::Path;

use crate::config::Config;
use tables::diagnostics::Diags;

use crate::cli::exit::Error;

/// Reads a config with `load`.
///
/// # Errors
/// All errors of the file. `missing` is the hint for a missing file.
pub fn load(
    path: &Path,
    load: impl FnOnce(&Path) -> Result<Config, Diags>,
    missing: &'static str,
) -> Result<Config, Error> {
    load(path).map_err(|diags| {
        if path.exists() {
            let hint = "config.example.toml lists every key";
            Error::usage("invalid config").hint(hint).with_diags(diags)
        } else {
            Error::usage(format_args!("config file not found: {}", path.display())).hint(missing)
        }
    })
}
