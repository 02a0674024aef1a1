//! Forced ends of sessions.

use engine::Input;
use rtm::RtmCall;

use super::Sim;
use super::effects::SimOutput;
use super::queue::Item;

impl Sim {
    /// Returns the session of a client.
    fn running_session(&self, name: &str) -> Result<u64, String> {
        let account = self.clients.get(name).map(|client| client.account.clone());
        let session = account.and_then(|account| self.bridge.session_named(&account));
        session.ok_or_else(|| format!("{name} has no session"))
    }

    /// Bans the user in RTM.
    ///
    /// # Errors
    /// There is no such session.
    pub fn ban(&mut self, name: &str) -> Result<(), String> {
        let client = self.bridge.running[&self.running_session(name)?].client;
        let mut out = Vec::new();
        self.world.ban(self.now, client, &mut out);
        self.queue.extend(out.into_iter().map(Item::Output));
        self.settle();
        Ok(())
    }

    /// Disconnects the session's upstream.
    ///
    /// # Errors
    /// There is no such session.
    pub fn lose_upstream(&mut self, name: &str) -> Result<(), String> {
        let id = self.running_session(name)?;
        self.link(name, false)?;
        self.bridge.step(self.now, id, Input::Upstream(false));
        self.settle();
        Ok(())
    }

    /// Ends the process of the session: by SIGTERM, or killed.
    ///
    /// # Errors
    /// There is no such session.
    pub fn stop(&mut self, name: &str, in_order: bool) -> Result<(), String> {
        let id = self.running_session(name)?;
        let mut sim_session = self.bridge.running.remove(&id).ok_or("no session")?;
        sim_session.recorder.cut(self.now);
        self.bridge.entries.remove(&sim_session.account);
        if in_order {
            for call in sim_session.session.leave_calls() {
                self.rtm(sim_session.client, 0, call);
            }
            self.rtm(sim_session.client, 0, RtmCall::Logout {});
        }
        let mut out = Vec::new();
        self.world.close(self.now, sim_session.client, &mut out);
        self.queue.extend(out.into_iter().map(Item::Output));
        let sockets = sim_session.sockets.into_iter();
        self.bridge
            .outputs
            .extend(sockets.map(|socket| SimOutput::Close(socket, None)));
        self.settle();
        Ok(())
    }
}
