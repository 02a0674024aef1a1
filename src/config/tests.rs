use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;
use trace::Policy as Replaced;

use secrecy::ExposeSecret;

use identity::SessionLineKey;

use crate::config::*;
use tables::diagnostics::Diags;

pub(super) const EXAMPLE: &str = include_str!("../../config.example.toml");
const CERTIFICATE: &str = "5CFd2fd1755d40ecb72977518be15d3b";

/// Files by name.
pub(super) struct Fake(&'static [(&'static str, &'static str)]);

impl Files for Fake {
    fn read(&self, path: &Path) -> io::Result<String> {
        let file = self.0.iter().find(|(name, _)| Path::new(name) == path);
        file.map(|(_, text)| (*text).to_owned())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

pub(super) const FILES: Fake = Fake(&[
    ("certificate.txt", "5CFd2fd1755d40ecb72977518be15d3b\n"),
    ("empty.txt", "\n"),
    ("two.txt", "a\nb\n"),
    ("line.key", "0123456789abcdef\n"),
    ("short.key", "0123456789abcde\n"),
    ("admin.token", "0123456789abcdef\n"),
    ("other.token", "fedcba9876543210\n"),
    ("ca.pem", "-----BEGIN CERTIFICATE-----\n"),
]);

pub(super) fn parse(text: &str) -> Result<Config, Diags> {
    Config::parse(&Config::source("sigbridge.toml", text), &FILES)
}

#[test]
fn the_example_is_the_defaults() {
    let defaults = format!("{:#?}", Config::default());
    assert_eq!(
        format!("{:#?}", parse(EXAMPLE).expect("the example is legal")),
        defaults
    );
    assert_eq!(format!("{:#?}", parse("").expect("an empty file is legal")), defaults);
}

/// Checks a key of a valid config.
fn check<T: std::fmt::Debug + PartialEq>(text: &str, key: impl Fn(Config) -> T, expected: T) {
    match parse(text) {
        Ok(config) => assert_eq!(key(config), expected, "{text}"),
        Err(diags) => panic!("{text}\n{diags}"),
    }
}

#[test]
fn keys_are_read() {
    check(
        "[listen]\nhttp = '0.0.0.0:80'",
        |c| c.listen.http,
        "0.0.0.0:80".parse().unwrap(),
    );
    check(
        "[listen]\nhttp = '[::]:0'",
        |c| c.listen.http,
        "[::]:0".parse().unwrap(),
    );
    check("[listen]\ntcp = '[::1]:0'", |c| c.listen.tcp, "[::1]:0".parse().ok());
    check("[listen]\ntcp = 'off'", |c| c.listen.tcp, None);
    check("[listen]\nudp = []", |c| c.listen.udp, vec![]);
    check(
        "[listen]\nudp = ['0.0.0.0:8181', '[::]:8180']",
        |c| c.listen.udp,
        vec!["0.0.0.0:8181".parse().unwrap(), "[::]:8180".parse().unwrap()],
    );
    check(
        "[listen]\nreports = '0.0.0.0:8000'",
        |c| c.listen.reports,
        "0.0.0.0:8000".parse().ok(),
    );
    check(
        "[discovery]\nadvertise_ip = '10.0.0.1'",
        |c| c.discovery.advertise_ip,
        Ipv4Addr::new(10, 0, 0, 1),
    );
    check(
        "[discovery]\nadvertise_port = 65534",
        |c| c.discovery.advertise_port,
        Some(65534),
    );
    let host = |c: Config| c.discovery.advertise_host.map(|host| host.to_string());
    check(
        "[discovery]\nadvertise_host = 'a-b.example.com:8443'",
        host,
        Some("a-b.example.com:8443".to_owned()),
    );
    let tcp = |c: Config| c.discovery.advertise_tcp.map(|host| host.to_string());
    check(
        "[discovery]\nadvertise_tcp = '10.0.0.1:443'",
        tcp,
        Some("10.0.0.1:443".to_owned()),
    );
    let ms = Duration::from_millis;
    check("[session]\nlogin_timeout = '1s'", |c| c.session.login_timeout, ms(1000));
    check(
        "[session]\nrtm_login_timeout = '500ms'",
        |c| c.session.rtm_login_timeout,
        ms(500),
    );
    check("[session]\ngrace = '0s'", |c| c.session.grace, ms(0));
    check("[session]\ntwin_window = '2s'", |c| c.session.twin_window, ms(2000));
    check("[invite]\ntimeout = '55s'", |c| c.invite.timeout, ms(55_000));
    check("[mailbox]\nlimit = 1", |c| c.mailbox.limit, 1);
    check("[mailbox]\nttl = '5m'", |c| c.mailbox.ttl, ms(300_000));
    check(
        "[record]\nfolder = 'traces'",
        |c| c.record.folder,
        Some("traces".into()),
    );
    check("[record]\nfile_size = 1", |c| c.record.file_size, 1);
    check("[record]\nfile_time = '5m'", |c| c.record.file_time, ms(300_000));
    check("[record]\nfiles = 3", |c| c.record.files, 3);
    check("[record]\nnames = 'hash'", |c| c.record.names, Replaced::Hash);
    check("[record]\nbodies = 'keep'", |c| c.record.bodies, Replaced::Keep);
    check(
        "[mailbox]\nfile = 'a.jsonl'",
        |c| c.mailbox.file,
        Some("a.jsonl".into()),
    );
    check(
        "[limits]\nmessages_per_second = 61",
        |c| c.limits.messages_per_second,
        61,
    );
    check("[limits]\nsockets = 20_000", |c| c.limits.sockets, 20_000);
    check(
        "[limits]\nchannel_messages_per_second = 0",
        |c| c.limits.channel_messages_per_second,
        0,
    );
    check(
        "[limits]\ninvitations_per_second = 1",
        |c| c.limits.invitations_per_second,
        1,
    );
    check("[limits]\nwrite_stall = '1s'", |c| c.limits.write_stall, ms(1000));
    check(
        "[limits]\noutbound_bytes = '64KiB'",
        |c| c.limits.outbound_bytes,
        65_536,
    );
    check("[limits]\nmemory = '1GiB'", |c| c.limits.memory, 1 << 30);
    check("[mailbox]\nbytes = '1MiB'", |c| c.mailbox.bytes, 1 << 20);
    let origins = |c: Config| (c.listen.allowed_origins, c.listen.api_allowed_origins);
    let page = || Some(vec!["https://app.example.com".to_owned()]);
    check("[listen]\nallowed_origins = []", origins, (Some(vec![]), None));
    check(
        "[listen]\nallowed_origins = ['https://app.example.com']\napi_allowed_origins = []",
        origins,
        (page(), Some(vec![])),
    );
    check(
        "[[app]]\nid = 'a'\nallowed_origins = ['https://app.example.com']",
        |c| c.apps[0].allowed_origins.clone(),
        page(),
    );
    check(
        "[policy]\nover_rate = 'discard'",
        |c| c.policy.over_rate,
        OverRate::Discard,
    );
    check(
        "[upstream]\nkind = 'embedded'",
        |c| c.upstream.kind,
        UpstreamKind::Embedded,
    );
    check("[embedded]\nrate_scale = 100", |c| c.embedded.rate_scale, 100);
    check(
        "[embedded]\noffline_messages = true",
        |c| c.embedded.offline_messages,
        true,
    );
    check("[log]\naccounts = 'hash'", |c| c.log.accounts, Accounts::Hash);
    check("[log]\naccounts = 'off'", |c| c.log.accounts, Accounts::Off);
    check("log.unsafe_dependencies = true", |c| c.log.unsafe_dependencies, true);
    check(
        "[admin]\nlisten = '127.0.0.1:9001'",
        |c| c.admin.listen,
        Some("127.0.0.1:9001".parse().unwrap()),
    );
    check("auth.allow_no_token = true", |c| c.auth.allow_no_token, true);
    check(
        "auth.app_id = 'app'",
        |c| c.auth.app_id.map(|id| id.to_string()),
        Some("app".to_owned()),
    );
}

#[test]
fn secrets_come_from_files() {
    let certificate = |c: Config| c.auth.certificate.map(|secret| secret.expose_secret().to_owned());
    let expected = Some(CERTIFICATE.to_owned());
    check(
        "auth = { app_id = 'a', certificate_file = 'certificate.txt' }",
        certificate,
        expected,
    );
    let line = |c: Config| c.session.line_key.map(|key| key.issue(7).as_str().to_owned());
    let expected = SessionLineKey::new(b"0123456789abcdef").map(|key| key.issue(7).as_str().to_owned());
    check("session.line_key_file = 'line.key'", line, expected);
}

/// Checks the errors of a config, each as `line:column title`.
fn check_errors(text: &str, expected: &[&str]) {
    let diags = parse(text).expect_err(text);
    let got: Vec<String> = diags
        .iter()
        .map(|diag| {
            let (line, column) = diag.span().position();
            format!("{line}:{column} {}", diag.title())
        })
        .collect();
    assert_eq!(got, expected, "{text}");
}

fn check_error(text: &str, expected: &str) {
    check_errors(text, &[expected]);
}

#[test]
fn links_need_a_secret_where_others_come_in() {
    check_error(
        "[upstream.agent]\nlisten = '0.0.0.0:8010'",
        "2:10 `upstream.agent.listen`: a non-loopback address requires a secret",
    );
    check_error(
        "[embedded]\nlisten = '[::]:1'",
        "2:10 `embedded.listen`: a non-loopback address requires a secret",
    );
    check_error(
        "[upstream.agent]\nsecret_file = 'short.key'",
        "2:15 `upstream.agent.secret_file`: the secret must have at least 16 visible ASCII characters",
    );
    check(
        "[upstream.agent]\nlisten = '0.0.0.0:8010'\nsecret_file = 'line.key'",
        |c| c.upstream.agent.secret.is_some(),
        true,
    );
    check_error(
        "[embedded]\norigins = ['*']",
        "2:12 `embedded.origins`: expected an origin, got \"*\"",
    );
}

#[test]
fn apps_have_their_own_rules() {
    const TWO: &str = "[[app]]\nid = 'a'\ncertificate_file = 'certificate.txt'\n[[app]]\nid = 'b'\nupstream = 'agent'";
    let app = |text: &str| AppId::new(text).expect("an app id");
    check(
        TWO,
        |c| c.uses(UpstreamKind::Agent) && c.uses(UpstreamKind::Embedded),
        true,
    );
    check(
        TWO,
        |c| c.auth_of(&app("a")).map(|auth| auth.certificate.is_some()),
        Some(true),
    );
    check(
        TWO,
        |c| c.auth_of(&app("b")).map(|auth| auth.certificate.is_some()),
        Some(false),
    );
    check(TWO, |c| c.auth_of(&app("c")).is_none(), true);
    check(TWO, |c| c.upstream_of(&app("b")), UpstreamKind::Agent);
    check_error("[[app]]\nid = 'a'\n[[app]]\nid = 'a'", "4:6 `app`: duplicate id `a`");
    check_error(
        "[auth]\n[[app]]\nid = 'a'",
        "1:1 `[auth]` and `[[app]]` are mutually exclusive",
    );
}

#[test]
fn wrong_values_are_reported_at_their_place() {
    check_error(
        "[listen]\nhttp = '8001'",
        "2:8 `listen.http`: expected an IP address and a port such as \"127.0.0.1:8001\"",
    );
    check_error(
        "[listen]\nhttp = 'localhost:8001'",
        "2:8 `listen.http`: expected an IP address and a port such as \"127.0.0.1:8001\"",
    );
    check_error(
        "[listen]\ntcp = 'on'",
        "2:7 `listen.tcp`: expected an IP address and a port such as \"127.0.0.1:8001\", or \"off\"",
    );
    check_error(
        "[listen]\nudp = '127.0.0.1:8180'",
        "2:7 `listen.udp`: expected an array, got a string",
    );
    check_errors(
        "[listen]\nudp = ['127.0.0.1:8180', '8181', 8180]",
        &[
            "2:26 `listen.udp[1]`: expected an IP address and a port such as \"127.0.0.1:8001\"",
            "2:34 `listen.udp[2]`: expected a string, got an integer",
        ],
    );
    check_error(
        "[listen]\nreports = 'off'",
        "2:11 `listen.reports`: expected an IP address and a port such as \"127.0.0.1:8001\"",
    );
    check_error(
        "[discovery]\nadvertise_tcp = 'bridge.example.com'",
        "2:17 `discovery.advertise_tcp`: expected a host name and a port such as \"bridge.example.com:8443\"",
    );
    check_error(
        "[discovery]\nadvertise_ip = '::1'",
        "2:16 `discovery.advertise_ip`: expected an IPv4 address such as \"127.0.0.1\"",
    );
    check_error(
        "[discovery]\nadvertise_ip = '0.0.0.0'",
        "2:16 `discovery.advertise_ip`: expected an address that clients can connect to, got 0.0.0.0",
    );
    check_error(
        "[discovery]\nadvertise_port = 65535",
        "2:18 `discovery.advertise_port`: expected 1 to 65534, got 65535",
    );
    check_error(
        "[discovery]\nadvertise_port = 0",
        "2:18 `discovery.advertise_port`: expected 1 to 65534, got 0",
    );
    check_error(
        "[limits]\noutbound_bytes = 1048576",
        "2:18 `limits.outbound_bytes`: expected a size such as \"64KiB\", \"1MiB\" or \"2GiB\"",
    );
    check_error(
        "[limits]\nmemory = '1KiB'",
        "2:10 `limits.memory`: expected 1MiB to 1024GiB, got 1KiB",
    );
    check_error(
        "[listen]\nallowed_origins = ['*']",
        "2:20 `listen.allowed_origins`: expected an origin, got \"*\"",
    );
    check_error(
        "[session]\ngrace = 30",
        "2:9 `session.grace`: expected a duration such as \"500ms\", \"20s\", \"1h30m\" or \"7d\"",
    );
    check_error(
        "[session]\ngrace = '30'",
        "2:9 `session.grace`: expected a duration such as \"500ms\", \"20s\", \"1h30m\" or \"7d\"",
    );
    check_error(
        "[session]\nlogin_timeout = '0s'",
        "2:17 `session.login_timeout`: expected 1s to 1h, got 0s",
    );
    check_error(
        "[invite]\ntimeout = '56s'",
        "2:11 `invite.timeout`: expected 1s to 55s, got 56s",
    );
    check_error(
        "[mailbox]\nlimit = 0",
        "2:9 `mailbox.limit`: expected 1 to 100000, got 0",
    );
    check_error(
        "[limits]\nsockets = -1",
        "2:11 `limits.sockets`: expected 1 to 10000000, got -1",
    );
    check_error(
        "[limits]\nsockets = 99999999999",
        "2:11 `limits.sockets`: expected 1 to 10000000, got 99999999999",
    );
    check_error(
        "[policy]\nover_rate = 'drop'",
        "2:13 `policy.over_rate`: expected `fail` or `discard`, got `drop`",
    );
    check_error(
        "[upstream]\nkind = 'rest'",
        "2:8 `upstream.kind`: expected `embedded`, `redis` or `agent`, got `rest`",
    );
    check_error("[auth]\napp_id = ''", "2:10 `auth.app_id`: a name must not be empty");
    check_error("listen = 1", "1:10 `listen`: expected a table, got an integer");
}

#[test]
fn host_names_stay_inside_the_url_they_become() {
    for host in [
        "a.com",
        ":1",
        "a.com:0",
        "a.com:65536",
        "a.com:+1",
        "a/b:1",
        "a b:1",
        "a..b:1",
        "a%2Eb:1",
        "[::1]:1",
        "a:1:2",
    ] {
        let title = "expected a host name and a port such as \"bridge.example.com:8443\"";
        check_error(
            &format!("[discovery]\nadvertise_host = '{host}'"),
            &format!("2:18 `discovery.advertise_host`: {title}"),
        );
    }
}

#[test]
fn secrets_have_their_own_errors() {
    check_error(
        "[auth]\napp_id = 'a'\ncertificate_file = 'no.txt'",
        "3:20 `auth`: cannot read `no.txt`: entity not found",
    );
    check_error(
        "[auth]\napp_id = 'a'\ncertificate_file = 'empty.txt'",
        "3:20 `auth`: the certificate is empty",
    );
    check_error(
        "[auth]\napp_id = 'a'\ncertificate_file = 'two.txt'",
        "3:20 `auth`: the certificate has 2 lines",
    );
    check_error(
        "[auth]\napp_id = 'a'\ncertificate = 'c'",
        "3:15 `auth.certificate`: secrets must not be in the config",
    );
    check_error(
        "[[app]]\nid = 'a'\ncertificate = 'c'",
        "3:15 `app[0].certificate`: secrets must not be in the config",
    );
    check_error(
        "[auth]\ncertificate_file = 'certificate.txt'",
        "2:20 `auth`: a certificate needs `app_id`",
    );
    check_error(
        "[auth]\napp_id = 1\ncertificate_file = 'certificate.txt'",
        "2:10 `auth.app_id`: expected a string, got an integer",
    );
    check_error(
        "[session]\nline_key_file = 'no.key'",
        "2:17 `session`: cannot read `no.key`: entity not found",
    );
    check_error(
        "[session]\nline_key_file = 'short.key'",
        "2:17 `session`: the line key must have at least 16 bytes",
    );
}

#[test]
fn all_errors_are_shown_at_once() {
    let diags = parse("[listn]\nhttp = 1\n\n[session]\ngrace = 30\nlogin_timout = \"5s\"\n").unwrap_err();
    insta::assert_snapshot!(diags, @r#"
        error: unknown key `listn`
        --> sigbridge.toml:1:2
         = help: did you mean `listen`?

        error: `session.grace`: expected a duration such as "500ms", "20s", "1h30m" or "7d"
        --> sigbridge.toml:5:9

        error: `session`: unknown key `login_timout`
        --> sigbridge.toml:6:1
         = help: did you mean `login_timeout`?
        "#);
}

fn check_hidden(text: &str) {
    let diags = parse(text).expect_err(text);
    let secret = "5CFd2fd1";
    assert!(text.contains(secret));
    for shown in [diags.render(false), format!("{diags:?}")] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn no_error_shows_the_certificate() {
    check_hidden(&format!("[auth]\ncertificate = '{CERTIFICATE}'"));
    check_hidden(&format!("[auth]\ncertificat = '{CERTIFICATE}'"));
    check_hidden(&format!("[auth]\nsecret = '{CERTIFICATE}'"));
    check_hidden(&format!("[auth]\ncertificate = {CERTIFICATE}"));
    check_hidden(&format!("[auth]\ncertificate = '{CERTIFICATE}"));
    check_hidden(&format!(
        "[auth]\ncertificate = '{CERTIFICATE}'\ncertificate = '{CERTIFICATE}'"
    ));
    check_hidden("[auth]\ncertificate = '5CFd2fd1'");
}

#[test]
fn debug_shows_no_secret() {
    let text = "auth = { app_id = 'a', certificate_file = 'certificate.txt' }\nsession.line_key_file = 'line.key'";
    let shown = format!("{:?}", parse(text).expect("legal"));
    assert!(
        !shown.contains(CERTIFICATE) && !shown.contains("0123456789abcdef"),
        "{shown}"
    );
}

#[test]
fn files_are_read_beside_the_config() {
    let dir = std::env::temp_dir().join(format!("sigbridge-config-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("c.txt"), CERTIFICATE).unwrap();
    let path = dir.join("sigbridge.toml");
    std::fs::write(&path, "auth = { app_id = 'a', certificate_file = 'c.txt' }").unwrap();
    let config = Config::load(&path);
    let missing = Config::load(&dir.join("no.toml"));
    std::fs::remove_dir_all(&dir).unwrap();

    let certificate = config.expect("legal").auth.certificate.expect("was given");
    assert_eq!(certificate.expose_secret(), CERTIFICATE);
    let missing = missing.unwrap_err().render(false);
    assert!(
        missing.contains("cannot read the config file") && missing.contains("no.toml:1:1"),
        "{missing}"
    );
}

#[test]
fn an_admin_address_for_others_needs_a_token() {
    let check = |text: &str, errors: &[&str]| {
        let text = format!("[admin]\n{text}");
        match errors {
            [] => drop(parse(&text).expect(&text)),
            errors => check_errors(&text, errors),
        }
    };
    check("listen = '127.0.0.1:1'", &[]);
    check("listen = '[::1]:1'", &[]);
    let needs = ["2:10 `admin.listen`: a non-loopback address requires a token"];
    check("listen = '0.0.0.0:1'", &needs);
    check("listen = '[::]:1'", &needs);
    check("listen = '192.0.2.1:1'", &needs);
    check("listen = '0.0.0.0:1'\ntoken_file = 'admin.token'", &[]);
    check(
        "token_file = 'short.key'",
        &["2:14 `admin.token_file`: the token must have at least 16 visible ASCII characters"],
    );
    check(
        "token_file = 'no.txt'",
        &["2:14 `admin`: cannot read `no.txt`: entity not found"],
    );
    check("allowed_hosts = ['a.example', 'b']", &[]);
    let expected = "expected a host name such as \"bridge.example.com\", without a port";
    check(
        "allowed_hosts = ['a.example:80', 'http://b', '']",
        &[
            &format!("2:18 `admin.allowed_hosts[0]`: {expected}"),
            &format!("2:34 `admin.allowed_hosts[1]`: {expected}"),
            &format!("2:46 `admin.allowed_hosts[2]`: {expected}"),
        ],
    );
}
