//! The section "First session" of the guide: a server, Alice and Bob, each a process of its own.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::blocks::{Block, blocks, masked};
use super::{root, shell};

/// The document.
const PAGE: &str = "docs/guide/get-started.md";
/// Nothing that is waited for takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that runs, line by line.
struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Program {
    fn start(mut command: Command, listen_to: fn(&mut Child) -> Box<dyn std::io::Read + Send>) -> Self {
        command.env("NO_COLOR", "1").env_remove("RUST_LOG");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let (sender, lines) = channel();
        let output = BufReader::new(listen_to(&mut child));
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        Self { child, stdin, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("another line of output")
    }

    fn prints(&self, expected: &str) {
        assert_eq!(self.line(), expected);
    }

    /// Returns the lines up to one with this beginning.
    fn until(&self, begins: &str) {
        while !self.line().starts_with(begins) {}
    }

    fn types(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().expect("it is piped"), "{line}").expect("it reads");
    }
}

/// It ends with the test, however that ends.
impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the section, and runs it.
pub fn run() {
    let text = fs::read_to_string(root().join(PAGE)).expect("it is there");
    let start = text.find("\n## First session\n").expect("the section");
    let section = &text[start + 1..];
    let section = &section[..section.find("\n## ").unwrap_or(section.len())];
    let lines = |upto: usize| text[..upto].matches('\n').count();
    let (first, last) = (lines(start), lines(start + section.len()) + 1);
    let all = blocks(&root(), PAGE);
    let section_blocks: Vec<Block> = all
        .into_iter()
        .filter(|block| (first..last).contains(&block.line))
        .collect();
    let [serve, alice, bob, alice_types, bob_types, alice_calls] = &section_blocks[..] else {
        panic!("the section has another number of blocks: {section_blocks:#?}");
    };
    let (_server, ports) = served(serve);
    let url = format!("ws://127.0.0.1:{}/", ports["8001"]);
    let (mut alice, mut bob) = (client(alice, &url), client(bob, &url));
    play(&mut alice, &alice_types.lines, |_| {});
    play(&mut bob, &bob_types.lines, |_| {});
    // "Then call him as Alice with `…`, accept as Bob with `…`, and hang up with `…`."
    let inline: Vec<&str> = section
        .split('`')
        .filter(|part| part.starts_with("channelInvite"))
        .collect();
    let [call, accept, hang_up] = inline[..] else {
        panic!("the section has other calls: {inline:?}");
    };
    assert!(
        alice_calls
            .lines
            .iter()
            .any(|line| line.strip_prefix("> ") == Some(call)),
        "{call}"
    );
    play(&mut alice, &alice_calls.lines, |line| {
        if line.starts_with("onInviteAcceptedByPeer") {
            bob.until("onInviteReceived");
            bob.types(accept);
        }
        if line.starts_with("onInviteEndByPeer") {
            bob.types(hang_up);
        }
    });
    assert!(alice.child.wait().expect("it has quit").success());
}

/// Types the text after `> `, and expects the other lines.
fn play(program: &mut Program, lines: &[String], mut before: impl FnMut(&str)) {
    for line in lines {
        match line.strip_prefix("> ") {
            Some(typed) => program.types(typed),
            None => {
                before(line);
                program.prints(line);
            }
        }
    }
}

/// The server on free ports, and the real port of each documented one.
fn served(block: &Block) -> (Program, HashMap<String, String>) {
    let folder = shell::folder("story");
    let config = "[listen]\nhttp = '127.0.0.1:0'\ntcp = '127.0.0.1:0'\nudp = ['127.0.0.1:0', '127.0.0.1:0']\n";
    fs::write(folder.join("any-ports.toml"), config).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sigbridge"));
    command
        .args(["serve", "--config", "any-ports.toml"])
        .current_dir(folder);
    let server = Program::start(command, |child| Box::new(child.stderr.take().expect("it is piped")));
    let mut ports = HashMap::new();
    let mut expected = block.steps[0].expected.split(|line| line.is_empty());
    for line in expected.next().expect("lines of a log") {
        let mut got = server.line();
        if let (Some((_, emitted)), Some((before, port))) = (line.rsplit_once("addr=127.0.0.1:"), got.rsplit_once(':'))
        {
            ports.insert(emitted.to_owned(), port.to_owned());
            got = format!("{before}:{emitted}");
        }
        assert_eq!(masked(&[got]), masked(std::slice::from_ref(line)));
    }
    // The note for a person at a terminal does not come here: its lines are compared with the source.
    let source = include_str!("../../../src/cli/serve.rs");
    for line in expected.flatten() {
        let written = line.trim().replace("127.0.0.1:8001", "{addr}");
        assert!(source.contains(&written), "{written}");
    }
    (server, ports)
}

/// A client that is logged in.
fn client(block: &Block, url: &str) -> Program {
    let step = &block.steps[0];
    let (_, args) = step.command.split_once(" -- ").expect("arguments");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sigbridge"));
    command.args(args.split(' ')).args(["--url", url]);
    let program = Program::start(command, |child| Box::new(child.stdout.take().expect("it is piped")));
    let account = args.rsplit(' ').next().expect("an account");
    let notice = format!("logged in to ws://127.0.0.1:8001/ as {account}; `help` lists the calls");
    // That is for a person at a terminal.
    assert_eq!(step.expected[0], notice);
    step.expected[1..].iter().for_each(|line| program.prints(line));
    program
}
