//! The command line. Data goes to stdout, everything else to stderr.

mod admin_client;
mod agent;
mod call;
mod check;
mod config;
mod config_command;
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
mod messages;
mod output;
mod process;
mod replay;
mod report;
mod secret;
mod serve;
mod service_manager;
mod sessions;
mod token;
mod trace;
mod wait;
mod webhook;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::log::{Format, Log};

pub use exit::Exit;

/// Version, commit and profile, the latter two from the build script.
const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit   ",
    env!("SIGBRIDGE_COMMIT"),
    "\nprofile  ",
    env!("SIGBRIDGE_PROFILE"),
);

/// Bridge legacy Agora Signaling clients to RTM.
#[derive(Debug, Parser)]
#[command(
    version,
    long_version = LONG_VERSION,
    about = "Bridge legacy Agora Signaling clients to Real-time Messaging (RTM 1.x)",
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
    /// Wait until a server is ready for clients
    Wait(wait::WaitArgs),
    /// Run an RTM agent for a sigbridge server
    Agent(agent::AgentArgs),
    /// Interactive legacy Signaling client
    Call(call::CallArgs),
    /// Explain how the mapping tables translate a legacy frame
    Explain(explain::ExplainArgs),
    /// Print the mapping tables
    Mappings(mappings::MappingsArgs),
    /// Check a config file and the mapping tables, with all examples
    Check(check::CheckArgs),
    /// Print and check the config
    Config(config_command::ConfigArgs),
    /// Replay traces and compare every output
    Replay(replay::ReplayArgs),
    /// Compare two traces by session and cause
    Diff(diff::DiffArgs),
    /// Report the calls and events that traces use, and how exact their translation is
    Coverage(coverage::CoverageArgs),
    /// Report the remaining legacy clients: builds, calls and inexact translations
    Report(report::ReportArgs),
    /// Diagnose connectivity to RTM
    Doctor(doctor::DoctorArgs),
    /// List the sessions of a running sidecar
    Sessions(sessions::SessionsArgs),
    /// End sessions of a running sidecar
    Close(sessions::CloseArgs),
    /// Print or replace the log filter of a running sidecar
    LogLevel(sessions::LogLevelArgs),
    /// Print the conformance report and its trace evidence
    Conformance(conformance::ConformanceArgs),
    /// Create a private CA and a server certificate for development
    DevCert(dev_cert::DevCertArgs),
    /// Verify and create tokens
    Token(token::TokenArgs),
    /// Verify webhook signatures
    Webhook(webhook::WebhookArgs),
    /// Convert traces from and to HAR files
    Trace(trace::TraceArgs),
    /// Print a shell completion script
    Completions(manual::CompletionsArgs),
    /// Write the man pages
    Man(manual::ManArgs),
}

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
        Command::Wait(args) => wait::run(&args).into(),
        Command::Agent(args) => agent::run(&args).into(),
        Command::Call(args) => call::run(&args).into(),
        Command::Explain(args) => explain::run(&args).into(),
        Command::Mappings(args) => mappings::run(&args).into(),
        Command::Check(args) => check::run(&args).into(),
        Command::Config(args) => config_command::run(&args).into(),
        Command::Replay(args) => replay::run(&args).into(),
        Command::Diff(args) => diff::run(&args).into(),
        Command::Coverage(args) => coverage::run(&args).into(),
        Command::Report(args) => report::run(&args).into(),
        Command::Doctor(args) => doctor::run(&args).into(),
        Command::Sessions(args) => sessions::run(&args).into(),
        Command::Close(args) => sessions::close(&args).into(),
        Command::LogLevel(args) => sessions::log_level(&args).into(),
        Command::Conformance(args) => conformance::run(&args).into(),
        Command::DevCert(args) => dev_cert::run(&args).into(),
        Command::Token(args) => token::run(&args).into(),
        Command::Webhook(args) => webhook::run(&args).into(),
        Command::Trace(args) => trace::run(&args).into(),
        Command::Completions(args) => manual::completions(&args, Cli::command()).into(),
        Command::Man(args) => manual::man(&args, Cli::command()).into(),
    }
}

/// Returns true if stderr is a terminal and `NO_COLOR` is not set (no-color.org).
fn color() -> bool {
    messages::stderr_is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
