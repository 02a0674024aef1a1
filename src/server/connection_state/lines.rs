//! Resume by session line.

use engine::Attach;
use identity::Account;
use protocol::encoder::Resumed;
use rtm::AppId;
use rtm_redis::FoundLine;
use secrecy::SecretString;

use crate::log::clients::LoginKind;
use crate::server::connection_state::Client;
use crate::server::limit::Limit;
use crate::server::line_search::{Found, LineSearch};
use crate::server::{Closing, Login, LoginAttempt, NoSession, PendingLogin, SessionHandle};

impl Client {
    /// Handles the result of a search for a line in Redis.
    pub(super) fn line_searched(&mut self, search: LineSearch, (number, found): Found) {
        let LineSearch { line, pending, .. } = search;
        let key = match found {
            FoundLine::Session(app, account) => AppId::new(app.as_str()).ok().zip(Account::new(account.as_str()).ok()),
            FoundLine::Replaced => return self.no_line(NoSession::Replaced, pending),
            FoundLine::Unknown => None,
        };
        let (config, wall) = (self.server.config(), self.server.clock.wall());
        let is_served = |app: &AppId| config.is_durable(app) && !config.is_sunset(app, &self.profile().name, wall);
        let Some(key) = key.filter(|(app, _)| is_served(app)) else {
            return self.no_line(NoSession::Unknown, pending);
        };
        // The client then logs in, and gets the reason.
        if !self.server.registry.has_room(&key, config.app_limits(&key.0).sessions) {
            self.server.metrics.limit_reached(Limit::AppSessions);
            return self.no_line(NoSession::Unknown, pending);
        }
        let login_attempt = LoginAttempt {
            socket: self.socket,
            peer: self.accepted.peer,
            accepted: self.accepted.at,
            family: self.wire.family.clone(),
            token: SecretString::from(""),
            loses_calls: self.profile().loses_calls,
        };
        let create = || {
            let (app, account) = key.clone();
            let shown = self.shown(None);
            self.server
                .new_session(app, account, &self.set, self.wire.clone(), self.profile(), shown)
        };
        let session = self.server.registry.adopt(key.clone(), number, login_attempt, create);
        self.line_found(&line, number, (key, session), pending);
    }

    pub(super) fn no_line(&self, why: NoSession, mut pending: PendingLogin) {
        pending.attempt.by(&self.profile().name, "", "");
        let (reason, resumed) = match why {
            NoSession::Replaced => ("replaced line", Resumed::Replaced),
            NoSession::Unknown => ("unknown line", Resumed::Unknown),
        };
        pending.attempt.refused(reason);
        self.send(self.encoder().resumed(resumed));
        self.handle.out.close(Closing::Finished);
    }

    pub(super) fn line_found(
        &mut self,
        line: &str,
        number: u64,
        (key, session): ((AppId, Account), SessionHandle),
        mut pending: PendingLogin,
    ) {
        pending.attempt.by(&self.profile().name, key.0.as_str(), key.1.as_str());
        pending.attempt.to(session.id, LoginKind::Line);
        self.adopt(session.set.clone());
        self.enters(key, session);
        self.line = Some(self.server.line_keys.known(line, number));
        self.enter(Login {
            call: self.login_call(),
            line: line.into(),
            socket: self.handle.clone(),
            client: self.shown(None),
            args: Vec::new(),
            attached: Some(Attach::BySessionLine),
            pending,
            loses_calls: self.profile().loses_calls,
        });
    }
}
