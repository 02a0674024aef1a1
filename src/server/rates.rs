//! Rates of logins and messages: of an address, an account, a channel, an app, and of all together.
//!
//! Only clients of this sidecar are counted.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

use parking_lot::Mutex;

use crate::config::Config;
use crate::server::connection_limits::origin;
use crate::server::limit::Limit;
use identity::Account;
use rtm::AppId;
use rtm::rate::TokenBucket;
use rtm::time::Time;
use rtm::value::Text;

/// Number of keys above which idle ones are removed.
const SWEEP_AT: usize = 1_024;

/// Rates by key.
#[derive(Debug)]
struct Rates<K>(Mutex<Buckets<K>>);

#[derive(Debug)]
struct Buckets<K> {
    buckets: HashMap<K, TokenBucket>,
    sweep_at: usize,
}

impl<K: Eq + Hash> Default for Rates<K> {
    fn default() -> Self {
        Self(Mutex::new(Buckets {
            buckets: HashMap::new(),
            sweep_at: 0,
        }))
    }
}

impl<K: Eq + Hash> Rates<K> {
    /// Counts an event. Returns false above the rate; 0 means no limit.
    fn take(&self, key: impl FnOnce() -> K, per_second: u32, now: Time) -> bool {
        if per_second == 0 {
            return true;
        }
        let inner = &mut *self.0.lock();
        if inner.buckets.len() >= inner.sweep_at.max(SWEEP_AT) {
            inner.buckets.retain(|_, bucket| !bucket.is_full(now, per_second));
            inner.sweep_at = 2 * inner.buckets.len();
        }
        inner.buckets.entry(key()).or_default().take(now, per_second)
    }
}

/// Rates of this sidecar.
#[derive(Debug, Default)]
pub struct SidecarRates {
    address_logins: Rates<IpAddr>,
    account_logins: Rates<(AppId, Account)>,
    app_logins: Rates<AppId>,
    total_logins: Rates<()>,
    channel_messages: Rates<(AppId, Text)>,
    app_messages: Rates<AppId>,
    total_messages: Rates<()>,
}

impl SidecarRates {
    /// Counts a login before its fields are verified.
    ///
    /// # Errors
    /// The limit that it exceeds.
    pub fn login_from(&self, config: &Config, peer: IpAddr, now: Time) -> Result<(), Limit> {
        let limits = &config.limits;
        let address = self
            .address_logins
            .take(|| origin(peer), limits.address_logins_per_second, now);
        let total = || self.total_logins.take(|| (), limits.total_logins_per_second, now);
        check(address, Limit::AddressLogins)?;
        check(total(), Limit::TotalLogins)
    }

    /// Counts a verified login.
    ///
    /// # Errors
    /// The limit that it exceeds.
    pub fn login_of(&self, config: &Config, key: &(AppId, Account), now: Time) -> Result<(), Limit> {
        let per_second = config.limits.account_logins_per_second;
        let account = self.account_logins.take(|| key.clone(), per_second, now);
        check(account, Limit::AccountLogins)?;
        let per_second = config.app_limits(&key.0).logins_per_second;
        check(
            self.app_logins.take(|| key.0.clone(), per_second, now),
            Limit::AppLogins,
        )
    }

    /// Counts a message, which may be one to a channel.
    ///
    /// # Errors
    /// The limit that it exceeds.
    pub fn message(&self, limits: &MessageLimits, app: &AppId, channel: Option<&Text>, now: Time) -> Result<(), Limit> {
        if let Some(channel) = channel {
            let key = || (app.clone(), channel.clone());
            check(
                self.channel_messages.take(key, limits.channel, now),
                Limit::ChannelMessages,
            )?;
        }
        check(
            self.app_messages.take(|| app.clone(), limits.app, now),
            Limit::AppMessages,
        )?;
        check(self.total_messages.take(|| (), limits.total, now), Limit::TotalMessages)
    }
}

