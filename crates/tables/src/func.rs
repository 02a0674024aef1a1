//! The functions of expressions: a closed list.

use identity::attribute;
use rtm::FieldType;
use rtm::limits::MEMBERS_CUT_OFF;
use rtm::value::{Text, Value};

use crate::bridge_messages::{end_call, signal};
use crate::scope::Scope;
use crate::ty::{SigType, Ty};

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Func {
    /// `uid(account)`: the legacy number of an account, or of each of a list.
    Uid,
    /// `end-call(channel, info)`: the text that ends a call (rtm-api 11).
    EndCall,
    /// `attribute(name, value)`: an attribute in RTM's encoding (decisions H7).
    Attribute,
    /// `attribute-keys(name)`: the RTM keys of an attribute.
    AttributeKeys,
    /// `attributes(list)`: RTM's attributes with Signaling's names.
    Attributes,
    /// `digit(truth)`: `"1"` or `"0"`.
    Digit,
    /// `count(list)`: the number of items.
    Count,
    /// `pairs(users, most)`: `[[account, uid], …]` of the last `most`, or of all if `most` is
    /// missing or below 0.
    Pairs,
    /// `contains(users, account)`: 1 or 0; null if the list was truncated, so that 0 would be a
    /// guess.
    Contains,
    /// `dtmf(channel, digits)`: digits for the other party of a call, as a message between bridges
    /// (decisions H9).
    Dtmf,
}

const TEXT: Ty = Ty::Sig(SigType::Text);
const INT: Ty = Ty::Sig(SigType::Int);
const ACCOUNTS: Ty = Ty::Sig(SigType::Accounts);

impl Func {
    /// The names in expressions.
    pub const NAMES: &[(&str, Func)] = &[
        ("uid", Self::Uid),
        ("end-call", Self::EndCall),
        ("attribute", Self::Attribute),
        ("attribute-keys", Self::AttributeKeys),
        ("attributes", Self::Attributes),
        ("digit", Self::Digit),
        ("count", Self::Count),
        ("pairs", Self::Pairs),
        ("contains", Self::Contains),
        ("dtmf", Self::Dtmf),
    ];

    /// Returns the name in expressions.
    pub fn name(self) -> &'static str {
        let entry = Self::NAMES.iter().find(|(_, func)| *func == self);
        entry.map_or("?", |(name, _)| name)
    }

    /// Returns the types of its arguments and of its value. `uid` also accepts a list, and then
    /// returns one.
    pub const fn signature(self) -> (&'static [Ty], Ty) {
        match self {
            Self::Uid => (&[Ty::Sig(SigType::Account)], INT),
            // RTM-native peers know the channel by RTM's name.
            Self::EndCall => (&[Ty::Rtm(FieldType::ChannelId), TEXT], TEXT),
            Self::Attribute => (&[TEXT, TEXT], Ty::Rtm(FieldType::Attributes)),
            Self::AttributeKeys => (&[TEXT], Ty::Rtm(FieldType::Texts)),
            Self::Attributes => (&[Ty::Any], Ty::Any),
            Self::Digit => (&[Ty::Any], TEXT),
            Self::Count => (&[Ty::Any], INT),
            Self::Pairs => (&[ACCOUNTS, INT], Ty::Any),
            Self::Contains => (&[ACCOUNTS, Ty::Sig(SigType::Account)], INT),
            Self::Dtmf => (&[Ty::Rtm(FieldType::ChannelId), TEXT], Ty::Rtm(FieldType::Message)),
        }
    }

    /// Computes the function.
    pub fn eval(self, args: &[Value], scope: &dyn Scope) -> Value {
        let arg = |at: usize| args.get(at).cloned().unwrap_or_default();
        let text = |at: usize| arg(at).into_text();
        match self {
            Self::Uid => uid(scope, arg(0)),
            Self::EndCall => Value::text(end_call(&text(0), &text(1))),
            Self::Attribute => entries(attribute::encode(&text(0), &text(1))),
            Self::AttributeKeys => Value::List(attribute::keys(&text(0)).into_iter().map(Value::Text).collect()),
            Self::Attributes => attributes(&arg(0)),
            Self::Digit => Value::text(if arg(0) == Value::Bool(true) { "1" } else { "0" }),
            Self::Count => count(&arg(0)),
            Self::Pairs => {
                let pair = |user: &Value| Value::List(vec![user.clone(), uid(scope, user.clone())]);
                let list = arg(0);
                let users = list.as_list().unwrap_or_default();
                let most = arg(1).as_int().and_then(|most| usize::try_from(most).ok());
                let first = most.map_or(0, |most| users.len().saturating_sub(most));
                Value::List(users[first..].iter().map(pair).collect())
            }
            Self::Contains => contains(&arg(0), &arg(1)),
            Self::Dtmf => signal("dtmf", &text(0), &text(1)),
        }
    }
}

fn uid(scope: &dyn Scope, value: Value) -> Value {
    match value {
        Value::List(items) => Value::List(items.into_iter().map(|item| uid(scope, item)).collect()),
        other => Value::Int(scope.uid(&other.into_text())),
    }
}

fn entries(entries: Vec<(Text, Text)>) -> Value {
    Value::Map(
        entries
            .into_iter()
            .map(|(key, value)| (key, Value::Text(value)))
            .collect(),
    )
}

/// Converts attributes: a user's are texts; a channel's are objects, of which Signaling shows the
/// `value`.
fn attributes(list: &Value) -> Value {
    let plain = |value: &Value| value.get("value").unwrap_or(value).clone().into_text();
    let list: Vec<(Text, Text)> = list
        .as_map()
        .unwrap_or_default()
        .iter()
        .map(|(k, v)| (k.clone(), plain(v)))
        .collect();
    entries(attribute::decode(&list, Text::clone, |_, value| value))
}

fn count(list: &Value) -> Value {
    let length = match list {
        Value::List(items) => items.len(),
        Value::Map(entries) => entries.len(),
        _ => 0,
    };
    Value::Int(i64::try_from(length).unwrap_or(i64::MAX))
}

fn contains(list: &Value, item: &Value) -> Value {
    let items = list.as_list().unwrap_or_default();
    if items.contains(item) {
        Value::Int(1)
    } else if items.len() >= MEMBERS_CUT_OFF {
        Value::Null
    } else {
        Value::Int(0)
    }
}
