//! Compilation of parsed tables to [`Tables`], with all errors.

mod cycles;
mod documented;
mod expr;
mod outcome;
mod platform;
mod profile;
mod row;
mod scope;
mod step;
mod usage;
mod wire;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use rtm::value::Text;

use crate::ast::{RawFail, RawFile, RawRow, RawWire};
use crate::diagnostics::{Diag, Diags, Source};
use crate::errors::{EngineCode, FailClass, LimitCode};
use crate::parsed::ParsedTables;
use crate::platform::Platform;
use crate::reason::{Reason, ReasonId};
use crate::row::{CodeId, FailId, RowId, SigId, Signature};
use crate::spanned_toml::Spanned;
use crate::{Example, Tables};

/// Reads and compiles a set of table files.
///
/// The tables are usable only if there are no errors.
pub fn compile(sources: &[Arc<Source>]) -> (Tables, Diags) {
    let (written, mut diags) = ParsedTables::read(sources);
    if !written.is_complete {
        return (Tables::default(), diags);
    }
    let (tables, more) = written.compile();
    diags.extend(more);
    (tables, diags)
}

impl ParsedTables {
    /// Compiles the parsed tables.
    pub fn compile(&self) -> (Tables, Diags) {
        let mut diags = Diags::new();
        let mut compiler = Compiler::new(&self.file, &mut diags);
        let tables = compiler.tables(self);
        // An error in a table that several wires inherit is reported once.
        (tables, diags.without_repeats())
    }
}

/// The symbols of the tables during compilation.
pub(super) struct Compiler<'c> {
    raw: &'c RawFile,
    diags: &'c mut Diags,
    signatures: Vec<Signature>,
    sig_ids: HashMap<Text, SigId>,
    row_ids: HashMap<Text, RowId>,
    fail_ids: HashMap<Text, FailId>,
    code_ids: HashMap<Text, CodeId>,
    fails: Vec<FailClass>,
    reasons: Vec<Text>,
}

impl<'c> Compiler<'c> {
    fn new(raw: &'c RawFile, diags: &'c mut Diags) -> Self {
        let mut compiler = Self {
            raw,
            diags,
            signatures: Vec::new(),
            sig_ids: HashMap::new(),
            row_ids: HashMap::new(),
            fail_ids: HashMap::new(),
            code_ids: HashMap::new(),
            fails: Vec::new(),
            reasons: Vec::new(),
        };
        compiler.declare();
        compiler
    }

    pub(super) fn error(&mut self, diag: Diag) {
        self.diags.push(diag);
    }

    fn declare(&mut self) {
        let raw = self.raw;
        self.sig_ids = self.number("signature", raw.signatures.iter().map(|s| &s.name));
        self.row_ids = self.number("row", raw.rows.iter().map(|r| &r.id));
        self.fail_ids = self.number("fail", raw.fails.iter().map(|f| &f.name));
        self.code_ids = self.number("code", raw.codes.iter().map(|c| &c.name));
        self.number("reason", raw.reasons.iter());
        self.declare_reasons();
        let signature = |s: &crate::ast::RawSignature| Signature {
            name: s.name.value.clone(),
            args: s.args.clone(),
        };
        self.signatures = raw.signatures.iter().map(signature).collect();
        self.fails = raw.fails.iter().map(|fail| self.fail_class(fail)).collect();
        for fail in &raw.fails {
            for reason in &fail.reasons {
                self.check_reason(reason);
            }
        }
    }

    /// Numbers the reasons: those that code gives by their variants, then the others.
    fn declare_reasons(&mut self) {
        let declared = &self.raw.reasons;
        self.reasons = Reason::ALL.iter().map(|reason| reason.name().into()).collect();
        for reason in Reason::ALL {
            let is_declared = declared.iter().any(|known| &*known.value == reason.name());
            if let (false, Some(first)) = (is_declared, declared.first()) {
                let title = format!(
                    "the reason `{}`, which the bridge gives itself, is not declared",
                    reason.name()
                );
                self.diags
                    .push(Diag::new(&first.span, title).help("declare it in [reason]"));
            }
        }
        for reason in declared {
            self.reason_id(&reason.value);
        }
    }

    /// Returns the number of a reason. An undeclared one, which is an error, gets a number too.
    pub(super) fn reason_id(&mut self, reason: &Text) -> ReasonId {
        let known = self.reasons.iter().position(|known| known == reason);
        known.unwrap_or_else(|| {
            self.reasons.push(reason.clone());
            self.reasons.len() - 1
        })
    }

