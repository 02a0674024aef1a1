//! `[tls]`: a certificate and its key, out of PEM files.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use crate::config::Files;
use crate::config::values::file_text_or;
use rtm::value::Text;
use tables::diagnostics::Diag;
use tables::spanned_toml::{Spanned, Table};

/// `[tls]`: TLS on the addresses of `[listen]`, beside plain text. The files are read again while the server runs.
#[derive(Clone, Debug)]
pub struct Tls {
    /// `certificate`: the PEM file of the server's certificate, with those behind it that lead to the CA.
    pub certificate: PathBuf,
    /// `key`: the PEM file of the certificate's private key (PKCS#8, SEC 1 or PKCS#1).
    pub key: PathBuf,
    /// What the files held when the config was read.
    pub identity: Identity,
}

/// A certificate chain and the private key of its first certificate.
#[derive(Clone)]
pub struct Identity(pub(crate) Arc<CertifiedKey>);

/// Why two texts are no certificate and its key. Says nothing of what is in them: one is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIdentity {
    /// The certificate's text breaks the rules of PEM.
    #[error("is not PEM")]
    CertificatePem,
    /// No `CERTIFICATE` block.
    #[error("has no certificate in it")]
    NoCertificate,
    /// The first block is no X.509 certificate.
    #[error("has a certificate in it that cannot be read")]
    NotX509,
    /// The key's text breaks the rules of PEM.
    #[error("is not PEM")]
    KeyPem,
    /// No block of a private key.
    #[error("has no private key in it")]
    NoKey,
    /// It needs a password.
    #[error("has a private key in it that is encrypted")]
    EncryptedKey,
    /// Not RSA, ECDSA or Ed25519, or broken.
    #[error("has a private key in it of no kind that is known")]
    UnknownKey,
    /// Both are right, but not for each other.
    #[error("has the private key of another certificate in it")]
    OtherKey,
}

impl BadIdentity {
    /// Whether the key's file is to be looked at, not the certificate's.
    pub fn is_about_key(self) -> bool {
        !matches!(self, Self::CertificatePem | Self::NoCertificate | Self::NotX509)
    }

    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::CertificatePem | Self::NoCertificate | Self::NotX509 => {
                "a certificate file has blocks that begin with -----BEGIN CERTIFICATE-----, the server's own first"
            }
            Self::KeyPem | Self::NoKey | Self::UnknownKey => {
                "a key file has one block that begins with -----BEGIN PRIVATE KEY-----: RSA, ECDSA or Ed25519"
            }
            Self::EncryptedKey => "take the password off with `openssl pkey -in FILE -out FILE`, and keep others out",
            Self::OtherKey => {
                "give the key that the certificate was made for; the server's certificate comes before those of the CA"
            }
        }
    }
}

impl Identity {
    /// Reads both texts, and holds them against each other.
    ///
    /// # Errors
    /// [`BadIdentity`].
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, BadIdentity> {
        let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|_| BadIdentity::CertificatePem)?;
        if chain.is_empty() {
            return Err(BadIdentity::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| match error {
            _ if key.contains("ENCRYPTED") => BadIdentity::EncryptedKey,
            PemError::NoItemsFound => BadIdentity::NoKey,
            _ => BadIdentity::KeyPem,
        })?;
        match CertifiedKey::from_der(chain, key, &default_provider()) {
            Ok(key) => Ok(Self(Arc::new(key))),
            Err(Error::InvalidCertificate(_)) => Err(BadIdentity::NotX509),
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(BadIdentity::OtherKey),
            Err(_) => Err(BadIdentity::UnknownKey),
        }
    }
}

/// Shows how long the chain is, nothing of the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} certificates)", self.0.cert.len())
    }
}

/// The hint for a file that cannot be read.
const NO_FILE: &str = "`sigbridge dev-cert --config FILE` makes a certificate and its key for development, in `certs` beside \
                       the config; a relative path starts at the directory of the config file";

