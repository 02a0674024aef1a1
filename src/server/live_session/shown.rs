//! The session as the admin address shows it.

use crate::server::live_session::LiveSession;
use crate::server::session_directory::ClientView;
use analysis::report::Kind;
use rtm::value::Text;

impl LiveSession {
    /// Shows the client of a login. A resumed session keeps its channel, and its version if the login has none.
    pub(super) fn show(&mut self, login: ClientView) {
        self.view.set_connections(self.sockets.len());
        self.spans.set_profile(&login.profile);
        self.view.change(|client| {
            let channel = client.channel.take();
            let version = login.version.clone().or_else(|| client.version.take());
            *client = ClientView {
                channel,
                version,
                ..login
            };
        });
        self.group();
    }

    /// Counts the session's usage with its kind of client from now on.
    pub(super) fn group(&mut self) {
        let client = self.view.client();
        let kind = [
            Text::from(self.key.0.as_str()),
            client.profile,
            client.version.unwrap_or_default(),
        ];
        let shown = Kind {
            app: kind[0].to_string(),
            profile: kind[1].to_string(),
            build: kind[2].to_string(),
        };
        let named = (self.key.0.as_str(), self.key.1.as_str());
        self.server.usage_keeper.see(named, shown, client.login);
        self.group = Some(self.set.usage.login(kind, client.login));
    }

    /// Shows the state after a step. It costs a lock only when the channel has changed.
    pub(super) fn show_step(&mut self) {
        self.view.set_mailbox(self.session.lines());
        let channel = self.session.channel_name();
        if channel != self.channel.as_ref() {
            self.channel = channel.cloned();
            self.view.change(|client| client.channel.clone_from(&self.channel));
        }
    }
}
