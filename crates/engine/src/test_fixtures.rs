//! Initial states for the examples of the tables, which describe a state and not its history.

use protocol::event::SocketId;
use rtm::time::Time;
use rtm::value::{Text, Value};
use rtm::{ChannelId, UserId};
use tables::condition::Emulation;

use crate::api::Effect;
use crate::emulate::attributes::Attrs;
use crate::emulate::channel::Channel;
use crate::emulate::invitations::{CallState, Role};
use crate::session::{Ctx, Session};

impl Session {
    /// Sets a logged-in session with a client.
    pub fn assume_live(&mut self, socket: SocketId) {
        self.socket = Some(socket);
        self.logged_in = true;
        self.line = "line-1".into();
    }

    /// Sets a session without a client, in the grace time.
    pub fn assume_away(&mut self) {
        self.socket = None;
    }

    /// Sets a session before its login.
    pub fn assume_logged_out(&mut self) {
        self.logged_in = false;
    }

    /// Sets a joined channel.
    pub fn assume_joined(&mut self, name: Text) {
        let Ok(id) = ChannelId::new(self.context.names.channel_id(&name)) else {
            return;
        };
        let mut channel = Channel::new(name, id);
        channel.joined = true;
        channel
            .members
            .extend(UserId::new(self.context.names.user_id(&self.account)));
        self.cids = 1;
        self.channel = Some(channel);
    }

    /// Sets the members of the channel.
    pub fn assume_members(&mut self, members: Vec<UserId>) {
        if let Some(channel) = &mut self.channel {
            channel.members.extend(members);
        }
    }

    /// Sets the member count of RTM.
    pub fn assume_count(&mut self, count: u64) {
        if let Some(channel) = &mut self.channel {
            channel.counted = Some(count);
        }
    }

    /// Sets the attributes of the channel, as RTM lists them.
    pub fn assume_attrs(&mut self, list: &Value) {
        if let Some(channel) = &mut self.channel {
            channel.attrs = Attrs::known(list);
        }
    }

    /// Sets a call with the invitation number 1.
    pub fn assume_call(
        &mut self,
        now: Time,
        channel: Text,
        peer: Text,
        role: Role,
        answered: bool,
        out: &mut Vec<Effect>,
    ) {
        let invitation = self.calls.new_invitation();
        let send = self
            .context
            .tables
            .rows
            .iter()
            .position(|row| row.emulation == Some(Emulation::InviteTimers));
        if let (Role::Caller, Some(row)) = (role, send) {
            let row_ref = &self.context.tables.rows[row];
            let mut args = vec![Value::Null; row_ref.args];
            for (slot, value) in [(row_ref.channel, channel), (row_ref.account, peer)] {
                if let Some(slot) = slot {
                    args[slot] = value.into();
                }
            }
            let run = self.new_run(row, args);
            self.calling(&run, invitation, &mut Ctx { now, out });
        } else {
            self.calls.add(channel, peer, role, invitation);
        }
        if let Some(call) = self.calls.by_invitation(role, invitation).filter(|_| answered) {
            call.state = CallState::Talking;
        }
    }
}
