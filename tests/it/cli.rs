//! The command line: what goes to stdout, what to stderr, and how it ends.

mod check;
mod dev_cert;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs the program in a folder; shows the exit code, stdout and stderr.
fn run(folder: &Path, args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_sigbridge"))
        .args(args)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert!(
        !stdout.contains('\x1b') && !stderr.contains('\x1b'),
        "NO_COLOR: {stdout}{stderr}"
    );
    let code = output.status.code().expect("it ends by itself");
    format!("exit {code}\n--- stdout\n{stdout}--- stderr\n{stderr}")
}

/// An empty folder for one test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

/// In a place that does not move when the tables grow.
const MISTAKE: (&str, &str, &str) = (
    "platforms/web.toml",
    "\"Rest.channelMessage\"",
    "\"Rest.channelMesage\"",
);

/// The tables of this project in `folder/mappings`, one of them changed.
fn tables_with(folder: &Path, (file, from, to): (&str, &str, &str)) {
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    for part in ["", "wire", "platforms"] {
        let target = folder.join("mappings").join(part);
        fs::create_dir_all(&target).expect("a folder of the test");
        for entry in fs::read_dir(original.join(part)).expect("the tables of this project") {
            let path = entry.expect("a file").path();
            if path.is_file() {
                fs::copy(&path, target.join(path.file_name().expect("a name"))).expect("a copy");
            }
        }
    }
    let path = folder.join("mappings").join(file);
    let text = fs::read_to_string(&path).expect("a table");
    assert!(text.contains(from), "{file} has no {from}");
    fs::write(&path, text.replacen(from, to, 1)).expect("a copy can be written");
}

