//! The log line of a panic. The panics are in a process of their own, because the log and its hook are those of the
//! process: this test starts itself again.

use std::process::Command;
use std::sync::Arc;

use sigbridge::config;
use sigbridge::log::{Format, Log};

use crate::support::{Client, config, emit, serve};

/// Set in the process that panics.
const PANICS: &str = "SIGBRIDGE_TEST_PANICS";
const BODY: &str = "BODYSECRETé";
const TOKEN: &str = "TOKENSECRET";

/// Panics as slices, lookups and `expect` cause them in the task of a connection.
#[tokio::test]
async fn a_panic_of_a_task_shows_no_data() {
    if std::env::var_os(PANICS).is_some() {
        return panic_in_tasks().await;
    }
    for format in ["text", "json"] {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        let test = "secrets::panics::a_panic_of_a_task_shows_no_data";
        let args = ["--exact", test, "--nocapture"];
        let command = command.args(args).env(PANICS, format).env("RUST_BACKTRACE", "1");
        let output = command.env_remove("RUST_LOG").output().expect("it starts");
        let shown = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let log = shown.concat();
        assert!(output.status.success(), "{log}");
        assert_eq!(log.matches("a task panicked").count(), 4, "{log}");
        assert!(log.matches("panics.rs").count() >= 3, "each has its place: {log}");
        assert!(log.contains("a literal is shown"), "{log}");
        for secret in ["BODYSECRET", TOKEN] {
            let line = log.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{format} shows {secret}");
        }
    }
}

async fn panic_in_tasks() {
    let format = match std::env::var(PANICS).as_deref() {
        Ok("json") => Format::Json,
        _ => Format::Text { color: false },
    };
    let _log = Log::start(format, &config::Log::default());
    let running = serve(config()).await;
    let mut alice = Client::login(running.http, "alice").await;
    let body: Arc<str> = BODY.into();
    let cut = body.clone();
    let panics = [
        running.server.tasks.spawn(async move {
            // Within the last character.
            let _ = &cut[..cut.len() - 1];
        }),
        running.server.tasks.spawn(async {
            let token = TOKEN.parse::<u32>().map_err(|_| TOKEN);
            token.expect("a number");
        }),
        running.server.tasks.spawn(async move {
            assert_eq!(&*body, TOKEN, "{body}");
        }),
        running.server.tasks.spawn(async {
            panic!("a literal is shown");
        }),
    ];
    for task in panics {
        assert!(task.await.is_err_and(|error| error.is_panic()));
    }
    emit(&mut alice, "alice", "others are served").await;
}
