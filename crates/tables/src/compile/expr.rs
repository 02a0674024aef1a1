//! Compilation of table values to [`Expr`].

use rtm::FieldType;
use rtm::value::{Text, Value};

use crate::compile::Compiler;
use crate::compile::scope::{Scope, global};
use crate::diagnostics::Diag;
use crate::expr::{Expr, Part};
use crate::func::Func;
use crate::spanned_value::{Node, NodeKind};
use crate::ty::{Conv, SigType, Ty};

impl Compiler<'_> {
    /// Compiles an expression of type `want`.
    pub fn expr(&mut self, node: &Node, want: Ty, scope: &Scope) -> Option<Expr> {
        if let (NodeKind::List(items), Some(item)) = (&node.kind, item_type(want)) {
            let items: Vec<_> = items.iter().map(|node| self.expr(node, item, scope)).collect();
            return Some(Expr::List(items.into_iter().collect::<Option<_>>()?));
        }
        let (expr, have) = self.infer(node, scope)?;
        if want == Ty::Sig(SigType::Json) && have == Ty::Any {
            return Some(Expr::Json(Box::new(expr)));
        }
        match self.converted(expr, have, want) {
            Some(expr) => Some(expr),
            None => {
                self.error(Diag::new(&node.span, format!("expected {want}, got {have}")));
                None
            }
        }
    }

    /// Converts `expr` to another type; returns `None` if there is no conversion.
    pub fn converted(&self, expr: Expr, have: Ty, want: Ty) -> Option<Expr> {
        if let (Expr::Const(value), Ty::Rtm(FieldType::Message)) = (&expr, want)
            && value.as_text().is_none()
        {
            return None;
        }
        Some(match have.convert(want)? {
            Conv::Same => expr,
            conv => Expr::Convert(conv, Box::new(expr)),
        })
    }

    /// Compiles an expression; returns it with its own type.
    pub fn infer(&mut self, node: &Node, scope: &Scope) -> Option<(Expr, Ty)> {
        match &node.kind {
            NodeKind::Text(text) => self.infer_text(node, text, scope),
            NodeKind::Literal(value) => {
                let ty = match value {
                    Value::Int(_) => Ty::Sig(SigType::Int),
                    Value::Bool(_) => Ty::Rtm(FieldType::Bool),
                    _ => Ty::Any,
                };
                Some((Expr::Const(value.clone()), ty))
            }
            NodeKind::List(items) => {
                let items: Vec<_> = items.iter().map(|node| self.infer(node, scope)).collect();
                let items = items.into_iter().map(|item| item.map(|(expr, _)| expr));
                Some((Expr::List(items.collect::<Option<_>>()?), Ty::Any))
            }
            NodeKind::Map(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|(key, node)| Some((key.value.clone(), self.infer(node, scope)?.0)))
                    .collect();
                Some((Expr::Map(entries.into_iter().collect::<Option<_>>()?), Ty::Any))
            }
        }
    }

    fn infer_text(&mut self, node: &Node, text: &Text, scope: &Scope) -> Option<(Expr, Ty)> {
        if let Some((name, args)) = call_syntax(text) {
            return self.infer_call(node, name, args, scope);
        }
        if let Some(path) = text.strip_prefix('$')
            && path.chars().all(is_path_char)
        {
            return self.path(node, path, scope);
        }
        if text.contains('$') {
            let parts = self.template(node, text, scope)?;
            return Some((
                Expr::Template {
                    parts,
                    json: text.starts_with('{'),
                },
                Ty::Sig(SigType::Text),
            ));
        }
        Some((Expr::Const(Value::Text(text.clone())), Ty::Sig(SigType::Text)))
    }

    /// Compiles a path such as `$invitation.channelId`, without its `$`.
    pub fn path(&mut self, node: &Node, path: &str, scope: &Scope) -> Option<(Expr, Ty)> {
        let parts: Vec<&str> = path.split('.').collect();
        if let Some((ty, expr)) = global(&parts) {
            return Some((expr, ty));
        }
        let Some((mut ty, expr)) = scope.get(parts[0]) else {
            let title = format!("`${}` is not defined here", parts[0]);
            let mut known: Vec<&str> = scope.names().collect();
            known.dedup();
            let diag = Diag::new(&node.span, title).help(format!("known here: {}", known.join(", ")));
            self.error(diag.did_you_mean(parts[0], known.iter().copied()));
            return None;
        };
        let mut expr = expr.clone();
        for &part in &parts[1..] {
            let Ty::Rtm(of) = ty else {
                self.error(Diag::new(&node.span, format!("`{part}`: {ty} has no members")));
                return None;
            };
            let Some(member) = of.member(part) else {
                self.error(Diag::new(&node.span, format!("`{part}` is not a member of {ty}")));
                return None;
            };
            ty = Ty::Rtm(member);
            expr = Expr::Member(Box::new(expr), part.into());
        }
        Some((expr, ty))
    }

    fn infer_call(&mut self, node: &Node, name: &str, args: Vec<&str>, scope: &Scope) -> Option<(Expr, Ty)> {
        let func = Func::NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, func)| *func);
        let Some(func) = func.filter(|func| func.signature().0.len() == args.len()) else {
            let known: Vec<&str> = Func::NAMES.iter().map(|(name, _)| *name).collect();
            let title = format!("unknown function `{name}` with {} arguments", args.len());
            let diag = Diag::new(&node.span, title).help(format!("known functions: {}", known.join(", ")));
            self.error(diag.did_you_mean(name, known));
            return None;
        };
        let (mut wanted, mut have) = (func.signature().0.to_vec(), func.signature().1);
        if func == Func::Uid {
            let (_, ty) = self.path(node, args[0].strip_prefix('$').unwrap_or_default(), scope)?;
            if matches!(ty, Ty::Sig(SigType::Accounts) | Ty::Rtm(FieldType::UserIds)) {
                (wanted, have) = (vec![Ty::Sig(SigType::Accounts)], Ty::Sig(SigType::Ints));
            }
        }
        let mut exprs = Vec::new();
        for (arg, want) in args.iter().zip(wanted) {
            let arg = Node {
                span: node.span.clone(),
                kind: NodeKind::Text((*arg).into()),
            };
            exprs.push(self.expr(&arg, want, scope)?);
        }
        Some((Expr::Call(func, exprs), have))
    }

    fn template(&mut self, node: &Node, text: &str, scope: &Scope) -> Option<Vec<Part>> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            if at > 0 {
                parts.push(Part::Text(rest[..at].into()));
            }
            let path_len = rest[at + 1..].find(|c| !is_path_char(c)).unwrap_or(rest.len() - at - 1);
            let path = &rest[at + 1..at + 1 + path_len];
            parts.push(Part::Expr(self.path(node, path, scope)?.0));
            rest = &rest[at + 1 + path_len..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.into()));
        }
        Some(parts)
    }
}

fn is_path_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '.' || c == '_'
}

/// Splits `name(a, b)`, whose arguments are paths or plain words.
fn call_syntax(text: &str) -> Option<(&str, Vec<&str>)> {
    let (name, rest) = text.split_once('(')?;
    let args = rest.strip_suffix(')')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let args: Vec<&str> = args.split(',').map(str::trim).collect();
    let are_paths = args
        .iter()
        .all(|arg| arg.starts_with('$') && arg[1..].chars().all(is_path_char));
    (is_name && are_paths).then_some((name, args))
}

fn item_type(list: Ty) -> Option<Ty> {
    Some(match list {
        Ty::Rtm(FieldType::UserIds) => Ty::Rtm(FieldType::UserId),
        Ty::Rtm(FieldType::ChannelIds) => Ty::Rtm(FieldType::ChannelId),
        Ty::Rtm(FieldType::Texts) => Ty::Rtm(FieldType::Text),
        Ty::Sig(SigType::Accounts) => Ty::Sig(SigType::Account),
        Ty::Sig(SigType::Ints) => Ty::Sig(SigType::Int),
        _ => return None,
    })
}
