//! Limits of this sidecar on the calls of a session.

use engine::Input;
use rtm::RtmCall;
use tables::row::Limit;

use crate::server::limit::Limit as SidecarLimit;
use crate::server::live_session::LiveSession;

impl LiveSession {
    /// Passes the excess over the rates of this sidecar to the engine, before the call.
    pub(super) fn pace(&mut self, input: &Input) {
        let Input::Call { call, row, args, .. } = input else {
            return;
        };
        let row = &self.tables.rows[*row];
        let channel = match row.limit {
            Some(Limit::ChannelMessages) => row.channel.and_then(|at| args.get(at)?.as_text()),
            Some(Limit::Messages) => None,
            _ => return,
        };
        let (limits, now) = (self.message_limits, self.time.now(&self.server.clock));
        if let Err(limit) = self.server.rates.message(&limits, &self.key.0, channel, now) {
            self.server.metrics.limit_reached(limit);
            self.log.limited(limit.key());
            self.server.metrics.dropped(match limit {
                SidecarLimit::ChannelMessages => "messages over a channel's rate",
                _ => "messages over the rate of an app or of all",
            });
            let (socket, id) = (call.socket, call.id);
            self.step(Input::OverRate { socket, id });
        }
    }

    /// Returns true if a call joins a new channel although the app has its number of channels.
    pub(super) fn over_channels(&mut self, call: &RtmCall) -> bool {
        let RtmCall::Join { channel_id } = call else {
            return false;
        };
        let most = self.server.config().app_limits(&self.key.0).channels as usize;
        let is_over = most > 0 && self.server.members.is_full(&self.key.0, channel_id, most);
        if is_over {
            self.server.metrics.limit_reached(SidecarLimit::AppChannels);
            self.log.limited(SidecarLimit::AppChannels.key());
        }
        is_over
    }
}
