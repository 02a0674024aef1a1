//! A full disk under recordings, log, usage file and mailbox file.
//!
//! The disk is a small one in a mount namespace of the process. Where the system permits no namespace, the test prints it
//! and ends.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{Pair, figures};
use crate::support::{Client, Program, emit, empty_folder, eventually, free_address, http};

const ROOM: &str = "256k";

fn has_namespaces() -> bool {
    let tried = Command::new("unshare")
        .args(["-Urm", "true"])
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}

#[tokio::test]
async fn a_full_disk_loses_no_message() {
    if !has_namespaces() {
        println!("skipped: the system permits no mount namespace");
        return;
    }
    let folder = empty_folder("faults-disk");
    fs::create_dir_all(folder.join("small")).expect("a folder");
    let (front, admin) = (free_address(), free_address());
    let config = format!(
        "[listen]\nhttp = \"{front}\"\ntcp = \"off\"\nudp = []\n[admin]\nlisten = \"{admin}\"\nusage_file = \"small/usage.json\"\n\
         [record]\nfolder = \"small/traces\"\nbodies = \"keep\"\n[mailbox]\nfile = \"small/mailbox.jsonl\"\n\
         [limits]\nmessages_per_second = 1000000\n[embedded]\nrate_scale = 1000000\n"
    );
    fs::write(folder.join("sigbridge.toml"), config).expect("the folder can be written");
    let mut command = Command::new("unshare");
    let script =
        format!("mount -t tmpfs -o size={ROOM} small small && exec \"$0\" serve --config sigbridge.toml 2>small/log");
    command.args(["-Urm", "sh", "-c", &script]).arg(Program::path());
    let mut program = Program::spawn(&folder, command, None, Stdio::null());
    eventually("it serves", || std::net::TcpStream::connect(front).is_ok()).await;
    // The disk, as the process sees it.
    let root = PathBuf::from(format!("/proc/{}/root", program.id()));
    let disk = root
        .join(folder.strip_prefix("/").expect("an absolute path"))
        .join("small");
    let mut pair = Pair::login(front, "pair").await;
    let talk = async |pair: &mut Pair, times: usize| {
        for _ in 0..times {
            pair.exchange().await;
        }
    };
    talk(&mut pair, 20).await;
    let traces = || fs::read_dir(disk.join("traces")).map_or(0, Iterator::count);
    eventually("it records", || traces() > 0).await;
    let mut filler = fs::File::create(disk.join("filler")).expect("a file");
    while filler.write_all(&[b'x'; 4096]).is_ok() {}
    talk(&mut pair, 200).await;
    let metrics = || async { http(admin, "GET /metrics", &[], "").await.body };
    let value = |metrics: &str, name: &str| -> u64 {
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    let full = metrics().await;
    let lost = value(&full, "sigbridge_trace_records_total{result=\"lost\"}");
    assert!(lost > 0, "lost records are counted: {full}");
    // New sessions are served, and a message waits for one that is away.
    let mut late = Client::login(front, "late").await;
    drop(Client::login(front, "away").await);
    emit(&mut late, "away", "kept").await;
    // With room again, the log continues, and so does the recording once the operator starts it.
    drop(filler);
    fs::remove_file(disk.join("filler")).expect("it exists");
    let started = http(admin, "POST /record/start", &[], "").await;
    assert_eq!(started.status, 200, "{}", started.body);
    let recorded = value(&metrics().await, "sigbridge_trace_records_total{result=\"written\"}");
    let mut next = Pair::login(front, "next").await;
    talk(&mut next, 20).await;
    let mut again = 0;
    for _ in 0..200 {
        again = value(&metrics().await, "sigbridge_trace_records_total{result=\"written\"}") - recorded;
        if again > 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(again > 0, "new sessions are recorded again");
    // A descriptor keeps the disk after the process.
    let kept = fs::File::open(&disk).expect("a folder");
    assert_eq!(program.stop().await, Some(0));
    let kept = PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&kept)));
    let mailbox = fs::read_to_string(kept.join("mailbox.jsonl")).expect("the mailbox file");
    assert!(mailbox.contains("kept"), "{mailbox}");
    assert!(kept.join("usage.json").exists());
    let log = fs::read_to_string(kept.join("log")).expect("the log");
    assert!(log.contains("exit report"), "{log:.4000}");
    for pair in [&pair, &next] {
        pair.check();
    }
    println!(
        "full disk: {} messages, none lost, {}; {lost} trace records lost and counted, {again} written after it had room",
        pair.sent + next.sent,
        figures(&mut pair.times)
    );
}

/// Messages that cannot be saved at the end are reported with their number.
#[tokio::test]
async fn lines_that_cannot_be_saved_are_reported() {
    let folder = empty_folder("faults-disk-end");
    let config = "[mailbox]\nfile = \"missing/mailbox.jsonl\"\n";
    let (mut program, addr) = Program::serve(&folder, (config, &[]), crate::support::to_file(&folder, "log")).await;
    let mut alice = Client::login(addr, "alice").await;
    drop(Client::login(addr, "bob").await);
    emit(&mut alice, "bob", "lost").await;
    assert_eq!(program.stop().await, Some(0));
    let log = program.text("log");
    let line = log
        .lines()
        .find(|line| line.contains("messages are lost: cannot write"));
    assert!(line.is_some_and(|line| line.contains("lines=1")), "{log}");
}
