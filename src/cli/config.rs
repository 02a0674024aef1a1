//! Loading of the config for commands.

use std::path::Path;

use crate::config::Config;
use tables::diagnostics::Diags;

use crate::cli::exit::{Exit, Trouble};

/// Reads a config with `load`.
///
/// # Errors
/// All errors of the file. `missing` is the hint for a missing file.
pub fn load(
    path: &Path,
    load: impl FnOnce(&Path) -> Result<Config, Diags>,
    missing: &'static str,
) -> Result<Config, Trouble> {
    load(path).map_err(|diags| {
        if path.exists() {
            let hint = "config.example.toml lists every key";
            Trouble::new(Exit::Usage, "invalid config", Some(hint)).at(diags)
        } else {
            let error = format!("config file not found: {}", path.display());
            Trouble::new(Exit::Usage, error, Some(missing))
        }
    })
}
