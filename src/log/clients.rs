//! What the log says of clients: a line for each login, each refusal and each end of a session; lines for limits and
//! drops, bounded by [`limit`](runtime::log_limit). Each names the account as `[log] accounts` wants.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tracing::field::display;
use tracing::{info, warn};

use crate::admin::Metrics;
use engine::EndReason;
use rtm::time::Time;
use runtime::clock::Clock;

use crate::log::accounts::{Accounts, app as shown_app};
use runtime::log_limit::{Bound, Cause, admits};

/// What lines about logins and sessions are called: `RUST_LOG=info,sigbridge::session=warn` leaves them out.
const TARGET: &str = "sigbridge::session";

/// The reason for the refusal of what is over a rate.
const TOO_OFTEN: &str = "too often";

/// How a login comes to its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The account had none.
    New,
    /// By a second socket of the same client.
    Twin,
    /// By a new login within the grace time.
    Resume,
    /// In place of another client's, which is put out.
    Replace,
    /// By its line.
    Line,
}

impl How {
    /// Its name in lines and counters.
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

/// A client as lines name it.
#[derive(Clone, Debug)]
pub struct Client {
    account: Option<Box<str>>,
    app: Box<str>,
    profile: Box<str>,
    peer: IpAddr,
}

/// What attempts to log in are told with; shared by all.
#[derive(Debug)]
pub struct Logins {
    /// How accounts are named.
    pub accounts: Accounts,
    /// Where they are counted.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Clock,
}

/// An attempt to log in, which is told exactly once: as what became of it, or, when it is dropped, as abandoned.
#[derive(Debug)]
pub struct Attempt {
    logins: Arc<Logins>,
    client: Client,
    began: Time,
    how: Option<How>,
    session: Option<u64>,
    is_told: bool,
}

impl Logins {
    /// An attempt of a client at `peer` begins.
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
            how: None,
            session: None,
            is_told: false,
            logins: self.clone(),
        }
    }
}

impl Attempt {
    /// What the client says of itself, whether it is legal or not; empty texts for what it does not say.
    pub fn by(&mut self, profile: &str, app: &str, account: &str) {
        let named = Some(account).filter(|account| !account.is_empty());
        self.client.account = named.and_then(|account| self.logins.accounts.name(app, account));
        self.client.app = shown_app(app);
        self.client.profile = profile.into();
    }

    /// It comes to a session.
    pub fn to(&mut self, session: u64, how: How) {
        (self.session, self.how) = (Some(session), Some(how));
    }

    /// Its client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// It was let in.
    pub fn accepted(&mut self) {
        let Some(how) = self.how.filter(|_| self.tells()) else {
            return;
        };
        self.logins.metrics.login(how.name(), "");
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

    /// It was refused, for a reason of the tables.
    pub fn refused(&mut self, reason: &str) {
        if self.tells() {
            self.logins.metrics.login("refused", reason);
            self.told("login refused", reason);
        }
    }

    fn tells(&mut self) -> bool {
        !std::mem::replace(&mut self.is_told, true)
    }

    fn took(&self) -> u64 {
        millis(self.logins.clock.now().since(self.began))
    }

    fn told(&self, what: &'static str, reason: &str) {
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
        if self.tells() {
            self.logins.metrics.login("abandoned", "");
            self.told("login abandoned", "the connection has ended");
        }
    }
}

/// What the log says of one session.
#[derive(Debug)]
pub struct SessionLog {
    id: u64,
    client: Client,
    /// When its first login was accepted.
    since: Option<Time>,
}

impl SessionLog {
    /// Of a session that nobody has logged in to.
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

    /// A client comes to it.
    pub fn comes(&mut self, client: &Client) {
        self.client = client.clone();
    }

    /// A login was answered, or a return by line.
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

    /// Another call was answered.
    pub fn call_answered(&self, refusal: Option<&str>) {
        if refusal == Some(TOO_OFTEN) {
            self.limited(TOO_OFTEN);
        }
    }

    /// It is over; one that nobody was let in to was none. Without an `ending` of its own it was cut off, because it was
    /// too slow or since the process ends.
    pub fn ends(&self, now: Time, ending: Option<EndReason>, is_too_slow: bool) {
        let Some(since) = self.since else { return };
        let Client {
            account,
            app,
            profile,
            peer,
        } = &self.client;
        info!(
            target: TARGET,
            account, app, profile, %peer, session = %self.id, how = name(ending, is_too_slow),
            duration_ms = millis(now.since(since)),
            "session ended"
        );
    }

    /// Something of it was dropped.
    pub fn dropped(&self, what: &'static str, count: usize) {
        if self.may_tell(what) {
            let (account, app) = (&self.client.account, &self.client.app);
            warn!(target: TARGET, account, app, session = %self.id, what, count, "dropped");
        }
    }

    /// Its client has reached a limit, and was refused something or closed.
    pub fn limited(&self, limit: &'static str) {
        if self.may_tell(limit) {
            let Client {
                account,
                app,
                profile,
                peer,
            } = &self.client;
            warn!(
                target: TARGET,
                account, app, profile, %peer, session = %self.id, limit,
                "a client has reached a limit"
            );
        }
    }

    fn may_tell(&self, kind: &'static str) -> bool {
        let cause = Cause {
            session: Some(self.id),
            account: self.client.account.clone(),
            from: None,
        };
        admits(kind, Bound::EVENT, cause)
    }
}

fn name(ending: Option<EndReason>, is_too_slow: bool) -> &'static str {
    match ending {
        Some(EndReason::LoggedOut) => "logged out",
        Some(EndReason::Kicked) => "logged in elsewhere",
        Some(EndReason::Banned) => "banned",
        Some(EndReason::Lost | EndReason::Refused) => "away for too long",
        None if is_too_slow => "too slow",
        None => "the process ends",
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
