//! Value types of config keys, each with its error.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use hyper::Uri;
use secrecy::SecretString;

use crate::config::size::{BadSize, parse_size, show as show_size};
use crate::config::{Files, HostPort};
use agent_link::acceptor::MIN_SECRET_BYTES;
use identity::SessionLineKey;
use identity::line::MIN_KEY_BYTES;
use rtm::value::Text;
use runtime::http_client::is_private;
use tables::diagnostics::{Diag, Span};
use tables::duration::{BadDuration, format_duration, parse_duration};
use tables::spanned_toml::{Spanned, Table};
use text_files::{SingleLineError, one_line};

/// Environment variable for the App Certificate.
pub const CERTIFICATE_ENV: &str = "SIGBRIDGE_CERTIFICATE";
/// Hint for a certificate file.
pub const CERTIFICATE_HINT: &str = "the file must contain only the App Certificate: one line of 32 hexadecimal digits";
/// Hint for other secret files.
pub const SECRET_HINT: &str = "the file must contain only the secret, on one line";

pub(super) fn value<T>(spanned: Option<Spanned<T>>) -> Option<T> {
    spanned.map(|spanned| spanned.value)
}

/// Reads an integer in a range.
pub(super) fn number(table: &mut Table<'_>, key: &str, range: RangeInclusive<u32>) -> Option<u32> {
    let got = table.take_int(key)?;
    match u32::try_from(*got) {
        Ok(number) if range.contains(&number) => Some(number),
        _ => {
            let (min, max) = range.into_inner();
            let title = format!("`{}.{key}`: expected {min} to {max}, got {}", table.path(), *got);
            table.report(Diag::new(&got.span, title));
            None
        }
    }
}

/// Reads a duration in a range.
pub(super) fn duration(table: &mut Table<'_>, key: &str, range: RangeInclusive<Duration>) -> Option<Duration> {
    let item = table.take(key)?;
    if !item.is_str() {
        // "Expected a string" would not explain that the unit is missing.
        item.error(BadDuration);
        return None;
    }
    let got = item.into_parsed(parse_duration)?;
    if range.contains(&got.value) {
        return Some(got.value);
    }
    let [min, max, got_text] = [*range.start(), *range.end(), *got].map(format_duration);
    let title = format!("`{}.{key}`: expected {min} to {max}, got {got_text}", table.path());
    table.report(Diag::new(&got.span, title));
    None
}

/// Reads a memory size in a range.
pub(super) fn size(table: &mut Table<'_>, key: &str, range: RangeInclusive<usize>) -> Option<usize> {
    let item = table.take(key)?;
    if !item.is_str() {
        item.error(BadSize);
        return None;
    }
    let got = item.into_parsed(parse_size)?;
    if range.contains(&got.value) {
        return Some(got.value);
    }
    let (min, max) = (show_size(*range.start()), show_size(*range.end()));
    let title = format!(
        "`{}.{key}`: expected {min} to {max}, got {}",
        table.path(),
        show_size(*got)
    );
    table.report(Diag::new(&got.span, title));
    None
}

/// Reads a listen address; any interface is allowed.
pub(super) fn address(table: &mut Table<'_>, key: &str) -> Option<SocketAddr> {
    value(address_at(table, key))
}

/// Reads a listen address with its place.
pub(super) fn address_at(table: &mut Table<'_>, key: &str) -> Option<Spanned<SocketAddr>> {
    table.take_parsed(key, socket_addr)
}

/// Reads a listen address, or `"off"`.
pub(super) fn address_or_off(table: &mut Table<'_>, key: &str) -> Option<Option<SocketAddr>> {
    value(table.take_parsed(key, |text| {
        match text {
            "off" => Ok(None),
            _ => socket_addr(text)
                .map(Some)
                .map_err(|error| format!("{error}, or \"off\"")),
        }
    }))
}

/// Reads a list of listen addresses.
pub(super) fn addresses(table: &mut Table<'_>, key: &str) -> Option<Vec<SocketAddr>> {
    let items = table.take_array(key)?.into_iter();
    Some(items.filter_map(|item| value(item.into_parsed(socket_addr))).collect())
}

fn socket_addr(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "expected an IP address and a port such as \"127.0.0.1:8001\"")
}

/// Returns the address for a local connection: loopback for an unspecified one.
pub fn reachable(mut listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    listen
}

/// Parses an address that clients can connect to.
pub(super) fn ipv4(text: &str) -> Result<Ipv4Addr, &'static str> {
    match text.parse::<Ipv4Addr>() {
        Ok(ip) if ip.is_unspecified() => Err("expected an address that clients can connect to, got 0.0.0.0"),
        Ok(ip) => Ok(ip),
        Err(_) => Err("expected an IPv4 address such as \"127.0.0.1\""),
    }
}

