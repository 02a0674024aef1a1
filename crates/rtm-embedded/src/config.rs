//! What differs between worlds.

use crate::rates::RateTable;

/// How a [`RtmService`](crate::RtmService) behaves where RTM's hosts and projects differ.
#[derive(Clone, Copy, Debug)]
pub struct RtmServiceConfig {
    /// Multiplies every rate: 1 for the documented ones, 0 for none at all.
    pub rate_scale: u32,
    /// Which column of the documented rates holds (rtm-api 8).
    pub rates: RateTable,
    /// Whether messages to offline peers are kept for their next login (rtm-api 3.2); deprecated in RTM, so off.
    pub offline_messages: bool,
    /// Seeds the choice of 512 members of a larger channel.
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
