//! Connections to Redis: one server or a cluster, checked when they are made.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError, RedisResult,
    ServerErrorKind, TlsCertificates, Value,
};
use secrecy::{ExposeSecret, SecretString};

use crate::node::Request;
use crate::script::{SCRIPT, SCRIPT_THAT_FREES};

/// Time limit of a connect.
const CONNECT: Duration = Duration::from_secs(3);
/// The first version with all commands of the script.
const MIN_VERSION: (u32, u32) = (7, 0);

/// Address and credentials of Redis.
#[derive(Clone)]
pub struct Address {
    /// `redis://host:port/db`, `rediss://` with TLS, `redis+unix://` with a path.
    pub url: String,
    /// True for a cluster.
    pub cluster: bool,
    /// The user of its access control list.
    pub user: Option<String>,
    /// The password.
    pub password: Option<SecretString>,
    /// Certificates (PEM) to trust instead of the usual ones.
    pub ca: Option<Vec<u8>>,
    /// Time limit of an answer.
    pub answer: Duration,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a password.
        f.debug_struct("Address")
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}

/// Failure of Redis.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RedisFailure {
    /// It has no memory.
    #[error("Redis has no memory left")]
    OutOfMemory,
    /// It cannot be reached.
    #[error("Redis cannot be reached: {0}")]
    Unreachable(String),
    /// It refuses the login or a command.
    #[error("Redis refuses: {0}")]
    Refused(String),
    /// It removes keys when it is full.
    #[error("the eviction policy of Redis is `{0}`")]
    EvictionPolicy(String),
    /// It is too old.
    #[error("Redis is of version {0}")]
    OldVersion(String),
    /// Its data is of a later version of this program.
    #[error("the data in Redis is of schema {0}, which this version does not know")]
    NewerSchema(u64),
    /// Sidecars of an earlier schema serve the app.
    #[error("sidecars with data of schema {0} serve this app")]
    OlderSchema(u64),
    /// Its answer is not understood.
    #[error("unexpected answer of Redis: {0}")]
    Other(String),
}

impl RedisFailure {
    /// Returns a hint.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::OutOfMemory => "raise `maxmemory` of Redis, or give it a machine with more memory",
            Self::Unreachable(_) => "check [redis] url, and that Redis runs there",
            Self::Refused(_) => "check [redis] user and password, and the rights of that user (docs/guide/cluster.md)",
            Self::EvictionPolicy(_) => {
                "set `maxmemory-policy noeviction` in redis.conf: data that Redis evicts is lost for clients"
            }
            Self::OldVersion(_) => "Redis 7.0 or later is needed, or Valkey",
            Self::OlderSchema(_) => "stop all sidecars of the earlier version before the first one of this version",
            Self::NewerSchema(_) => {
                "run the version of sigbridge that the other sidecars run, or give this one a database of its own"
            }
            Self::Other(_) => "see the log of Redis",
        }
    }

    /// All names for counters.
    pub const NAMES: [&'static str; 7] = [
        "memory",
        "unreachable",
        "refused",
        "eviction",
        "version",
        "schema",
        "other",
    ];

    /// The name for counters.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::OutOfMemory => "memory",
            Self::Unreachable(_) => "unreachable",
            Self::Refused(_) => "refused",
            Self::EvictionPolicy(_) => "eviction",
            Self::OldVersion(_) => "version",
            Self::NewerSchema(_) | Self::OlderSchema(_) => "schema",
            Self::Other(_) => "other",
        }
    }
}

impl From<RedisError> for RedisFailure {
    fn from(error: RedisError) -> Self {
        match error.code() {
            Some("OOM") => Self::OutOfMemory,
            Some("NOAUTH" | "WRONGPASS" | "NOPERM") => Self::Refused(error.to_string()),
            // Another connection succeeds.
            Some("LOADING" | "READONLY" | "CLUSTERDOWN" | "MASTERDOWN" | "BUSY" | "TRYAGAIN") => {
                Self::Unreachable(error.to_string())
            }
            Some(_) => Self::Other(error.to_string()),
            None if error.kind() == ErrorKind::AuthenticationFailed => Self::Refused(error.to_string()),
            None => Self::Unreachable(error.to_string()),
        }
    }
}

