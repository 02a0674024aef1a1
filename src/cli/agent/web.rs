//! `sigbridge agent web`: installs and runs the Web agent, or prints how.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;

use crate::cli::Exit;
use crate::cli::exit::{Error, HELP, exit_of};
use crate::cli::messages::message;
use crate::cli::output::data;

use crate::cli::agent::files::{UNIT, write};
use crate::cli::agent::settings::Settings;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct WebArgs {
    /// Config file of sigbridge; [upstream.agent] sets the URL and the secret [default: built-in defaults]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Installation directory of the agent and the SDK [default: `agent-web` next to the config file]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Port of the agent's page on 127.0.0.1; [upstream.agent] origins must contain its origin
    #[arg(long, value_name = "N", default_value_t = 8011)]
    port: u16,
    /// Install the agent without starting it
    #[arg(long, conflicts_with_all = ["print", "print_unit"])]
    install: bool,
    /// Print the commands instead of running them
    #[arg(long, conflicts_with = "print_unit")]
    print: bool,
    /// Print a systemd unit
    #[arg(long)]
    print_unit: bool,
    /// Additional launcher arguments, after `--`
    #[arg(last = true, value_name = "ARGS")]
    launcher: Vec<String>,
}

/// Runs the command. To start the launcher, it replaces this process (exec).
pub fn run(args: &WebArgs) -> Exit {
    exit_of(attempt(args))
}

fn attempt(args: &WebArgs) -> Result<Exit, Error> {
    let hint = "config.example.toml lists every key";
    let settings = Settings::load(args.config.as_deref()).map_err(|error| Error::usage(error).hint(hint))?;
    let folder = folder(args);
    let launch = launch(args, &settings, &folder);
    if args.print_unit {
        return Ok(data(&unit(&launch, &folder), Exit::Ok));
    }
    if !args.install {
        warn_of_origin(args.port, &settings);
    }
    if args.print {
        let text = format!(
            "sigbridge agent web --install --dir {}\n{}\n",
            quoted(&folder.display().to_string()),
            line(&launch)
        );
        return Ok(data(&text, Exit::Ok));
    }
    install(&folder)?;
    if args.install {
        return Ok(Exit::Ok);
    }
    let [program, rest @ ..] = launch.as_slice() else {
        return Ok(Exit::Ok);
    };
    let became = become_process(Command::new(program).args(rest));
    became.map_err(|error| not_run(program, &error))?;
    Ok(Exit::Ok)
}

fn folder(args: &WebArgs) -> PathBuf {
    let beside = || args.config.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let folder = args.dir.clone().unwrap_or_else(|| beside().join("agent-web"));
    std::path::absolute(&folder).unwrap_or(folder)
}

/// Builds the launcher's command line. It holds no secret, since process arguments are public.
fn launch(args: &WebArgs, settings: &Settings, folder: &Path) -> Vec<String> {
    let mut words = vec![
        "node".to_owned(),
        folder.join("launch.mjs").display().to_string(),
        "--bridge".to_owned(),
        settings.bridge.clone(),
        "--port".to_owned(),
        args.port.to_string(),
    ];
    if let Some(file) = &settings.secret_file {
        words.extend(["--secret-file".to_owned(), file.display().to_string()]);
    }
    words.extend(args.launcher.iter().cloned());
    words
}

fn warn_of_origin(port: u16, settings: &Settings) {
    let origin = format!("http://127.0.0.1:{port}");
    if settings
        .origins
        .as_ref()
        .is_some_and(|origins| !origins.contains(&origin))
    {
        message(format_args!(
            "warning: sigbridge will reject the agent's page\n\nhint: set origins = [\"{origin}\"] in [upstream.agent]"
        ));
    }
}

/// Writes the agent's files and installs the pinned SDK with npm.
fn install(folder: &Path) -> Result<(), Error> {
    let anew = write(folder).map_err(|(path, error)| {
        let message = format!("cannot write {}: {error}", path.display());
        Error::failed(message).hint("choose a writable directory with --dir")
    })?;
    if !anew {
        return Ok(());
    }
    message(format_args!(
        "installing agora-rtm-sdk 1.5.1 with npm in {}; Agora's licence applies to it",
        folder.display()
    ));
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-progress"])
        .current_dir(folder)
        .stdin(Stdio::null());
    // Its progress is for people.
    let output = npm
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| not_run("npm", &error))?;
    if output.status.success() {
        return Ok(());
    }
    let message = format!("`npm ci` failed in {}: {}", folder.display(), output.status);
    Err(Error::failed(message).hint("configure npm with a registry that offers agora-rtm-sdk 1.5.1"))
}

/// Renders the systemd unit with this command.
fn unit(launch: &[String], folder: &Path) -> String {
    let node = "/usr/bin/node".to_owned();
    let words: Vec<String> = std::iter::once(node).chain(launch.iter().skip(1).cloned()).collect();
    let lines = UNIT.lines().map(|text| match text.split_once('=') {
        Some(("ExecStart", _)) => format!("ExecStart={}\n", line(&words)),
        _ => format!(
            "{}\n",
            text.replace("/var/lib/sigbridge-agent-web", &folder.display().to_string())
        ),
    });
    lines.collect()
}

fn line(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

/// Quotes a word for a shell and for systemd.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn not_run(program: &str, error: &io::Error) -> Error {
    let message = format!("cannot run {program}: {error}");
    Error::failed(message).hint("install Node 20.11 or later, with npm")
}

/// Replaces this process with another program.
#[cfg(unix)]
fn become_process(command: &mut Command) -> io::Result<()> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec())
}

#[cfg(not(unix))]
fn become_process(command: &mut Command) -> io::Result<()> {
    let status = command.status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(status.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(of: &[&str]) -> Vec<String> {
        of.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_unit_starts_the_launcher() {
        let unit = unit(
            &words(&["node", "/srv/a b/launch.mjs", "--port", "1"]),
            Path::new("/srv/a b"),
        );
        assert!(
            unit.contains("\nExecStart=/usr/bin/node '/srv/a b/launch.mjs' --port 1\n"),
            "{unit}"
        );
        assert!(!unit.contains("/var/lib/sigbridge-agent-web"), "{unit}");
        assert_eq!(unit.lines().count(), UNIT.lines().count());
    }

    #[test]
    fn words_are_quoted_where_they_must() {
        assert_eq!(
            line(&words(&["a", "", "b c", "it's", "ws://[::1]:9/x"])),
            "a '' 'b c' 'it'\\''s' 'ws://[::1]:9/x'"
        );
    }
}
