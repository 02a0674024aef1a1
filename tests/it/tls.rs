//! TLS beside plain text, with certificates of `sigbridge dev-cert`.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::support::{Client, PATIENCE, counter, eventually, http, http_over, serve};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sigbridge::config::Config;
use sigbridge::startup::Running;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// An empty folder for one test.
pub fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tls").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

/// `sigbridge dev-cert` in a folder, with `certs` as the place of its files.
pub(crate) fn dev_cert(folder: &Path, args: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_sigbridge"))
        .arg("dev-cert")
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {stderr}");
}

const LISTEN: &str = "[listen]\nhttp = '127.0.0.1:0'\nwss = '127.0.0.1:0'\ntcp = '127.0.0.1:0'\nudp = []\n";
const TLS: &str = "[tls]\ncertificate = 'certs/cert.pem'\nkey = 'certs/key.pem'\n";

/// A server with TLS by the files of a folder.
pub async fn with_tls(folder: &Path) -> Running {
    let path = folder.join("sigbridge.toml");
    fs::write(&path, format!("{LISTEN}{TLS}")).expect("the folder can be written");
    serve(Config::load(&path).unwrap_or_else(|diags| panic!("{diags}"))).await
}

/// A client that trusts only this CA.
fn trusting(ca: &Path) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(ca).expect("a CA");
    roots.add(ca).expect("a CA that can be used");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the defaults")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn connect(ca: &Path, addr: SocketAddr, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(addr).await.expect("the server listens");
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    trusting(ca).connect(name, stream).await
}

pub(crate) async fn connected(folder: &Path, addr: SocketAddr) -> TlsStream<TcpStream> {
    let stream = connect(&folder.join("certs/ca.pem"), addr, "localhost").await;
    stream.expect("the certificate is accepted")
}

/// The certificate that the server shows.
fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    let certificates = stream.get_ref().1.peer_certificates();
    certificates.expect("a certificate")[0].to_vec()
}

fn in_file(path: &Path) -> Vec<u8> {
    CertificateDer::from_pem_file(path).expect("a certificate").to_vec()
}

fn failures(running: &Running, reason: &str) -> u64 {
    counter(running, &format!("sigbridge_tls_failures_total{{reason=\"{reason}\"}}"))
}

