//! Documented output equals real output: every block with `$ ` lines is run, or is listed here with the reason why not.
//!
//! `UPDATE_DOCS=1 cargo test --test it documents::` writes what is printed into the documents.

mod blocks;
mod quick_start;
mod shell;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rtm::AppId;
use rtm::{LoginErr, RtmError};
use secrecy::SecretString;
use sigbridge::config::RtmToken;
use sigbridge::diagnostics::hint_of;

use crate::support::{agent, behind_a_link, config, embedded, http, linked, serve_as_told};
use blocks::{Block, blocks};
use shell::Given;

/// How a block is held against the program.
enum How {
    /// By a shell, in an empty folder where this is given; only where these programs are.
    Shell(&'static [Given], &'static [&'static str]),
    /// By a test of this module.
    Test(&'static str),
    /// Not here.
    Elsewhere(&'static str),
}
use How::{Elsewhere, Shell, Test};

/// All blocks, by their file and how their first command begins.
const ALL: &[(&str, &str, How)] = &[
    ("README.md", "cargo run --release -- serve", Test("the_two_minutes")),
    (
        "README.md",
        "cargo run --release -q -- call --account alice",
        Test("the_two_minutes"),
    ),
    (
        "README.md",
        "cargo run --release -q -- call --account bob",
        Test("the_two_minutes"),
    ),
    ("README.md", "curl -s http://127.0.0.1:8001/getaddr", Test("the_lookup")),
    (
        "README.md",
        "cargo run --release -q -- dev-cert",
        Shell(&[Given::Config("")], &[]),
    ),
    ("README.md", "sigbridge serve --config", Test("the_doctor")),
    ("README.md", "cargo run --release -q -- check", Shell(&[], &[])),
    ("README.md", "cargo run --release -q -- explain", Shell(&[], &[])),
    (
        "README.md",
        "cp -r mappings my-tables",
        Shell(&[Given::Mappings], &["sed"]),
    ),
    ("docs/agent-web.md", "openssl rand -hex 32", Shell(&[], &["openssl"])),
    (
        "docs/agent-web.md",
        "sigbridge serve --config",
        Elsewhere(
            "the agent needs npm, Agora's SDK and Chromium: tests/lanes/agent_web.rs starts both, and reads /status",
        ),
    ),
    (
        "docs/agent-web.md",
        "sigbridge agent web --config /etc",
        Shell(
            &[Given::Etc(
                "[upstream]\nkind = 'agent'\n[upstream.agent]\nsecret_file = 'agent.secret'\norigins = ['http://127.0.0.1:8011']\n",
            )],
            &[],
        ),
    ),
    (
        "docs/agent-web.md",
        "curl -s http://127.0.0.1:8011/status",
        Elsewhere(
            "the agent needs npm, Agora's SDK and Chromium: tests/lanes/agent_web.rs starts it, and reads /status",
        ),
    ),
    (
        "docs/api.md",
        "cargo run --release -- serve",
        Elsewhere("tests/it/api.rs runs all transcripts of this page, by a WebSocket of its own in place of websocat"),
    ),
    (
        "docs/tokens.md",
        "sigbridge token mint",
        Shell(&[Given::Certificate], &[]),
    ),
    (
        "docs/trace.md",
        "sigbridge replay fixtures/traces",
        Shell(&[Given::Fixtures, Given::Traces], &[]),
    ),
    (
        "docs/trace.md",
        "sigbridge replay --against embedded",
        Shell(&[Given::Traces], &[]),
    ),
    (
        "docs/trace.md",
        "sigbridge replay --against ws",
        Test("the_replay_to_a_url"),
    ),
    ("docs/trace.md", "sigbridge trace import", Shell(&[Given::Har], &[])),
    ("docs/upstream.md", "sigbridge doctor", Test("the_doctor")),
    (
        "docs/webhooks.md",
        "sigbridge webhook verify",
        Shell(&[Given::Notice], &[]),
    ),
];

fn documents() -> Vec<Block> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![
        "README.md".to_owned(),
        "CONTRIBUTING.md".to_owned(),
        "ARCHITECTURE.md".to_owned(),
    ];
    let docs = fs::read_dir(root.join("docs")).expect("the documents");
    let names = docs.map(|entry| entry.expect("a file").file_name().into_string().expect("UTF-8"));
    files.extend(
        names
            .filter(|name| name.ends_with(".md"))
            .map(|name| format!("docs/{name}")),
    );
    files.sort();
    files
        .iter()
        .flat_map(|file| blocks(root, file))
        .filter(|block| !block.steps.is_empty())
        .collect()
}

fn is_of((file, begins, _): &(&str, &str, How), block: &Block) -> bool {
    block.file == *file && block.steps[0].command.starts_with(begins)
}

/// The block of an entry.
fn block(file: &str, begins: &str) -> Block {
    let found = documents()
        .into_iter()
        .find(|block| is_of(&(file, begins, Test("")), block));
    found.unwrap_or_else(|| panic!("{file} has no block that begins with {begins}"))
}

#[test]
fn every_command_block_has_its_test() {
    let (documents, source) = (documents(), include_str!("documents.rs"));
    for block in &documents {
        let entries = ALL.iter().filter(|entry| is_of(entry, block)).count();
        assert_eq!(
            entries, 1,
            "{}:{}: `$ {}`",
            block.file, block.line, block.steps[0].command
        );
    }
    for entry in ALL {
        let found = documents.iter().filter(|block| is_of(entry, block)).count();
        assert_eq!(found, 1, "{}: `$ {}…`", entry.0, entry.1);
        match entry.2 {
            Test(name) => assert!(source.contains(&format!("fn {name}()")), "no test {name}"),
            Elsewhere(why) => assert!(why.len() > 30, "{}: {}", entry.0, entry.1),
            Shell(..) => {}
        }
    }
}

#[test]
fn commands_print_what_documents_say() {
    let documents = documents();
    let mut wrong = Vec::new();
    for entry in ALL {
        let Shell(given, programs) = entry.2 else { continue };
        let missing = programs
            .iter()
            .find(|program| Command::new(program).arg("--version").output().is_err());
        if let Some(program) = missing {
            assert!(std::env::var_os("CI").is_none(), "CI has {program}");
            println!("not run: {} `$ {}…`: there is no {program}", entry.0, entry.1);
            continue;
        }
        let block = documents
            .iter()
            .find(|block| is_of(entry, block))
            .expect("every entry has a block");
        let ran = shell::run(block, given);
        wrong.extend(blocks::compare(block, &ran));
    }
    assert!(
        wrong.is_empty(),
        "{}\n\nUPDATE_DOCS=1 writes what is printed into the documents",
        wrong.join("\n\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_two_minutes() {
    tokio::task::spawn_blocking(quick_start::run)
        .await
        .expect("it is as the README tells it");
}

#[tokio::test]
async fn the_lookup() {
    let block = block("README.md", "curl -s http://127.0.0.1:8001/getaddr");
    let running = serve_as_told(config()).await;
    let answer = http(running.http, "GET /getaddr", &[], "").await;
    let port = running.http.port();
    let shown = answer
        .body
        .replace(&port.to_string(), "8001")
        .replace(&(port + 1).to_string(), "8002");
    assert_eq!(block.steps[0].expected, [shown.trim_end()]);
}

/// The documents show how far it goes with the vendor's SDK and without a way to RTM's servers. Here an agent of this process, with the
/// embedded RTM behind it, answers; the lines that differ by that are known.
#[tokio::test(flavor = "multi_thread")]
async fn the_doctor() {
    const APP: &str = "970CA35de60c44645bbae8a215061b33";
    let mut config = behind_a_link(config());
    config.admin.listen = Some(([127, 0, 0, 1], 0).into());
    config.auth.app_id = AppId::new(APP).ok();
    config.auth.certificate = Some(SecretString::from("5CFd2fd1755d40ecb72977518be15d3b"));
    config.upstream.rtm_token = RtmToken::V006;
    let rtm = embedded(&config);
    let running = serve_as_told(config).await;
    agent("web", rtm, running.agents.expect("an agent upstream"));
    linked(&running).await;
    let folder = shell::folder("doctor");
    let admin = running.admin.expect("an admin address");
    fs::write(
        folder.join("sigbridge.toml"),
        format!("[auth]\napp_id = '{APP}'\n[admin]\nlisten = '{admin}'\n"),
    )
    .expect("a file");
    let doctor = move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sigbridge"));
        command
            .args(["doctor", "--config", "sigbridge.toml"])
            .current_dir(folder)
            .output()
    };
    let output = tokio::task::spawn_blocking(doctor)
        .await
        .expect("no panic")
        .expect("it runs");
    let shown = String::from_utf8(output.stdout).expect("UTF-8");
    let shown: Vec<&str> = shown.lines().collect();
    let timeout = RtmError::from(LoginErr::Timeout);
    let failed = [
        format!("FAIL  login    {timeout}"),
        format!("      hint: {}", hint_of(timeout)),
    ];
    for (file, begins) in [
        ("README.md", "sigbridge serve --config"),
        ("docs/upstream.md", "sigbridge doctor"),
    ] {
        let block = block(file, begins);
        let step = block.steps.last().expect("a step");
        assert!(
            step.command.starts_with("sigbridge doctor --config sigbridge.toml"),
            "{file}"
        );
        let expected: Vec<String> = shown[..4]
            .iter()
            .map(|line| line.replace("hello    test 1", "hello    agora-rtm-sdk 1.5.1"))
            .chain(failed.clone())
            .collect();
        assert_eq!(step.expected, expected, "{file}");
        for step in &block.steps[..block.steps.len() - 1] {
            let command = step.command.split('#').next().unwrap_or_default().trim();
            shell::is_understood(command.strip_prefix("sigbridge ").expect("a command of this program"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_replay_to_a_url() {
    const SECRET: &str = "0123456789abcdef";
    let mut config = config();
    config.embedded.listen = Some(([127, 0, 0, 1], 0).into());
    config.embedded.secret = Some(SECRET.into());
    let running = serve_as_told(config).await;
    let users = running.users.expect("an address for users");
    let mut block = block("docs/trace.md", "sigbridge replay --against ws");
    block.steps[0].command = block.steps[0].command.replace("127.0.0.1:8012", &users.to_string());
    let run = move || {
        let ran = shell::run(&block, &[Given::Traces, Given::Secret(SECRET)]);
        blocks::compare(&block, &ran)
    };
    let wrong = tokio::task::spawn_blocking(run).await.expect("no panic");
    assert_eq!(wrong, [] as [String; 0]);
}

/// The root of this project.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
