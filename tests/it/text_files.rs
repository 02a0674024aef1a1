//! Additions of editors, Windows and archives of macOS to text files have no effect, in any file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rtm::AppId;
use secrecy::ExposeSecret as _;
use sigbridge::config::Config;

const CERTIFICATE: &str = "5CFd2fd1755d40ecb72977518be15d3b";
const SECRET: &str = "0123456789abcdef0123";

/// A BOM, line ends of Windows, and a blank last line.
fn with_bom_and_crlf(text: &str) -> String {
    format!("\u{feff}{}\r\n\r\n", text.replace('\n', "\r\n"))
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("text-files").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

/// Exit code, stdout and stderr of the program.
fn run(folder: &Path, args: &[&str], stdin: &str) -> (i32, String, String) {
    write(folder, "stdin", stdin);
    let stdin = fs::File::open(folder.join("stdin")).expect("it was written");
    let output = Command::new(env!("CARGO_BIN_EXE_sigbridge"))
        .args(args)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env_remove("RUST_LOG")
        .env_remove("SIGBRIDGE_CERTIFICATE")
        .stdin(Stdio::from(stdin))
        .output()
        .expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let code = output.status.code().expect("it ends by itself");
    (code, text(output.stdout), text(output.stderr))
}

fn runs(folder: &Path, args: &[&str], stdin: &str) -> String {
    let (code, stdout, stderr) = run(folder, args, stdin);
    assert_eq!(code, 0, "{args:?}: {stdout}{stderr}");
    stdout
}

/// The tables of this project as they come out of an editor of Windows, in an archive of macOS, with a link to themselves.
fn dressed_tables(folder: &Path) {
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    for part in ["", "wire", "platforms"] {
        for entry in fs::read_dir(original.join(part)).expect("the tables of this project") {
            let path = entry.expect("a file").path();
            if path.is_file() {
                let name = Path::new("tables").join(part).join(path.file_name().expect("a name"));
                let text = fs::read_to_string(&path).expect("a table");
                write(folder, name.to_str().expect("a name"), &with_bom_and_crlf(&text));
            }
        }
    }
    write(folder, "tables/._peer.toml", "\0\u{5}\u{16}\u{7}");
    write(folder, "tables/wire/._web.toml", "\0\u{5}\u{16}\u{7}");
}

#[test]
fn a_config_and_the_files_that_it_names() {
    let folder = folder("config");
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    write(&folder, "cert.pem", &with_bom_and_crlf(&pair.cert.pem()));
    write(
        &folder,
        "key.pem",
        &with_bom_and_crlf(&pair.signing_key.serialize_pem()),
    );
    write(&folder, "certificate.txt", &with_bom_and_crlf(CERTIFICATE));
    write(&folder, "secret", &with_bom_and_crlf(SECRET));
    let config = "[auth]\napp_id = 'app'\ncertificate_file = 'certificate.txt'\n\
                  [tls]\ncertificate = 'cert.pem'\nkey = 'key.pem'\n\
                  [session]\nline_key_file = 'secret'\n\
                  [upstream.agent]\nsecret_file = 'secret'\n\
                  [webhook]\nurls = ['http://127.0.0.1:1/']\nsecret_file = 'secret'\n";
    write(&folder, "sigbridge.toml", &with_bom_and_crlf(config));
    let config = Config::load(&folder.join("sigbridge.toml")).unwrap_or_else(|diags| panic!("{diags}"));
    let auth = config
        .auth_of(&AppId::new("app").expect("an app id"))
        .expect("it is served");
    let certificate = auth.certificate.as_ref().expect("it was given");
    assert_eq!(certificate.expose_secret(), CERTIFICATE);
    let secret = config.upstream.agent.secret.expect("it was given");
    assert_eq!(secret.expose_secret(), SECRET);
    assert_eq!(config.webhook.secret.expose_secret(), SECRET);
    assert!(config.tls.is_some());
    runs(&folder, &["dev-cert", "--config", "sigbridge.toml"], "");
    runs(&folder, &["agent", "web", "--config", "sigbridge.toml", "--print"], "");
}

#[test]
fn a_secret_of_two_lines_is_refused() {
    let folder = folder("two-lines");
    write(&folder, "certificate.txt", &format!("{CERTIFICATE}\r\n{CERTIFICATE}\n"));
    let config = "[auth]\napp_id = 'app'\ncertificate_file = 'certificate.txt'\n\
                  [upstream.agent]\nsecret_file = 'certificate.txt'\n\
                  [webhook]\nurls = ['http://127.0.0.1:1/']\nsecret_file = 'certificate.txt'\n";
    write(&folder, "sigbridge.toml", config);
    insta::assert_snapshot!(run(&folder, &["check", "--config", "sigbridge.toml"], "").2, @r"
        error: `auth`: the certificate has 2 lines
        --> sigbridge.toml:3:20
         = help: the file must contain only the App Certificate: one line of 32 hexadecimal digits

        error: `upstream.agent.secret_file`: `certificate.txt` has 2 lines
        --> sigbridge.toml:5:15
         = help: the file must contain only the secret, on one line

        error: `webhook.secret_file`: `certificate.txt` has 2 lines
        --> sigbridge.toml:8:15
         = help: the file must contain only the secret, on one line

        error: 3 errors found
        ");
    let mint = [
        "token",
        "mint",
        "--app-id",
        "app",
        "--account",
        "alice",
        "--certificate-file",
        "certificate.txt",
    ];
    insta::assert_snapshot!(run(&folder, &mint, "").2, @r"
        error: certificate.txt has 2 lines

        hint: the file must contain only the App Certificate: one line of 32 hexadecimal digits
        ");
    let verify = [
        "webhook",
        "verify",
        "--secret-file",
        "certificate.txt",
        "--signature",
        "00",
    ];
    insta::assert_snapshot!(run(&folder, &verify, "").2, @r"
        error: certificate.txt has 2 lines

        hint: the file must contain only the secret, on one line
        ");
    let call = ["call", "--account", "alice", "--token-file", "certificate.txt"];
    assert!(
        run(&folder, &call, "")
            .2
            .starts_with("error: certificate.txt has 2 lines\n")
    );
}

#[test]
fn tables() {
    let folder = folder("tables");
    dressed_tables(&folder);
    let shown = runs(&folder, &["check", "--mappings", "tables"], "");
    assert_eq!(shown, runs(&folder, &["check"], ""));
    fs::remove_dir_all(folder.join("tables/platforms")).expect("it is there");
    insta::assert_snapshot!(run(&folder, &["check", "--mappings", "tables"], "").2, @r"
        error: cannot read tables/platforms: No such file or directory (os error 2)

        hint: a tables directory holds *.toml, platforms/*.toml and wire/*.toml, like mappings/ in the source
        ");
    fs::write(folder.join("tables/peer.toml"), b"id = 1\nb = \"\xff\"\n").expect("a file");
    insta::assert_snapshot!(run(&folder, &["explain", "--mappings", "tables", "[]"], "").2, @"error: cannot read tables/peer.toml: invalid UTF-8 at line 2");
}

#[test]
fn traces() {
    let folder = folder("traces");
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/traces");
    let original = fs::read_dir(original)
        .expect("the traces of this project")
        .find_map(|entry| {
            let path = entry.expect("a file").path();
            (path.extension()? == "jsonl").then(|| fs::read_to_string(path).expect("a trace"))
        });
    let original = original.expect("a trace");
    write(&folder, "traces/a.jsonl", &original);
    write(&folder, "traces/b.jsonl", &with_bom_and_crlf(&original));
    write(&folder, "traces/._b.jsonl", "\0\u{5}\u{16}\u{7}");
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.join("traces"), folder.join("traces/again")).expect("a link");
    let shown = runs(&folder, &["replay", "traces"], "");
    assert!(
        shown.starts_with("2 traces, ") && shown.contains(": 2 equal, 0 different, 0 unreadable"),
        "{shown}"
    );
    runs(&folder, &["diff", "traces/a.jsonl", "traces/b.jsonl"], "");
    let once = runs(&folder, &["coverage", "traces/b.jsonl"], "");
    assert_ne!(once, runs(&folder, &["coverage", "traces"], ""));
}

#[test]
fn standard_input_is_read() {
    let folder = folder("stdin");
    write(&folder, "certificate.txt", CERTIFICATE);
    let mint = [
        "token",
        "mint",
        "--app-id",
        "970CA35de60c44645bbae8a215061b33",
        "--account",
        "alice",
    ];
    let certificate = ["--certificate-file", "certificate.txt"];
    let token = runs(&folder, &[&mint[..], &certificate].concat(), "");
    let verify = [&["token", "verify", "--account", "alice"][..], &certificate].concat();
    assert!(runs(&folder, &verify, &with_bom_and_crlf(&token)).contains("verdict  valid"));
    let frame = r#"["call2",["user_logout",1,{"line":"l"}]]"#;
    assert_eq!(
        runs(&folder, &["explain", "-"], &with_bom_and_crlf(frame)),
        runs(&folder, &["explain", frame], "")
    );
    let long = run(&folder, &["explain", "-"], &format!("[{}]", "1,".repeat(40_000)));
    assert!(long.0 == 64 && long.2.contains("larger than 65536 bytes"), "{long:?}");
}
