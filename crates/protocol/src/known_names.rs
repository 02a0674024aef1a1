//! Evaluation of a row's expressions outside of a run.

use identity::{Account, ChannelName, codec, uid};
use rtm::value::{Text, Value};
use rtm::{AppId, ChannelId, UserId};
use tables::expr::{Expr, Part};
use tables::func::Func;
use tables::scope::{Ambient, Scope, StateField};
use tables::ty::Conv;

/// The known values; an expression has a value if all of its inputs are known.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Values by slot.
    pub slots: Vec<Option<Value>>,
    /// Fields of the session's state.
    pub state: Vec<(StateField, Value)>,
    /// `$reason`, `$ecode`, `$key`, `$value`.
    pub ambient: Vec<(Ambient, Value)>,
    /// The app id, which uids depend on.
    pub vid: Option<AppId>,
}

impl Known {
    /// Returns the value of an expression, if all of its inputs are known.
    pub fn value(&self, expr: &Expr) -> Option<Value> {
        self.has(expr).then(|| expr.eval(self))
    }

    /// Adds an ambient value.
    #[must_use]
    pub fn with(mut self, ambient: Ambient, value: Value) -> Self {
        self.ambient.push((ambient, value));
        self
    }

    /// Sets a field of the state, replacing an earlier value.
    pub fn learn(&mut self, field: StateField, value: Value) {
        self.state.retain(|(known, _)| *known != field);
        self.state.push((field, value));
    }

    fn has(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Const(_) => true,
            Expr::Slot(slot) => self.slots.get(*slot).is_some_and(Option::is_some),
            Expr::Member(of, _) | Expr::Convert(_, of) => self.has(of),
            // Numbers of accounts need the app id.
            Expr::Call(Func::Uid | Func::Pairs, _) if self.vid.is_none() => false,
            Expr::Call(_, args) => args.iter().all(|arg| self.has(arg)),
            Expr::Json(of) => self.has(of),
            Expr::Template { parts, .. } => parts.iter().all(|part| match part {
                Part::Text(_) => true,
                Part::Expr(expr) => self.has(expr),
            }),
            Expr::State(field) => self.state.iter().any(|(known, _)| known == field),
            Expr::Ambient(ambient) => self.ambient.iter().any(|(known, _)| known == ambient),
            Expr::MemberReason(_) => false,
            Expr::List(items) => items.iter().all(|item| self.has(item)),
            Expr::Map(entries) => entries.iter().all(|(_, item)| self.has(item)),
        }
    }
}

fn find<K: PartialEq>(list: &[(K, Value)], key: &K) -> Value {
    let hit = list.iter().rev().find(|(known, _)| known == key);
    hit.map(|(_, value)| value.clone()).unwrap_or_default()
}

/// Maps ids with the bridge's own codecs. A text that is not a legal name is unchanged, and RTM's
/// types refuse it later.
impl Scope for Known {
    fn convert(&self, conv: Conv, text: &Text) -> Text {
        let converted = match conv {
            Conv::Same => None,
            Conv::AccountToUser => Account::new(text.clone())
                .ok()
                .map(|name| codec::account_to_user_id(&name).text().clone()),
            Conv::UserToAccount => UserId::new(text.clone())
                .ok()
                .map(|id| codec::user_id_to_account(&id).text().clone()),
            Conv::ChannelToRtm => ChannelName::new(text.clone())
                .ok()
                .map(|name| codec::channel_to_rtm(&name).text().clone()),
            Conv::RtmToChannel => ChannelId::new(text.clone())
                .ok()
                .map(|id| codec::channel_from_rtm(&id).text().clone()),
        };
        converted.unwrap_or_else(|| text.clone())
    }

    fn uid(&self, account: &Text) -> i64 {
        match (&self.vid, Account::new(account.clone())) {
            (Some(vid), Ok(account)) => uid::uid(vid, &account).into(),
            _ => 0,
        }
    }

    fn state(&self, field: StateField) -> Value {
        find(&self.state, &field)
    }

    fn ambient(&self, ambient: Ambient) -> Value {
        find(&self.ambient, &ambient)
    }

    fn slot(&self, slot: usize) -> Value {
        self.slots.get(slot).cloned().flatten().unwrap_or_default()
    }

    fn member_reason(&self, _row: usize) -> Text {
        "".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid() -> Expr {
        Expr::Call(Func::Uid, vec![Expr::Slot(0)])
    }

    fn check(known: &Known, expr: Expr, expected: Option<Value>) {
        assert_eq!(known.value(&expr), expected, "{expr:?}");
    }

    #[test]
    fn an_expression_needs_all_of_its_inputs() {
        let slot = |n| Box::new(Expr::Slot(n));
        let mut known = Known {
            slots: vec![Some("zoë".into()), None],
            ..Known::default()
        };
        let user = Expr::Convert(Conv::AccountToUser, slot(0));
        check(&known, user.clone(), Some("~b.em_Dqw".into()));
        check(&known, Expr::List(vec![user, Expr::Slot(1)]), None);
        check(&known, Expr::State(StateField::Account), None);
        check(&known, uid(), None);
        known.vid = AppId::new("app").ok();
        known.slots[0] = Some("alice".into());
        check(&known, uid(), Some(Value::Int(1_868_405_786)));
        known.learn(StateField::Cid, Value::Int(1));
        known.learn(StateField::Cid, Value::Int(2));
        check(&known, Expr::State(StateField::Cid), Some(Value::Int(2)));
        let known = known.with(Ambient::Reason, "timeout".into());
        let parts = vec![Part::Text("why: ".into()), Part::Expr(Expr::Ambient(Ambient::Reason))];
        check(
            &known,
            Expr::Template { parts, json: false },
            Some("why: timeout".into()),
        );
    }
}
