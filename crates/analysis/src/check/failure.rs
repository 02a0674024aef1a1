//! Failures in examples: in the form of the API, and of each client family.

use engine::Effect;
use protocol::event::Refusal;
use rtm::value::Value;
use tables::diagnostics::Diag;
use tables::spanned_value::Node;

use crate::check::bench::Bench;
use crate::check::steps::{differs, same};

impl Bench {
    /// Expects a failed answer with class, reason and number; also its event and a family's form, if the step has
    /// them.
    pub(super) fn expect_failure(&mut self, step: &Node, class: &Node) -> Result<(), Diag> {
        let got = self.next_effect();
        let refusal = match &got {
            Some(Effect::Answer { answer, .. }) => answer.failure.clone(),
            _ => None,
        };
        let Some(refusal) = refusal else {
            return Err(self.unmet(step, "a failure", got.as_ref()));
        };
        let have = [
            ("fail", Value::text(self.tables.fails[refusal.class].name.clone())),
            ("reason", Value::Text(refusal.reason.clone())),
            ("ecode", Value::Int(refusal.ecode)),
        ];
        for (key, value) in have {
            let Some(node) = step.get(key) else {
                return Err(Diag::new(&class.span, format!("a failure needs `{key}`")));
            };
            if node.to_value() != value {
                return Err(differs(node, &node.to_value(), &value));
            }
        }
        self.expect_failure_event(step, &refusal)?;
        for family in ["web", "javasdk", "native"] {
            if let Some(node) = step.get(family) {
                self.expect_family(node, family, &refusal)?;
            }
        }
        Ok(())
    }

    fn expect_failure_event(&self, step: &Node, refusal: &Refusal) -> Result<(), Diag> {
        let signature = &self.tables.signatures[refusal.event.sig];
        if let Some(name) = step.get("event")
            && name.as_text() != Some(&signature.name)
        {
            return Err(differs(name, &name.to_value(), &Value::Text(signature.name.clone())));
        }
        let Some(args) = step.get("args") else { return Ok(()) };
        let names = signature.args.iter().map(|(name, _)| name.clone());
        let have = names.zip(refusal.event.args.iter().cloned());
        let have = Value::Map(have.filter(|(_, value)| !value.is_null()).collect());
        let want = args.to_value();
        if same(&want, &have) {
            Ok(())
        } else {
            Err(differs(args, &want, &have))
        }
    }

    /// Checks a family's number, or an event argument in its place.
    fn expect_family(&self, node: &Node, family: &str, refusal: &Refusal) -> Result<(), Diag> {
        let class = &self.tables.fails[refusal.class];
        let have = match class.text_arg(family) {
            Some(arg) => {
                let at = self.tables.signatures[refusal.event.sig].arg(arg);
                at.and_then(|at| refusal.event.args.get(at))
                    .cloned()
                    .unwrap_or_default()
            }
            None => Value::Int(class.ecode(family, &refusal.reason)),
        };
        if node.to_value() == have {
            Ok(())
        } else {
            Err(differs(node, &node.to_value(), &have))
        }
    }
}