    fn number<'n>(&mut self, what: &str, names: impl Iterator<Item = &'n Spanned<Text>>) -> HashMap<Text, usize> {
        let mut ids: HashMap<Text, (usize, Spanned<Text>)> = HashMap::new();
        for (id, name) in names.enumerate() {
            if let Some((_, first)) = ids.get(&name.value) {
                let title = format!("duplicate {what} `{}`", name.value);
                let help = format!("the first one is at {}", first.span);
                self.error(Diag::new(&name.span, title).help(help));
            } else {
                ids.insert(name.value.clone(), (id, name.clone()));
            }
        }
        ids.into_iter().map(|(name, (id, _))| (name, id)).collect()
    }

    fn fail_class(&mut self, raw: &RawFail) -> FailClass {
        let event = self.sig(&raw.event).unwrap_or(0);
        FailClass {
            name: raw.name.value.clone(),
            event,
            families: raw.families.clone(),
        }
    }

    fn tables(&mut self, written: &ParsedTables) -> Tables {
        let (wires, platforms) = (&written.wires, &written.platforms);
        let raw = self.raw;
        self.check_circles();
        self.check_signatures_used(wires);
        self.check_documented(wires);
        raw.rows.iter().for_each(|row| self.check_helped(row));
        let wires: Vec<Cow<'_, RawWire>> = wires
            .iter()
            .map(|wire| match wire.documented {
                true => Cow::Owned(self.with_documented(wire)),
                false => Cow::Borrowed(&**wire),
            })
            .collect();
        wires.iter().for_each(|wire| self.check_invokes(wire));
        let rows: Vec<_> = raw.rows.iter().enumerate().map(|(id, row)| self.row(id, row)).collect();
        let codes = raw.codes.iter().map(|code| LimitCode {
            name: code.name.value.clone(),
            cause: code.cause.clone(),
            workaround: code.workaround.clone(),
            undelivered: code.undelivered,
        });
        let codes: Vec<LimitCode> = codes.collect();
        let engine_code = |code: &EngineCode| codes.iter().position(|known| &*known.name == code.name());
        let engine_codes = EngineCode::ALL.iter().map(engine_code).collect();
        let by_event = self.rows_by_event(&rows);
        let wires: Vec<_> = wires.iter().map(|wire| Arc::new(self.wire(wire, &rows))).collect();
        let profiles = self.profiles(&written.profiles, &wires);
        let platforms: Vec<Platform> = platforms.iter().map(|(name, p)| self.platform(name, p)).collect();
        let examples = self.examples();
        Tables {
            signatures: std::mem::take(&mut self.signatures),
            rows,
            by_event,
            reasons: std::mem::take(&mut self.reasons),
            fails: std::mem::take(&mut self.fails),
            codes,
            engine_codes,
            wires,
            profiles,
            platforms,
            examples,
        }
    }

    fn examples(&mut self) -> Vec<Example> {
        let raw = self.raw;
        let mut examples = Vec::new();
        for (id, row) in raw.rows.iter().enumerate() {
            let bare = row.examples.is_empty() && !row.examples_elsewhere(raw);
            if bare && (row.on.is_some() || !row.calls.is_empty()) {
                let title = format!("row `{}` has no example", row.id.value);
                self.error(Diag::new(&row.id.span, title).help("add [[row.example]] with the steps of a run"));
            }
            for raw in &row.examples {
                let row = match &raw.row {
                    Some(other) => self.row_id(other).unwrap_or(id),
                    None => id,
                };
                examples.push(Example {
                    row,
                    of: id,
                    raw: raw.clone(),
                });
            }
        }
        examples
    }

    pub(super) fn sig(&mut self, name: &Spanned<Text>) -> Option<SigId> {
        find("signature", &self.sig_ids, name, self.diags)
    }

    pub(super) fn row_id(&mut self, name: &Spanned<Text>) -> Option<RowId> {
        find("row", &self.row_ids, name, self.diags)
    }

    pub(super) fn fail_id(&mut self, name: &Spanned<Text>) -> Option<FailId> {
        find("fail", &self.fail_ids, name, self.diags)
    }

    pub(super) fn code_id(&mut self, name: &Spanned<Text>) -> Option<CodeId> {
        find("code", &self.code_ids, name, self.diags)
    }

    /// Checks that a reason's text is declared, so that clients only receive known texts.
    pub(super) fn check_reason(&mut self, reason: &Spanned<Text>) {
        let known = |text: &str| {
            self.raw
                .reasons
                .iter()
                .any(|r| &*r.value == text || matches_prefix(text, &r.value))
        };
        if !known(&reason.value) {
            let title = format!("the reason `{}` is not declared", reason.value);
            let names: Vec<&str> = self.raw.reasons.iter().map(|r| &*r.value).collect();
            let diag = Diag::new(&reason.span, title).help("declare it in [reason] of errors.toml");
            self.error(diag.did_you_mean(&reason.value, names));
        }
    }
}

fn find(what: &str, ids: &HashMap<Text, usize>, name: &Spanned<Text>, diags: &mut Diags) -> Option<usize> {
    let id = ids.get(&name.value).copied();
    if id.is_none() {
        let title = format!("unknown {what} `{}`", name.value);
        let mut known: Vec<&str> = ids.keys().map(|k| &**k).collect();
        known.sort_unstable();
        diags.push(Diag::new(&name.span, title).did_you_mean(&name.value, known));
    }
    id
}

fn matches_prefix(pattern: &str, reason: &str) -> bool {
    pattern
        .strip_suffix('*')
        .is_some_and(|prefix| reason.starts_with(prefix))
}

impl RawRow {
    /// Returns true if other rows' examples cover the row: rows that explain an error enum are
    /// covered by the rows that use them.
    fn examples_elsewhere(&self, file: &RawFile) -> bool {
        let names_me = |row: &RawRow| {
            row.fail.as_ref().is_some_and(|fail| fail.value == self.id.value)
                || row
                    .outcomes
                    .iter()
                    .any(|o| o.row.as_ref().is_some_and(|r| r.value == self.id.value))
        };
        self.on.is_none() && self.calls.is_empty() && file.rows.iter().any(|row| names_me(row))
    }
}
