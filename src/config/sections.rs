//! Sections without parts of other crates.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::config::declare::section;
use crate::config::kinds::{
    Address, AddressOrOff, Addresses, Bool, Choice, FilePath, Int, Maybe, Origins, Parsed, ParsedList, SecretFile,
    Size, Time,
};
use crate::config::values::{host_name, host_port, ipv4, line_key, local_secret};
use crate::config::{HostPort, MissingAttribute, OverRate, RepeatedInvite};
use identity::SessionLineKey;
use rtm::value::Text;
use trace::Policy as Replaced;

pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);
const NONE: Duration = Duration::ZERO;

pub(super) const fn local(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

section! {
    /// Addresses for legacy clients.
    pub struct Listen("listen") derives(PartialEq, Eq) {
        /// HTTP and WebSockets: GET /getaddr, the legacy wire on any path, JSON-RPC at /api.
        http: SocketAddr = local(8001) => Address, Restart;
        /// Native clients (iOS, Android, Windows, macOS, Linux); "off" disables it.
        tcp: Option<SocketAddr> = Some(local(8003)) => AddressOrOff, Restart;
        /// Lookup of native clients, by UDP. The SDKs use ports 8180 and 8181 only. An empty list disables it.
        udp: Vec<SocketAddr> = vec![local(8180), local(8181)] => Addresses, Restart;
        /// Login reports of native clients, by UDP. They are discarded, because they contain tokens. Default: disabled.
        reports: Option<SocketAddr> = None, example "\"127.0.0.1:8000\"" => Maybe(Address), Restart;
        /// Origins of pages that may open a WebSocket, such as "https://app.example.com". Default: any page. Without
        /// [auth] such a page can log in as any account. Clients that send no Origin header are always allowed.
        allowed_origins: Option<Vec<String>> = None, example "[\"https://app.example.com\"]" => Maybe(Origins), Reload;
        /// The same for /api. Default: allowed_origins.
        api_allowed_origins: Option<Vec<String>> = None, example "[\"https://app.example.com\"]"
            => Maybe(Origins), Reload;
        /// A second address of the same service. The Web SDKs connect by TLS to the advertised port plus one. Needs
        /// [tls]. Default: disabled.
        wss: Option<SocketAddr> = None, example "\"127.0.0.1:8002\"" => Maybe(Address), Restart;
    }
}

section! {
    /// Content of the lookup answers: GET /getaddr, and UDP.
    pub struct Discovery("discovery") derives(PartialEq, Eq) {
        /// IPv4 address. SDKs convert it to a host name such as 127-0-0-1-sig-web.agora.io, which must resolve to this
        /// server.
        advertise_ip: Ipv4Addr = Ipv4Addr::LOCALHOST => Parsed(ipv4), Reload;
        /// Port for Java and Python. The Web SDKs add one to it, and use TLS. Default: the port of listen.http.
        // Web SDKs need the port above it.
        advertise_port: Option<u16> = None, example "8001" => Maybe(Int::new(1..=65534)), Reload;
        /// Host and port for the Web SDKs in browsers, in place of the address. Default: not set.
        advertise_host: Option<HostPort> = None, example "\"bridge.example.com:8443\"" => Maybe(Parsed(host_port)), Reload;
        /// Address or host name for native clients. Default: advertise_ip and the port of listen.tcp.
        advertise_tcp: Option<HostPort> = None, example "\"bridge.example.com:8003\"" => Maybe(Parsed(host_port)), Reload;
    }
}

section! {
    /// Lifetime of logins and sessions.
    pub struct Session("session") derives() {
        /// Close a socket without a login after this time.
        login_timeout: Duration = 10 * SECOND => Time(SECOND..=HOUR), Reload;
        /// Refuse a login without an answer from RTM after this time. Java and Python give up after 5 s.
        rtm_login_timeout: Duration = 4 * SECOND => Time(100 * MS..=HOUR), Reload;
        /// Lifetime of a session without a connection; "0s" disables it. For clients that cannot reconnect, `grace` in
        /// mappings/wire/profiles.toml may be shorter.
        grace: Duration = 30 * SECOND => Time(NONE..=DAY), Reload;
        /// Two sockets of one client within this time are one login; "0s" disables it. Old Web SDKs open two sockets at
        /// once. A browser opens the second after the handshake of the first. Slow networks may need a longer time.
        twin_window: Duration = 500 * MS => Time(NONE..=HOUR), Reload;
        /// File with the key that signs session tokens (the legacy "line"), 16 bytes or more. Use the same key for all
        /// sidecars of a service. Default: a random key for each process.
        line_key as "line_key_file": Option<SessionLineKey> = None, example "\"line.key\""
            => Maybe(SecretFile { read: |table, files, _| line_key(table, files), content: sample_line }), Restart;
    }
}

/// Two keys are equal if they sign alike.
fn sample_line(key: &SessionLineKey) -> String {
    key.issue(0).as_str().to_owned()
}

section! {
    /// End of the process by SIGTERM or POST /drain. SIGINT skips both times; a second signal ends them.
    pub struct Drain("drain") derives(PartialEq, Eq) {
        /// Time in which clients are still accepted after /readyz has changed to 503, because load balancers react late.
        delay: Duration = NONE => Time(NONE..=HOUR), Reload;
        /// Clients are closed one after another over this time, each in the form that its SDK understands.
        spread: Duration = 5 * SECOND => Time(NONE..=HOUR), Reload;
    }
}

section! {
    /// Calls (invitations).
    pub struct Invite("invite") derives(PartialEq, Eq) {
        /// Ringing time when the caller sets none. At most 55s, because RTM ends every invitation after 60 s.
        timeout: Duration = 20 * SECOND => Time(SECOND..=55 * SECOND), Reload;
    }
}

section! {
    /// Messages that a client has not fetched.
    pub struct Mailbox("mailbox") derives(PartialEq, Eq) {
        /// Messages for one session. Further ones are dropped and counted. One sender has at most half of it, and each of
        /// messages and calls at most three quarters.
        limit: usize = 1000 => Int::new(1..=100_000), Reload;
        /// Bytes of these messages. A session may hold as many bytes for peers that are offline.
        bytes: usize = 4 << 20 => Size((64 << 10)..=(1 << 30)), Reload;
        /// Age limit. Older messages are dropped, also while the client is offline.
        ttl: Duration = HOUR => Time(SECOND..=30 * DAY), Reload;
        /// File for these messages while the process does not run. It remains until its messages are acknowledged, so a
        /// message may be delivered twice after a kill. Default: not set, these messages are lost.
        file: Option<PathBuf> = None, example "\"mailbox.jsonl\"" => Maybe(FilePath), Restart;
    }
}

section! {
    /// Rates, sockets and memory.
    pub struct Limits("limits") derives(PartialEq, Eq) {
        /// Messages per second of one session.
        messages_per_second: u32 = 60 => Int::new(1..=1_000_000), Reload;
        /// Messages per second to one channel from all clients of this sidecar; 0 for no limit.
        channel_messages_per_second: u32 = 200 => Int::new(0..=1_000_000), Reload;
        /// Calls and call signals per second of one session.
        invitations_per_second: u32 = 60 => Int::new(1..=1_000_000), Reload;
        /// Messages per second of one app from all clients of this sidecar; 0 for no limit.
        app_messages_per_second: u32 = 0 => Int::new(0..=1_000_000), Reload;
        /// Messages per second from all clients of this sidecar; 0 for no limit.
        total_messages_per_second: u32 = 0 => Int::new(0..=1_000_000), Reload;
        /// Logins per second from one address, or one IPv6 network (/64); 0 for no limit. Further logins are refused as "too
        /// often".
        address_logins_per_second: u32 = 0 => Int::new(0..=1_000_000), Reload;
        /// Logins per second of one account; 0 for no limit.
        account_logins_per_second: u32 = 0 => Int::new(0..=1_000_000), Reload;
        /// Logins per second of one app; 0 for no limit.
        app_logins_per_second: u32 = 0 => Int::new(0..=1_000_000), Reload;
        /// Logins per second of all clients; 0 for no limit.
        total_logins_per_second: u32 = 0 => Int::new(0..=1_000_000), Reload;
        /// Sessions of one app, with a connection or without; 0 for no limit. Further logins of other accounts are refused.
        app_sessions: u32 = 0 => Int::new(0..=10_000_000), Reload;
        /// Channels of one app with members at this sidecar; 0 for no limit. Further ones cannot be joined (300).
        app_channels: u32 = 0 => Int::new(0..=10_000_000), Reload;
        /// Open sockets of one address, or one IPv6 network (/64); 0 for no limit. Further ones are closed at once.
        address_connections: u32 = 0 => Int::new(0..=10_000_000), Reload;
        /// Open sockets, and also sessions without a connection. Each socket needs a file descriptor. At start the soft
        /// limit of the process is raised, and a warning is logged when the hard limit is too low.
        sockets: usize = 10_000 => Int::new(1..=10_000_000), Reload;
        /// Close a client when its connection accepts no data for this time while data waits.
        write_stall: Duration = 10 * SECOND => Time(SECOND..=HOUR), Reload;
        /// Close a client when more data than this waits for its connection.
        outbound_bytes: usize = 1 << 20 => Size((64 << 10)..=(1 << 30)), Reload;
        /// All data that waits for clients. Above it, the oldest messages of offline accounts are dropped first. Then
        /// sessions without a connection end, and each client gets a small share only. docs/limits.md has the worst case.
        memory: usize = 256 << 20 => Size((1 << 20)..=(1 << 40)), Reload;
    }
}

section! {
    /// Choices where the legacy behaviour is undocumented or unexpected.
    pub struct Policy("policy") derives(PartialEq, Eq) {
        /// A message above the rate: "fail" reports an error, "discard" drops it silently, as the legacy service did.
        over_rate: OverRate = OverRate::Fail => Choice(OverRate::NAMES), Reload;
        /// A read of a missing attribute, or of one of an offline user: "fail" reports an error, "empty" returns an empty
        /// value.
        missing_attribute: MissingAttribute = MissingAttribute::Fail => Choice(MissingAttribute::NAMES), Reload;
        /// A second call to the same user in the same channel while the first is open: "replace" withdraws the first if it
        /// still rings, "fail" refuses the second with 701.
        repeated_invite: RepeatedInvite = RepeatedInvite::Replace => Choice(RepeatedInvite::NAMES), Reload;
        /// A message to a channel from outside, without RTM's RESTful API: false refuses it. true joins the channel, sends,
        /// and leaves after 5 s without another message; members see the join and the leave.
        force_join: bool = false => Bool, Reload;
    }
}

section! {
    /// Recording of sessions as traces (docs/trace.md). A running recording keeps its settings at a reload.
    pub struct RecordConfig("record") derives(PartialEq, Eq) {
        /// Folder for traces; sessions are recorded from the start of the process. Default: not set.
        folder: Option<PathBuf> = None, example "\"traces\"" => Maybe(FilePath), Reload;
        /// Size in megabytes after which new sessions go to a new file.
        file_size: u64 = 64 => Int::new(1..=1_000_000), Reload;
        /// Time after which new sessions go to a new file.
        file_time: Duration = HOUR => Time(SECOND..=30 * DAY), Reload;
        /// Number of finished files; the oldest are removed.
        files: usize = 100 => Int::new(1..=1_000_000), Reload;
        /// Redaction of accounts, channels and other names: "keep", "placeholder", or "hash" (the same in all files of a
        /// recording).
        names: Replaced = Replaced::default() => Choice(Replaced::NAMES), Reload;
        /// Redaction of messages and values: "keep", "placeholder" or "hash". docs/redaction.md has the exceptions.
        bodies: Replaced = Replaced::default() => Choice(Replaced::NAMES), Reload;
    }
}

section! {
    /// Admin address (docs/admin.md).
    pub struct Admin("admin") derives() {
        /// Address of /metrics, /livez, /readyz, /coverage, /record, /drain, /reload and /doctor. Default: disabled. An
        /// address other than loopback needs a token.
        listen: Option<SocketAddr> = None, example "\"127.0.0.1:9001\"" => Maybe(Address), Restart;
        /// File with a token of 16 characters or more. All requests except /livez, /healthz and /readyz then need
        /// `Authorization: Bearer TOKEN`. Default: not set.
        token as "token_file": Option<SecretString> = None, example "\"admin.token\"" => secret_of(local_secret), Reload;
        /// Names of this host that requests may have in the Host header, beside localhost, loopback addresses and the
        /// address above. Requests with another name are refused. Default: none.
        allowed_hosts: Vec<Text> = Vec::new(), example "[\"bridge.example.com\"]" => ParsedList(host_name), Reload;
        /// File for usage by day, app, profile and version of the SDK, and for hashes of accounts, for `sigbridge report`.
        /// It is bounded: 400 days, 50 000 accounts. Hashes are stable with session.line_key_file only. Default: not set.
        usage_file: Option<PathBuf> = None, example "\"usage.json\"" => Maybe(FilePath), Restart;
    }
}

/// Returns the kind of a secret that a file holds.
pub(super) fn secret_of(read: ReadSecret) -> Maybe<SecretFile<SecretString>> {
    let content = |secret: &SecretString| secret.expose_secret().to_owned();
    Maybe(SecretFile { read, content })
}

/// Reader of the file that a key names.
pub(super) type ReadSecret =
    fn(&mut tables::spanned_toml::Table<'_>, &dyn crate::config::Files, &str) -> Option<SecretString>;
