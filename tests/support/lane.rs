//! What vendor lanes share: their tools, their packages, their report.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rtm::AppId;
use secrecy::SecretString;
use sigbridge::config::Config;

use super::config;

/// The folder of a lane.
pub fn lane(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("lanes").join(name)
}

/// Whether a lane is skipped: only for a reason, and never on CI.
#[expect(clippy::print_stdout, reason = "for who runs the tests")]
pub fn skipped(reason: Option<String>) -> bool {
    let Some(reason) = reason else {
        return false;
    };
    assert!(std::env::var_os("CI").is_none(), "CI runs this lane: {reason}");
    println!("skipped: {reason}");
    true
}

/// Why a tool cannot be used: it is not there, or older than `oldest`, which is a major and a minor version.
pub fn missing(tool: &str, oldest: [u32; 2]) -> Option<String> {
    let output = Command::new(tool).arg("--version").stdin(Stdio::null()).output();
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        return Some(format!("there is no {tool}"));
    };
    let told = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let mut numbers = told
        .trim_start_matches(|c: char| !c.is_ascii_digit())
        .split('.')
        .map_while(|part| part.parse().ok());
    let [major, minor] = oldest;
    let is_old = [numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)] < oldest;
    is_old.then(|| format!("{tool} is {told}, which is older than {major}.{minor}"))
}

/// Why Node and npm cannot run a lane.
pub fn missing_node() -> Option<String> {
    missing("node", [20, 11]).or_else(|| missing("npm", [0, 0]))
}

/// The folder of a lane's packages, outside the sources, filled by `install`. It runs again only after a change of one of
/// `files`.
pub fn installed(name: &str, files: &[PathBuf], install: impl FnOnce(&Path)) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let note = folder.join("installed");
    let wanted: String = files
        .iter()
        .map(|file| fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
        .collect();
    if fs::read_to_string(&note).is_ok_and(|installed| installed == wanted) {
        return folder;
    }
    // Neither what an older install has left nor one that breaks off must look like a good one.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the target folder can be written");
    install(&folder);
    fs::write(&note, wanted).expect("the target folder can be written");
    folder
}

/// Installs a lane's npm packages from its lock file.
pub fn npm_installed(name: &str, lane: &Path) -> PathBuf {
    let files = ["package.json", "package-lock.json", ".npmrc"].map(|file| lane.join(file));
    installed(name, &files, |folder| {
        for file in &files {
            fs::copy(file, folder.join(file.file_name().expect("a file"))).expect("the target folder can be written");
        }
        must_run(
            Command::new("npm")
                .args(["ci", "--prefer-offline", "--no-progress"])
                .current_dir(folder),
        );
    })
}

/// Why Python cannot run a lane.
pub fn missing_python() -> Option<String> {
    missing("python3", [3, 11]).or_else(|| {
        // Debian has them apart.
        let found = Command::new("python3").args(["-c", "import ensurepip, venv"]).output();
        let is_there = found.is_ok_and(|output| output.status.success());
        (!is_there).then(|| "python3 has no venv".to_owned())
    })
}

/// The Python of an environment.
pub fn python(venv: &Path) -> PathBuf {
    venv.join("bin/python")
}

/// Installs a lane's Python packages from its requirements; returns the folder of their environment.
pub fn python_installed(name: &str, lane: &Path) -> PathBuf {
    let requirements = lane.join("requirements.txt");
    installed(name, std::slice::from_ref(&requirements), |folder| {
        must_run(Command::new("python3").args(["-m", "venv"]).arg(folder));
        // Wheels alone: nothing of a package runs before it is imported. The SDK's own is named with its hash, too.
        must_run(
            Command::new(python(folder))
                .args(["-m", "pip", "install", "--no-input", "--disable-pip-version-check"])
                .args(["--require-hashes", "--only-binary", ":all:", "--requirement"])
                .arg(&requirements),
        );
    })
}

/// Runs a command that prepares a lane.
pub fn must_run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{said}");
}

/// A config with the app id and the certificate that stand in a lane's file of tokens, as `NAME = '…'`.
pub fn config_with_certificate(tokens: &Path) -> Config {
    let tokens = fs::read_to_string(tokens).expect("a file of the lane");
    let constant = |name: &str| {
        let (_, rest) = tokens.split_once(&format!("{name} = '")).expect(name);
        rest.split('\'').next().expect("split gives something").to_owned()
    };
    let mut config = config();
    config.auth.app_id = Some(AppId::new(constant("APP_ID")).expect("a legal name"));
    config.auth.certificate = Some(SecretString::from(constant("CERTIFICATE")));
    config
}

/// What a lane has printed: a line for each scenario and way, `ok NAME@WAY (MILLISECONDS)` or `not ok NAME@WAY: WHY`;
/// one that fails as expected is `ok` and has a `#`.
pub struct Report(String);

impl Report {
    /// Runs a lane, which must end well.
    pub fn of(run: &mut Command) -> Self {
        // Its clients wait for the servers of this runtime, so that it must not keep them from running.
        let output = tokio::task::block_in_place(|| run.stdin(Stdio::null()).output());
        let output = output.expect("the lane runs");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let unwell: Vec<_> = told.lines().filter(|line| !line.starts_with("ok ")).collect();
            let said = String::from_utf8_lossy(&output.stderr);
            panic!("{run:?}: {}\n{}\n{said}", output.status, unwell.join("\n"));
        }
        Self(told)
    }

    /// How many scenarios ran, each way counted.
    pub fn ran(&self) -> usize {
        self.0.lines().filter(|line| line.starts_with("ok ")).count()
    }

    /// Fails unless a scenario has really passed.
    pub fn assert_passed(&self, name: &str, ways: &[&str]) {
        for way in ways {
            let start = format!("ok {name}@{way} ");
            let passed = |line: &str| line.starts_with(&start) && !line.contains('#');
            assert!(self.0.lines().any(passed), "{name}@{way} did not pass:\n{}", self.0);
        }
    }
}

/// How many files of a folder have an ending: a lane that runs nothing would pass, too.
pub fn count_files(folder: &Path, ending: &str) -> usize {
    let files = fs::read_dir(folder).expect("the lane's scenarios");
    files
        .filter(|file| {
            file.as_ref()
                .is_ok_and(|file| file.path().extension().is_some_and(|e| e == ending))
        })
        .count()
}
