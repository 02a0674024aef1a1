//! Loading of the config for commands.

use std::path::Path;

use crate::config::Config;
use tables::diagnostics::Diags;

use crate::cli::exit::Error;

/// Hint for a missing config file.
const NO_CONFIG: &str = "start from config.example.toml, or omit --config to use the defaults";

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

/// Reads a config, or only the environment variables without one.
///
/// # Errors
/// All errors of the file and of the variables.
pub fn load_or_default(path: Option<&Path>) -> Result<Config, Error> {
    match path {
        Some(path) => load(path, Config::load, NO_CONFIG),
        None => Config::of_environment().map_err(|diags| Error::usage("invalid config").with_diags(diags)),
    }
}
