//! Signals, `POST /drain`, `wait`, the service manager and its sockets, with the program itself.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::support::{Client, Got, PATIENCE, Program, empty_folder, eventually, free_address, http, to_file};

fn with_admin(more: &str) -> (String, std::net::SocketAddr) {
    let admin = free_address();
    (format!("[admin]\nlisten = \"{admin}\"\n{more}"), admin)
}

#[tokio::test]
async fn a_request_drains_and_ends_the_process() {
    let folder = empty_folder("drain-request");
    let (config, admin) = with_admin("[drain]\nspread = \"1s\"\n");
    let (mut program, addr) = Program::serve(&folder, (&config, &[]), to_file(&folder, "log")).await;
    let mut client = Client::login(addr, "alice").await;
    crate::support::emit(&mut client, "nobody", "lost").await;
    let answer = http(admin, "POST /drain", &[], "").await;
    assert_eq!((answer.status, &*answer.body), (202, "draining 1 connections\n"));
    while let Got::Frame(_) = client.next().await {}
    assert_eq!(program.ended().await.code(), Some(0));
    let log = program.text("log");
    let report = log
        .lines()
        .find(|line| line.contains("exit report"))
        .expect("the report");
    for part in [
        "sessions=1",
        "messages=1",
        "dropped=\"messages of a session that was cut off 1\"",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let folder = empty_folder("drain-second-signal");
    let slow = "[drain]\ndelay = \"1h\"\n";
    let (mut program, addr) = Program::serve(&folder, (slow, &[]), to_file(&folder, "log")).await;
    let mut client = Client::login(addr, "alice").await;
    program.signal("TERM");
    eventually("it drains", || program.text("log").contains("draining: not ready")).await;
    assert_eq!(
        client
            .call("user_getmsg", serde_json::json!({"ver_clear": 0, "max": 1}))
            .await
            .err,
        ""
    );
    let begin = Instant::now();
    program.signal("TERM");
    assert_eq!(program.ended().await.code(), Some(0));
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(program.text("log").contains("second signal: ending at once"));
}

#[tokio::test]
async fn an_interrupt_does_not_wait() {
    let folder = empty_folder("drain-interrupt");
    let slow = "[drain]\ndelay = \"1h\"\nspread = \"1h\"\n";
    let (mut program, addr) = Program::serve(&folder, (slow, &[]), to_file(&folder, "log")).await;
    let mut client = Client::login(addr, "alice").await;
    program.signal("INT");
    while let Got::Frame(_) = client.next().await {}
    assert_eq!(program.ended().await.code(), Some(0));
}

fn wait(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sigbridge"))
        .args([&["wait", "--ready", "--config", "sigbridge.toml"], args].concat())
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_returns_when_clients_are_accepted() {
    let folder = empty_folder("wait");
    let (config, admin) = with_admin("[upstream]\nkind = \"agent\"\n[upstream.agent]\nlisten = \"127.0.0.1:0\"\n");
    fs::write(folder.join("sigbridge.toml"), &config).expect("the folder can be written");
    let (code, text) = wait(&folder, &["--timeout", "0s"]);
    assert_eq!(code, Some(1));
    assert!(
        text.starts_with(&format!(
            "error: not ready: cannot connect to the admin address {admin}"
        )),
        "{text}"
    );
    let (_program, _) = Program::serve(&folder, (&config, &[]), Stdio::null()).await;
    let (code, text) = wait(&folder, &["--timeout", "100ms"]);
    assert_eq!(code, Some(1));
    assert!(text.starts_with("error: not ready: agent_missing\n"), "{text}");
    let folder = empty_folder("wait-ready");
    let (config, _) = with_admin("");
    let (_program, _) = Program::serve(&folder, (&config, &[]), Stdio::null()).await;
    assert_eq!(wait(&folder, &[]), (Some(0), String::new()));
    assert_eq!(wait(&folder, &["--app", "any"]).0, Some(0));
}

/// A stand-in for systemd: it opens the socket, and receives the states.
#[tokio::test(flavor = "multi_thread")]
async fn the_sockets_of_a_service_manager_refuse_nobody_during_a_restart() {
    let folder = empty_folder("socket-activation");
    let states = UnixDatagram::bind(folder.join("notify")).expect("a socket");
    states.set_read_timeout(Some(PATIENCE)).expect("a live socket");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("any free port");
    let addr = listener.local_addr().expect("it is bound");
    let config = format!("[listen]\nhttp = \"{addr}\"\ntcp = \"off\"\nudp = []\n[drain]\nspread = \"0s\"\n");
    fs::write(folder.join("sigbridge.toml"), config).expect("the folder can be written");
    let start = |log: &str| {
        Command::new("sh")
            .args([
                "-c",
                "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" serve --config sigbridge.toml",
            ])
            .arg(env!("CARGO_BIN_EXE_sigbridge"))
            .current_dir(&folder)
            .env("NOTIFY_SOCKET", folder.join("notify"))
            .env("WATCHDOG_USEC", "200000")
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(
                listener.try_clone().expect("a descriptor"),
            )))
            .stderr(to_file(&folder, log))
            .spawn()
            .expect("a shell")
    };
    let state = |wanted: &str| {
        let mut buffer = [0; 256];
        for _ in 0..1_000 {
            let length = states.recv(&mut buffer).expect("a state");
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.contains(wanted) {
                return;
            }
        }
        panic!("never {wanted}");
    };
    let mut first = start("first");
    state("READY=1");
    state("WATCHDOG=1");
    let mut alice = Client::login(addr, "alice").await;
    let pid = first.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .expect("kill runs")
            .success()
    );
    state("STOPPING=1");
    while let Got::Frame(_) = alice.next().await {}
    assert!(first.wait().expect("it ends").success());
    // Between the processes, the system takes the connection.
    let again = tokio::spawn(async move { Client::login(addr, "alice").await });
    let mut second = start("second");
    state("READY=1");
    let again = timeout(PATIENCE, again)
        .await
        .expect("it is accepted")
        .expect("no panic");
    drop(again);
    let pid = second.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .expect("kill runs")
            .success()
    );
    assert!(second.wait().expect("it ends").success());
    let log = fs::read_to_string(folder.join("second")).expect("a log");
    assert!(log.contains("using sockets of the service manager"), "{log}");
}

/// The unit's sandbox, as systemd rates it: 4.0 at most.
#[test]
fn the_unit_has_a_sandbox() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("ops/sigbridge.service");
    let analysed = Command::new("systemd-analyze")
        .args(["security", "--no-pager", "--offline=yes", "--threshold=40"])
        .arg(unit)
        .output();
    match analysed {
        Ok(analysed) => assert!(
            analysed.status.success(),
            "{}",
            String::from_utf8_lossy(&analysed.stdout)
        ),
        Err(_) => println!("skipped: systemd-analyze is not installed"),
    }
}
