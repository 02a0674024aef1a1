//! `sigbridge dev-cert`: a private CA, and a certificate for all that legacy clients connect to.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::Config;
use rtm::time::Time;
use runtime::clock::Clock;

use crate::cli::Exit;
use crate::cli::config::load;
use crate::cli::exit::{Error, HELP};
use crate::cli::messages::message;
use crate::cli::output::data;

mod folder;
mod make;
mod names;

use folder::Folder;
use make::Ca;
use names::{Name, names};

/// Hint for a missing config file.
const NO_CONFIG: &str = "the config has the names that the certificate is for: leave --config out for the default names, \
                         and add names with --host";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct DevCertArgs {
    /// Output directory for ca.pem, ca.key, cert.pem and key.pem [default: `certs` next to the config file]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Additional host name or IP address for the certificate; repeatable
    #[arg(long = "host", value_name = "NAME", value_parser = Name::parse)]
    hosts: Vec<Name>,
    /// Config file whose [discovery] names go into the certificate [default: built-in defaults]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Validity of the certificate in days; Apple rejects more than 397
    #[arg(long, value_name = "N", default_value_t = 397, value_parser = clap::value_parser!(u32).range(1..=397))]
    days: u32,
    /// Replace an existing CA; devices must trust the new one
    #[arg(long)]
    new_ca: bool,
    /// Overwrite files that this command did not create
    #[arg(long)]
    force: bool,
}

/// Creates the files and prints the next steps.
pub fn run(args: &DevCertArgs) -> Exit {
    let config = match &args.config {
        None => Config::default(),
        Some(path) => match load(path, Config::load_addresses, NO_CONFIG) {
            Ok(config) => config,
            Err(error) => return error.print(),
        },
    };
    let base = args.config.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let folder = Folder::new(args.out.clone().unwrap_or_else(|| base.join("certs")));
    match make(args, &config, &folder, Clock::start().now()) {
        Ok(done) => {
            let exit = data(&done.made, Exit::Ok);
            message(next_steps(&config, &folder, base, done.new_ca).trim_end_matches('\n'));
            exit
        }
        Err(error) => error.print(),
    }
}

struct Done {
    /// Created files, one per line.
    made: String,
    new_ca: bool,
}

fn make(args: &DevCertArgs, config: &Config, folder: &Folder, now: Time) -> Result<Done, Error> {
    let names = names(&config.discovery, &args.hosts);
    if let Some(path) = folder.foreign().filter(|_| !args.force) {
        return Err(
            Error::usage(format_args!("{} was not made by `sigbridge dev-cert`", path.display()))
                .hint("choose another directory with --out, or overwrite it with --force"),
        );
    }
    let old = old_ca(args, folder, now)?;
    let new_ca = old.is_none();
    let ca = match old {
        Some(ca) => ca,
        None => Ca::new(&names, now).map_err(unexpected)?,
    };
    let forbidden = ca.forbidden(&names, now);
    if !forbidden.is_empty() {
        let forbidden: Vec<String> = forbidden.iter().map(ToString::to_string).collect();
        return Err(Error::usage(format_args!(
            "the CA in {} may not sign for {}",
            folder.ca.display(),
            forbidden.join(", ")
        ))
        .hint(
            "it is limited to the names that it was made for: --new-ca makes one for these, which devices have to \
                   trust anew",
        ));
    }
    let made = ca.sign(&names, now, args.days).map_err(unexpected)?;
    if new_ca {
        folder.write_ca(&ca.certificate, &ca.key()).map_err(unwritten)?;
    }
    let names: Vec<String> = names.iter().map(Name::to_string).collect();
    let written = folder.write_certificate(&made.certificate, &made.key, &names.join(" "));
    written.map_err(unwritten)?;
    let mut shown = String::new();
    let ca_is = if new_ca { "new" } else { "unchanged" };
    for (path, what) in [
        (&folder.ca, format!("CA certificate ({ca_is}); install on devices")),
        (&folder.ca_key, "CA key; keep on this machine".to_owned()),
        (
            &folder.certificate,
            format!("server certificate, valid until {}", made.until),
        ),
        (&folder.key, "server key".to_owned()),
    ] {
        let _ = writeln!(shown, "{:<20} {what}", path.display().to_string());
    }
    let _ = writeln!(shown, "\nnames: {}", names.join(", "));
    Ok(Done { made: shown, new_ca })
}

/// Returns the existing CA, unless `--new-ca` replaces it.
fn old_ca(args: &DevCertArgs, folder: &Folder, now: Time) -> Result<Option<Ca>, Error> {
    let old = match folder.read_ca() {
        Ok(None) => return Ok(None),
        Ok(Some((certificate, key))) => Ca::from_pem(certificate, &key, now).map_err(|error| format!("{error:#}")),
        Err((path, error)) => Err(format!("cannot read {}: {error}", path.display())),
    };
    match old {
        Ok(ca) => Ok((!args.new_ca).then_some(ca)),
        Err(_) if args.new_ca && args.force => Ok(None),
        Err(why) => Err(Error::usage(format_args!(
            "{} and {} are not a CA of `sigbridge dev-cert`: {why}",
            folder.ca.display(),
            folder.ca_key.display()
        ))
        .hint("choose another directory with --out, or replace both with --new-ca --force")),
    }
}

fn unexpected(error: anyhow::Error) -> Error {
    Error::failed(format_args!("{error:#}")).hint("check the system clock of this machine")
}

fn unwritten((path, error): (&Path, io::Error)) -> Error {
    Error::failed(format_args!("cannot write {}: {error}", path.display()))
        .hint("choose a writable directory with --out")
}

fn next_steps(config: &Config, folder: &Folder, base: &Path, new_ca: bool) -> String {
    let ca = folder.ca.display();
    let mut text = String::from("\nAdd to the config:\n\n");
    let port = config.discovery.advertise_port.unwrap_or(config.listen.http.port());
    if config.discovery.advertise_host.is_none()
        && config.listen.wss.is_none()
        && let Some(port) = port.checked_add(1)
    {
        let wss = SocketAddr::new(config.listen.http.ip(), port);
        let _ = writeln!(text, "    [listen]\n    wss = \"{wss}\"\n");
    }
    let _ = writeln!(
        text,
        "    [tls]\n    certificate = {}\n    key = {}\n",
        quoted(&folder.certificate, base),
        quoted(&folder.key, base)
    );
    text.push_str("A running sigbridge loads the new files within a minute, or immediately on SIGHUP.\n\n");
    if new_ca {
        let _ = writeln!(
            text,
            "On each device that runs the app, trust {ca}. Do not distribute the other files.\n\n    \
             Android, iOS, Windows, macOS  install it as a CA certificate\n    \
             Chromium and Chrome on Linux  certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n sigbridge -i {ca}\n    \
             Node                          NODE_EXTRA_CA_CERTS={ca}\n    \
             curl                          curl --cacert {ca} https://localhost:PORT/getaddr"
        );
    } else {
        let _ = writeln!(text, "Devices that already trust {ca} need no change.");
    }
    text
}

/// Formats a path for the config: relative to the config's directory if it is below it.
fn quoted(path: &Path, base: &Path) -> String {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let here = if base.as_os_str().is_empty() {
        Path::new(".")
    } else {
        base
    };
    let path = absolute(path);
    let shown = path.strip_prefix(absolute(here)).unwrap_or(&path);
    toml::Value::from(shown.display().to_string()).to_string()
}