#[test]
fn serve_does_not_start_with_a_mistake() {
    let folder = folder("serve");
    fs::write(folder.join("sigbridge.toml"), "[session]\ngrace = 30\n").expect("a file");
    insta::assert_snapshot!(run(&folder, &["serve", "--config", "sigbridge.toml"]), @r#"
        exit 64
        --- stdout
        --- stderr
        error: `session.grace`: expected a duration such as "500ms", "20s", "1h30m" or "7d"
        --> sigbridge.toml:2:9
        error: invalid config

        hint: config.example.toml lists every key
        "#);
    insta::assert_snapshot!(run(&folder, &["serve", "--mappings", "nowhere"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: cannot read nowhere: No such file or directory (os error 2)

        hint: a tables directory holds *.toml, platforms/*.toml and wire/*.toml, like mappings/ in the source
        ");
    tables_with(&folder, MISTAKE);
    let check = run(&folder, &["check", "--mappings", "mappings"]);
    let error = check
        .split("--- stderr\n")
        .nth(1)
        .and_then(|text| text.split("\n\n").next());
    let serve = run(&folder, &["serve", "--mappings", "mappings"]);
    let serve = serve.replace(error.expect("an error"), "[the error of `sigbridge check`]");
    insta::assert_snapshot!(serve, @"
        exit 64
        --- stdout
        --- stderr
        [the error of `sigbridge check`]
        error: invalid mapping tables

        hint: run `sigbridge check --mappings DIR` to list all errors
        ");
}

#[test]
fn an_address_that_is_taken_is_no_wrong_usage() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("any free port");
    let addr = listener.local_addr().expect("it is bound").to_string();
    let shown = run(&folder("taken"), &["serve", "--listen", &addr]);
    insta::assert_snapshot!(shown.replace(&addr, "ADDR"), @r"
        exit 1
        --- stdout
        --- stderr
        error: cannot listen on ADDR: Address already in use (os error 98)
        ");
}

#[test]
fn wrong_usage_is_64() {
    insta::assert_snapshot!(run(&folder("usage"), &["serv"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: unrecognized subcommand 'serv'

          tip: a similar subcommand exists: 'serve'

        Usage: sigbridge <COMMAND>

        For more information, try '--help'.
        ");
    let help = run(&folder("usage"), &["--help"]);
    assert!(help.starts_with("exit 0\n--- stdout\n"), "{help}");
    for code in ["0 ", "1 ", "64 ", "65 "] {
        assert!(
            help.contains(&format!("\n  {code}")),
            "the help has exit code {code}:\n{help}"
        );
    }
}

#[test]
fn the_long_version_names_the_build() {
    let shown = run(&folder("version"), &["--version"]);
    let lines: Vec<&str> = shown.lines().collect();
    let number = env!("CARGO_PKG_VERSION");
    assert_eq!(
        lines[..3],
        ["exit 0", "--- stdout", &*format!("sigbridge {number}")],
        "{shown}"
    );
    let commit = lines[3].strip_prefix("commit   ").expect("a commit");
    let hash = commit.trim_end_matches(", changed");
    let is_hash = hash.len() >= 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(is_hash || commit == "unknown", "{shown}");
    assert!(["profile  debug", "profile  release"].contains(&lines[4]), "{shown}");
    let short = run(&folder("version"), &["-V"]);
    assert_eq!(short, format!("exit 0\n--- stdout\nsigbridge {number}\n--- stderr\n"));
}

/// Every command has a manual page with its exit codes, and every shell completes the commands.
#[test]
fn the_manual_and_completions_have_every_command() {
    let folder = folder("manual");
    assert_eq!(run(&folder, &["man", "man"]), "exit 0\n--- stdout\n--- stderr\n");
    let pages = fs::read_dir(folder.join("man")).expect("a folder of pages");
    let mut commands = Vec::new();
    for page in pages {
        let path = page.expect("a page").path();
        let text = fs::read_to_string(&path).expect("a page");
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .expect("a name")
            .to_owned();
        assert!(text.contains("Exit codes:"), "{name}: {text}");
        assert!(!text.contains("commit  "), "{name}: {text}");
        commands.extend(name.strip_prefix("sigbridge-").map(ToOwned::to_owned));
    }
    let top = ["serve", "agent", "call", "check", "dev-cert", "completions", "man"];
    assert!(
        commands.len() > 25 && top.iter().all(|name| commands.iter().any(|c| c == name)),
        "{commands:?}"
    );
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/commands.md");
    let reference = fs::read_to_string(page).expect("docs/commands.md");
    for name in &commands {
        let help: Vec<&str> = commands
            .iter()
            .filter(|command| name.strip_prefix(&***command).is_some_and(|rest| rest.starts_with('-')))
            .map(|command| &**command)
            .collect();
        // `dev-cert` has a hyphen, and is no command of `dev`.
        let words = match help.last() {
            Some(above) => format!("{above} {}", &name[above.len() + 1..]),
            None => name.clone(),
        };
        let args: Vec<&str> = words.split(' ').chain(["--help"]).collect();
        assert!(run(&folder, &args).contains("Exit codes:"), "{words}");
        let has_more = commands.iter().any(|other| other.starts_with(&format!("{name}-")));
        assert!(
            has_more || reference.contains(&format!("`{words}")),
            "docs/commands.md has no `{words}`"
        );
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&folder, &["completions", shell]);
        assert!(
            script.starts_with("exit 0\n") && script.ends_with("--- stderr\n"),
            "{shell}"
        );
        let missing: Vec<&String> = commands
            .iter()
            .filter(|name| !name.contains('-') && !script.contains(&***name))
            .collect();
        assert!(
            missing.is_empty() && script.contains("rate-scale"),
            "{shell}: {missing:?}"
        );
    }
    insta::assert_snapshot!(run(&folder, &["completions", "csh"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: invalid value 'csh' for '<SHELL>'
          [possible values: bash, elvish, fish, powershell, zsh]

          tip: a similar value exists: 'zsh'

        For more information, try '--help'.
        ");
    fs::write(folder.join("file"), "").expect("a file");
    insta::assert_snapshot!(run(&folder, &["man", "file/man"]), @r"
        exit 1
        --- stdout
        --- stderr
        error: cannot write to file/man: Not a directory (os error 20)
        ");
}

/// Errors name the missing item, and hints fit the error.
#[test]
fn hints_lead_to_what_is_wrong() {
    let folder = folder("hints");
    insta::assert_snapshot!(run(&folder, &["dev-cert", "--config", "none.toml"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: config file not found: none.toml

        hint: the config has the names that the certificate is for: leave --config out for the default names, and add names with --host
        ");
    fs::write(
        folder.join("sigbridge.toml"),
        "[tls]\ncertificate = 'certs/cert.pem'\nkey = 'certs/key.pem'\n",
    )
    .expect("a file");
    insta::assert_snapshot!(run(&folder, &["check", "--config", "sigbridge.toml"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: `tls`: cannot read `certs/cert.pem`: No such file or directory (os error 2)
        --> sigbridge.toml:2:15
         = help: `sigbridge dev-cert --config FILE` makes a certificate and its key for development, in `certs` beside the config; relative paths start at the config file's directory

        error: `tls`: cannot read `certs/key.pem`: No such file or directory (os error 2)
        --> sigbridge.toml:3:7
         = help: `sigbridge dev-cert --config FILE` makes a certificate and its key for development, in `certs` beside the config; relative paths start at the config file's directory

        error: 2 errors found
        ");
    insta::assert_snapshot!(run(&folder, &["serve", "--config", "none.toml"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: config file not found: none.toml

        hint: start from config.example.toml, or omit --config to use the defaults
        ");
    insta::assert_snapshot!(run(&folder, &["doctor", "--config", "none.toml"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: config file not found: none.toml

        hint: pass the config of the running sidecar: this command connects to its [admin] listen
        ");
    fs::write(folder.join("app.har"), "{\n  \"log\": {}\n}").expect("a file");
    let hint = "hint: convert a HAR file with `sigbridge trace import`\n";
    for args in [
        &["replay", "app.har"][..],
        &["coverage", "app.har"],
        &["diff", "app.har", "app.har"],
        &["trace", "export", "app.har"],
    ] {
        let shown = run(&folder, args);
        assert!(shown.starts_with("exit 2\n") && shown.contains(hint), "{shown}");
    }
    insta::assert_snapshot!(run(&folder, &["explain", "--family", "native", "call user_sendmsg"]), @r#"
        exit 65
        --- stdout
        --- stderr
        error: not a line of the native wire: `call` needs a function, a number, 0 and JSON

        hint: write call function 1 0 {"line":"…"}, or login {"account":"…"}
        "#);
}

/// A small trace: a call that RTM serves, an unknown call, and a pushed message.
fn trace_of(folder: &Path, name: &str, changes: &[(&str, &str)]) {
    let lines = [
        r#"{"sigbridge_trace":1,"started_ms":5,"program":"0.1.0"}"#,
        r#"{"t_us":0,"session":1,"leg":"env","dir":"in","data":{"begin":{"profile":"web","account":"alice"}}}"#,
        r#"{"t_us":1,"session":1,"leg":"legacy","dir":"in","data":{"socket":1,"frame":"[\"call2\",[\"channel_leave\",1,{\"name\":\"room\"}]]"}}"#,
        r#"{"t_us":1,"session":1,"leg":"legacy","dir":"out","row":"channel.leave","data":{"socket":1,"frame":"[\"call2-ret\",[1,\"\",\"{\\\"result\\\":\\\"ok\\\"}\"]]"}}"#,
        r#"{"t_us":2,"session":1,"leg":"legacy","dir":"in","data":{"socket":1,"frame":"[\"call2\",[\"user_sendmsg\",2,{\"peer\":\"bob\",\"content\":\"hi\"}]]"}}"#,
        r#"{"t_us":2,"session":1,"leg":"legacy","dir":"out","row":"peer.send","data":{"socket":1,"frame":"[\"call2-ret\",[2,\"not login\",\"{\\\"result\\\":\\\"failed\\\",\\\"reason\\\":\\\"not login\\\"}\"]]"}}"#,
        r#"{"t_us":2,"session":1,"leg":"env","dir":"out","data":{"note":{"row":"peer.send","code":"PEER-OFFLINE"}}}"#,
        r#"{"t_us":3,"session":1,"leg":"legacy","dir":"in","data":{"socket":1,"frame":"[\"call2\",[\"nonsense\",3,{}]]"}}"#,
        r#"{"t_us":4,"session":1,"leg":"rtm","dir":"in","data":{"event":{"ChannelMessage":{"serverReceivedTs":9}}}}"#,
        r#"{"t_us":4,"session":1,"leg":"legacy","dir":"out","row":"channel-msg.received","data":{"socket":1,"frame":"[\"notify\",[\"channel2\",1,1,\"msg-v2 bob room f channel_msg 5 hi\"]]"}}"#,
    ];
    let text = changes.iter().fold(lines.join("\n") + "\n", |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    fs::write(folder.join(name), text).expect("a file");
}

#[test]
fn coverage_shows_what_is_used() {
    let folder = folder("coverage");
    fs::create_dir_all(folder.join("traces/inside")).expect("a folder");
    trace_of(&folder, "traces/inside/a.jsonl", &[]);
    insta::assert_snapshot!(run(&folder, &["coverage", "traces"]), @r"
        exit 0
        --- stdout
        # Coverage

        1 of 3 calls are exact; 0 are emulated without a limitation, 0 client-side, 0 inexact, 1 refused, 1 unknown.

        Sessions: 1. Events: 1. Calls that failed, for any reason: 1.

        ## Look at first

        - `nonsense`, 1×: unknown function
        - **PEER-OFFLINE**, refused, 1×: the peer was offline and RTM kept nothing; Signaling would have stored the message
          - used by messageInstantSend; row peer.send
          - workaround: an RTM project with offline messages

        ## Calls

        | count | call | row | exact? | status | limitations | failed |
        |--:|---|---|---|---|---|--:|
        | 1 | channelLeave | channel.leave | exact | direct |  | 0 |
        | 1 | messageInstantSend | peer.send | refused | emulated (outbox) | PEER-OFFLINE 1× | 1 |

        ## Events

        | count | event | row | exact? | status | limitations | failed |
        |--:|---|---|---|---|---|--:|
        | 1 | onMessageChannelReceive | channel-msg.received | exact | direct (channel-text) |  | 0 |

        ## Failures

        | count | call | reason |
        |--:|---|---|
        | 1 | messageInstantSend | not login |
        --- stderr
        ");
    let json = run(&folder, &["coverage", "--json", "traces/inside/a.jsonl"]);
    assert!(
        json.starts_with("exit 0\n--- stdout\n{\n  \"summary\": {\n    \"sessions\": 1,\n    \"calls\": 3,"),
        "{json}"
    );
    fs::write(folder.join("traces/b.jsonl"), "x\n").expect("a file");
    let shown = run(&folder, &["coverage", "traces"]);
    assert!(
        shown.starts_with("exit 2\n")
            && shown.contains("# Coverage")
            && shown.contains("traces/b.jsonl: line 1: invalid trace header"),
        "{shown}"
    );
    let nothing = run(&folder, &["coverage", "."]);
    assert!(nothing.starts_with("exit 2\n"), "{nothing}");
    insta::assert_snapshot!(run(&folder, &["coverage", "nowhere.jsonl"]), @r#"
        exit 2
        --- stdout
        --- stderr
        error: nowhere.jsonl: No such file or directory (os error 2)
        "#);
}

#[test]
fn diff_shows_causes_whose_outputs_differ() {
    let folder = folder("diff");
    trace_of(&folder, "a.jsonl", &[]);
    let other = [
        ("\"socket\":1", "\"socket\":7"),
        (" 5 hi", " 6 hi"),
        ("Ts\":9", "Ts\":10"),
    ];
    trace_of(&folder, "same.jsonl", &other);
    trace_of(
        &folder,
        "b.jsonl",
        &[
            ("not login", "timeout"),
            ("room f channel_msg 5 hi", "room f channel_msg 5 ho"),
        ],
    );
    trace_of(
        &folder,
        "again.jsonl",
        &[("room f channel_msg 5 hi", "room f channel_msg 5 hu")],
    );
    insta::assert_snapshot!(run(&folder, &["diff", "a.jsonl", "same.jsonl"]), @r"
        exit 0
        --- stdout
        sessions: 1 compared, 0 differ; different causes: 0
        --- stderr
        ");
    insta::assert_snapshot!(run(&folder, &["diff", "a.jsonl", "b.jsonl"]), @r#"
        exit 1
        --- stdout
        session 1 of `alice`
          legacy call user_sendmsg (A:5 B:5)  [peer.send]
            cause     {"socket":1,"frame":"[\"call2\",[\"user_sendmsg\",2,{\"peer\":\"bob\",\"content\":\"hi\"}]]"}
            legacy answer user_sendmsg  [peer.send]
              expected  ["call2-ret",[2,"not login","{\"result\":\"failed\",\"reason\":\"not login\"}"]]
              got       ["call2-ret",[2,"timeout","{\"result\":\"failed\",\"reason\":\"timeout\"}"]]
              at .frame[1][1]: "not login" / "timeout"
              at .frame[1][2].json.reason: "not login" / "timeout"
          rtm event ChannelMessage (A:9 B:9)  [channel-msg.received]
            cause     {"event":{"ChannelMessage":{"serverReceivedTs":9}}}
            legacy notify channel_msg  [channel-msg.received]
              expected  ["notify",["channel2",1,1,"msg-v2 bob room f channel_msg 5 hi"]]
              got       ["notify",["channel2",1,1,"msg-v2 bob room f channel_msg 5 ho"]]
              at .frame[1][3].line.content: "hi" / "ho"
        sessions: 1 compared, 1 differ; different causes: 2
        --- stderr
        "#);
    insta::assert_snapshot!(run(&folder, &["diff", "a.jsonl", "b.jsonl", "--noise", "again.jsonl"]), @r#"
        exit 1
        --- stdout
        session 1 of `alice`
          legacy call user_sendmsg (A:5 B:5)  [peer.send]
            cause     {"socket":1,"frame":"[\"call2\",[\"user_sendmsg\",2,{\"peer\":\"bob\",\"content\":\"hi\"}]]"}
            legacy answer user_sendmsg  [peer.send]
              expected  ["call2-ret",[2,"not login","{\"result\":\"failed\",\"reason\":\"not login\"}"]]
              got       ["call2-ret",[2,"timeout","{\"result\":\"failed\",\"reason\":\"timeout\"}"]]
              at .frame[1][1]: "not login" / "timeout"
              at .frame[1][2].json.reason: "not login" / "timeout"
        sessions: 1 compared, 1 differ; different causes: 1
        differences ignored as noise: 1
        --- stderr
        "#);
    let json = run(&folder, &["diff", "a.jsonl", "b.jsonl", "--json"]);
    let json = json
        .split("--- stdout\n")
        .nth(1)
        .and_then(|rest| rest.split("--- stderr").next());
    let json: serde_json::Value = serde_json::from_str(json.expect("stdout")).expect("JSON");
    let paths = json.pointer("/sessions/0/causes/1/outputs/0/changes/0/path");
    assert_eq!(
        (&json["equal"], paths),
        (&false.into(), Some(&".frame[1][3].line.content".into())),
        "{json}"
    );
    fs::write(folder.join("cut.jsonl"), "{\"sigbridge_trace\":1").expect("a file");
    insta::assert_snapshot!(run(&folder, &["diff", "a.jsonl", "cut.jsonl"]), @r#"
        exit 2
        --- stdout
        --- stderr
        error: cut.jsonl: line 1: truncated trace: the line has no end
        "#);
}

#[test]
fn the_config_is_shown_with_the_source_of_each_value() {
    let folder = folder("config");
    fs::write(folder.join("a.toml"), "[drain]\ndelay = \"2s\"\n[[app]]\nid = \"a\"\n").expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_sigbridge"))
        .args(["config", "show", "--set", "--config", "a.toml"])
        .env("SIGBRIDGE_LIMITS_SOCKETS", "7")
        .current_dir(&folder)
        .output()
        .expect("the program starts");
    let shown = String::from_utf8(output.stdout).expect("UTF-8");
    insta::assert_snapshot!(shown, @r#"
        drain.delay = "2s"  # a.toml:2
        limits.sockets = 7  # SIGBRIDGE_LIMITS_SOCKETS
        app.a.id = "a"  # file
        app.a.certificate_file = -  # file
        app.a.allow_no_token = false  # file
        app.a.upstream = "embedded"  # file
        app.a.allowed_origins = -  # file
        app.a.messages_per_second = -  # file
        app.a.logins_per_second = -  # file
        app.a.sessions = -  # file
        app.a.channels = -  # file
        "#);
    let wrong = run(&folder, &["config", "check", "--config", "missing.toml"]);
    assert!(wrong.starts_with("exit 64\n"), "{wrong}");
    assert_eq!(
        run(&folder, &["config", "check", "--config", "a.toml"]),
        "exit 0\n--- stdout\n--- stderr\n"
    );
    let example = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.toml"));
    let default = run(&folder, &["config", "default"]);
    assert_eq!(
        default,
        format!("exit 0\n--- stdout\n{}--- stderr\n", example.expect("the example"))
    );
}

/// Editors check a config by the schema: the example is valid, with all its keys, and a wrong one is not.
#[test]
fn the_config_schema_describes_the_example() {
    let shown = run(&folder("config-schema"), &["config", "schema"]);
    let text = shown
        .strip_prefix("exit 0\n--- stdout\n")
        .and_then(|text| text.strip_suffix("--- stderr\n"));
    let schema: serde_json::Value = serde_json::from_str(text.expect("a document")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a JSON Schema");
    let example = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.toml"));
    let uncommented = example
        .expect("the example")
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) => rest.to_owned(),
            Some(header) if header.starts_with("[[") => header.to_owned(),
            _ => line.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("\n");
    let json = |text: &str| {
        let table: toml::Table = text.parse().expect("TOML");
        serde_json::to_value(table).expect("JSON")
    };
    let errors: Vec<String> = validator
        .iter_errors(&json(&uncommented))
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, [] as [String; 0]);
    for wrong in [
        "[limits]\nsockets = 0",
        "[limts]",
        "[policy]\nover_rate = 'x'",
        "[drain]\ndelay = '5'",
        "listen = 1",
    ] {
        assert!(!validator.is_valid(&json(wrong)), "{wrong}");
    }
}
