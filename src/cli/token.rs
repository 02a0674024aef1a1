//! `sigbridge token`: decodes, verifies and creates tokens. The certificate comes from a file or the environment.
//! Arguments are visible to other users and stay in shell histories.

mod mint;
mod verify;

use clap::{Args, Subcommand};

use crate::cli::Exit;
use crate::cli::exit::HELP;
use crate::cli::secret::certificate;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct TokenArgs {
    #[command(subcommand)]
    what: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Decode and verify a token
    Verify(verify::VerifyArgs),
    /// Create a token
    Mint(mint::MintArgs),
}

pub fn run(args: &TokenArgs) -> Exit {
    match &args.what {
        TokenCommand::Verify(args) => verify::run(args),
        TokenCommand::Mint(args) => mint::run(args),
    }
}

/// Formats a time as RFC 3339.
fn date(secs: u64) -> String {
    use time::format_description::well_known::Rfc3339;
    let date = i64::try_from(secs)
        .ok()
        .and_then(|secs| time::OffsetDateTime::from_unix_timestamp(secs).ok());
    let shown = date.and_then(|date| date.format(&Rfc3339).ok());
    shown.unwrap_or_else(|| "out of range".to_owned())
}
