//! Log lines about clients: one per login, refusal and session end, and rate-limited ones
//! ([`limit`](runtime::log_limit)) for limits and drops. `[log] accounts` controls the form of accounts.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tracing::field::display;
use tracing::{info, warn};

use crate::admin::{LoginResult, Metrics};
use crate::otel::{self, Begun, Tracer};
use engine::EndReason;
use rtm::time::Time;
use runtime::clock::Clock;

use crate::log::accounts::{Accounts, app as shown_app};
use crate::log::refusals::{Refusal, Refusals};
use runtime::log_limit::{Bound, Cause, admits};

/// Target of login and session lines: `RUST_LOG=info,sigbridge::session=warn` disables them.
const TARGET: &str = "sigbridge::session";

/// Reason of refusals over a rate limit.
const TOO_OFTEN: &str = "too often";

/// Way in which a login gets its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginKind {
    /// New session.
    New,
    /// Second socket of the same client.
    Twin,
    /// New login within the grace time.
    Resume,
    /// Replaces another client, which is disconnected.
    Replace,
    /// Resumption by the session line.
    Line,
}

impl LoginKind {
    /// Returns the name for log lines and counters.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Twin => "twin",
            Self::Resume => "resume",
            Self::Replace => "replace",
            Self::Line => "line",
        }
    }
}

/// Client, as logged.
#[derive(Clone, Debug)]
pub struct Client {
    account: Option<Box<str>>,
    app: Box<str>,
    profile: Box<str>,
    peer: IpAddr,
}

/// Shared context of login attempts.
#[derive(Debug)]
pub struct Logins {
    /// Form of accounts.
    pub accounts: Accounts,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
    /// The latest refusals.
    pub refusals: Refusals,
    pub tracer: Arc<Tracer>,
}

/// Login attempt, logged exactly once: with its result, or as abandoned when dropped.
#[derive(Debug)]
pub struct Attempt {
    logins: Arc<Logins>,
    client: Client,
    began: Time,
    /// The span of a traced login.
    span: Option<Begun>,
    how: Option<LoginKind>,
    session: Option<u64>,
    is_logged: bool,
}

impl Logins {
    /// Begins an attempt of a client at `peer`.
    pub fn begin(self: &Arc<Self>, peer: IpAddr) -> Attempt {
        let client = Client {
            account: None,
            app: "".into(),
            profile: "".into(),
            peer,
        };
        Attempt {
            client,
            began: self.clock.now(),
            span: self.tracer.begin(),
            how: None,
            session: None,
            is_logged: false,
            logins: self.clone(),
        }
    }
}

impl Attempt {
    /// Sets the client's data, valid or not; empty texts if missing.
    pub fn by(&mut self, profile: &str, app: &str, account: &str) {
        let named = Some(account).filter(|account| !account.is_empty());
        self.client.account = named.and_then(|account| self.logins.accounts.name(app, account));
        self.client.app = shown_app(app);
        self.client.profile = profile.into();
    }

