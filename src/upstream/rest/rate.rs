//! RTM's request rate per App ID (upstreams 2), enforced here so that RTM rejects none.

use std::collections::HashMap;

use parking_lot::Mutex;

use rtm::AppId;
use rtm::rate::SecondCounter;
use rtm::time::Time;

/// Maximum of App IDs counted at once; without `[auth]`, clients choose them.
const MAX_APPS: usize = 1024;

/// Requests in the current second, by App ID.
pub struct Rate {
    per_second: u32,
    used: Mutex<HashMap<AppId, SecondCounter>>,
}

impl Rate {
    /// Creates a limiter with a limit per App ID.
    pub fn new(per_second: u32) -> Self {
        Self {
            per_second,
            used: Mutex::default(),
        }
    }

    /// Takes one request; returns false at the limit.
    pub fn take(&self, app: &AppId, now: Time) -> bool {
        let mut used = self.used.lock();
        if used.len() >= MAX_APPS && !used.contains_key(app) {
            used.retain(|_, counter| counter.is_busy(now));
            if used.len() >= MAX_APPS {
                return false;
            }
        }
        used.entry(app.clone()).or_default().take(now, self.per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_app_has_its_rate() {
        let app = |name: &str| AppId::new(name).unwrap();
        let at = Time::from_millis;
        let rate = Rate::new(2);
        for (name, ms, expected) in [
            ("a", 0, true),
            ("a", 999, true),
            ("a", 999, false),
            ("b", 999, true),
            ("a", 1000, true),
            ("a", 1000, true),
            ("a", 1999, false),
        ] {
            assert_eq!(rate.take(&app(name), at(ms)), expected, "{name} at {ms}");
        }
        for n in 0..MAX_APPS {
            rate.take(&app(&format!("x{n}")), at(3000));
        }
        assert!(!rate.take(&app("y"), at(3000)), "no room to count it");
        assert!(rate.take(&app("y"), at(4000)));
        assert!(rate.used.lock().len() <= MAX_APPS);
    }
}
