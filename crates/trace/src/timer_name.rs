//! Names of timers.

use engine::TimerKey;
use rtm::value::Text;
use rtm::{CallKind, InvitationId};

/// Returns the name: `grace`, `invite:3`, `gather:getChannelMemberCount`.
pub fn name(key: TimerKey) -> Text {
    match key {
        TimerKey::Login => "login".into(),
        TimerKey::Grace => "grace".into(),
        TimerKey::Rejoin => "rejoin".into(),
        TimerKey::Names => "names".into(),
        TimerKey::Outbox => "outbox".into(),
        TimerKey::TransientJoins => "visits".into(),
        TimerKey::MemberNum => "member-num".into(),
        TimerKey::Invite(InvitationId(number)) => format!("invite:{number}").into(),
        TimerKey::Ring(InvitationId(number)) => format!("ring:{number}").into(),
        TimerKey::Retry(request) => format!("retry:{request}").into(),
        TimerKey::Gather(kind) => format!("gather:{}", kind.name()).into(),
    }
}

/// Regular expression of timer names.
pub const PATTERN: &str =
    "^(login|grace|rejoin|names|outbox|visits|member-num|(invite|ring|retry):[0-9]+|gather:[A-Za-z.]+)$";

/// Parses a name.
pub fn parse(name: &str) -> Option<TimerKey> {
    let (name, of) = name.split_once(':').unwrap_or((name, ""));
    Some(match name {
        "login" => TimerKey::Login,
        "grace" => TimerKey::Grace,
        "rejoin" => TimerKey::Rejoin,
        "names" => TimerKey::Names,
        "outbox" => TimerKey::Outbox,
        "visits" => TimerKey::TransientJoins,
        "member-num" => TimerKey::MemberNum,
        "invite" => TimerKey::Invite(InvitationId(of.parse().ok()?)),
        "ring" => TimerKey::Ring(InvitationId(of.parse().ok()?)),
        "retry" => TimerKey::Retry(of.parse().ok()?),
        "gather" => TimerKey::Gather(CallKind::parse(of)?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let keys = [
            TimerKey::Login,
            TimerKey::Grace,
            TimerKey::Rejoin,
            TimerKey::Names,
            TimerKey::Outbox,
            TimerKey::TransientJoins,
            TimerKey::MemberNum,
            TimerKey::Invite(InvitationId(3)),
            TimerKey::Ring(InvitationId(4)),
            TimerKey::Retry(7),
            TimerKey::Gather(CallKind::GetChannelMemberCount),
        ];
        for key in keys {
            assert_eq!(parse(&name(key)), Some(key));
        }
        assert_eq!(parse("retry:x"), None);
        assert_eq!(parse("sleep"), None);
    }
}