/// What `[tls]` gives, and whether it gives anything, be it right or wrong.
pub(super) fn tls(table: &mut Table<'_>, files: &dyn Files) -> (Option<Tls>, bool) {
    let given = [table.has("certificate"), table.has("key")];
    let certificate = table.take_str("certificate");
    let key = table.take_str("key");
    let report_half = |has: &Spanned<Text>, lacks: &str| {
        let half = Diag::new(&has.span, format!("`tls`: the key `{lacks}` is missing"));
        table.report(half.help("TLS needs both; `sigbridge dev-cert` makes them for development"));
    };
    let tls = match (&certificate, &key) {
        (Some(certificate), Some(key)) => read(table, files, certificate, key),
        (Some(certificate), None) if !given[1] => {
            report_half(certificate, "key");
            None
        }
        (None, Some(key)) if !given[0] => {
            report_half(key, "certificate");
            None
        }
        _ => None,
    };
    (tls, given.contains(&true))
}

fn read(table: &Table<'_>, files: &dyn Files, certificate: &Spanned<Text>, key: &Spanned<Text>) -> Option<Tls> {
    let texts = [certificate, key].map(|path| {
        if path.contains("-----BEGIN") {
            let pasted = Diag::new(&path.span, "`tls`: expected the name of a file, got what belongs in it");
            table.report(pasted.help("put it into a file that only sigbridge can read"));
            return None;
        }
        file_text_or(table, files, path, NO_FILE)
    });
    let [Some(certificate_text), Some(key_text)] = texts else {
        return None;
    };
    match Identity::from_pem(&certificate_text, &key_text) {
        Ok(identity) => Some(Tls {
            certificate: files.path(Path::new(&*certificate.value)),
            key: files.path(Path::new(&*key.value)),
            identity,
        }),
        Err(bad) => {
            let at = if bad.is_about_key() { key } else { certificate };
            table.report(Diag::new(&at.span, format!("`tls`: `{}` {bad}", at.value)).help(bad.hint()));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::config::Config;

    /// A certificate and its key by name, and things that are wrong.
    struct Pems(Vec<(&'static str, String)>);

    impl Files for Pems {
        fn read(&self, path: &Path) -> io::Result<String> {
            let file = self.0.iter().find(|(name, _)| Path::new(name) == path);
            file.map(|(_, text)| text.clone())
                .ok_or_else(|| io::ErrorKind::NotFound.into())
        }
    }

    fn pems() -> Pems {
        let pair = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let (a, b) = (pair(), pair());
        let (certificate, key) = (a.cert.pem(), a.signing_key.serialize_pem());
        Pems(vec![
            ("chain.pem", format!("for people\n{certificate}{}", b.cert.pem())),
            ("key-in-one-line.pem", key.replace('\n', " ")),
            ("key-without-end.pem", key.replace("-----END", "")),
            ("garbled.pem", certificate.replacen("MII", "M!I", 1)),
            (
                "no-certificate.pem",
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".into(),
            ),
            ("locked.pem", key.replace("PRIVATE", "ENCRYPTED PRIVATE")),
            (
                "strange.pem",
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".into(),
            ),
            ("other.pem", b.signing_key.serialize_pem()),
            ("empty.pem", String::new()),
            ("cert.pem", certificate),
            ("key.pem", key),
        ])
    }

    /// The errors for a `[tls]` of these two files, each as `line:column title`; none shows the key.
    fn check(files: &Pems, text: &str, expected: &[&str]) {
        let parsed = Config::parse(&Config::source("sigbridge.toml", text), files);
        let errors: Vec<String> = match &parsed {
            Ok(_) => Vec::new(),
            Err(diags) => diags
                .iter()
                .map(|diag| {
                    let (line, column) = diag.span().position();
                    format!("{line}:{column} {}", diag.title())
                })
                .collect(),
        };
        assert_eq!(errors, expected, "{text}");
        let shown = match parsed {
            Ok(config) => format!("{config:?}"),
            Err(diags) => diags.render(false) + &format!("{diags:?}"),
        };
        for (name, pem) in &files.0 {
            let secret = pem.lines().nth(1).unwrap_or(pem);
            assert!(secret.len() < 40 || !shown.contains(secret), "{name}: {shown}");
        }
    }

    #[test]
    fn certificates_and_keys_come_from_files() {
        let files = pems();
        let pair = |certificate: &str, key: &str| format!("[tls]\ncertificate = '{certificate}'\nkey = '{key}'");
        let check = |certificate: &str, key: &str, expected: &[&str]| check(&files, &pair(certificate, key), expected);
        check("cert.pem", "key.pem", &[]);
        check("chain.pem", "key.pem", &[]);
        check(
            "no.pem",
            "key.pem",
            &["2:15 `tls`: cannot read `no.pem`: entity not found"],
        );
        check(
            "no.pem",
            "nor.pem",
            &[
                "2:15 `tls`: cannot read `no.pem`: entity not found",
                "3:7 `tls`: cannot read `nor.pem`: entity not found",
            ],
        );
        check(
            "empty.pem",
            "key.pem",
            &["2:15 `tls`: `empty.pem` has no certificate in it"],
        );
        check(
            "key.pem",
            "cert.pem",
            &["2:15 `tls`: `key.pem` has no certificate in it"],
        );
        check("garbled.pem", "key.pem", &["2:15 `tls`: `garbled.pem` is not PEM"]);
        check(
            "no-certificate.pem",
            "key.pem",
            &["2:15 `tls`: `no-certificate.pem` has a certificate in it that cannot be read"],
        );
        check(
            "cert.pem",
            "empty.pem",
            &["3:7 `tls`: `empty.pem` has no private key in it"],
        );
        check(
            "cert.pem",
            "cert.pem",
            &["3:7 `tls`: `cert.pem` has no private key in it"],
        );
        check(
            "cert.pem",
            "key-in-one-line.pem",
            &["3:7 `tls`: `key-in-one-line.pem` is not PEM"],
        );
        check(
            "cert.pem",
            "key-without-end.pem",
            &["3:7 `tls`: `key-without-end.pem` is not PEM"],
        );
        check(
            "cert.pem",
            "locked.pem",
            &["3:7 `tls`: `locked.pem` has a private key in it that is encrypted"],
        );
        check(
            "cert.pem",
            "strange.pem",
            &["3:7 `tls`: `strange.pem` has a private key in it of no kind that is known"],
        );
        check(
            "cert.pem",
            "other.pem",
            &["3:7 `tls`: `other.pem` has the private key of another certificate in it"],
        );
    }

    #[test]
    fn half_of_it_is_nothing() {
        let files = pems();
        check(&files, "[tls]", &[]);
        check(
            &files,
            "[tls]\ncertificate = 'cert.pem'",
            &["2:15 `tls`: the key `key` is missing"],
        );
        check(
            &files,
            "[tls]\nkey = 'key.pem'",
            &["2:7 `tls`: the key `certificate` is missing"],
        );
        check(
            &files,
            "[tls]\ncertificate = 1\nkey = 'key.pem'",
            &["2:15 `tls.certificate`: expected a string, got an integer"],
        );
        check(
            &files,
            "[listen]\nwss = '127.0.0.1:1'",
            &["2:7 `listen.wss`: there is no TLS without `[tls]`"],
        );
        let both = "[listen]\nwss = '127.0.0.1:1'\n[tls]\ncertificate = 'cert.pem'\nkey = ";
        check(&files, &format!("{both}'key.pem'"), &[]);
        check(
            &files,
            &format!("{both}'no.pem'"),
            &["5:7 `tls`: cannot read `no.pem`: entity not found"],
        );
    }

    #[test]
    fn a_pasted_key_is_not_shown() {
        let files = pems();
        let key = &files
            .0
            .iter()
            .find(|(name, _)| *name == "key.pem")
            .expect("it is there")
            .1;
        let pasted = "`tls`: expected the name of a file, got what belongs in it";
        check(
            &files,
            &format!("[tls]\ncertificate = 'cert.pem'\nkey = \"\"\"{key}\"\"\""),
            &[&format!("3:7 {pasted}")],
        );
        check(
            &files,
            &format!(
                "[tls]\ncertificate = 'cert.pem'\nkey = \"{}\"",
                key.replace('\n', "\\n")
            ),
            &[&format!("3:7 {pasted}")],
        );
        let unclosed = format!("[tls]\nkey = \"{key}");
        let parsed = Config::parse(&Config::source("sigbridge.toml", unclosed), &files);
        let shown = parsed.expect_err("it is not TOML").render(false);
        assert!(!shown.contains(key.lines().nth(1).expect("a line")), "{shown}");
    }
}
