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
use crate::cli::exit::{HELP, tell};
use crate::cli::output::{data, message};

mod folder;
mod make;
mod names;

use folder::Folder;
use make::Ca;
use names::{Name, names};

/// The hint for a config file that does not exist.
const NO_CONFIG: &str = "the config has the names that the certificate is for: leave --config out for the default names, \
                         and add names with --host";

/// What `dev-cert` is told.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct DevCertArgs {
    /// Where to put ca.pem, ca.key, cert.pem and key.pem; without it, `certs` beside the config file
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A further host name or IP address of the certificate
    #[arg(long = "host", value_name = "NAME", value_parser = Name::parse)]
    hosts: Vec<Name>,
    /// The config file whose [discovery] names the certificate is for; without one, the defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How long the certificate is valid; Apple takes none for longer than 397 days
    #[arg(long, value_name = "N", default_value_t = 397, value_parser = clap::value_parser!(u32).range(1..=397))]
    days: u32,
    /// Make a new CA although there is one; every device has to trust it anew
    #[arg(long)]
    new_ca: bool,
    /// Overwrite files that were not made by this command
    #[arg(long)]
    force: bool,
}

/// How it went wrong: what is said, what to do, how it ends.
struct Trouble {
    error: String,
    hint: &'static str,
    exit: Exit,
}

/// Makes the files and says what to do with them.
pub fn run(args: &DevCertArgs) -> Exit {
    let config = match &args.config {
        None => Config::default(),
        Some(path) => match load(path, Config::load_addresses, NO_CONFIG) {
            Ok(config) => config,
            Err(trouble) => return trouble.tell(),
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
        Err(trouble) => {
            tell(trouble.error, Some(trouble.hint));
            trouble.exit
        }
    }
}

struct Done {
    /// The files, one on a line.
    made: String,
    new_ca: bool,
}

fn make(args: &DevCertArgs, config: &Config, folder: &Folder, now: Time) -> Result<Done, Trouble> {
    let names = names(&config.discovery, &args.hosts);
    if let Some(path) = folder.foreign().filter(|_| !args.force) {
        return Err(Trouble {
            error: format!("{} was not made by `sigbridge dev-cert`", path.display()),
            hint: "give another folder with --out, or overwrite it with --force",
            exit: Exit::Usage,
        });
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
        return Err(Trouble {
            error: format!(
                "the CA in {} may not sign for {}",
                folder.ca.display(),
                forbidden.join(", ")
            ),
            hint: "it is limited to the names that it was made for: --new-ca makes one for these, which devices have to \
                   trust anew",
            exit: Exit::Usage,
        });
    }
    let made = ca.sign(&names, now, args.days).map_err(unexpected)?;
    if new_ca {
        folder.write_ca(&ca.certificate, &ca.key()).map_err(unwritten)?;
    }
    let names: Vec<String> = names.iter().map(Name::to_string).collect();
    let written = folder.write_certificate(&made.certificate, &made.key, &names.join(" "));
    written.map_err(unwritten)?;
    let mut shown = String::new();
    let ca_is = if new_ca { "new" } else { "as it was" };
    for (path, what) in [
        (&folder.ca, format!("the CA, {ca_is}: what devices trust")),
        (&folder.ca_key, "its key: never leaves this machine".to_owned()),
        (
            &folder.certificate,
            format!("the certificate, valid until {}", made.until),
        ),
        (&folder.key, "its key".to_owned()),
    ] {
        let _ = writeln!(shown, "{:<20} {what}", path.display().to_string());
    }
    let _ = writeln!(shown, "\nnames: {}", names.join(", "));
    Ok(Done { made: shown, new_ca })
}

/// The CA that is there, unless another is wanted.
fn old_ca(args: &DevCertArgs, folder: &Folder, now: Time) -> Result<Option<Ca>, Trouble> {
    let old = match folder.read_ca() {
        Ok(None) => return Ok(None),
        Ok(Some((certificate, key))) => Ca::from_pem(certificate, &key, now).map_err(|error| format!("{error:#}")),
        Err((path, error)) => Err(format!("cannot read {}: {error}", path.display())),
    };
    match old {
        Ok(ca) => Ok((!args.new_ca).then_some(ca)),
        Err(_) if args.new_ca && args.force => Ok(None),
        Err(why) => Err(Trouble {
            error: format!(
                "{} and {} are no CA of `sigbridge dev-cert`: {why}",
                folder.ca.display(),
                folder.ca_key.display()
            ),
            hint: "give another folder with --out, or replace both with --new-ca --force",
            exit: Exit::Usage,
        }),
    }
}

fn unexpected(error: anyhow::Error) -> Trouble {
    Trouble {
        error: format!("{error:#}"),
        hint: "is the clock of this machine right?",
        exit: Exit::Failed,
    }
}

fn unwritten((path, error): (&Path, io::Error)) -> Trouble {
    Trouble {
        error: format!("cannot write {}: {error}", path.display()),
        hint: "give a folder that can be written with --out",
        exit: Exit::Failed,
    }
}

/// What to do with the files.
fn next_steps(config: &Config, folder: &Folder, base: &Path, new_ca: bool) -> String {
    let ca = folder.ca.display();
    let mut text = String::from("\nIn the config:\n\n");
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
    text.push_str("A sigbridge that runs with them takes the new ones within a minute, or at once at SIGHUP.\n\n");
    if new_ca {
        let _ = writeln!(
            text,
            "Where the apps run, trust {ca}, and give out no other of these files:\n\n    \
             Android, iOS, Windows, macOS  install it as a CA certificate\n    \
             Chromium and Chrome on Linux  certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n sigbridge -i {ca}\n    \
             Node                          NODE_EXTRA_CA_CERTS={ca}\n    \
             curl                          curl --cacert {ca} https://localhost:PORT/getaddr"
        );
    } else {
        let _ = writeln!(text, "Devices that trust {ca} already need nothing new.");
    }
    text
}

/// A path as the config writes it: from its own directory on, when it is below that.
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