/// A connection.
#[derive(Clone)]
pub enum Link {
    /// To one server.
    Single(MultiplexedConnection),
    /// To a cluster.
    Cluster(ClusterConnection),
}

impl Link {
    /// Connects; `answer` is the time limit of an answer.
    ///
    /// # Errors
    /// [`RedisFailure`].
    pub async fn connect(address: &Address, answer: Duration) -> Result<Self, RedisFailure> {
        let info = connection_info(address)?;
        let certificates = TlsCertificates {
            client_tls: None,
            root_cert: address.ca.clone(),
        };
        let link = if address.cluster {
            let mut builder = ClusterClientBuilder::new([info.clone()])
                .connection_timeout(CONNECT)
                .response_timeout(answer);
            // With certificates it would use TLS for any URL.
            if address.ca.is_some() {
                builder = builder.certs(certificates);
            }
            if let Some(user) = info.redis_settings().username() {
                builder = builder.username(user);
            }
            if let Some(password) = info.redis_settings().password() {
                builder = builder.password(password);
            }
            Self::Cluster(builder.build()?.get_async_connection().await?)
        } else {
            let client = if address.ca.is_some() {
                Client::build_with_tls(info, certificates)?
            } else {
                Client::open(info)?
            };
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(CONNECT))
                .set_response_timeout(Some(answer));
            Self::Single(client.get_multiplexed_async_connection_with_config(&config).await?)
        };
        Ok(link)
    }

    /// Runs a command.
    ///
    /// # Errors
    /// [`RedisFailure`].
    pub async fn run(&mut self, command: &Cmd) -> Result<Value, RedisFailure> {
        Ok(self.raw(command).await?)
    }

    async fn raw(&mut self, command: &Cmd) -> RedisResult<Value> {
        let value = match self {
            Self::Single(connection) => connection.req_packed_command(command).await?,
            Self::Cluster(connection) => connection.req_packed_command(command).await?,
        };
        value.extract_error()
    }

    /// Runs a request. Sends the script if Redis does not have it.
    ///
    /// # Errors
    /// [`RedisFailure`].
    pub async fn request(&mut self, prefix: &str, request: &Request) -> Result<Value, RedisFailure> {
        let script = if request.frees { &SCRIPT_THAT_FREES } else { &SCRIPT };
        let mut command = redis::cmd("EVALSHA");
        command.arg(&script.hash);
        match self.raw(&with(command, prefix, request)).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let mut command = redis::cmd("EVAL");
                command.arg(&script.text);
                self.run(&with(command, prefix, request)).await
            }
            other => Ok(other?),
        }
    }
}

fn with(mut command: Cmd, prefix: &str, request: &Request) -> Cmd {
    command.arg(1).arg(prefix).arg(&request.args);
    command
}

/// The address with the login of the config.
fn connection_info(address: &Address) -> Result<ConnectionInfo, RedisFailure> {
    let info = address.url.as_str().into_connection_info()?;
    let mut settings = info.redis_settings().clone();
    if let Some(user) = &address.user {
        settings = settings.set_username(user);
    }
    if let Some(password) = &address.password {
        settings = settings.set_password(password.expose_secret());
    }
    Ok(info.set_redis_settings(settings))
}

/// Description of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerInfo {
    /// Such as `Redis 7.0.15`.
    pub version: String,
    /// The eviction policy, if it is reported.
    pub policy: Option<String>,
    /// Bytes in use.
    pub used_memory: u64,
    /// Most bytes; 0 for no limit.
    pub max_memory: u64,
}

/// Reads `INFO` of all servers, and refuses settings that would lose data.
///
/// # Errors
/// [`RedisFailure::EvictionPolicy`], [`RedisFailure::OldVersion`].
pub fn server_info(text: &str) -> Result<ServerInfo, RedisFailure> {
    let mut info = ServerInfo::default();
    let mut valkey = None;
    for line in text.lines() {
        let Some((key, value)) = line.trim().split_once(':') else {
            continue;
        };
        match key {
            "redis_version" => info.version = format!("Redis {value}"),
            "valkey_version" => valkey = Some(value),
            "maxmemory_policy" => {
                if value != "noeviction" {
                    return Err(RedisFailure::EvictionPolicy(value.to_owned()));
                }
                info.policy = Some(value.to_owned());
            }
            "used_memory" => info.used_memory = value.parse().unwrap_or_default(),
            "maxmemory" => info.max_memory = value.parse().unwrap_or_default(),
            _ => {}
        }
    }
    let number = info.version.trim_start_matches("Redis ");
    let mut parts = number.split('.').map(|part| part.parse().unwrap_or_default());
    let version = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if !number.is_empty() && version < MIN_VERSION {
        return Err(RedisFailure::OldVersion(number.to_owned()));
    }
    if let Some(valkey) = valkey {
        info.version = format!("Valkey {valkey}");
    }
    Ok(info)
}

