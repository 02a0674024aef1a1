//! Initial state of an example.

use engine::emulate::call_role::Role;
use rtm::value::Text;
use rtm::{Field, UserId};
use tables::diagnostics::Diag;
use tables::spanned_value::Node;

use crate::check::bench::Bench;

impl Bench {
    /// Applies `given` to the session.
    pub(super) fn given(&mut self, given: &Node) -> Result<(), Diag> {
        for (key, node) in given.as_map().unwrap_or_default() {
            let bad = |what: &str| Diag::new(&node.span, format!("`given.{}` is {what}", key.value));
            match &*key.value {
                "joined" => {
                    let name = node.as_text().ok_or_else(|| bad("a channel's name"))?;
                    self.session.assume_joined(name.clone());
                }
                "members" => {
                    let members = Vec::<UserId>::from_value(&node.to_value()).map_err(|e| bad(&e))?;
                    self.session.assume_members(members);
                }
                "count" => {
                    let count = node.to_value().as_int().and_then(|n| u64::try_from(n).ok());
                    self.session.assume_count(count.ok_or_else(|| bad("a number"))?);
                }
                "attrs" => self.session.assume_attrs(&node.to_value()),
                "away" => self.session.assume_away(),
                "many" => {}
                "calling" => self.given_call(node, Role::Caller, false)?,
                "ringing" => self.given_call(node, Role::Callee, false)?,
                "talking" => self.given_call(node, Role::Callee, true)?,
                other => {
                    let known = [
                        "away", "joined", "members", "count", "attrs", "many", "calling", "ringing", "talking",
                    ];
                    let title = format!("unknown key `{other}` in `given`");
                    return Err(Diag::new(&key.span, title).did_you_mean(other, known));
                }
            }
        }
        Ok(())
    }

    fn given_call(&mut self, node: &Node, role: Role, answered: bool) -> Result<(), Diag> {
        let text = |name: &str| -> Result<Text, Diag> {
            let found = node.get(name).and_then(Node::as_text).cloned();
            found.ok_or_else(|| Diag::new(&node.span, format!("a call needs `{name}`")))
        };
        let mut effects = Vec::new();
        self.session.assume_call(
            self.now,
            text("channelID")?,
            text("account")?,
            role,
            answered,
            &mut effects,
        );
        self.apply_effects(effects);
        Ok(())
    }
}
