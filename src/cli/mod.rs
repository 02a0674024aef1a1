//! The command line. Data goes to stdout, everything else to stderr.

mod agent;
mod call;
mod check;
mod config;
mod conformance;
mod coverage;
mod dev_cert;
mod diff;
mod doctor;
mod exit;
mod explain;
mod files;
mod manual;
mod mappings;
mod output;
mod process;
mod replay;
mod secret;
mod serve;
mod token;
mod trace;
mod webhook;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::log::{Format, Log};

pub use exit::Exit;

/// With what the build script has recorded.
const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit   ",
    env!("SIGBRIDGE_COMMIT"),
    "\nprofile  ",
    env!("SIGBRIDGE_PROFILE"),
);

/// Old Signaling apps on the left, RTM on the right.
#[derive(Debug, Parser)]
#[command(
    version,
    long_version = LONG_VERSION,
    about = "Serves legacy Agora Signaling clients, unmodified, from Real-time Messaging (RTM 1.x)",
    after_help = exit::HELP
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve legacy clients
    Serve(serve::ServeArgs),
    /// Have RTM for a sigbridge
    Agent(agent::AgentArgs),
    /// Speak legacy from a terminal
    Call(call::CallArgs),
    /// Show what the tables make of a legacy frame
    Explain(explain::ExplainArgs),
    /// Print the mapping tables
    Mappings(mappings::MappingsArgs),
    /// Check the config and the mapping tables: every row, every example
    Check(check::CheckArgs),
    /// Play traces again and compare every output
    Replay(replay::ReplayArgs),
    /// Compare two traces by session and cause
    Diff(diff::DiffArgs),
    /// Count which calls and events apps use, and how exact each is
    Coverage(coverage::CoverageArgs),
    /// Show step by step how far the way to RTM goes
    Doctor(doctor::DoctorArgs),
    /// Say what each entry of the comparison pages becomes, and which traces show it
    Conformance(conformance::ConformanceArgs),
    /// Make a private CA and a certificate for the names that legacy clients connect to
    DevCert(dev_cert::DevCertArgs),
    /// Verify and make tokens
    Token(token::TokenArgs),
    /// Verify the signature of a notice
    Webhook(webhook::WebhookArgs),
    /// Make a trace of what a browser's developer tools saved, and the other way
    Trace(trace::TraceArgs),
    /// Print a script that completes commands and options in a shell
    Completions(manual::CompletionsArgs),
    /// Write the manual pages
    Man(manual::ManArgs),
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && process::wants_json(std::env::args_os()) => {
            let log = Log::start(Format::Json, &crate::config::Log::default());
            return process::log_wrong_usage(&log, &error).into();
        }
        Err(error) => return output::of_parser(&error).into(),
    };
    match cli.command {
        Command::Serve(args) => serve::run(&args).into(),
        Command::Agent(args) => agent::run(&args).into(),
        Command::Call(args) => call::run(&args).into(),
        Command::Explain(args) => explain::run(&args).into(),
        Command::Mappings(args) => mappings::run(&args).into(),
        Command::Check(args) => check::run(&args).into(),
        Command::Replay(args) => replay::run(&args).into(),
        Command::Diff(args) => diff::run(&args).into(),
        Command::Coverage(args) => coverage::run(&args).into(),
        Command::Doctor(args) => doctor::run(&args).into(),
        Command::Conformance(args) => conformance::run(&args).into(),
        Command::DevCert(args) => dev_cert::run(&args).into(),
        Command::Token(args) => token::run(&args).into(),
        Command::Webhook(args) => webhook::run(&args).into(),
        Command::Trace(args) => trace::run(&args).into(),
        Command::Completions(args) => manual::completions(&args, Cli::command()).into(),
        Command::Man(args) => manual::man(&args, Cli::command()).into(),
    }
}

/// Whether stderr takes colours: a terminal, and no `NO_COLOR` (no-color.org).
fn color() -> bool {
    output::stderr_is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
