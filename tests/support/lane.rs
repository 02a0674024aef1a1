//! Common parts of vendor lanes: tools, packages, report.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rtm::AppId;
use secrecy::SecretString;
use sigbridge::config::Config;

use super::config;

/// Returns the directory of a lane.
pub fn lane(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("lanes").join(name)
}

/// Returns true if a lane is skipped; it needs a reason, and is never skipped on CI.
#[expect(clippy::print_stdout, reason = "for who runs the tests")]
pub fn skipped(reason: Option<String>) -> bool {
    let Some(reason) = reason else {
        return false;
    };
    assert!(std::env::var_os("CI").is_none(), "CI runs this lane: {reason}");
    println!("skipped: {reason}");
    true
}

/// Returns the reason why a tool is not usable: missing, or older than `oldest` (major, minor).
pub fn missing(tool: &str, oldest: [u32; 2]) -> Option<String> {
    let output = Command::new(tool).arg("--version").stdin(Stdio::null()).output();
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        return Some(format!("{tool} is not installed"));
    };
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let mut numbers = version
        .trim_start_matches(|c: char| !c.is_ascii_digit())
        .split('.')
        .map_while(|part| part.parse().ok());
    let [major, minor] = oldest;
    let is_old = [numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)] < oldest;
    is_old.then(|| format!("{tool} is {version}, which is older than {major}.{minor}"))
}

/// Returns the reason why Node and npm are not usable.
pub fn missing_node() -> Option<String> {
    missing("node", [20, 11]).or_else(|| missing("npm", [0, 0]))
}

/// Returns the directory of a lane's packages, outside of the sources. `install` runs again only if one of `files`
/// changed.
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
    // Remove remains of an older or aborted installation.
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

/// Returns the reason why Python is not usable.
pub fn missing_python() -> Option<String> {
    missing("python3", [3, 11]).or_else(|| {
        // Separate packages on Debian.
        let found = Command::new("python3").args(["-c", "import ensurepip, venv"]).output();
        let is_there = found.is_ok_and(|output| output.status.success());
        (!is_there).then(|| "python3 has no venv".to_owned())
    })
}

/// Returns the Python of an environment.
pub fn python(venv: &Path) -> PathBuf {
    venv.join("bin/python")
}

/// Installs a lane's Python packages from its requirements; returns the environment's directory.
pub fn python_installed(name: &str, lane: &Path) -> PathBuf {
    let requirements = lane.join("requirements.txt");
    installed(name, std::slice::from_ref(&requirements), |folder| {
        must_run(Command::new("python3").args(["-m", "venv"]).arg(folder));
        // Wheels only: no code of a package runs before its import. The SDK itself is pinned by hash, too.
        must_run(
            Command::new(python(folder))
                .args(["-m", "pip", "install", "--no-input", "--disable-pip-version-check"])
                .args(["--require-hashes", "--only-binary", ":all:", "--requirement"])
                .arg(&requirements),
        );
    })
}

/// Runs a preparatory command of a lane.
pub fn must_run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{stderr}");
}

/// Creates a config with the App ID and certificate in a lane's token file (`NAME = '…'`).
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

/// Output of a lane: per scenario and way, a line `ok NAME@WAY (MILLISECONDS)` or `not ok NAME@WAY: WHY`; an expected
/// failure is `ok` with a `#`.
pub struct Report(String);

impl Report {
    /// Runs a lane, which must succeed.
    pub fn of(run: &mut Command) -> Self {
        // Its clients need the servers of this runtime, so it must not block them.
        let output = tokio::task::block_in_place(|| run.stdin(Stdio::null()).output());
        let output = output.expect("the lane runs");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let unwell: Vec<_> = stdout.lines().filter(|line| !line.starts_with("ok ")).collect();
            let stderr = String::from_utf8_lossy(&output.stderr);
            panic!("{run:?}: {}\n{}\n{stderr}", output.status, unwell.join("\n"));
        }
        Self(stdout)
    }

    /// Counts the scenario runs, per way.
    pub fn ran(&self) -> usize {
        self.0.lines().filter(|line| line.starts_with("ok ")).count()
    }

    /// Asserts that a scenario passed.
    pub fn assert_passed(&self, name: &str, ways: &[&str]) {
        for way in ways {
            let start = format!("ok {name}@{way} ");
            let passed = |line: &str| line.starts_with(&start) && !line.contains('#');
            assert!(self.0.lines().any(passed), "{name}@{way} did not pass:\n{}", self.0);
        }
    }
}

/// Counts the files with an ending: a lane without scenarios would also pass.
pub fn count_files(folder: &Path, ending: &str) -> usize {
    let files = fs::read_dir(folder).expect("the lane's scenarios");
    files
        .filter(|file| {
            file.as_ref()
                .is_ok_and(|file| file.path().extension().is_some_and(|e| e == ending))
        })
        .count()
}
