//! Configuration of the service.

use crate::rates::RateTable;

/// The behaviour of a [`RtmService`](crate::RtmService) where RTM's hosts and projects differ.
#[derive(Clone, Copy, Debug)]
pub struct RtmServiceConfig {
    /// The factor of every rate: 1 for the documented ones, 0 for no limits.
    pub rate_scale: u32,
    /// The column of the documented rates (rtm-api 8).
    pub rates: RateTable,
    /// Stores messages to offline peers for their next login (rtm-api 3.2); deprecated in RTM, so
    /// off.
    pub offline_messages: bool,
    /// The seed for the sample of 512 members of a larger channel.
    pub seed: u64,
}

impl Default for RtmServiceConfig {
    fn default() -> Self {
        Self {
            rate_scale: 1,
            rates: RateTable::WEB,
            offline_messages: false,
            seed: 0,
        }
    }
}
