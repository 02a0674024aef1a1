//! `sigbridge token`: what a token says, and tokens for tests. The certificate comes from a file or the environment,
//! never from an argument, which everybody on the machine can read and shells write down.

mod mint;
mod verify;

use clap::{Args, Subcommand};

use crate::cli::Exit;
use crate::cli::exit::HELP;
use crate::cli::secret::{Refused, certificate};

/// What `token` is told.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct TokenArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Tell what a token says, and whether it lets its account log in
    Verify(verify::VerifyArgs),
    /// Make a token
    Mint(mint::MintArgs),
}

/// Runs what is asked for.
pub fn run(args: &TokenArgs) -> Exit {
    match &args.what {
        What::Verify(args) => verify::run(args),
        What::Mint(args) => mint::run(args),
    }
}

/// A date for people.
fn date(secs: u64) -> String {
    use time::format_description::well_known::Rfc3339;
    let date = i64::try_from(secs)
        .ok()
        .and_then(|secs| time::OffsetDateTime::from_unix_timestamp(secs).ok());
    let shown = date.and_then(|date| date.format(&Rfc3339).ok());
    shown.unwrap_or_else(|| "beyond all dates".to_owned())
}
