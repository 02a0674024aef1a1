//! Hides secrets of a config text, byte for byte, before an error shows the line that they are on.

/// An App Certificate has 32 hexadecimal digits; a run of so many is hidden wherever it is, whatever its key became by
/// a slip.
const CERTIFICATE_DIGITS: usize = 32;

/// The same text, of the same length, with the values of keys that look like `certificate` or `secret` and everything that looks
/// like a certificate overwritten.
pub(super) fn mask(text: &str) -> String {
    let mut in_pem = false;
    let mut in_tls = false;
    let mut hide = |line: &str| {
        // A key that was pasted where its file's name belongs.
        if in_pem || line.contains("-----BEGIN") {
            in_pem = !line.contains("-----END");
            return stars(line);
        }
        if line.trim_start().starts_with('[') {
            in_tls = line.trim().starts_with("[tls]");
        }
        // What is called a certificate there names a file.
        if in_tls {
            hide_hex(line)
        } else {
            hide_hex(&hide_value(line))
        }
    };
    text.split_inclusive('\n').map(&mut hide).collect()
}

/// Overwrites all after the `=` of a key that is called like a secret, unless it names a file.
fn hide_value(line: &str) -> String {
    let line = hide_values_of("cert", line);
    hide_values_of("secret", &line)
}

fn hide_values_of(word: &str, line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let mut from = 0;
    while let Some(at) = lower[from..].find(word).map(|at| from + at) {
        let Some(equals) = lower[at..].find('=').map(|i| at + i) else {
            break;
        };
        if !lower[at..equals].contains("file") {
            let (shown, hidden) = line.split_at(equals + 1);
            return shown.to_owned() + &stars(hidden);
        }
        from = equals;
    }
    line.to_owned()
}

fn hide_hex(line: &str) -> String {
    let mut masked = String::with_capacity(line.len());
    let mut rest = line;
    while !rest.is_empty() {
        let hex = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        let (run, after) = rest.split_at(hex);
        let run_shown = if hex >= CERTIFICATE_DIGITS {
            stars(run)
        } else {
            run.to_owned()
        };
        masked.push_str(&run_shown);
        let other = after.find(|c: char| c.is_ascii_hexdigit()).unwrap_or(after.len());
        masked.push_str(&after[..other]);
        rest = &after[other..];
    }
    masked
}

/// A star for every byte but the quotes, the blanks and the line's end, which keep the picture readable.
fn stars(text: &str) -> String {
    let star = |byte: u8| {
        if b" \t\r\n\"'".contains(&byte) {
            char::from(byte)
        } else {
            '*'
        }
    };
    text.bytes().map(star).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(mask(text), expected, "{text}");
        assert_eq!(mask(text).len(), text.len(), "{text}");
    }

    #[test]
    fn certificates_are_hidden() {
        check("certificate = \"abc\"\n", "certificate = \"***\"\n");
        check("certificate=abc", "certificate=***");
        check("secret = \"abc\" # x", "secret = \"***\" * *");
        check("customer_secret = abc", "customer_secret = ***");
        check("secret_file = \"abc\"", "secret_file = \"abc\"");
        check("certificate = \"abc", "certificate = \"***");
        check("Certifcate = 'é'", "Certifcate = '**'");
        check("auth = { certificate = \"abc\" }", "auth = { certificate = \"***\" *");
        check("auth.certificate = \"abc\"", "auth.certificate = \"***\"");
        check("x = 1\ncert = \"ab\"\ny = 2", "x = 1\ncert = \"**\"\ny = 2");
        check(
            "auth = { certificate_file = \"f\", certificate = \"abc\" }",
            "auth = { certificate_file = \"f\", certificate = \"***\" *",
        );
    }

    #[test]
    fn what_looks_like_one_is_hidden_under_any_key() {
        check(
            "crt = \"5CFd2fd1755d40ecb72977518be15d3b\" # x",
            "crt = \"********************************\" # x",
        );
        check("5CFd2fd1755d40ecb72977518be15d3", "5CFd2fd1755d40ecb72977518be15d3");
    }

    #[test]
    fn pasted_keys_are_hidden() {
        check(
            "key = \"\"\"-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n\"\"\"\nx = 1",
            "*** * \"\"\"********** ******* ********\n****\n******** ******* ********\n\"\"\"\nx = 1",
        );
        check(
            "key = '-----BEGIN X\\nMIGH-----END X'\nx = 1",
            "*** * '********** *************** *'\nx = 1",
        );
        check("[tls]\nkey = '-----BEGIN X\nMIGH", "[tls]\n*** * '********** *\n****");
    }

    #[test]
    fn the_rest_is_shown() {
        let files = "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n";
        check(files, files);
        check(
            "[tls]\n[auth]\ncertificate = \"c\"",
            "[tls]\n[auth]\ncertificate = \"*\"",
        );
        check("", "");
        check("certificate_file = \"a\"\n", "certificate_file = \"a\"\n");
        check("[auth]\nallow_no_token = true\n", "[auth]\nallow_no_token = true\n");
        check("# a certificate\n", "# a certificate\n");
        check("grace = \"30 é\"", "grace = \"30 é\"");
    }
}
