//! RTM instance of a remote session.

use std::collections::{HashMap, VecDeque};

use rtm::AppId;
use rtm::upstream::ClientKey;
use rtm::value::Text;
use rtm::{ChannelId, ConnectionState, RtmCall, RtmEvent, UserId};

/// State of an instance.
#[derive(Debug)]
pub struct Instance {
    /// Session name on the link.
    pub session: Text,
    pub app: AppId,
    /// Key of the upstream's instance; `None` during creation.
    pub key: Option<ClientKey>,
    /// Logged-in user.
    pub user: Option<UserId>,
    /// Joined channels.
    pub channels: Vec<ChannelId>,
    /// Unanswered requests and the change that each makes.
    pub open: HashMap<u64, Change>,
    /// Destination of events.
    pub events: Events,
}

/// Change that a successful call makes.
#[derive(Clone, Debug)]
pub enum Change {
    /// No tracked change.
    Nothing,
    Login(UserId),
    Logout,
    Join(ChannelId),
    Leave(ChannelId),
}

/// Destination of events.
#[derive(Debug)]
pub enum Events {
    /// The driver.
    UpstreamEvent,
    /// None, since the driver is lost. Peer messages are kept for the next driver.
    Kept(VecDeque<RtmEvent>),
}

impl Instance {
    /// Returns the change that a call makes.
    pub fn change(call: &RtmCall) -> Change {
        match call {
            RtmCall::Login { uid, .. } => Change::Login(uid.clone()),
            RtmCall::Logout {} => Change::Logout,
            RtmCall::Join { channel_id } => Change::Join(channel_id.clone()),
            RtmCall::Leave { channel_id } => Change::Leave(channel_id.clone()),
            _ => Change::Nothing,
        }
    }

    /// Applies the change of a successful call.
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

    /// Handles an event that ends the login.
    pub fn apply_event(&mut self, event: &RtmEvent) {
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
