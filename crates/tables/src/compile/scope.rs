//! Scopes: the names that an expression may use.

use rtm::FieldType;
use rtm::value::Text;

use crate::expr::Expr;
use crate::scope::{Ambient, StateField};
use crate::ty::{SigType, Ty};

/// The names in scope; later ones hide earlier ones.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    names: Vec<(Text, Ty, Expr)>,
}

impl Scope {
    /// Adds a name.
    pub fn add(&mut self, name: impl Into<Text>, ty: Ty, expr: Expr) {
        self.names.push((name.into(), ty, expr));
    }

    /// Looks up a name.
    pub fn get(&self, name: &str) -> Option<(Ty, &Expr)> {
        let hit = self.names.iter().rev().find(|(known, _, _)| &**known == name);
        hit.map(|(_, ty, expr)| (*ty, expr))
    }

    /// Returns all names, for suggestions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _, _)| &**name)
    }
}

/// Resolves `$self` and `$state.…`, which every scope has.
pub fn global(path: &[&str]) -> Option<(Ty, Expr)> {
    let (ty, field) = match path {
        ["self"] | ["state", "account"] => (Ty::Sig(SigType::Account), StateField::Account),
        ["state", "line"] => (Ty::Sig(SigType::Text), StateField::Line),
        ["state", "channel"] => (Ty::Sig(SigType::Channel), StateField::Channel),
        ["state", "cid"] => (Ty::Sig(SigType::Int), StateField::Cid),
        ["state", "memberCount"] => (Ty::Sig(SigType::Int), StateField::MemberCount),
        ["state", "status"] => (Ty::Sig(SigType::Int), StateField::Status),
        ["state", "online"] => (Ty::Sig(SigType::Int), StateField::Online),
        _ => return None,
    };
    Some((ty, Expr::State(field)))
}

/// Adds the names that exist only in a failure.
pub fn with_failure(scope: &Scope) -> Scope {
    let mut scope = scope.clone();
    scope.add("reason", Ty::Sig(SigType::Text), Expr::Ambient(Ambient::Reason));
    scope.add("ecode", Ty::Sig(SigType::Int), Expr::Ambient(Ambient::Ecode));
    scope
}

/// Adds the names of an entry of `each`.
pub fn with_entry(scope: &Scope) -> Scope {
    let mut scope = scope.clone();
    scope.add("key", Ty::Rtm(FieldType::Text), Expr::Ambient(Ambient::Key));
    scope.add("value", Ty::Rtm(FieldType::Text), Expr::Ambient(Ambient::Value));
    scope
}
