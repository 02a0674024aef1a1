//! Start-up of the configured upstreams.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::Metrics;
use crate::config::{Config, UpstreamKind};
use crate::upstream::embedded::EmbeddedUpstream;
use crate::upstream::rest::WithRest;
use crate::webhook::{TraceEvent, Webhooks};
use agent_link::acceptor::AccessPolicy;
use agent_link::agent_server::{AgentServerConfig, serve_users};
use agent_link::driver::{Driver, DriverConfig, LinkEvent, LinkHealth, Tokens, serve_agents};
use agent_link::handshake::Limits;
use agent_link::vocabulary::Vocabulary;
use rtm::AppId;
use rtm::upstream::{ClientKey, EventSink, Upstream};
use rtm::value::Text;
use rtm::{CallKind, RtmCall};
use rtm_embedded::RtmServiceConfig;
use rtm_redis::{Address, RedisConfig, RedisUpstream};
use runtime::clock::Clock;
use runtime::net::Shortages;
use tables::Tables;

use crate::start_error::StartError;
use crate::upstream::rtm_tokens::AppTokens;

/// SDK platform of the embedded RTM's clients.
const USERS_PLATFORM: &str = "flutter";

/// Time limit of an answer of Redis, after which the request is made again.
const REDIS_ANSWER: Duration = Duration::from_secs(2);

/// Bound upstreams, not yet served.
pub struct Upstreams {
    /// Upstream of all sessions.
    pub upstream: Arc<dyn Upstream>,
    /// RTM tokens of agents, if any app uses one.
    pub tokens: Option<Arc<AppTokens>>,
    /// Agent link, if any app uses an agent.
    pub driver: Option<Arc<Driver>>,
    /// Listen address for agents.
    pub agents: Option<SocketAddr>,
    /// The service on Redis, if an app uses it.
    pub redis: Option<Arc<RedisUpstream>>,
    /// Listen address for clients of the embedded RTM.
    pub users: Option<SocketAddr>,
}

/// Binds and starts the configured upstreams; all stop with `shutdown`.
///
/// # Errors
/// [`StartError`].
pub async fn start_upstreams(
    config: &Config,
    tables: &Arc<Tables>,
    (metrics, webhooks, shortages): (&Arc<Metrics>, &Arc<Webhooks>, &Arc<Shortages>),
    clock: Clock,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) -> Result<Upstreams, StartError> {
    let local = EmbeddedUpstream::new(embedded_config(config), clock);
    tasks.spawn(local.clone().run(shutdown.clone()));
    let mut users = None;
    if let Some(addr) = config.embedded.listen {
        let (listener, bound) = StartError::bind(addr)?;
        users = Some(bound);
        let platform = tables
            .platforms
            .iter()
            .find(|platform| &*platform.name == USERS_PLATFORM);
        let words = Vocabulary::new(platform.ok_or(StartError::NoWire)?);
        let host = AgentServerConfig {
            sdk: ("sigbridge-embedded".into(), env!("CARGO_PKG_VERSION").into()),
            limits: Limits::Web,
        };
        let policy = AccessPolicy {
            secret: config.embedded.secret.clone(),
            origins: config.embedded.origins.clone(),
            shortages: shortages.clone(),
        };
        tasks.spawn(serve_users(
            local.clone(),
            Arc::new(words),
            host,
            clock,
            (listener, policy),
            shutdown.clone(),
        ));
    }
    let (mut driver, mut agents, mut tokens) = (None, None, None);
    if config.uses(UpstreamKind::Agent) {
        let agent = &config.upstream.agent;
        let (listener, bound) = StartError::bind(agent.listen)?;
        agents = Some(bound);
        let times = DriverConfig {
            call_wait: agent.call_wait,
            login_rate: config.upstream.login_rate,
            ..DriverConfig::default()
        };
        let made_tokens = Arc::new(AppTokens::new(config, clock)?);
        let of_driver = Some(made_tokens.clone() as Arc<dyn Tokens>);
        tokens = Some(made_tokens);
        let made = Driver::new(tables, times, of_driver, watched(metrics, webhooks), clock)?;
        tasks.spawn(made.clone().run(shutdown.clone()));
        let policy = AccessPolicy {
            secret: agent.secret.clone(),
            origins: agent.origins.clone(),
            shortages: shortages.clone(),
        };
        tasks.spawn(serve_agents(made.clone(), listener, policy, shutdown.clone()));
        driver = Some(made);
    }
    let redis = config.uses_redis().then(|| {
        let made = RedisUpstream::new(on_redis(config), metrics.redis(), clock, tasks, shutdown);
        made.inspect(|made| drop(tasks.spawn(made.clone().run())))
    });
    let redis = redis.transpose()?;
    let mut upstream = by_app(config, local, redis.clone(), driver.clone());
    if let Some(rest) = &config.rest {
        upstream = Arc::new(WithRest::new(upstream, rest, clock, metrics.clone())?);
    }
    Ok(Upstreams {
        upstream,
        tokens,
        driver,
        redis,
        agents,
        users,
    })
}

