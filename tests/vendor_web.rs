//! The vendor lane: the vendor's own Web SDK, unmodified, against two servers of this process.
//!
//! Needs Node 20.11 and npm; without them it is skipped, except on CI.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use secrecy::SecretString;
use sigbridge::config::Config;
use sigbridge::ident::AppId;
use support::{config, serve};

/// Of a package and its lock: whatever of them changes, npm installs anew.
const PACKAGE: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];
const OLDEST_NODE: [u32; 2] = [20, 11];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_vendors_sdk_is_served() {
    if let Some(reason) = missing_tools() {
        assert!(std::env::var_os("CI").is_none(), "CI runs this lane: {reason}");
        println!("skipped: {reason}");
        return;
    }
    let lane = Path::new(env!("CARGO_MANIFEST_DIR")).join("lanes/web");
    let sdk = install(&lane);
    let open = serve(config()).await;
    let auth = serve(with_certificate(&lane)).await;
    let mut run = Command::new("node");
    run.arg(lane.join("run.mjs"))
        .args(["--open", &open.http.port().to_string()])
        .args(["--auth", &auth.http.port().to_string()])
        .arg("--sdk")
        .arg(&sdk);
    let output = tokio::task::spawn_blocking(move || run.stdin(Stdio::null()).output()).await;
    let output = output.expect("the lane's thread").expect("node runs");
    let told = String::from_utf8_lossy(&output.stdout);
    let report = format!("{told}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{report}");
    // A lane that runs nothing would pass, too.
    let scenarios = fs::read_dir(lane.join("scenarios"))
        .expect("the lane's scenarios")
        .count();
    assert!(scenarios >= 40, "only {scenarios} scenarios");
    let ok = told.lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(ok, 2 * scenarios, "every scenario runs in two ways:\n{report}");
    for needed in [
        "peer-message",
        "channel-message",
        "invite-accept",
        "kicked",
        "reconnect",
        "token-expired",
    ] {
        for way in ["url", "lookup"] {
            let passed = told
                .lines()
                .any(|line| line.starts_with(&format!("ok {needed}@{way} ")) && !line.contains('#'));
            assert!(passed, "{needed}@{way} did not pass:\n{report}");
        }
    }
}

/// Why the lane cannot run here.
fn missing_tools() -> Option<String> {
    let version = |tool: &str| {
        let output = Command::new(tool).arg("--version").stdin(Stdio::null()).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let Some(node) = version("node") else {
        return Some("there is no node".to_owned());
    };
    let mut numbers = node
        .trim_start_matches('v')
        .split('.')
        .map_while(|part| part.parse().ok());
    if [numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)] < OLDEST_NODE {
        let [major, minor] = OLDEST_NODE;
        return Some(format!("node is {node}, which is older than {major}.{minor}"));
    }
    version("npm").is_none().then(|| "there is no npm".to_owned())
}

/// The folder where npm has put the lane's packages, outside the sources; npm runs once for each lock file.
fn install(lane: &Path) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("vendor-web");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    let note = folder.join("installed");
    let texts = PACKAGE.map(|file| fs::read_to_string(lane.join(file)).expect("a file of the lane"));
    let wanted = texts.concat();
    if fs::read_to_string(&note).is_ok_and(|installed| installed == wanted) {
        return folder;
    }
    // An install that breaks off must not look like a good one.
    let _ = fs::remove_file(&note);
    for (file, text) in PACKAGE.iter().zip(&texts) {
        fs::write(folder.join(file), text).expect("the target folder can be written");
    }
    let npm = Command::new("npm")
        .args(["ci", "--prefer-offline", "--no-progress"])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .output()
        .expect("npm runs");
    let said = String::from_utf8_lossy(&npm.stderr);
    assert!(npm.status.success(), "npm ci in {} failed:\n{said}", folder.display());
    fs::write(&note, wanted).expect("the target folder can be written");
    folder
}

/// The config that the lane's README asks of the second server.
fn with_certificate(lane: &Path) -> Config {
    let tokens = fs::read_to_string(lane.join("token.mjs")).expect("a file of the lane");
    let constant = |name: &str| {
        let (_, rest) = tokens.split_once(&format!("export const {name} = '")).expect(name);
        rest.split('\'').next().expect("split gives something").to_owned()
    };
    let mut config = config();
    config.auth.app_id = Some(AppId::new(constant("APP_ID")).expect("a legal name"));
    config.auth.certificate = Some(SecretString::from(constant("CERTIFICATE")));
    config
}
