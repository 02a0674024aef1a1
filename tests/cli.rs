//! The command line: what goes to stdout, what to stderr, and how it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs the program in a folder; shows the exit code, stdout and stderr.
fn run(folder: &Path, args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_sigbridge"))
        .args(args)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert!(
        !stdout.contains('\x1b') && !stderr.contains('\x1b'),
        "NO_COLOR: {stdout}{stderr}"
    );
    let code = output.status.code().expect("it ends by itself");
    format!("exit {code}\n--- stdout\n{stdout}--- stderr\n{stderr}")
}

/// An empty folder for one test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

/// In a place that does not move when the tables grow.
const MISTAKE: (&str, &str, &str) = (
    "platforms/web.toml",
    "\"Rest.channelMessage\"",
    "\"Rest.channelMesage\"",
);

/// The tables of this project in `folder/mappings`, one of them changed.
fn tables_with(folder: &Path, (file, from, to): (&str, &str, &str)) {
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    for part in ["", "wire", "platforms"] {
        let target = folder.join("mappings").join(part);
        fs::create_dir_all(&target).expect("a folder of the test");
        for entry in fs::read_dir(original.join(part)).expect("the tables of this project") {
            let path = entry.expect("a file").path();
            if path.is_file() {
                fs::copy(&path, target.join(path.file_name().expect("a name"))).expect("a copy");
            }
        }
    }
    let path = folder.join("mappings").join(file);
    let text = fs::read_to_string(&path).expect("a table");
    assert!(text.contains(from), "{file} has no {from}");
    fs::write(&path, text.replacen(from, to, 1)).expect("a copy can be written");
}

#[test]
fn check_counts_what_it_has_checked() {
    let shown = run(&folder("check"), &["check", "--no-mutations"]);
    // The tables grow; a number is what matters.
    let numbers_hidden = shown
        .split(|c: char| c.is_ascii_digit())
        .filter(|part| !part.is_empty());
    insta::assert_snapshot!(numbers_hidden.collect::<Vec<_>>().join("#"), @r"
        exit #
        --- stdout
        rows           #
        examples       # (# runs)
        platform runs  # (# not possible there)
        --- stderr
        ");
    assert!(shown.starts_with("exit 0\n"));
}

#[test]
fn check_shows_what_is_wrong_in_tables() {
    let folder = folder("check-tables");
    tables_with(&folder, MISTAKE);
    insta::assert_snapshot!(run(&folder, &["check", "--mappings", "mappings"]), @r#"
        exit 64
        --- stdout
        --- stderr
        error: RTM has no call `Rest.channelMesage`
         --> mappings/platforms/web.toml:3:10
          |
        3 | lacks = ["Rest.channelMesage"]
          |          ^^^^^^^^^^^^^^^^^^^^
          |
          = help: did you mean `Rest.channelMessage`?

        error: 1 error found
        "#);
}

#[test]
fn check_shows_what_is_wrong_in_a_config() {
    let folder = folder("check-config");
    fs::write(
        folder.join("sigbridge.toml"),
        "[listen]\nhtp = \"127.0.0.1:1\"\n\n[session]\ngrace = \"long\"\n",
    )
    .expect("a file");
    insta::assert_snapshot!(run(&folder, &["check", "--config", "sigbridge.toml"]), @r#"
        exit 64
        --- stdout
        --- stderr
        error: `listen`: unknown key `htp`
         --> sigbridge.toml:2:1
          |
        2 | htp = "127.0.0.1:1"
          | ^^^
          |
          = help: did you mean `http`?

        error: `session.grace`: expected a duration such as "500ms", "20s", "5m" or "1h"
         --> sigbridge.toml:5:9
          |
        5 | grace = "long"
          |         ^^^^^^

        error: 2 errors found
        "#);
    insta::assert_snapshot!(run(&folder, &["check", "--config", "other.toml"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: cannot read the config file: No such file or directory (os error 2)
         --> other.toml:1:1
          |
        1 |
          | ^

        error: 1 error found
        ");
}

#[test]
fn serve_does_not_start_with_a_mistake() {
    let folder = folder("serve");
    fs::write(folder.join("sigbridge.toml"), "[session]\ngrace = 30\n").expect("a file");
    insta::assert_snapshot!(run(&folder, &["serve", "--config", "sigbridge.toml"]), @r#"
        exit 64
        --- stdout
        --- stderr
        error: `session.grace`: expected a duration such as "500ms", "20s", "5m" or "1h"
         --> sigbridge.toml:2:9
          |
        2 | grace = 30
          |         ^^
        error: the config is wrong

        hint: config.example.toml shows every key
        "#);
    insta::assert_snapshot!(run(&folder, &["serve", "--mappings", "nowhere"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: cannot read the tables in nowhere: No such file or directory (os error 2)

        hint: a folder of tables has *.toml, platforms/*.toml and wire/*.toml, like mappings/ in the source
        ");
    tables_with(&folder, MISTAKE);
    insta::assert_snapshot!(run(&folder, &["serve", "--mappings", "mappings"]), @r#"
        exit 64
        --- stdout
        --- stderr
        error: RTM has no call `Rest.channelMesage`
         --> mappings/platforms/web.toml:3:10
          |
        3 | lacks = ["Rest.channelMesage"]
          |          ^^^^^^^^^^^^^^^^^^^^
          |
          = help: did you mean `Rest.channelMessage`?
        error: the tables are wrong

        hint: sigbridge check --mappings DIR shows all errors
        "#);
}

#[test]
fn an_address_that_is_taken_is_no_wrong_usage() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("any free port");
    let addr = listener.local_addr().expect("it is bound").to_string();
    let shown = run(&folder("taken"), &["serve", "--listen", &addr]);
    insta::assert_snapshot!(shown.replace(&addr, "ADDR"), @r"
        exit 1
        --- stdout
        --- stderr
        error: cannot listen on ADDR: Address already in use (os error 98)
        ");
}

#[test]
fn wrong_usage_is_64() {
    insta::assert_snapshot!(run(&folder("usage"), &["serv"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: unrecognized subcommand 'serv'

          tip: a similar subcommand exists: 'serve'

        Usage: sigbridge <COMMAND>

        For more information, try '--help'.
        ");
    let help = run(&folder("usage"), &["--help"]);
    assert!(help.starts_with("exit 0\n--- stdout\n"), "{help}");
    for code in ["0 ", "1 ", "64 ", "65 "] {
        assert!(
            help.contains(&format!("\n  {code}")),
            "the help has exit code {code}:\n{help}"
        );
    }
}