#[tokio::test]
async fn each_address_serves_plain_text_and_tls() {
    let folder = folder("both");
    dev_cert(&folder, &["--host", "bridge.example.com"]);
    let running = with_tls(&folder).await;
    let wss = running.wss.expect("it is configured");
    // Both advertise the same port, that of `http`.
    let list = format!(r#"{{"web":[["127.0.0.1",{}],"#, running.http.port());
    for addr in [running.http, wss] {
        let answer = http(addr, "GET /getaddr", &[], "").await;
        assert!(answer.body.starts_with(&list), "{}", answer.body);
        let stream = connected(&folder, addr).await;
        let answer = http_over(
            stream,
            "localhost",
            "GET /getaddr?vid=app",
            &["origin: https://a.example"],
            "",
        )
        .await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert!(answer.body.starts_with(&list), "{}", answer.body);
    }
    let mut alice = Client::login(running.http, "alice").await;
    for (account, addr) in [("bob", running.http), ("carol", wss)] {
        let stream = connected(&folder, addr).await;
        let mut client = Client::over(Box::new(stream), "wss://localhost/").await;
        assert_eq!(client.log_in(account).await.err, "");
        client.poll(0).await;
        crate::support::emit(&mut alice, account, "hi").await;
        let (kind, _, line) = crate::support::notified(&client.frame("notify").await);
        assert_eq!((&*kind, crate::support::text(&line)), ("recvmsg", "hi"));
    }
    let metrics = running.server.metrics.text();
    let mut failures = metrics
        .lines()
        .filter(|line| line.starts_with("sigbridge_tls_failures_total{"));
    assert!(failures.all(|line| line.ends_with(" 0")));
}

#[tokio::test]
async fn the_certificate_is_for_every_name_that_clients_use() {
    let folder = folder("names");
    fs::write(
        folder.join("sigbridge.toml"),
        format!("{TLS}[discovery]\nadvertise_ip = '10.1.2.3'\nadvertise_host = 'bridge.example.com:8443'"),
    )
    .expect("the folder can be written");
    dev_cert(&folder, &["--config", "sigbridge.toml", "--host", "laptop.local"]);
    let running = with_tls(&folder).await;
    let ca = folder.join("certs/ca.pem");
    for name in [
        "lbs-1-sig.agora.io",
        "lbs-4-sig.agora.io",
        "lbs-sig.agora.io",
        "lbs.sig.agora.io",
        "lbs100-2-sig.agora.io",
        "10-1-2-3-sig-web.agora.io",
        "127-0-0-1-sig-web.agora.io",
        "bridge.example.com",
        "laptop.local",
        "localhost",
        "127.0.0.1",
        "10.1.2.3",
    ] {
        let stream = connect(&ca, running.http, name).await;
        assert!(stream.is_ok(), "{name}: {:?}", stream.err());
    }
    for name in ["example.com", "a.bridge.example.com", "10.1.2.4", "agora.io"] {
        let stream = connect(&ca, running.http, name).await;
        assert!(stream.is_err(), "{name}");
    }
    eventually("the client's alerts are counted", || {
        failures(&running, "refused by the client") == 4
    })
    .await;
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_ca_is_not_connected() {
    let (ours, theirs) = (folder("ours"), folder("theirs"));
    dev_cert(&ours, &[]);
    dev_cert(&theirs, &[]);
    let running = with_tls(&ours).await;
    let refused = connect(&theirs.join("certs/ca.pem"), running.http, "localhost").await;
    assert!(refused.is_err());
    eventually("it is counted", || failures(&running, "refused by the client") == 1).await;
    connected(&ours, running.http).await;
}

#[tokio::test]
async fn the_same_ca_signs_again() {
    let folder = folder("again");
    let read = |file: &str| fs::read(folder.join("certs").join(file)).expect("a file of dev-cert");
    dev_cert(&folder, &[]);
    let (ca, ca_key, certificate) = (read("ca.pem"), read("ca.key"), read("cert.pem"));
    dev_cert(&folder, &["--host", "192.168.1.2", "--days", "30"]);
    assert_eq!((&ca, &ca_key), (&read("ca.pem"), &read("ca.key")));
    assert_ne!(certificate, read("cert.pem"));
    let running = with_tls(&folder).await;
    let stream = connect(&folder.join("certs/ca.pem"), running.http, "192.168.1.2").await;
    assert!(stream.is_ok(), "{:?}", stream.err());
    #[cfg(unix)]
    for file in ["ca.key", "key.pem"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(folder.join("certs").join(file)).expect(file).permissions();
        assert_eq!(mode.mode() & 0o777, 0o600, "{file}");
    }
    dev_cert(&folder, &["--new-ca"]);
    assert_ne!(ca, read("ca.pem"));
}

#[tokio::test]
async fn garbage_is_closed_and_counted() {
    let folder = folder("garbage");
    dev_cert(&folder, &[]);
    let running = with_tls(&folder).await;
    let mut looker_on = Client::login(running.http, "alice").await;
    let check = async |bytes: &[u8], reason: &str| {
        let before = failures(&running, reason);
        let mut stream = TcpStream::connect(running.http).await.expect("the server listens");
        stream.write_all(bytes).await.expect("the server reads");
        stream.shutdown().await.expect("the server is there");
        let mut rest = Vec::new();
        // An alert, at the most; the end may be a reset, since not all was read.
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest))
            .await
            .expect("it is closed");
        assert!(rest.len() < 16, "{rest:?}");
        eventually(reason, || failures(&running, reason) == before + 1).await;
    };
    check(b"\x16", "closed by the client").await;
    check(b"\x16\x03\x01\x00\x05", "closed by the client").await;
    check(b"\x16GET / HTTP/1.1\r\n\r\n", "not TLS").await;
    check(&[0x16; 4096], "not TLS").await;
    check(b"\x16\x03\x01\x00\x04\x01\x00\x00\x00", "not TLS").await;
    check(
        &[b"\x16\x03\x01\x40\x00".as_slice(), &[0xff; 0x4000]].concat(),
        "not TLS",
    )
    .await;
    // HTTP refuses unknown beginnings.
    let mut stream = TcpStream::connect(running.http).await.expect("the server listens");
    stream
        .write_all(b"\x15\x03\x01\r\n\r\n")
        .await
        .expect("the server reads");
    let mut answer = String::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer))
        .await
        .expect("it is closed");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(
        looker_on
            .call("user_getmsg", serde_json::json!({"ver_clear": 0, "max": 30}))
            .await
            .err,
        ""
    );
}

