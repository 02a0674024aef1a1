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
use sigbridge::config::{Config, RtmToken};
use sigbridge::diagnostics::hint_of;

use crate::support::{agent, behind_a_link, config, embedded, http, linked, serve_with_config};
use blocks::{Block, blocks};
use shell::Given;

/// Comparison of a block with the program.
enum ExpectedOutput {
    /// By a shell, in an empty folder where this is given; only where these programs are.
    Shell(&'static [Given], &'static [&'static str]),
    /// By a test of this module.
    Test(&'static str),
    /// Not here.
    Elsewhere(&'static str),
}
use ExpectedOutput::{Elsewhere, Shell, Test};

/// All blocks, by their file and how their first command begins.
const ALL: &[(&str, &str, ExpectedOutput)] = &[
    ("README.md", "cargo run -- serve", Test("the_quick_start")),
    (
        "docs/guide/get-started.md",
        "cargo run -- serve",
        Test("the_first_session"),
    ),
    (
        "docs/guide/get-started.md",
        "cargo run -q -- call --account alice",
        Test("the_first_session"),
    ),
    (
        "docs/guide/get-started.md",
        "cargo run -q -- call --account bob",
        Test("the_first_session"),
    ),
    ("docs/guide/get-started.md", "cargo run -q -- explain", Shell(&[], &[])),
    ("docs/guide/get-started.md", "cargo run -q -- check", Shell(&[], &[])),
    (
        "docs/guide/get-started.md",
        "cp -r mappings my-tables",
        Shell(&[Given::Mappings], &["sed"]),
    ),
    (
        "docs/guide/cluster.md",
        "redis-server --save",
        Elsewhere("it needs redis-server and fixed ports; durable.rs does the same in tests"),
    ),
    (
        "docs/guide/cluster.md",
        "sigbridge call --account bob",
        Elsewhere("it needs redis-server and fixed ports; durable.rs does the same in tests"),
    ),
    (
        "docs/guide/point-a-client.md",
        "curl -s http://127.0.0.1:8001/getaddr",
        Test("the_lookup"),
    ),
    (
        "docs/guide/point-a-client.md",
        "cargo run -q -- dev-cert",
        Shell(&[Given::Config("")], &[]),
    ),
    (
        "docs/guide/rtm-backends.md",
        "sigbridge serve --config",
        Test("the_doctor"),
    ),
    (
        "docs/guide/tokens-and-webhooks.md",
        "sigbridge token mint",
        Shell(&[Given::Certificate], &[]),
    ),
    (
        "docs/guide/traces-and-ci.md",
        "sigbridge replay fixtures/traces",
        Shell(&[Given::Fixtures, Given::Traces], &[]),
    ),
    (
        "docs/guide/traces-and-ci.md",
        "sigbridge replay --against embedded",
        Shell(&[Given::Traces], &[]),
    ),
    (
        "docs/guide/traces-and-ci.md",
        "sigbridge trace import",
        Shell(&[Given::Har], &[]),
    ),
    (
        "docs/guide/troubleshooting.md",
        "sigbridge check --config",
        Shell(&[Given::Config("[listn]\n")], &[]),
    ),
    (
        "docs/guide/troubleshooting.md",
        "sigbridge call --url",
        Test("the_troubleshooting_without_an_agent"),
    ),
    (
        "docs/guide/troubleshooting.md",
        "sigbridge token mint",
        Shell(&[Given::Certificate], &[]),
    ),
    (
        "docs/guide/troubleshooting.md",
        "curl -s http://127.0.0.1:8001/getaddr",
        Test("the_troubleshooting_without_an_agent"),
    ),
    (
        "docs/guide/troubleshooting.md",
        "curl -s -o /dev/null",
        Test("the_troubleshooting_without_an_agent"),
    ),
    (
        "docs/guide/troubleshooting.md",
        "curl -s http://127.0.0.1:9001/readyz",
        Test("the_troubleshooting_without_an_agent"),
    ),
    (
        "docs/guide/troubleshooting.md",
        "printf 'queryUserStatus",
        Test("the_troubleshooting_with_the_embedded_rtm"),
    ),
    (
        "docs/guide/troubleshooting.md",
        "curl -s http://127.0.0.1:9001/metrics | grep 'limitations",
        Elsewhere("grep ends with 1 when it finds nothing, which is what the page expects"),
    ),
    (
        "docs/guide/troubleshooting.md",
        "curl -s http://127.0.0.1:9001/metrics | grep -E '^sigbridge_(dropped",
        Elsewhere("the counter follows the end of a session; tests/scenarios show each kind of loss"),
    ),
    (
        "docs/guide/troubleshooting.md",
        "openssl s_client",
        Elsewhere("it needs a server with a certificate: tests/it/tls.rs has one, and its own client"),
    ),
    (
        "docs/guide/troubleshooting.md",
        "openssl x509",
        Elsewhere("it shows no output; tests/it/tls.rs compares the names of the certificate"),
    ),
    (
        "docs/guide/troubleshooting.md",
        "curl -s http://127.0.0.1:9001/metrics | grep -E '^sigbridge_(sockets",
        Test("the_troubleshooting_without_an_agent"),
    ),
    (
        "docs/guide/troubleshooting.md",
        "curl -s http://127.0.0.1:9001/metrics | grep -c",
        Test("the_troubleshooting_without_an_agent"),
    ),
    (
        "docs/admin.md",
        "curl -s 'http://127.0.0.1:9001/sessions",
        Elsewhere("numbers and times differ in each run: tests/it/operate.rs compares every field of a session"),
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
        "cargo run -- serve",
        Elsewhere("tests/it/api.rs runs all transcripts of this page, by a WebSocket of its own in place of websocat"),
    ),
    (
        "docs/trace.md",
        "sigbridge replay --against ws",
        Test("the_replay_to_a_url"),
    ),
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
    for folder in ["docs", "docs/guide"] {
        let docs = fs::read_dir(root.join(folder)).expect("the documents");
        let names = docs.map(|entry| entry.expect("a file").file_name().into_string().expect("UTF-8"));
        files.extend(
            names
                .filter(|name| name.ends_with(".md"))
                .map(|name| format!("{folder}/{name}")),
        );
    }
    files.sort();
    files
        .iter()
        .flat_map(|file| blocks(root, file))
        .filter(|block| !block.steps.is_empty())
        .collect()
}

fn is_of((file, begins, _): &(&str, &str, ExpectedOutput), block: &Block) -> bool {
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
            println!("not run: {} `$ {}…`: {program} is not installed", entry.0, entry.1);
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

/// The commands of the README are those of the first session, which runs them.
#[test]
fn the_quick_start() {
    let start = block("README.md", "cargo run -- serve");
    let first_session = documents();
    for step in &start.steps {
        let is_run = first_session
            .iter()
            .any(|block| block.file == "docs/guide/get-started.md" && block.steps[0].command == step.command);
        assert!(is_run, "{}", step.command);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_session() {
    tokio::task::spawn_blocking(quick_start::run)
        .await
        .expect("the output is that of docs/guide/get-started.md");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_troubleshooting_without_an_agent() {
    let mut config = behind_a_link(config());
    config.auth.app_id = AppId::new("970CA35de60c44645bbae8a215061b33").ok();
    config.auth.certificate = Some(SecretString::from("5CFd2fd1755d40ecb72977518be15d3b"));
    config.listen.allowed_origins = Some(vec!["https://app.example.com".into()]);
    troubleshooting("the_troubleshooting_without_an_agent", &config).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_troubleshooting_with_the_embedded_rtm() {
    troubleshooting("the_troubleshooting_with_the_embedded_rtm", &config()).await;
}

/// Runs the blocks of the page that are listed with `test`, each with a new server.
async fn troubleshooting(test: &str, config: &Config) {
    if Command::new("curl").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "CI has curl");
        return;
    }
    let documents = documents();
    let mut wrong = Vec::new();
    for entry in ALL {
        if !matches!(entry.2, Test(name) if name == test) {
            continue;
        }
        let mut config = config.clone();
        config.admin.listen = Some(([127, 0, 0, 1], 0).into());
        let running = serve_with_config(config).await;
        let admin = running.admin.expect("an admin address");
        let ports = [(running.http.port(), "8001"), (admin.port(), "9001")];
        let found = documents.iter().find(|block| is_of(entry, block));
        let block = found.expect("every entry has a block").clone();
        let mut real_block = block.clone();
        for step in &mut real_block.steps {
            for (real, shown) in &ports {
                step.command = step
                    .command
                    .replace(&format!("127.0.0.1:{shown}"), &format!("127.0.0.1:{real}"));
            }
        }
        let text = format!("[auth]\napp_id = '970CA35de60c44645bbae8a215061b33'\n[admin]\nlisten = '{admin}'\n");
        let run = move || {
            let mut ran = shell::run_with(&real_block, |folder| {
                fs::write(folder.join("sigbridge.toml"), text).expect("a file");
            });
            let lines = ran.printed.iter_mut().flatten();
            lines.for_each(|line| {
                for (real, shown) in &ports {
                    *line = line.replace(&real.to_string(), shown);
                }
                // `doctor` prints the agents' port of the config, which is any free one here.
                if let Some(start) = line.strip_suffix("127.0.0.1:0") {
                    *line = format!("{start}127.0.0.1:8010");
                }
            });
            blocks::compare(&block, &ran)
        };
        wrong.extend(tokio::task::spawn_blocking(run).await.expect("no panic"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[tokio::test]
async fn the_lookup() {
    let block = block("docs/guide/point-a-client.md", "curl -s http://127.0.0.1:8001/getaddr");
    let running = serve_with_config(config()).await;
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
    let running = serve_with_config(config).await;
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
    let block = block("docs/guide/rtm-backends.md", "sigbridge serve --config");
    let step = block.steps.last().expect("a step");
    assert!(step.command.starts_with("sigbridge doctor --config sigbridge.toml"));
    let expected: Vec<String> = shown[..4]
        .iter()
        .map(|line| line.replace("hello    test 1", "hello    agora-rtm-sdk 1.5.1"))
        .chain(failed)
        .collect();
    assert_eq!(step.expected, expected);
    for step in &block.steps[..block.steps.len() - 1] {
        let command = step.command.split('#').next().unwrap_or_default().trim();
        shell::is_understood(command.strip_prefix("sigbridge ").expect("a command of this program"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_replay_to_a_url() {
    const SECRET: &str = "0123456789abcdef";
    let mut config = config();
    config.embedded.listen = Some(([127, 0, 0, 1], 0).into());
    config.embedded.secret = Some(SECRET.into());
    let running = serve_with_config(config).await;
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