    /// Sets the session.
    pub fn to(&mut self, session: u64, how: LoginKind) {
        (self.session, self.how) = (Some(session), Some(how));
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the span of a traced login.
    pub fn span(&self) -> Option<Begun> {
        self.span
    }

    /// Logs an accepted login.
    pub fn accepted(&mut self) {
        let Some(how) = self.how.filter(|_| self.take_unlogged()) else {
            return;
        };
        self.logins.metrics.login(how.name(), "");
        self.measured(LoginResult::Accepted, None);
        let Client {
            account,
            app,
            profile,
            peer,
        } = &self.client;
        let session = self.session.as_ref().map(display);
        info!(
            target: TARGET,
            account, app, profile, %peer, session, how = how.name(), duration_ms = self.took(),
            "login accepted"
        );
    }

    /// Logs a refused login, with a reason of the tables.
    pub fn refused(&mut self, reason: &str) {
        if self.take_unlogged() {
            self.logins.metrics.login("refused", reason);
            self.measured(LoginResult::Refused, Some(reason));
            self.logins.refusals.add(self.refusal(reason));
            self.log_result("login refused", reason);
        }
    }

    fn refusal(&self, reason: &str) -> Refusal {
        let client = &self.client;
        Refusal {
            at: self.logins.clock.now(),
            reason: reason.into(),
            account: client.account.clone(),
            app: client.app.clone(),
            profile: client.profile.clone(),
            peer: client.peer.to_canonical().to_string(),
        }
    }

    fn take_unlogged(&mut self) -> bool {
        !std::mem::replace(&mut self.is_logged, true)
    }

    fn took(&self) -> u64 {
        millis(self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        self.logins.clock.now().since(self.began)
    }

    /// Reports time and result to the metrics and to the trace.
    fn measured(&self, result: LoginResult, failure: Option<&str>) {
        self.logins.metrics.times.login(result, self.elapsed());
        let Some(span) = self.span else { return };
        let login = otel::LoginResult {
            app: &self.client.app,
            profile: &self.client.profile,
            session: self.session,
            how: self.how.map(LoginKind::name),
            failure,
        };
        self.logins.tracer.login(span, &login);
    }

    fn log_result(&self, what: &'static str, reason: &str) {
        let Client {
            account,
            app,
            profile,
            peer,
        } = &self.client;
        if admits(what, Bound::CLIENT, Cause::from(peer)) {
            let session = self.session.as_ref().map(display);
            info!(
                target: TARGET,
                reason, account, app, profile, %peer, session, duration_ms = self.took(),
                "{what}"
            );
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.take_unlogged() {
            self.logins.metrics.login("abandoned", "");
            self.measured(LoginResult::Abandoned, Some("abandoned"));
            self.log_result("login abandoned", "connection closed");
        }
    }
}

/// Reason of an end that the engine does not know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutOff {
    /// Too many sessions have no client.
    NoRoom,
    /// An operator has closed the session.
    ByOperator,
}

/// Log lines of one session.
#[derive(Debug)]
pub struct SessionLog {
    id: u64,
    client: Client,
    /// Time of the first accepted login.
    since: Option<Time>,
}

impl SessionLog {
    /// Creates the log of a session without a login.
    pub fn new(id: u64, accounts: &Accounts, app: &str, account: &str) -> Self {
        let client = Client {
            account: accounts.name(app, account),
            app: shown_app(app),
            profile: "".into(),
            peer: IpAddr::from([0; 4]),
        };
        let since = None;
        Self { id, client, since }
    }

    /// Sets the current client.
    pub fn set_client(&mut self, client: &Client) {
        self.client = client.clone();
    }

    /// Logs a login's answer, or a resumption.
    pub fn login_answered(&mut self, now: Time, attempt: Option<&mut Attempt>, refusal: Option<&str>) {
        if refusal.is_none() {
            self.since.get_or_insert(now);
        }
        if let Some(attempt) = attempt {
            match refusal {
                None => attempt.accepted(),
                Some(reason) => attempt.refused(reason),
            }
        }
    }

    /// Logs another call's answer.
    pub fn call_answered(&self, refusal: Option<&str>) {
        if refusal == Some(TOO_OFTEN) {
            self.limited(TOO_OFTEN);
        }
    }

    /// Logs the end of a session with an accepted login. Without `ending`, it was cut off or
    /// the process stops.
    pub fn ends(&self, now: Time, ending: Option<EndReason>, cut_off: Option<CutOff>) {
        let Some(since) = self.since else { return };
        let Client {
            account,
            app,
            profile,
            peer,
        } = &self.client;
        info!(
            target: TARGET,
            account, app, profile, %peer, session = %self.id, how = name(ending, cut_off),
            duration_ms = millis(now.since(since)),
            "session ended"
        );
    }

    /// Logs dropped items.
    pub fn dropped(&self, what: &'static str, count: usize) {
        if self.is_admitted(what) {
            let (account, app) = (&self.client.account, &self.client.app);
            warn!(target: TARGET, account, app, session = %self.id, what, count, "dropped");
        }
    }

    /// Logs that a client reached a limit.
    pub fn limited(&self, limit: &'static str) {
        if self.is_admitted(limit) {
            let Client {
                account,
                app,
                profile,
                peer,
            } = &self.client;
            warn!(
                target: TARGET,
                account, app, profile, %peer, session = %self.id, limit,
                "client reached a limit"
            );
        }
    }

    fn is_admitted(&self, kind: &'static str) -> bool {
        let cause = Cause {
            session: Some(self.id),
            account: self.client.account.clone(),
            from: None,
        };
        admits(kind, Bound::EVENT, cause)
    }
}

fn name(ending: Option<EndReason>, cut_off: Option<CutOff>) -> &'static str {
    match ending {
        Some(EndReason::LoggedOut) => "logged out",
        Some(EndReason::Kicked) => "logged in elsewhere",
        Some(EndReason::Banned) => "banned",
        Some(EndReason::Lost | EndReason::Refused) => "away for too long",
        None => match cut_off {
            Some(CutOff::NoRoom) => "too slow",
            Some(CutOff::ByOperator) => "closed by an operator",
            None => "the process ends",
        },
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