#[tokio::test]
async fn without_a_certificate_only_plain_text_is_served() {
    let running = serve(crate::support::config()).await;
    let mut stream = TcpStream::connect(running.http).await.expect("the server listens");
    stream.write_all(b"\x16\x03\x01").await.expect("the server reads");
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .expect("it is closed");
    assert_eq!(rest, b"");
    assert_eq!(failures(&running, "no certificate"), 1);
    assert_eq!(http(running.http, "GET /getaddr", &[], "").await.status, 200);
    Client::login(running.http, "alice").await;
}

/// In virtual time: a slow handshake is closed, and takes a place until then.
#[tokio::test(start_paused = true)]
async fn a_slow_handshake_is_bounded_and_counts_as_a_socket() {
    let folder = folder("slow");
    dev_cert(&folder, &[]);
    let path = folder.join("sigbridge.toml");
    fs::write(&path, format!("{LISTEN}{TLS}[limits]\nsockets = 1\n")).expect("the folder can be written");
    let running = serve(Config::load(&path).unwrap_or_else(|diags| panic!("{diags}"))).await;
    let start = tokio::time::Instant::now();
    let mut slow = TcpStream::connect(running.http).await.expect("the server listens");
    slow.write_all(b"\x16\x03\x01").await.expect("the server reads");
    let mut late = TcpStream::connect(running.wss.expect("it is configured"))
        .await
        .expect("the server listens");
    let _ = late.read(&mut [0]).await;
    assert_eq!(counter(&running, "sigbridge_connections_without_room_total"), 1);
    assert_eq!(slow.read(&mut [0]).await.unwrap_or(0), 0);
    let taken = start.elapsed();
    assert!(
        (Duration::from_secs(9)..Duration::from_secs(12)).contains(&taken),
        "{taken:?}"
    );
    assert_eq!(failures(&running, "too slow"), 1);
    // Silence is bounded alike.
    let mut silent = TcpStream::connect(running.http).await.expect("the server listens");
    assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections() {
    let folder = folder("reload");
    let certificate = folder.join("certs/cert.pem");
    dev_cert(&folder, &[]);
    let running = with_tls(&folder).await;
    let tls = running.tls.clone();
    let first = connected(&folder, running.http).await;
    let old = shown(&first);
    assert_eq!(old, in_file(&certificate));
    let mut open = Client::over(Box::new(first), "wss://localhost/").await;
    assert_eq!(open.log_in("alice").await.err, "");
    assert!(tls.reload_if_changed().is_none(), "nothing has changed");

    dev_cert(&folder, &["--host", "192.168.1.2"]);
    assert!(matches!(tls.reload_if_changed(), Some(Ok(()))));
    let new = in_file(&certificate);
    assert_ne!(new, old);
    assert_eq!(shown(&connected(&folder, running.http).await), new);
    assert_eq!(shown(&connected(&folder, running.wss.expect("a second")).await), new);
    // Open connections stay open.
    assert_eq!(
        open.call("user_getmsg", serde_json::json!({"ver_clear": 0, "max": 30}))
            .await
            .err,
        ""
    );

    // A broken pair changes nothing, and is tried again when it changes, not before.
    fs::write(&certificate, "no certificate").expect("the folder can be written");
    let error = tls
        .reload_if_changed()
        .expect("it has changed")
        .expect_err("it is broken");
    assert!(
        error.to_string().ends_with("cert.pem` contains no certificate"),
        "{error}"
    );
    assert!(tls.reload_if_changed().is_none());
    fs::remove_file(&certificate).expect("it was there");
    let error = tls
        .reload_if_changed()
        .expect("it has changed")
        .expect_err("it is removed");
    assert!(error.to_string().starts_with("cannot read `"), "{error}");
    assert_eq!(shown(&connected(&folder, running.http).await), new);
    // Half of a new pair is not taken.
    let other = self::folder("reload-other");
    dev_cert(&other, &[]);
    fs::copy(other.join("certs/cert.pem"), &certificate).expect("a copy");
    let error = tls
        .reload_if_changed()
        .expect("it has changed")
        .expect_err("the key is the old one");
    assert!(
        error
            .to_string()
            .contains("key.pem` contains the private key of another"),
        "{error}"
    );
    assert_eq!(shown(&connected(&folder, running.http).await), new);
}

/// Ends the program when the test does, however it does.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `sigbridge serve` by the files of a folder; its address, and the lines of its log.
fn program(folder: &Path) -> (Program, SocketAddr, impl Iterator<Item = String> + use<>) {
    fs::write(folder.join("sigbridge.toml"), format!("{LISTEN}{TLS}")).expect("the folder can be written");
    let mut child = Command::new(env!("CARGO_BIN_EXE_sigbridge"))
        .args(["serve", "--config", "sigbridge.toml", "--log-json"])
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let stderr = child.stderr.take().expect("it is piped");
    let child = Program(child);
    let (sender, receiver) = std::sync::mpsc::sync_channel(100);
    std::thread::spawn(move || {
        let lines = BufReader::new(stderr).lines().map_while(Result::ok);
        lines
            .map(|line| sender.send(line))
            .take_while(Result::is_ok)
            .for_each(drop);
    });
    // A missing line fails the test instead of blocking it.
    let mut lines = std::iter::from_fn(move || receiver.recv_timeout(PATIENCE).ok());
    let addr = lines.find_map(|line| {
        let line: serde_json::Value = serde_json::from_str(&line).ok()?;
        line["fields"]["addr"].as_str()?.parse().ok()
    });
    (child, addr.expect("the log has its address"), lines)
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_reads_the_files_again() {
    let folder = folder("hangup");
    dev_cert(&folder, &[]);
    let (child, addr, mut lines) = program(&folder);
    let mut hang_up_until = |text: &str| {
        let pid = child.0.id().to_string();
        let kill = Command::new("kill").args(["-HUP", &pid]).status().expect("kill runs");
        assert!(kill.success());
        let line = lines.find(|line| line.contains(text));
        assert!(line.is_some(), "the log has no {text}");
    };
    let old = shown(&connected(&folder, addr).await);
    dev_cert(&folder, &[]);
    hang_up_until("new connections use the reloaded certificate");
    let new = shown(&connected(&folder, addr).await);
    assert_ne!(new, old);
    fs::write(folder.join("certs/key.pem"), "").expect("the folder can be written");
    hang_up_until("contains no private key");
    assert_eq!(shown(&connected(&folder, addr).await), new);
}

/// OpenSSL's opinion, by way of Node: the limits of the CA are no hindrance, and other names are refused.
#[tokio::test(flavor = "multi_thread")]
async fn node_trusts_the_ca() {
    if Command::new("node").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "CI has node");
        println!("skipped: node is not installed");
        return;
    }
    const SCRIPT: &str = "
        const https = require('node:https');
        const get = (host) => new Promise((done) => https.get({
            host, port: process.argv[1], path: '/getaddr', agent: false,
            lookup: (_, o, f) => o.all ? f(null, [{address: '127.0.0.1', family: 4}]) : f(null, '127.0.0.1', 4),
        }, (answer) => done(host + ' ' + answer.statusCode)).on('error', (error) => done(host + ' ' + error.code)));
        (async () => {
            for (const host of process.argv.slice(2)) console.log(await get(host));
            console.log('fetch ' + (await fetch(`https://localhost:${process.argv[1]}/getaddr`)).status);
        })();
    ";
    let folder = folder("node");
    dev_cert(&folder, &["--host", "bridge.example.com", "--host", "8.8.8.8"]);
    let running = with_tls(&folder).await;
    let mut node = Command::new("node");
    node.args(["-e", SCRIPT, &running.http.port().to_string()])
        .args([
            "lbs-1-sig.agora.io",
            "lbs.sig.agora.io",
            "127-0-0-1-sig-web.agora.io",
            "bridge.example.com",
        ])
        .args(["127.0.0.1", "example.com"])
        .env("NODE_EXTRA_CA_CERTS", folder.join("certs/ca.pem"));
    let output = tokio::task::spawn_blocking(move || node.stdin(Stdio::null()).output()).await;
    let output = output.expect("the thread").expect("node runs");
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(
        stdout,
        "lbs-1-sig.agora.io 200\nlbs.sig.agora.io 200\n127-0-0-1-sig-web.agora.io 200\nbridge.example.com 200\n\
         127.0.0.1 200\nexample.com ERR_TLS_CERT_ALTNAME_INVALID\nfetch 200\n",
        "{stderr}"
    );
}
