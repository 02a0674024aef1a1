//! Configuration of a driver.

use std::time::Duration;

/// Time limits and bounds of a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriverConfig {
    /// Longest wait of a call for a disconnected agent. Default 4 s.
    pub call_wait: Duration,
    /// Longest wait of a call for its result. RTM's own limits are 5 to 12 s (rtm-api 9). Default 15 s.
    pub call_timeout: Duration,
    /// Delay before sessions are notified of a lost agent. Default 4 s, as in RTM's SDKs.
    pub lost_after: Duration,
    /// Logins per second during a restore. Default 50.
    pub login_rate: u32,
}

impl Default for DriverConfig {
    fn default() -> Self {
        Self {
            call_wait: Duration::from_secs(4),
            call_timeout: Duration::from_secs(15),
            lost_after: Duration::from_secs(4),
            login_rate: 50,
        }
    }
}
