//! Blocks that a shell runs, in a folder of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::blocks::{Block, Ran};
use super::root;

/// In front of the number of a command, in what the shell prints.
const MARK: char = '\u{1e}';
/// `cargo run … -- ARGS` is the program that is tested, which is built already.
const CARGO: &str = "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nexec sigbridge \"$@\"\n";

/// Files in the folder of a block.
#[derive(Clone, Copy, Debug)]
pub enum Given {
    /// `sigbridge.toml`.
    Config(&'static str),
    /// `/etc/sigbridge/sigbridge.toml`, which is below the folder.
    Etc(&'static str),
    /// The tables, a copy.
    Mappings,
    /// The fixtures.
    Fixtures,
    /// `trace.jsonl`, and two traces in `traces`.
    Traces,
    /// `app.har`.
    Har,
    /// `certificate.txt`.
    Certificate,
    /// `rtm.secret`.
    Secret(&'static str),
    /// `body` and `webhook.secret`.
    Notice,
}

const NOTICE: &str = r#"{"eventMs":1560408533119,"eventType":10,"noticeId":"4eb720f0-8da7-11e9-a43e-53f411c2761f","notifyMs":1560408533119,"payload":{"a":"1","b":2},"productId":1}"#;

impl Given {
    fn put(self, folder: &Path) {
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        };
        let copy = |from: &str, to: &str| {
            let text = fs::read_to_string(root().join(from)).expect(from);
            write(to, &text);
        };
        match self {
            Self::Config(text) => write("sigbridge.toml", text),
            Self::Etc(text) => write("etc/sigbridge/sigbridge.toml", text),
            Self::Mappings => {
                for part in ["", "wire/", "platforms/"] {
                    for entry in fs::read_dir(root().join("mappings").join(part)).expect("the tables") {
                        let path = entry.expect("an entry").path();
                        if path.is_file() {
                            let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
                            copy(&format!("mappings/{part}{name}"), &format!("mappings/{part}{name}"));
                        }
                    }
                }
            }
            #[cfg(unix)]
            Self::Fixtures => {
                std::os::unix::fs::symlink(root().join("fixtures"), folder.join("fixtures")).expect("a link")
            }
            #[cfg(not(unix))]
            Self::Fixtures => panic!("the documents are for a shell of Unix"),
            Self::Traces => {
                for name in ["channel-msg.send.web.jsonl", "peer.send.linux-java.jsonl"] {
                    copy(&format!("fixtures/traces/{name}"), &format!("traces/{name}"));
                }
                copy("fixtures/traces/peer.send.linux-java.jsonl", "trace.jsonl");
            }
            Self::Har => copy("fixtures/har/chromium.har", "app.har"),
            Self::Certificate => write("certificate.txt", "5CFd2fd1755d40ecb72977518be15d3b\n"),
            Self::Secret(text) => write("rtm.secret", text),
            Self::Notice => {
                write("body", NOTICE);
                write("webhook.secret", "secret\n");
            }
        }
    }
}

/// An empty folder.
pub fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("documents").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

/// Runs the commands of a block, one after the other in one shell.
pub fn run(block: &Block, given: &[Given]) -> Ran {
    run_with(block, |folder| given.iter().for_each(|given| given.put(folder)))
}

/// Runs the commands of a block in a folder that `prepare` fills.
pub fn run_with(block: &Block, prepare: impl FnOnce(&Path)) -> Ran {
    let name = format!("{}-{}", block.file.replace('/', "-"), block.line);
    let (folder, bin) = (folder(&name), folder(&format!("{name}-bin")));
    prepare(&folder);
    program(&bin, "cargo", CARGO);
    program(
        &bin,
        "sigbridge",
        &format!("#!/bin/sh\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_sigbridge")),
    );
    let mut script = String::from("exec 2>&1\nstatus=0\n");
    for step in &block.steps {
        // Paths of the machine are paths of the folder here.
        let command = step.command.replace("/etc/", &format!("{}/etc/", folder.display()));
        script += &format!("printf '{MARK}'\n(exit $status)\n{command}\nstatus=$?\nprintf '{MARK}%s\\n' $status\n");
    }
    let path = std::env::var("PATH").expect("a path");
    let output = Command::new("bash")
        .args(["--noprofile", "--norc", "-c", &script])
        .current_dir(&folder)
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("NO_COLOR", "1")
        .env_remove("RUST_LOG")
        .env_remove("SIGBRIDGE_CERTIFICATE")
        .stdin(Stdio::null())
        .output()
        .expect("bash is there");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let text = text.replace(&format!("{}/etc/", folder.display()), "/etc/");
    let parts: Vec<&str> = text.split(MARK).skip(1).collect();
    let mut ran = Ran {
        printed: Vec::new(),
        statuses: Vec::new(),
    };
    for pair in parts.chunks(2) {
        ran.printed.push(pair[0].lines().map(Into::into).collect());
        ran.statuses.push(pair[1].trim().parse().expect("a status"));
    }
    assert_eq!(
        ran.printed.len(),
        block.steps.len(),
        "{}:{}: {text}",
        block.file,
        block.line
    );
    ran
}

/// The program takes these arguments; they are not acted upon.
pub fn is_understood(args: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_sigbridge"))
        .args(args.split(' '))
        .arg("--help")
        .output()
        .expect("the program runs");
    assert!(
        output.status.success(),
        "{args}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn program(bin: &Path, name: &str, text: &str) {
    let path = bin.join(name);
    fs::write(&path, text).expect("a file");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
}
