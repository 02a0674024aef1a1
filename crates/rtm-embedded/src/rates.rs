//! Rate limits of calls (rtm-api 8).

use foldhash::HashMap;

use rtm::rate::{Rate, SlidingWindow};
use rtm::rejection::{Refusal, refusal};
use rtm::time::Time;
use rtm::{CallKind, ChannelId, ChannelMessageErr, JoinChannelErr, RtmCall, RtmError};

/// The documented rates of one kind of host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateTable {
    /// `login`.
    pub login: Rate,
    /// `renewToken`.
    pub renew_token: Rate,
    /// Peer and channel messages together.
    pub send: Rate,
    /// `join` of different channels.
    pub join: Rate,
    /// `join` of the same channel.
    pub join_same: Rate,
    /// `getMembers`.
    pub get_members: Rate,
    /// `getChannelMemberCount`.
    pub member_count: Rate,
    /// `queryPeersOnlineStatus`.
    pub query_peers: Rate,
    /// `subscribePeersOnlineStatus`, its reverse and the query of subscriptions, each.
    pub subscriptions: Rate,
    /// User attribute writes together.
    pub user_writes: Rate,
    /// User attribute reads together.
    pub user_reads: Rate,
    /// Channel attribute writes together.
    pub channel_writes: Rate,
    /// Channel attribute reads together.
    pub channel_reads: Rate,
    /// `Rest.channelMessage`, of the whole app id rather than of an instance.
    pub rest: Rate,
}

impl RateTable {
    /// Web, mobile, Windows and macOS.
    pub const WEB: Self = Self {
        login: Rate::new(2, 1),
        renew_token: Rate::new(2, 1),
        send: Rate::new(180, 3),
        join: Rate::new(50, 3),
        join_same: Rate::new(2, 5),
        get_members: Rate::new(5, 2),
        member_count: Rate::new(1, 1),
        query_peers: Rate::new(10, 5),
        subscriptions: Rate::new(10, 5),
        user_writes: Rate::new(10, 5),
        user_reads: Rate::new(40, 5),
        channel_writes: Rate::new(10, 5),
        channel_reads: Rate::new(10, 5),
        rest: Rate::new(500, 1),
    };

    /// C++ and Java on Linux.
    pub const LINUX: Self = Self {
        send: Rate::new(1500, 3),
        query_peers: Rate::new(100, 5),
        user_writes: Rate::new(100, 5),
        user_reads: Rate::new(400, 5),
        channel_writes: Rate::new(100, 5),
        channel_reads: Rate::new(400, 5),
        ..Self::WEB
    };
}

/// Calls with a common limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Login,
    RenewToken,
    Send,
    Join,
    GetMembers,
    MemberCount,
    QueryPeers,
    Subscribe,
    Unsubscribe,
    QuerySubscription,
    UserWrites,
    UserReads,
    ChannelWrites,
    ChannelReads,
}

/// Number of channels above which the ones not joined recently are removed.
const SAME_CHANNEL_PRUNE: usize = 64;

/// Recent calls of one instance.
#[derive(Debug, Default)]
pub struct Rates {
    /// Of the families that the instance has used: most instances log in, and send.
    families: Vec<(Family, SlidingWindow)>,
    same_channel: HashMap<ChannelId, SlidingWindow>,
}

impl Rates {
    /// Counts the call. `scale` multiplies every rate; 0 means no limits.
    ///
    /// # Errors
    /// The call's own "too often"; it is then not counted.
    pub fn admit(&mut self, now: Time, call: &RtmCall, table: &RateTable, scale: u32) -> Result<(), RtmError> {
        let kind = call.kind();
        let Some(family) = family(kind).filter(|_| scale > 0) else {
            return Ok(());
        };
        let window = window_of(&mut self.families, family);
        let rate = rate(table, family).times(scale);
        if let RtmCall::Join { channel_id } = call {
            let join_same = table.join_same.times(scale);
            if self.same_channel.len() > SAME_CHANNEL_PRUNE {
                self.same_channel.retain(|_, window| window.is_busy(now, join_same));
            }
            let same = self.same_channel.entry(channel_id.clone()).or_default();
            if !same.has_room(now, join_same) {
                return Err(JoinChannelErr::JoinSameChannelTooOften.into());
            }
            if window.has_room(now, rate) {
                same.count(now);
            }
        }
        if window.take(now, rate) {
            Ok(())
        } else {
            Err(refusal(kind, Refusal::TooOften))
        }
    }
}

fn window_of(families: &mut Vec<(Family, SlidingWindow)>, family: Family) -> &mut SlidingWindow {
    let place = families.iter().position(|(known, _)| *known == family);
    let place = place.unwrap_or_else(|| {
        families.reserve_exact(1);
        families.push((family, SlidingWindow::default()));
        families.len() - 1
    });
    &mut families[place].1
}

/// Counts a call of the whole app id by the RESTful API.
///
/// # Errors
/// [`ChannelMessageErr::TooOften`]; it is then not counted.
pub(super) fn admit_rest(window: &mut SlidingWindow, now: Time, table: &RateTable, scale: u32) -> Result<(), RtmError> {
    if scale == 0 || window.take(now, table.rest.times(scale)) {
        Ok(())
    } else {
        Err(ChannelMessageErr::TooOften.into())
    }
}

const fn family(kind: CallKind) -> Option<Family> {
    use CallKind as C;
    Some(match kind {
        C::Login => Family::Login,
        C::RenewToken => Family::RenewToken,
        C::SendMessageToPeer | C::SendMessage => Family::Send,
        C::Join => Family::Join,
        C::GetMembers => Family::GetMembers,
        C::GetChannelMemberCount => Family::MemberCount,
        C::QueryPeersOnlineStatus => Family::QueryPeers,
        C::SubscribePeersOnlineStatus => Family::Subscribe,
        C::UnsubscribePeersOnlineStatus => Family::Unsubscribe,
        C::QueryPeersBySubscriptionOption => Family::QuerySubscription,
        C::SetLocalUserAttributes
        | C::AddOrUpdateLocalUserAttributes
        | C::DeleteLocalUserAttributesByKeys
        | C::ClearLocalUserAttributes => Family::UserWrites,
        C::GetUserAttributes | C::GetUserAttributesByKeys => Family::UserReads,
        C::SetChannelAttributes
        | C::AddOrUpdateChannelAttributes
        | C::DeleteChannelAttributesByKeys
        | C::ClearChannelAttributes => Family::ChannelWrites,
        C::GetChannelAttributes | C::GetChannelAttributesByKeys => Family::ChannelReads,
        C::Logout
        | C::Leave
        | C::LocalInvitationSend
        | C::LocalInvitationCancel
        | C::RemoteInvitationAccept
        | C::RemoteInvitationRefuse
        | C::RestChannelMessage => return None,
    })
}

const fn rate(table: &RateTable, family: Family) -> Rate {
    match family {
        Family::Login => table.login,
        Family::RenewToken => table.renew_token,
        Family::Send => table.send,
        Family::Join => table.join,
        Family::GetMembers => table.get_members,
        Family::MemberCount => table.member_count,
        Family::QueryPeers => table.query_peers,
        Family::Subscribe | Family::Unsubscribe | Family::QuerySubscription => table.subscriptions,
        Family::UserWrites => table.user_writes,
        Family::UserReads => table.user_reads,
        Family::ChannelWrites => table.channel_writes,
        Family::ChannelReads => table.channel_reads,
    }
}
