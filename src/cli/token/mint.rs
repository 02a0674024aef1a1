//! `sigbridge token mint`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::cli::Exit;
use crate::cli::exit::{Error, HELP};
use crate::cli::messages::message;
use crate::cli::output::data;
use crate::cli::secret::{CertificateArgs, on_command_line};
use identity::access_token::{Kind, TokenMinter};
use identity::{Account, token};
use rtm::AppId;
use rtm::UserId;
use runtime::clock::Clock;
use tables::duration::parse_duration;

use crate::cli::token::{certificate, date};

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct MintArgs {
    /// App ID
    #[arg(long, value_name = "ID")]
    app_id: AppIdArg,
    /// Holder of the token: an RTM user ID, or a legacy account for a signalingToken
    #[arg(long, value_name = "NAME")]
    account: String,
    /// Token format
    #[arg(long, value_enum, default_value_t = TokenVersion::V006)]
    kind: TokenVersion,
    /// Validity, e.g. 90s, 24h or 7d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = |text: &str| parse_duration(text))]
    expire: Duration,
    #[command(flatten)]
    certificate: CertificateArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Accepted only to reject a certificate on the command line.
    #[arg(hide = true)]
    rest: Vec<SecretString>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TokenVersion {
    /// AccessToken 006, for any RTM 1.x
    #[value(name = "006")]
    V006,
    /// AccessToken 007, for RTM 1.5 and later
    #[value(name = "007")]
    V007,
    /// Legacy signalingToken
    #[value(name = "signaling")]
    Signaling,
}

#[derive(Clone, Debug)]
struct AppIdArg(AppId);

impl std::str::FromStr for AppIdArg {
    type Err = identity::BadName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        AppId::new(text).map(Self)
    }
}

pub fn run(args: &MintArgs) -> Exit {
    match minted(args) {
        Ok((token, expires_at)) => {
            let token = token.expose_secret();
            let text = if args.json {
                format!("{:#}\n", json!({ "token": token, "expiresAt": expires_at }))
            } else {
                message(format_args!("valid until {}", date(expires_at)));
                format!("{token}\n")
            };
            data(&text, Exit::Ok)
        }
        Err(error) => error.print(),
    }
}

fn minted(args: &MintArgs) -> Result<(SecretString, u64), Error> {
    if !args.rest.is_empty() {
        return Err(on_command_line());
    }
    let Some(certificate) = certificate(&args.certificate)? else {
        let hint = "set --certificate-file FILE or the environment variable SIGBRIDGE_CERTIFICATE";
        return Err(Error::usage("no App Certificate given").hint(hint));
    };
    let now = Clock::start().now().as_secs();
    let AppIdArg(app_id) = args.app_id.clone();
    let kind = match args.kind {
        TokenVersion::V006 => Kind::V006,
        TokenVersion::V007 => Kind::V007,
        TokenVersion::Signaling => {
            let account = Account::new(args.account.as_str()).map_err(Error::usage)?;
            let expires = now.saturating_add(args.expire.as_secs());
            return Ok((token::mint(&account, &app_id, &certificate, expires).into(), expires));
        }
    };
    let user = UserId::new(args.account.as_str()).map_err(Error::usage)?;
    let lifetime = u32::try_from(args.expire.as_secs()).unwrap_or(u32::MAX);
    let minter = TokenMinter::new(kind, app_id, certificate, lifetime).map_err(Error::usage)?;
    let minted = minter.mint(&user, now).map_err(Error::failed)?;
    Ok((minted.token, minted.expires_at))
}