/// Limits of messages for the sessions of an app.
#[derive(Clone, Copy, Debug)]
pub struct MessageLimits {
    channel: u32,
    app: u32,
    total: u32,
}

impl MessageLimits {
    pub fn of(config: &Config, app: &AppId) -> Self {
        Self {
            channel: config.limits.channel_messages_per_second,
            app: config.app_limits(app).messages_per_second,
            total: config.limits.total_messages_per_second,
        }
    }
}

fn check(is_within: bool, limit: Limit) -> Result<(), Limit> {
    if is_within { Ok(()) } else { Err(limit) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    fn app(name: &str) -> AppId {
        AppId::new(name).unwrap()
    }

    #[test]
    fn a_channel_has_a_seconds_worth_for_all_and_each_its_own() {
        let rates = SidecarRates::default();
        let limits = MessageLimits {
            channel: 200,
            app: 0,
            total: 0,
        };
        let take = |app: &AppId, channel: &str, ms| rates.message(&limits, app, Some(&channel.into()), at(ms)).is_ok();
        let one = app("one");
        assert_eq!((0..300).filter(|_| take(&one, "room", 0)).count(), 200);
        assert!(take(&one, "other", 0) && take(&app("two"), "room", 0));
        assert_eq!((0..300).filter(|_| take(&one, "room", 500)).count(), 100);
        let none = MessageLimits { channel: 0, ..limits };
        assert!((0..10_000).all(|_| rates.message(&none, &one, Some(&"room".into()), at(0)).is_ok()));
    }

    #[test]
    fn apps_and_all_together_have_a_rate() {
        let rates = SidecarRates::default();
        let limits = MessageLimits {
            channel: 0,
            app: 10,
            total: 15,
        };
        let send = |name: &str| {
            let outcomes = (0..20).map(|_| rates.message(&limits, &app(name), None, at(0)));
            outcomes.collect::<Vec<_>>()
        };
        let [first, second] = ["one", "two"].map(send);
        assert_eq!(first.iter().filter(|outcome| outcome.is_ok()).count(), 10);
        assert_eq!(first.last(), Some(&Err(Limit::AppMessages)));
        assert_eq!(second.iter().filter(|outcome| outcome.is_ok()).count(), 5);
        assert_eq!(second[5], Err(Limit::TotalMessages));
    }

    #[test]
    fn logins_have_rates_by_address_and_account() {
        let rates = SidecarRates::default();
        let mut config = Config::default();
        config.limits.address_logins_per_second = 2;
        config.limits.account_logins_per_second = 1;
        let network: IpAddr = "2001:db8::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8::2".parse().unwrap();
        assert_eq!(rates.login_from(&config, network, at(0)), Ok(()));
        assert_eq!(rates.login_from(&config, neighbour, at(0)), Ok(()));
        assert_eq!(rates.login_from(&config, network, at(0)), Err(Limit::AddressLogins));
        assert_eq!(rates.login_from(&config, network, at(500)), Ok(()));
        let key = |account: &str| (app("app"), Account::new(account).unwrap());
        assert_eq!(rates.login_of(&config, &key("alice"), at(0)), Ok(()));
        assert_eq!(rates.login_of(&config, &key("alice"), at(0)), Err(Limit::AccountLogins));
        assert_eq!(rates.login_of(&config, &key("bob"), at(0)), Ok(()));
    }

    #[test]
    fn quiet_keys_are_forgotten() {
        let rates = Rates::<u64>::default();
        for n in 0..10 * SWEEP_AT as u64 {
            assert!(rates.take(|| n, 200, at(10 * n)));
        }
        assert!(rates.0.lock().buckets.len() <= 2 * SWEEP_AT);
    }

    /// Each limit is a key of the config.
    #[test]
    fn limits_are_keys() {
        let sections = Config::sections();
        let limits = sections
            .iter()
            .find(|section| section.name == "limits")
            .expect("[limits]");
        for limit in Limit::ALL {
            assert!(limits.keys.iter().any(|key| key.name == limit.key()), "{limit:?}");
        }
    }
}
