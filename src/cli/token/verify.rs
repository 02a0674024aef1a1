//! `sigbridge token verify`.

use std::fmt::Write as _;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value as Json, json};

use crate::cli::Exit;
use crate::cli::exit::{Error, HELP};
use crate::cli::messages::message;
use crate::cli::output::data;
use crate::cli::secret::{CertificateArgs, looks_like_one, on_command_line};
use identity::access_token;
use identity::access_token::Expected;
use identity::{Account, TokenPolicy, token};
use rtm::AppId;
use rtm::time::Time;
use runtime::clock::Clock;
use text_files::text_from;

use crate::cli::token::{certificate, date};

/// Longest accepted token in bytes.
const LONGEST: u64 = 64 * 1024;

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct VerifyArgs {
    /// Token; prefer standard input, since arguments appear in `ps` and in the shell's history
    token: Option<SecretString>,
    /// Expected account; required to verify signalingTokens and 006 tokens
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Expected App ID
    #[arg(long, value_name = "ID")]
    app_id: Option<String>,
    #[command(flatten)]
    certificate: CertificateArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Accepted only to reject a certificate on the command line.
    #[arg(hide = true)]
    rest: Vec<SecretString>,
}

/// Prints the decoded token; exits with 0 if the token is valid.
pub fn run(args: &VerifyArgs) -> Exit {
    match found(args) {
        Ok(found) => {
            let text = if args.json {
                format!("{:#}\n", found.json())
            } else {
                found.text()
            };
            let is_valid = found.problem.is_none();
            data(&text, if is_valid { Exit::Ok } else { Exit::Failed })
        }
        Err(error) => error.print(),
    }
}

fn found(args: &VerifyArgs) -> Result<Found, Error> {
    let is_certificate = |text: &SecretString| looks_like_one(text.expose_secret());
    if !args.rest.is_empty() || args.token.as_ref().is_some_and(is_certificate) {
        return Err(on_command_line());
    }
    let certificate = certificate(&args.certificate)?;
    let text = match &args.token {
        Some(text) if text.expose_secret() != "-" => {
            message("note: tokens in arguments appear in `ps` and in the shell's history; prefer standard input");
            text.clone()
        }
        _ => from_stdin()?,
    };
    let now = Clock::start().now();
    let text = text.expose_secret();
    let found = match token::claims(text) {
        Some(claims) => signaling(args, text, claims, certificate.as_ref(), now)?,
        None => access_token(args, text, certificate.as_ref(), now).ok_or_else(|| {
            let hint = "a signalingToken starts with `1:`, an AccessToken with `006` or `007`";
            Error::new(Exit::BadInput, "not a token").hint(hint)
        })?,
    };
    Ok(found)
}

fn from_stdin() -> Result<SecretString, Error> {
    match text_from(std::io::stdin(), LONGEST) {
        Ok(text) => Ok(text.trim().into()),
        Err(error) => {
            let message = format!("cannot read standard input: {error}");
            Err(Error::new(Exit::BadInput, message))
        }
    }
}

/// Decoded token and its verdict.
struct Found {
    kind: &'static str,
    /// Kind as named by `--kind` and the config.
    short: &'static str,
    app_id: String,
    account: Option<String>,
    issued_at: Option<u64>,
    expires_at: Option<u64>,
    problem: Option<String>,
}

fn access_token(args: &VerifyArgs, text: &str, certificate: Option<&SecretString>, now: Time) -> Option<Found> {
    let expected = Expected {
        app_id: args.app_id.as_deref(),
        account: args.account.as_deref(),
        certificate,
        now: now.as_secs(),
    };
    let parsed = access_token::parse(text, expected)?;
    let (short, kind) = match parsed.kind {
        access_token::Kind::V006 => ("006", "AccessToken 006 of RTM"),
        access_token::Kind::V007 => ("007", "AccessToken 007 of RTM"),
    };
    Some(Found {
        kind,
        short,
        app_id: parsed.app_id,
        // A token that was verified with an account belongs to it.
        account: parsed
            .account
            .or_else(|| args.account.clone().filter(|_| parsed.problem.is_none())),
        issued_at: parsed.issued_at,
        expires_at: parsed.expires_at,
        problem: parsed.problem.map(|problem| problem.to_string()),
    })
}

fn signaling(
    args: &VerifyArgs,
    text: &str,
    (app_id, expires): (&str, u64),
    certificate: Option<&SecretString>,
    now: Time,
) -> Result<Found, Error> {
    let account = match &args.account {
        Some(account) => Some(Account::new(account.as_str()).map_err(Error::usage)?),
        None => None,
    };
    let problem = match (AppId::new(app_id), &account, certificate) {
        (Err(error), ..) => Some(error.to_string()),
        _ if args.app_id.as_deref().is_some_and(|expected| expected != app_id) => {
            Some(access_token::Problem::AppId.to_string())
        }
        (_, _, None) => Some(access_token::Problem::NoCertificate.to_string()),
        (_, None, _) => Some(access_token::Problem::NoAccount.to_string()),
        (Ok(app_id), Some(account), Some(certificate)) => {
            let policy = TokenPolicy {
                app_id: None,
                certificate: Some(certificate.clone()),
                allow_no_token: false,
            };
            match policy.verify(&app_id, account, text, now) {
                Ok(()) => None,
                Err(token::TokenError::Expired) => Some(access_token::Problem::Expired.to_string()),
                Err(_) => Some(access_token::Problem::Signature.to_string()),
            }
        }
    };
    Ok(Found {
        kind: "signalingToken",
        short: "signaling",
        app_id: app_id.to_owned(),
        account: args.account.clone().filter(|_| problem.is_none()),
        issued_at: None,
        expires_at: Some(expires),
        problem,
    })
}

impl Found {
    fn text(&self) -> String {
        let mut text = format!("kind     {}\napp id   {}\n", self.kind, self.app_id);
        if let Some(account) = &self.account {
            let _ = writeln!(text, "account  {account}");
        }
        for (name, at) in [("issued ", self.issued_at), ("expires", self.expires_at)] {
            if let Some(at) = at {
                let _ = writeln!(text, "{name}  {} ({at})", date(at));
            }
        }
        let _ = writeln!(text, "verdict  {}", self.problem.as_deref().unwrap_or("valid"));
        text
    }

    fn json(&self) -> Json {
        json!({
            "kind": self.short,
            "appId": self.app_id,
            "account": self.account,
            "issuedAt": self.issued_at,
            "expiresAt": self.expires_at,
            "valid": self.problem.is_none(),
            "problem": self.problem,
        })
    }
}
