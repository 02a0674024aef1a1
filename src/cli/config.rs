//! Loading of the config for commands.

use std::path::Path;

use crate::config::Config;
use tables::diagnostics::Diags;

use crate::cli::exit::{Exit, Trouble};

/// Reads a config by `load`.
///
/// # Errors
/// Everything that is wrong. `missing` is the hint for a file that does not exist.
pub fn load(
    path: &Path,
    load: impl FnOnce(&Path) -> Result<Config, Diags>,
    missing: &'static str,
) -> Result<Config, Trouble> {
    load(path).map_err(|diags| {
        if path.exists() {
            let hint = "config.example.toml shows every key";
            Trouble::new(Exit::Usage, "the config is wrong", Some(hint)).at(diags)
        } else {
            let error = format!("there is no config file {}", path.display());
            Trouble::new(Exit::Usage, error, Some(missing))
        }
    })
}
