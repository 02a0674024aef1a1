//! An RTM instance of a session on the other side of a link.

use std::collections::{HashMap, VecDeque};

use rtm::AppId;
use rtm::upstream::ClientKey;
use rtm::value::Text;
use rtm::{ChannelId, ConnectionState, RtmCall, RtmEvent, UserId};

/// What is known of an instance.
#[derive(Debug)]
pub struct Instance {
    /// Its name on the link.
    pub session: Text,
    /// The app.
    pub app: AppId,
    /// The instance behind; none while it is being made.
    pub key: Option<ClientKey>,
    /// Who is logged in.
    pub user: Option<UserId>,
    /// Joined channels.
    pub channels: Vec<ChannelId>,
    /// Requests that are not answered, with what they change.
    pub open: HashMap<u64, Change>,
    /// Where its events go.
    pub events: Events,
}

/// What a call changes when it succeeds.
#[derive(Clone, Debug)]
pub enum Change {
    /// Nothing that is noted here.
    Nothing,
    /// Somebody is logged in.
    Login(UserId),
    /// Nobody is.
    Logout,
    /// A channel is joined.
    Join(ChannelId),
    /// A channel is left.
    Leave(ChannelId),
}

/// Where events go.
#[derive(Debug)]
pub enum Events {
    /// To the driver.
    UpstreamEvent,
    /// Nowhere yet: its driver is gone. Messages of peers wait for the next one.
    Kept(VecDeque<RtmEvent>),
}

impl Instance {
    /// What a call will change.
    pub fn change(call: &RtmCall) -> Change {
        match call {
            RtmCall::Login { uid, .. } => Change::Login(uid.clone()),
            RtmCall::Logout {} => Change::Logout,
            RtmCall::Join { channel_id } => Change::Join(channel_id.clone()),
            RtmCall::Leave { channel_id } => Change::Leave(channel_id.clone()),
            _ => Change::Nothing,
        }
    }

    /// A call has succeeded.
    pub fn changed(&mut self, change: Change) {
        match change {
            Change::Nothing => {}
            Change::Login(user) => self.user = Some(user),
            Change::Logout => {
                self.user = None;
                self.channels.clear();
            }
            Change::Join(channel) => {
                if !self.channels.contains(&channel) {
                    self.channels.push(channel);
                }
            }
            Change::Leave(channel) => self.channels.retain(|joined| *joined != channel),
        }
    }

    /// An event that ends the login.
    pub fn decode(&mut self, event: &RtmEvent) {
        if let RtmEvent::ConnectionStateChanged {
            state: ConnectionState::Aborted | ConnectionState::Disconnected,
            ..
        } = event
        {
            self.user = None;
            self.channels.clear();
        }
    }
}