/// All texts of a value, a line each.
fn texts(value: &Value, out: &mut String) {
    match value {
        Value::BulkString(bytes) => out.push_str(&String::from_utf8_lossy(bytes)),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => out.push_str(text),
        Value::Array(list) | Value::Set(list) => list.iter().for_each(|value| texts(value, out)),
        Value::Map(pairs) => pairs.iter().for_each(|(_, value)| texts(value, out)),
        _ => {}
    }
    out.push('\n');
}

/// The connection that all apps share for their batches, made anew when it breaks.
pub struct SharedLink {
    address: Address,
    link: Mutex<(u64, Option<Link>)>,
}

impl SharedLink {
    /// Creates a shared link without a connection.
    pub fn new(address: Address) -> Arc<Self> {
        Arc::new(Self {
            address,
            link: Mutex::new((0, None)),
        })
    }

    /// Returns its address.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Returns the connection and its number. Connects and checks Redis if there is none.
    ///
    /// # Errors
    /// [`RedisFailure`].
    pub async fn link(&self) -> Result<(u64, Link), RedisFailure> {
        if let Some(link) = self.current() {
            return Ok(link);
        }
        let mut link = Link::connect(&self.address, self.address.answer).await?;
        info(&mut link).await?;
        // Another task may have connected meanwhile.
        if let Some(link) = self.current() {
            return Ok(link);
        }
        let mut current = self.link.lock();
        current.0 += 1;
        current.1 = Some(link.clone());
        Ok((current.0, link))
    }

    fn current(&self) -> Option<(u64, Link)> {
        let current = self.link.lock();
        Some((current.0, current.1.clone()?))
    }

    /// Discards the connection of that number.
    pub fn discard(&self, number: u64) {
        let mut current = self.link.lock();
        if current.0 == number {
            current.1 = None;
        }
    }

    /// Runs a command on it.
    ///
    /// # Errors
    /// [`RedisFailure`].
    pub async fn run(&self, command: &Cmd) -> Result<Value, RedisFailure> {
        let (number, mut link) = self.link().await?;
        let result = link.run(command).await;
        if matches!(result, Err(RedisFailure::Unreachable(_))) {
            self.discard(number);
        }
        result
    }

    /// Returns the description of the server.
    ///
    /// # Errors
    /// [`RedisFailure`].
    pub async fn info(&self) -> Result<ServerInfo, RedisFailure> {
        let (_, mut link) = self.link().await?;
        info(&mut link).await
    }
}

async fn info(link: &mut Link) -> Result<ServerInfo, RedisFailure> {
    let mut text = String::new();
    for section in ["server", "memory"] {
        match link.run(redis::cmd("INFO").arg(section)).await {
            Ok(value) => texts(&value, &mut text),
            // A user without that right is served, too.
            Err(RedisFailure::Refused(error)) if error.contains("NOPERM") => {}
            Err(failure) => return Err(failure),
        }
    }
    server_info(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eviction_policies_are_rejected() {
        let info = |policy: &str, version: &str| {
            server_info(&format!("redis_version:{version}\r\nmaxmemory_policy:{policy}\r\n"))
        };
        assert_eq!(info("noeviction", "7.0.15").expect("taken").version, "Redis 7.0.15");
        assert!(matches!(
            info("allkeys-lru", "7.0.15"),
            Err(RedisFailure::EvictionPolicy(_))
        ));
        assert!(matches!(info("noeviction", "6.2.14"), Err(RedisFailure::OldVersion(_))));
        assert_eq!(
            server_info("").expect("a user without that right"),
            ServerInfo::default()
        );
        let valkey = server_info("redis_version:7.2.4\nvalkey_version:8.0.1\n").expect("taken");
        assert_eq!(valkey.version, "Valkey 8.0.1");
    }
}
