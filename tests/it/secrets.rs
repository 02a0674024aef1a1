//! Secrets: where commands take them from, and that no output shows them.

mod panics;
#[cfg(unix)]
mod whole_run;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const APP: &str = "970CA35de60c44645bbae8a215061b33";
const CERTIFICATE: &str = "5CFd2fd1755d40ecb72977518be15d3b";
const LEGACY: &str = "1:970CA35de60c44645bbae8a215061b33:1514219634:82539e1f3973bcfe3f0d0c8993e6c051";
const OF_006: &str = "006970CA35de60c44645bbae8a215061b33IAAsR0qgiCxv0vrpRcpkz5BrbfEWCBZ6kvR6t7qG/wJIQob86ogAAAAAEAABAAAAR/QQAAEA6AOvKDdW";
const OF_007: &str = "007eJxTYOCdJftjyTM2zxW6Xhm/5T0j5LdcUt/xYVt48fb5Mp3PX9coMFiaGzg7GpumpJoZJJuYmJmYJiUlplokGhmaGpgZJhkbu38RYIhgYmBgZABhJiBmBPM5GUpSi0viS4tTiwBZVh6A";

/// An empty folder with the certificate in `cert`.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("secrets").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the target folder can be written");
    fs::write(folder.join("cert"), format!("{CERTIFICATE}\n")).expect("a file");
    folder
}

