//! The stages of an outage: 4, 6 and 30 s (rtm-api 4, 9), and the data held until its end.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rtm::{ConnectionReason, ConnectionState, RtmEvent};

use crate::client::{Held, Outage, Stage};
use crate::context::{ClientId, Ctx};
use crate::limits::{HELD, INTERRUPTED_AFTER, OFFLINE_AFTER, UNREACHABLE_AFTER};
use crate::service::RtmService;
use crate::session::state_changed;
use crate::timers::Timer;

impl Stage {
    /// Returns the next stage, and its start after the loss.
    const fn next(self) -> Option<(Stage, Duration)> {
        match self {
            Self::Unnoticed => Some((Self::Interrupted, INTERRUPTED_AFTER)),
            Self::Interrupted => Some((Self::Unreachable, UNREACHABLE_AFTER)),
            Self::Unreachable => Some((Self::Abandoned, OFFLINE_AFTER)),
            Self::Abandoned => None,
        }
    }
}

impl RtmService {
    pub(super) fn lose_link(&mut self, ctx: &mut Ctx<'_>, client: ClientId) {
        let timer = self.timers.set(ctx.now + INTERRUPTED_AFTER, Timer::Link(client));
        if let Some(session) = self.clients.session_mut(client) {
            session.outage = Some(Box::new(Outage {
                since: ctx.now,
                stage: Stage::Unnoticed,
                timer: Some(timer),
                token_expired: false,
                held: VecDeque::new(),
                waiting: VecDeque::new(),
                presence: BTreeMap::new(),
            }));
        }
        self.mark_unreachable(client);
    }

    /// Starts the next stage.
    pub(super) fn outage_timer(&mut self, ctx: &mut Ctx<'_>, client: ClientId) {
        let Some(session) = self.clients.session_mut(client) else {
            return;
        };
        let (user, present) = (session.user.clone(), session.present);
        let before = session.online_state();
        let Some(outage) = session.outage.as_mut() else { return };
        let Some((stage, _)) = outage.stage.next() else { return };
        outage.stage = stage;
        let since = outage.since;
        outage.timer = stage
            .next()
            .map(|(_, after)| self.timers.set(since + after, Timer::Link(client)));
        match stage {
            Stage::Unnoticed => {}
            Stage::Interrupted => {
                let token_expired = outage.token_expired;
                ctx.event(
                    client,
                    state_changed(ConnectionState::Reconnecting, ConnectionReason::Interrupted),
                );
                if token_expired {
                    ctx.event(client, RtmEvent::TokenExpired {});
                }
            }
            // If another instance has taken the user id, the presence is that instance's.
            Stage::Unreachable if present => self.presence_changed(ctx, &user, before),
            Stage::Abandoned if present => {
                session.present = false;
                self.users.remove(&user);
                self.vacate(ctx, client);
                self.presence_changed(ctx, &user, before);
            }
            Stage::Unreachable | Stage::Abandoned => {}
        }
    }
}

impl Outage {
    /// Holds an event until the end of the outage; returns false if the bound is reached.
    pub(super) fn hold(&mut self, held: Held) -> bool {
        let room = self.held.len() < HELD;
        if room {
            self.held.push_back(held);
        }
        room
    }
}
