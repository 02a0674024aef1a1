//! Initial states for the examples of the tables, which describe a state and not its history.

use protocol::event::SocketId;
use rtm::time::Time;
use rtm::value::{Text, Value};
use rtm::{ChannelId, UserId};
use tables::condition::Emulation;

use crate::api::Effect;
use crate::context::Ctx;
use crate::emulate::call_role::Role;
use crate::emulate::invitations::CallState;
use crate::session::Session;

impl Session {
    /// Sets a logged-in session with a client.
    pub fn assume_live(&mut self, socket: SocketId) {
        self.client.connect(socket, "line-1".into());
        self.status.logged_in = true;
    }

    /// Sets a session without a client, in the grace time.
    pub fn assume_away(&mut self) {
        self.client.assume_away();
    }

    /// Sets a session before its login.
    pub fn assume_logged_out(&mut self) {
        self.status.logged_in = false;
    }

    /// Sets a joined channel.
    pub fn assume_joined(&mut self, name: Text) {
        if let Ok(id) = ChannelId::new(self.env.names.channel_id(&name)) {
            self.channel.assume_joined(name, id, self.env.own_user());
        }
    }

    /// Sets the members of the channel.
    pub fn assume_members(&mut self, members: Vec<UserId>) {
        self.channel.assume_members(members);
    }

    /// Sets the member count of RTM.
    pub fn assume_count(&mut self, count: u64) {
        self.channel.set_count(count);
    }

    /// Sets the attributes of the channel, as RTM lists them.
    pub fn assume_attrs(&mut self, list: &Value) {
        self.channel.assume_attributes(list);
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
        let env = self.env.clone();
        let first = out.len();
        let ctx = &mut Ctx::new(now, &env, out);
        let invitation = self.invitations.new_invitation();
        let mut rows = env.tables.rows.iter();
        let send = rows.position(|row| row.emulation == Some(Emulation::InviteTimers));
        if let (Role::Caller, Some(row)) = (role, send) {
            let row_ref = env.row(row);
            let mut args = vec![Value::Null; row_ref.args];
            for (slot, value) in [(row_ref.channel, channel), (row_ref.account, peer)] {
                if let Some(slot) = slot {
                    args[slot] = value.into();
                }
            }
            let run = self.new_run(row, args, ctx);
            self.invitations.sent(&run, invitation, &mut self.requests, ctx);
        } else {
            self.invitations.add(channel, peer, role, invitation);
        }
        let call = self.invitations.by_invitation(role, invitation);
        if let Some(call) = call.filter(|_| answered) {
            call.state = CallState::Talking;
        }
        self.timers.note(&out[first..]);
    }
}