/// Parses a host name without a port.
pub(super) fn host_name(text: &str) -> Result<Text, &'static str> {
    let is_name = !text.is_empty() && text.split('.').all(is_label);
    is_name
        .then(|| text.into())
        .ok_or("expected a host name such as \"bridge.example.com\", without a port")
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Parses `host:port` with strict host characters, since SDKs insert it into a URL.
pub(super) fn host_port(text: &str) -> Result<HostPort, &'static str> {
    let expected = "expected a host name and a port such as \"bridge.example.com:8443\"";
    let (host, port) = text.rsplit_once(':').ok_or(expected)?;
    let is_port = port.bytes().all(|b| b.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(port) if port > 0 && is_port && host.split('.').all(is_label) => Ok(HostPort {
            host: host.into(),
            port,
        }),
        _ => Err(expected),
    }
}

/// Validates the text of a certificate. Errors do not show it.
pub(super) fn valid_certificate(table: &Table<'_>, span: &Span, text: &str) -> Option<SecretString> {
    let problem = match one_line(text) {
        Ok(text) if !text.contains(char::is_whitespace) => return Some(text.into()),
        Ok(_) => "contains white space".to_owned(),
        Err(not_one) => not_one.to_string(),
    };
    let diag = Diag::new(span, format!("`{}`: the certificate {problem}", table.path()));
    table.report(diag.help(CERTIFICATE_HINT));
    None
}

/// Parses a URL with protected traffic: https, or http on this machine.
pub(super) fn https(text: &str) -> Result<Uri, &'static str> {
    let expected = "expected a URL such as \"https://example.com/path\"";
    let uri: Uri = text.parse().map_err(|_| expected)?;
    let authority = uri.authority().ok_or(expected)?;
    if authority.as_str().contains('@') {
        return Err("the URL must not contain a user or password");
    }
    match uri.scheme_str() {
        _ if is_private(&uri) => Ok(uri),
        Some("http") => Err("plain http is allowed for this machine only (127.0.0.1, localhost); use https"),
        _ => Err(expected),
    }
}

/// Reads a secret from the file that a key names.
pub(super) fn secret_file(table: &mut Table<'_>, files: &dyn Files, key: &str) -> Option<SecretString> {
    let path = table.take_str(key)?;
    let text = file_text(table, files, &path)?;
    match one_line(&text) {
        Ok(secret) => Some(secret.into()),
        Err(not_one) => {
            let title = format!("`{}.{key}`: `{}` {not_one}", table.path(), path.value);
            table.report(Diag::new(&path.span, title).help(SECRET_HINT));
            None
        }
    }
}

/// Reads the key from `line_key_file`.
pub(super) fn line_key(table: &mut Table<'_>, files: &dyn Files) -> Option<SessionLineKey> {
    let path = table.take_str("line_key_file")?;
    let text = file_text(table, files, &path)?;
    let key = SessionLineKey::new(text.trim().as_bytes());
    if key.is_none() {
        let title = format!(
            "`{}`: the line key must have at least {MIN_KEY_BYTES} bytes",
            table.path()
        );
        table.report(Diag::new(&path.span, title).help("generate one with `openssl rand -hex 32`"));
    }
    key
}

/// Reads a file that the config names.
pub(super) fn file_text(table: &Table<'_>, files: &dyn Files, path: &Spanned<Text>) -> Option<String> {
    file_text_or(
        table,
        files,
        path,
        "relative paths start at the config file's directory",
    )
}

/// Reads a file that the config names, with another hint.
pub(super) fn file_text_or(table: &Table<'_>, files: &dyn Files, path: &Spanned<Text>, hint: &str) -> Option<String> {
    match files.read(Path::new(&*path.value)) {
        Ok(text) => Some(text),
        Err(error) => {
            let title = format!("`{}`: cannot read `{}`: {error}", table.path(), path.value);
            table.report(Diag::new(&path.span, title).help(hint));
            None
        }
    }
}

/// Reads origins; `None` if the key is missing.
pub(super) fn origins(table: &mut Table<'_>, key: &str) -> Option<Vec<String>> {
    let listed = table.take_strs(key)?;
    let mut origins = Vec::new();
    for origin in listed {
        let legal = origin.contains("://") && !origin.ends_with('/') && !origin.contains('*');
        if legal {
            origins.push(origin.value.to_string());
        } else {
            let title = format!("`{}.{key}`: expected an origin, got \"{}\"", table.path(), origin.value);
            table.report(Diag::new(&origin.span, title).help("write it as \"http://127.0.0.1:8011\", without a path"));
        }
    }
    Some(origins)
}

/// Reads the secret of an address: 16 visible characters or more.
pub(super) fn local_secret(table: &mut Table<'_>, files: &dyn Files, key: &str) -> Option<SecretString> {
    let what = key.trim_end_matches("_file");
    let path = table.take_str(key)?;
    let text = file_text(table, files, &path)?;
    let text = match one_line(&text) {
        Err(lines @ SingleLineError::Lines(_)) => {
            let title = format!("`{}.{key}`: `{}` {lines}", table.path(), path.value);
            table.report(Diag::new(&path.span, title).help(SECRET_HINT));
            return None;
        }
        line => line.unwrap_or_default(),
    };
    if text.len() < MIN_SECRET_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let title = format!(
            "`{}.{key}`: the {what} must have at least {MIN_SECRET_BYTES} visible ASCII characters",
            table.path()
        );
        table.report(Diag::new(&path.span, title).help("generate one with `openssl rand -hex 32`"));
        return None;
    }
    Some(text.into())
}
