//! In-process agent: an in-memory RTM behind the agent link, limited to an SDK's calls and names.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use agent_link::agent_server::{AgentServer, AgentServerConfig, serve_driver};
use agent_link::handshake::{Limits, random_name};
use agent_link::vocabulary::Vocabulary;
use parking_lot::Mutex;
use rtm::AppId;
use rtm::upstream::{ClientKey, EventSink, Upstream, UpstreamEvent};
use rtm::{CallKind, EventKind, LoginErr, RtmCall};
use rtm_embedded::{RateTable, RtmServiceConfig};
use runtime::clock::Clock;
use sigbridge::upstream::EmbeddedUpstream;
use tables::platform::Platform;
use tokio_util::sync::CancellationToken;

/// RTM rejects users with this prefix, like users banned in the console.
const REJECTED: &str = "rejected";

/// Agent and its link.
pub struct SdkAgent {
    host: Arc<AgentServer>,
    url: String,
    end: CancellationToken,
    away: CancellationToken,
}

impl SdkAgent {
    /// Starts an agent that dials `addr`; `rate_scale` multiplies RTM's rates.
    pub fn dial(addr: SocketAddr, platform: &Platform, rate_scale: u32) -> Self {
        let is_web = &*platform.name == "web";
        let (limits, rates) = if is_web {
            (Limits::Web, RateTable::WEB)
        } else {
            (Limits::Linux, RateTable::LINUX)
        };
        let service = RtmServiceConfig {
            rate_scale,
            rates,
            ..RtmServiceConfig::default()
        };
        let clock = Clock::start();
        let end = CancellationToken::new();
        let local = EmbeddedUpstream::new(service, clock);
        tokio::spawn(local.clone().run(end.clone()));
        let sdk = Arc::new(Sdk {
            inner: local,
            platform: Arc::new(platform.clone()),
            emits: Mutex::default(),
        });
        let config = AgentServerConfig {
            sdk: (format!("{} in memory", platform.name).into(), "0".into()),
            limits,
        };
        let words = Arc::new(Vocabulary::new(platform));
        let mut agent = Self {
            host: AgentServer::new(random_name().expect("random bytes"), config, words, sdk, clock),
            url: format!("ws://{addr}/agent"),
            away: end.child_token(),
            end,
        };
        agent.back();
        agent
    }

    /// Drops its link.
    pub fn leave(&self) {
        self.away.cancel();
    }

    /// Dials again.
    pub fn back(&mut self) {
        self.away = self.end.child_token();
        let (host, url, away) = (self.host.clone(), self.url.clone(), self.away.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = serve_driver(host, &url, None, CancellationToken::new()) => {}
                // As for a cut wire: no logout is sent.
                () = away.cancelled() => {}
            }
        });
    }
}

impl Drop for SdkAgent {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

/// In-memory RTM limited to an SDK.
struct Sdk {
    inner: Arc<EmbeddedUpstream>,
    platform: Arc<Platform>,
    emits: Mutex<HashMap<u64, EventSink>>,
}

impl Upstream for Sdk {
    fn open(&self, app: &AppId, emit: EventSink) -> ClientKey {
        let (platform, to) = (self.platform.clone(), emit.clone());
        let client = self.inner.open(
            app,
            Arc::new(move |emitted| {
                if !is_lacking(&platform, &emitted) {
                    to(emitted);
                }
            }),
        );
        self.emits.lock().insert(client.number, emit);
        client
    }

    fn call(&self, client: &ClientKey, request: u64, call: RtmCall) {
        if let RtmCall::Login { uid, .. } = &call
            && uid.text().starts_with(REJECTED)
            && let Some(emit) = self.emits.lock().get(&client.number).cloned()
        {
            let result = Err(LoginErr::Rejected.into());
            return emit(UpstreamEvent::Reply { request, result });
        }
        self.inner.call(client, request, call);
    }

    fn close(&self, client: &ClientKey) {
        self.emits.lock().remove(&client.number);
        self.inner.close(client);
    }

    fn can(&self, _: &AppId, kind: CallKind) -> bool {
        !self.platform.lacks.contains(&kind)
    }
}

/// Returns true if the SDK lacks the event: two were added to RTM along with calls (rtm-api 1).
fn is_lacking(platform: &Platform, emitted: &UpstreamEvent) -> bool {
    let UpstreamEvent::Event(event) = emitted else {
        return false;
    };
    let came_with = match event.kind() {
        EventKind::AttributesUpdated => CallKind::GetChannelAttributes,
        EventKind::MemberCountUpdated => CallKind::GetChannelMemberCount,
        _ => return false,
    };
    platform.lacks.contains(&came_with)
}
