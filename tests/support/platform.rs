//! An upstream that speaks an SDK's names, lacks what that SDK lacks, and is an RTM in memory behind that.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use sigbridge::ident::AppId;
use sigbridge::mapping::platform::Platform;
use sigbridge::rtm::{CallKind, EventKind, LoginErr, RtmCall, RtmError};
use sigbridge::upstream::{ClientKey, LocalUpstream, Tell, Told, Upstream};
use sigbridge::value::Text;

/// RTM rejects users whose id begins so, as it does those whom its console has banned.
pub const REJECTED: &str = "rejected";

/// Everything that goes through it is written in the platform's names and read back from them.
pub struct AsPlatform {
    inner: Arc<LocalUpstream>,
    platform: Arc<Platform>,
    tells: Mutex<HashMap<u64, Tell>>,
}

impl AsPlatform {
    /// The RTM as that SDK has it.
    pub fn new(inner: Arc<LocalUpstream>, platform: Platform) -> Arc<Self> {
        Arc::new(Self {
            inner,
            platform: Arc::new(platform),
            tells: Mutex::default(),
        })
    }
}

impl Upstream for AsPlatform {
    fn open(&self, app: &AppId, tell: Tell) -> ClientKey {
        let (platform, to) = (self.platform.clone(), tell.clone());
        let translated: Tell = Arc::new(move |told| {
            if let Some(told) = through(&platform, told) {
                to(told);
            }
        });
        let client = self.inner.open(app, translated.clone());
        self.tells.lock().insert(client.number, translated);
        client
    }

    fn call(&self, client: &ClientKey, request: u64, call: RtmCall) {
        let named = self.platform.write_call(&call);
        let named = named.unwrap_or_else(|| panic!("{} has no {}", self.platform.name, call.kind().name()));
        let read = self.platform.read_call(&named);
        let call = read.unwrap_or_else(|| panic!("{} does not come back from {}", named.name, self.platform.name));
        if let RtmCall::Login { uid, .. } = &call
            && uid.text().starts_with(REJECTED)
        {
            let tell = self.tells.lock().get(&client.number).cloned();
            let result = Err(LoginErr::Rejected.into());
            return tell.into_iter().for_each(|tell| {
                tell(Told::Reply {
                    request,
                    result: result.clone(),
                });
            });
        }
        self.inner.call(client, request, call);
    }

    fn close(&self, client: &ClientKey) {
        self.tells.lock().remove(&client.number);
        self.inner.close(client);
    }

    fn can(&self, kind: CallKind) -> bool {
        !self.platform.lacks.contains(&kind)
    }

    fn platform(&self) -> Option<Text> {
        Some(self.platform.name.clone())
    }
}

/// What the SDK would tell; none where it has no such event.
fn through(platform: &Platform, told: Told) -> Option<Told> {
    Some(match told {
        Told::Event(event) => {
            // They came with the calls (rtm-api: RTM 1.1).
            let came_with = match event.kind() {
                EventKind::AttributesUpdated => Some(CallKind::GetChannelAttributes),
                EventKind::MemberCountUpdated => Some(CallKind::GetChannelMemberCount),
                _ => None,
            };
            if came_with.is_some_and(|call| platform.lacks.contains(&call)) {
                return None;
            }
            let named = platform.write_event(&event);
            let read = platform.read_event(&named);
            Told::Event(read.unwrap_or_else(|| panic!("{} does not come back from {}", named.name, platform.name)))
        }
        Told::Reply {
            request,
            result: Err(error),
        } => Told::Reply {
            request,
            result: Err(error_through(platform, error)),
        },
        other => other,
    })
}

fn error_through(platform: &Platform, error: RtmError) -> RtmError {
    let name = platform.error_name(error);
    let read = platform.read_error(error.error_enum(), name);
    read.unwrap_or_else(|| panic!("{name} does not come back from {}", platform.name))
}
