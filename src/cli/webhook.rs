//! `sigbridge webhook verify`: the check of a receiver, on the command line.

use std::io::Read;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::webhook::signature::{SuppliedSignatures, verify};

use crate::cli::Exit;
use crate::cli::exit::HELP;
use crate::cli::messages::message;
use crate::cli::messages::print_error;
use crate::cli::output::data;
use crate::cli::secret::read;

/// Longest accepted notification body in bytes.
const LONGEST: u64 = 16 * 1024 * 1024;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct WebhookArgs {
    #[command(subcommand)]
    what: WebhookCommand,
}

#[derive(Debug, Subcommand)]
enum WebhookCommand {
    /// Verify the signature of a notification on standard input
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
#[command(after_help = HELP)]
struct VerifyArgs {
    /// File with the secret
    #[arg(long, value_name = "FILE")]
    secret_file: PathBuf,
    /// Value of the header Agora-Signature
    #[arg(long, value_name = "HEX", required_unless_present = "signature_v2")]
    signature: Option<String>,
    /// Value of the header Agora-Signature-V2; takes precedence over --signature
    #[arg(long, value_name = "HEX")]
    signature_v2: Option<String>,
}

pub fn run(args: &WebhookArgs) -> Exit {
    let WebhookCommand::Verify(args) = &args.what;
    let secret = match read(&args.secret_file) {
        Ok(secret) => secret,
        Err(error) => return error.print(),
    };
    let mut body = Vec::new();
    if let Err(error) = std::io::stdin().take(LONGEST).read_to_end(&mut body) {
        print_error(format_args!("cannot read standard input: {error}"), None);
        return Exit::BadInput;
    }
    let given = SuppliedSignatures {
        v1: args.signature.as_deref(),
        v2: args.signature_v2.as_deref(),
    };
    if verify(&secret, &body, given) {
        return data("valid\n", Exit::Ok);
    }
    let exit = data("not valid\n", Exit::Failed);
    message("hint: the signature covers the body byte for byte; do not parse and re-serialize the JSON");
    exit
}