/// Runs the program with something on stdin; gives the exit code, stdout and stderr.
fn run(folder: &Path, args: &[&str], stdin: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sigbridge"))
        .args(args)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env_remove("RUST_LOG")
        .env_remove("SIGBRIDGE_CERTIFICATE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // One that refuses its arguments does not read.
    let _ = child.stdin.take().expect("stdin").write_all(stdin.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    let shown = format!("{stdout}{stderr}");
    assert!(!shown.contains(CERTIFICATE), "{args:?} shows the certificate: {shown}");
    (output.status.code().expect("it ends by itself"), stdout, stderr)
}

fn show((code, stdout, stderr): (i32, String, String)) -> String {
    format!("exit {code}\n--- stdout\n{stdout}--- stderr\n{stderr}")
}

/// Result of the verification of a token; the arguments follow the file of the certificate.
fn check(folder: &Path, token: &str, args: &[&str], code: i32, verdict: &str) {
    let args: Vec<&str> = ["token", "verify", "--certificate-file", "cert"]
        .iter()
        .chain(args)
        .copied()
        .collect();
    let found = run(folder, &args, token);
    assert!(
        found.0 == code && format!("{}{}", found.1, found.2).contains(verdict),
        "{args:?}: {found:?}"
    );
}

#[test]
fn token_kinds_are_detected_and_verified() {
    let folder = folder("verify");
    insta::assert_snapshot!(show(run(&folder, &["token", "verify", "--certificate-file", "cert"], OF_007)), @r"
        exit 1
        --- stdout
        kind     AccessToken 007 of RTM
        app id   970CA35de60c44645bbae8a215061b33
        account  test_user
        issued   1970-01-13T20:38:31Z (1111111)
        expires  1970-01-13T20:48:31Z (1111711)
        verdict  the token has expired
        --- stderr
        ");
    insta::assert_snapshot!(show(run(&folder, &["token", "verify", "--json"], OF_006)), @r#"
        exit 1
        --- stdout
        {
          "account": null,
          "appId": "970CA35de60c44645bbae8a215061b33",
          "expiresAt": 1111111,
          "issuedAt": null,
          "kind": "006",
          "problem": "not verified: no certificate was given",
          "valid": false
        }
        --- stderr
        "#);
    let account = ["--account", "test_user"];
    check(&folder, OF_006, &account, 1, "the token has expired");
    check(
        &folder,
        OF_006,
        &[],
        1,
        "not verified: the signature covers the account",
    );
    check(&folder, OF_006, &["--account", "x"], 1, "another account");
    check(&folder, OF_007, &["--account", "x"], 1, "another account");
    check(&folder, OF_007, &["--app-id", "x"], 1, "another App ID");
    check(
        &folder,
        LEGACY,
        &["--account", "2882341273"],
        1,
        "the token has expired",
    );
    check(&folder, LEGACY, &["--account", "x"], 1, "the signature is wrong");
    check(&folder, LEGACY, &["--account", ""], 64, "a name must not be empty");
    check(&folder, LEGACY, &[], 1, "not verified");
    check(&folder, LEGACY, &["--app-id", "x"], 1, "another App ID");
    check(&folder, "nonsense", &[], 65, "not a token");
    check(&folder, "", &[], 65, "not a token");
}

#[test]
fn minted_tokens_are_valid() {
    let folder = folder("mint");
    for kind in ["006", "007", "signaling"] {
        let mint = ["token", "mint", "--app-id", APP, "--account", "alice", "--kind", kind];
        let mint = [&mint[..], &["--expire", "10m", "--certificate-file", "cert"]].concat();
        let (code, token, stderr) = run(&folder, &mint, "");
        assert_eq!(code, 0, "{kind}: {stderr}");
        check(
            &folder,
            &token,
            &["--account", "alice", "--app-id", APP],
            0,
            "verdict  valid",
        );
        check(&folder, &token, &["--account", "bob"], 1, "verdict");
    }
}

/// Refused input, with the text of the refusal.
fn refused(folder: &Path, args: &[&str], words: &str) {
    let (code, stdout, stderr) = run(folder, args, "");
    assert!(
        code == 64 && stdout.is_empty() && stderr.contains(words),
        "{args:?}: exit {code}, {stdout}, {stderr}"
    );
}

#[test]
fn a_certificate_is_no_argument() {
    let folder = folder("argument");
    let words = "the App Certificate must not be passed as an argument";
    refused(&folder, &["token", "verify", "--certificate", CERTIFICATE], words);
    refused(&folder, &["token", "verify", OF_007, CERTIFICATE], words);
    refused(&folder, &["token", "verify", CERTIFICATE], words);
    let mint = ["token", "mint", "--app-id", APP, "--account", "a"];
    refused(&folder, &[&mint[..], &["--certificate", CERTIFICATE]].concat(), words);
    refused(&folder, &[&mint[..], &[CERTIFICATE]].concat(), words);
    refused(&folder, &mint, "no App Certificate given");
    let mint = [&mint[..], &["--certificate-file", "cert"]].concat();
    refused(&folder, &[&mint[..], &["--expire", "25h"]].concat(), "1 to 86400 s");
    refused(
        &folder,
        &[&mint[..], &["--expire", "1"]].concat(),
        "expected a duration",
    );
    refused(
        &folder,
        &["token", "verify", "--certificate-file", "no"],
        "cannot read no",
    );
}

#[test]
fn notices_are_verified() {
    let folder = folder("webhook");
    fs::write(folder.join("secret"), "secret\n").expect("a file");
    let body = r#"{"eventMs":1560408533119,"eventType":10,"noticeId":"4eb720f0-8da7-11e9-a43e-53f411c2761f","notifyMs":1560408533119,"payload":{"a":"1","b":2},"productId":1}"#;
    let (v1, v2) = (
        "033c62f40f687675f17f0f41f91a40c71c0f134c",
        "6d3320c60b11101395b7fc8f9068748808a0aa1bfa064438e39d1bc2c7d74d99",
    );
    let check = |args: &[&str], body: &str, code: i32, stdout: &str| {
        let args = [&["webhook", "verify", "--secret-file", "secret"], args].concat();
        let found = run(&folder, &args, body);
        assert_eq!((found.0, &*found.1), (code, stdout), "{args:?}: {found:?}");
    };
    check(&["--signature", v1], body, 0, "valid\n");
    check(&["--signature-v2", v2], body, 0, "valid\n");
    check(&["--signature", "x", "--signature-v2", v2], body, 0, "valid\n");
    check(&["--signature", v1, "--signature-v2", "x"], body, 1, "not valid\n");
    check(&["--signature", v1], &format!("{body}\n"), 1, "not valid\n");
    check(&[], body, 64, "");
    let (code, _, stderr) = run(
        &folder,
        &["webhook", "verify", "--secret-file", "no", "--signature", v1],
        body,
    );
    assert!(code == 64 && stderr.contains("cannot read no"), "{stderr}");
}
