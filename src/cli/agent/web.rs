//! `sigbridge agent web`: installs and runs the Web agent, or prints how.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;

use crate::cli::Exit;
use crate::cli::exit::{HELP, tell};
use crate::cli::output::{data, message};

use crate::cli::agent::files::{UNIT, write};
use crate::cli::agent::settings::Settings;

/// What `agent web` is told.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct WebArgs {
    /// sigbridge's config file, whose [upstream.agent] says where to connect and with which secret; without one, its defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the agent and the SDK are, or are put; without it, `agent-web` beside the config file
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The port of the agent's page on 127.0.0.1; its origin must be in [upstream.agent] origins
    #[arg(long, value_name = "N", default_value_t = 8011)]
    port: u16,
    /// Install, and do not start
    #[arg(long, conflicts_with_all = ["print", "print_unit"])]
    install: bool,
    /// Print the commands instead of running them
    #[arg(long, conflicts_with = "print_unit")]
    print: bool,
    /// Print a unit for systemd
    #[arg(long)]
    print_unit: bool,
    /// Further arguments of the launcher, after `--`
    #[arg(last = true, value_name = "ARGS")]
    launcher: Vec<String>,
}

/// How it went wrong: what is said, what to do, how it ends.
type Trouble = (String, &'static str, Exit);

/// Does what the arguments say. Once the launcher runs, this process is the launcher.
pub fn run(args: &WebArgs) -> Exit {
    match attempt(args) {
        Ok(exit) => exit,
        Err((error, hint, exit)) => {
            tell(error, Some(hint));
            exit
        }
    }
}

fn attempt(args: &WebArgs) -> Result<Exit, Trouble> {
    let hint = "config.example.toml shows every key";
    let settings = Settings::load(args.config.as_deref()).map_err(|error| (error, hint, Exit::Usage))?;
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

/// The launcher's command line. The secret is not on it: everybody can list the arguments of processes.
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
            "warning: sigbridge will refuse the agent's page\n\nhint: origins = [\"{origin}\"] in [upstream.agent]"
        ));
    }
}

/// Writes the agent's files, and has npm fetch the SDK as the lock file pins it.
fn install(folder: &Path) -> Result<(), Trouble> {
    let anew = write(folder).map_err(|(path, error)| {
        let text = format!("cannot write {}: {error}", path.display());
        (text, "give a folder that can be written with --dir", Exit::Failed)
    })?;
    if !anew {
        return Ok(());
    }
    message(format_args!(
        "npm installs agora-rtm-sdk 1.5.1 in {}; it is Agora's, under Agora's licence",
        folder.display()
    ));
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-progress"])
        .current_dir(folder)
        .stdin(Stdio::null());
    // What it says is for people.
    let output = npm
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| not_run("npm", &error))?;
    if output.status.success() {
        return Ok(());
    }
    let text = format!("npm ci has failed in {}: {}", folder.display(), output.status);
    Err((text, "npm needs a registry that has agora-rtm-sdk 1.5.1", Exit::Failed))
}

/// The unit, with this command in place of its own.
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

/// A word as a shell and systemd take it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn not_run(program: &str, error: &io::Error) -> Trouble {
    let text = format!("cannot run {program}: {error}");
    (text, "the Web agent needs Node 20.11 or later, with npm", Exit::Failed)
}

/// Goes on as another program, which gets all signals.
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
    fn the_unit_starts_what_it_is_told() {
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
