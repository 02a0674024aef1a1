//! `[tls]`: certificate and private key from PEM files.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use sha2::{Digest, Sha256};

use crate::config::Files;
use crate::config::declare::{Reader, Section, section};
use crate::config::kinds::{Maybe, StringList};
use crate::config::values::file_text_or;
use rtm::value::Text;
use tables::diagnostics::Diag;
use tables::spanned_toml::{Spanned, Table};

/// `[tls]`: TLS on the addresses of `[listen]`, in addition to plain text. The files are reloaded while the server
/// runs.
#[derive(Clone, Debug)]
pub struct Tls {
    /// `certificate`: PEM file with the server's certificate and its chain.
    pub certificate: PathBuf,
    /// `key`: PEM file with the private key (PKCS#8, SEC 1 or PKCS#1).
    pub key: PathBuf,
    /// Content of the files when the config was read.
    pub identity: Identity,
}

/// Certificate chain, and the private key of its first certificate.
#[derive(Clone)]
pub struct Identity(pub(crate) Arc<CertifiedKey>);

/// Invalid certificate or key. Contains nothing of the texts, since the key is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIdentity {
    /// The certificate is not valid PEM.
    #[error("is not PEM")]
    CertificatePem,
    #[error("contains no certificate")]
    NoCertificate,
    /// The first block is not an X.509 certificate.
    #[error("contains an unreadable certificate")]
    NotX509,
    /// The key is not valid PEM.
    #[error("is not PEM")]
    KeyPem,
    #[error("contains no private key")]
    NoKey,
    #[error("contains an encrypted private key")]
    EncryptedKey,
    /// Not RSA, ECDSA or Ed25519, or corrupt.
    #[error("contains a private key of an unsupported kind")]
    UnknownKey,
    /// The key belongs to another certificate.
    #[error("contains the private key of another certificate")]
    OtherKey,
}

impl BadIdentity {
    /// Returns true if the error concerns the key's file.
    pub fn is_about_key(self) -> bool {
        !matches!(self, Self::CertificatePem | Self::NoCertificate | Self::NotX509)
    }

    /// Returns the hint for the error.
    pub fn hint(self) -> &'static str {
        match self {
            Self::CertificatePem | Self::NoCertificate | Self::NotX509 => {
                "a certificate file has blocks that start with -----BEGIN CERTIFICATE-----, the server's first"
            }
            Self::KeyPem | Self::NoKey | Self::UnknownKey => {
                "a key file has one block that starts with -----BEGIN PRIVATE KEY-----: RSA, ECDSA or Ed25519"
            }
            Self::EncryptedKey => {
                "remove the password with `openssl pkey -in FILE -out FILE`, and restrict access to the file"
            }
            Self::OtherKey => "use the key of the certificate; the server's certificate must precede those of the CA",
        }
    }
}

impl Identity {
    /// Parses both texts and checks that they match.
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

/// Shows the chain's length and nothing of the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} certificates)", self.0.cert.len())
    }
}

/// Hint for an unreadable file.
const NO_FILE: &str = "`sigbridge dev-cert --config FILE` makes a certificate and its key for development, in `certs` beside \
                       the config; relative paths start at the config file's directory";

section! {
    /// TLS on the HTTP addresses, beside plain text. The first byte of a connection decides. Set both keys or none. The PEM
    /// files are read again at a reload and within a minute of a change.
    pub struct TlsKeys("tls") derives() {
        /// Certificate of the server, followed by the intermediate certificates. `sigbridge dev-cert` creates one for
        /// development.
        certificate: Option<Text> = None, example "\"cert.pem\"" => Maybe(StringList), Reload;
        /// Private key of the certificate.
        key: Option<Text> = None, example "\"key.pem\"" => Maybe(StringList), Reload;
    }
}

impl From<&Tls> for TlsKeys {
    fn from(tls: &Tls) -> Self {
        let [certificate, key] = [&tls.certificate, &tls.key].map(|path| Some(path.display().to_string().into()));
        Self { certificate, key }
    }
}

impl Identity {
    /// Returns a text that differs for different certificates.
    pub(super) fn content(&self) -> String {
        let chain = self
            .0
            .cert
            .iter()
            .map(|certificate| format!("{:?}", &Sha256::digest(certificate)[..]));
        chain.collect::<Vec<_>>().join(" ")
    }
}

/// Reads `[tls]`; also returns whether the section has keys, valid or not.
pub(super) fn tls(reader: &mut Reader<'_, '_>, files: &dyn Files) -> (Option<Tls>, bool) {
    let keys = TlsKeys::read(reader);
    let spanned = |key: &str, value: Option<Text>| {
        let span = reader.place(key)?.clone();
        value.map(|value| Spanned { value, span })
    };
    let given = ["certificate", "key"].map(|key| reader.place(key).is_some());
    let certificate = spanned("certificate", keys.certificate);
    let key = spanned("key", keys.key);
    let report_half = |has: &Spanned<Text>, lacks: &str| {
        let half = Diag::new(&has.span, format!("`tls`: the key `{lacks}` is missing"));
        reader.report(half.help("TLS requires both; `sigbridge dev-cert` creates them for development"));
    };
    let tls = match (&certificate, &key) {
        (Some(certificate), Some(key)) => read(reader.table(), files, certificate, key),
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
            let pasted = Diag::new(&path.span, "`tls`: expected a file name, got the content of a PEM file");
            table.report(pasted.help("store it in a file that only sigbridge can read"));
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

    /// PEM files by name, valid and invalid.
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

    /// Checks the errors of a `[tls]` section, each as `line:column title`; none shows the key.
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
            &["2:15 `tls`: `empty.pem` contains no certificate"],
        );
        check(
            "key.pem",
            "cert.pem",
            &["2:15 `tls`: `key.pem` contains no certificate"],
        );
        check("garbled.pem", "key.pem", &["2:15 `tls`: `garbled.pem` is not PEM"]);
        check(
            "no-certificate.pem",
            "key.pem",
            &["2:15 `tls`: `no-certificate.pem` contains an unreadable certificate"],
        );
        check(
            "cert.pem",
            "empty.pem",
            &["3:7 `tls`: `empty.pem` contains no private key"],
        );
        check(
            "cert.pem",
            "cert.pem",
            &["3:7 `tls`: `cert.pem` contains no private key"],
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
            &["3:7 `tls`: `locked.pem` contains an encrypted private key"],
        );
        check(
            "cert.pem",
            "strange.pem",
            &["3:7 `tls`: `strange.pem` contains a private key of an unsupported kind"],
        );
        check(
            "cert.pem",
            "other.pem",
            &["3:7 `tls`: `other.pem` contains the private key of another certificate"],
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
            &["2:7 `listen.wss`: requires `[tls]`"],
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
        let pasted = "`tls`: expected a file name, got the content of a PEM file";
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