/// Counts link events and reports them to webhooks.
fn watched(metrics: &Metrics, webhooks: &Arc<Webhooks>) -> LinkHealth {
    let webhooks = webhooks.clone();
    metrics.link().watched(move |event| {
        let upstream = "agent".into();
        webhooks.emit(match event {
            LinkEvent::Up => TraceEvent::UpstreamUp { upstream },
            LinkEvent::Down => TraceEvent::UpstreamDown {
                upstream,
                reason: "link lost".into(),
            },
            LinkEvent::Gap {
                first_missing,
                sessions,
            } => TraceEvent::UpstreamGap {
                upstream,
                first_missing,
                sessions,
            },
        });
    })
}

/// Returns the config of the embedded RTM.
pub fn embedded_config(config: &Config) -> RtmServiceConfig {
    RtmServiceConfig {
        rate_scale: config.embedded.rate_scale,
        offline_messages: config.embedded.offline_messages,
        ..RtmServiceConfig::default()
    }
}

fn on_redis(config: &Config) -> RedisConfig {
    let redis = &config.redis;
    RedisConfig {
        address: Address {
            url: redis.address().to_owned(),
            cluster: redis.cluster,
            user: redis.user.as_ref().map(ToString::to_string),
            password: redis.password.clone(),
            ca: redis.ca.as_ref().map(|ca| ca.as_bytes().to_vec()),
            answer: REDIS_ANSWER,
        },
        service: RtmServiceConfig {
            rate_scale: redis.rate_scale,
            offline_messages: redis.offline_messages,
            ..RtmServiceConfig::default()
        },
        call_wait: redis.call_wait,
        heartbeat: redis.heartbeat,
        stream: redis.stream as usize,
    }
}

fn by_app(
    config: &Config,
    local: Arc<EmbeddedUpstream>,
    redis: Option<Arc<RedisUpstream>>,
    driver: Option<Arc<Driver>>,
) -> Arc<dyn Upstream> {
    let of = |kind| -> Arc<dyn Upstream> {
        match (kind, &driver, &redis) {
            (UpstreamKind::Agent, Some(driver), _) => driver.clone(),
            (UpstreamKind::Redis, _, Some(redis)) => redis.clone(),
            _ => local.clone(),
        }
    };
    if config.apps.is_empty() {
        return of(config.upstream.kind);
    }
    let apps = config.apps.iter().map(|app| (app.id.clone(), of(app.upstream)));
    Arc::new(ByApp {
        apps: apps.collect(),
        other: of(config.upstream.kind),
    })
}

/// Routes each app to its own upstream.
struct ByApp {
    apps: HashMap<AppId, Arc<dyn Upstream>>,
    other: Arc<dyn Upstream>,
}

impl ByApp {
    fn of(&self, app: &AppId) -> &Arc<dyn Upstream> {
        self.apps.get(app).unwrap_or(&self.other)
    }
}

impl Upstream for ByApp {
    fn open(&self, app: &AppId, emit: EventSink) -> ClientKey {
        self.of(app).open(app, emit)
    }

    fn call(&self, client: &ClientKey, request: u64, call: RtmCall) {
        self.of(&client.app).call(client, request, call);
    }

    fn call_as_member(&self, client: &ClientKey, request: u64, call: &RtmCall) -> bool {
        self.of(&client.app).call_as_member(client, request, call)
    }

    fn close(&self, client: &ClientKey) {
        self.of(&client.app).close(client);
    }

    fn require_acknowledgement(&self, client: &ClientKey) {
        self.of(&client.app).require_acknowledgement(client);
    }

    fn processed(&self, client: &ClientKey, count: usize) {
        self.of(&client.app).processed(client, count);
    }

    fn can(&self, app: &AppId, kind: CallKind) -> bool {
        self.of(app).can(app, kind)
    }

    fn platform(&self, app: &AppId) -> Option<Text> {
        self.of(app).platform(app)
    }
}
