//! Syntax of signatures, rows, reasons, failure classes, codes and platforms.

use std::sync::Arc;

use rtm::value::Text;

use crate::ast::RawRow;
use crate::diagnostics::Span;
use crate::errors::FamilyCodes;
use crate::spanned_toml::{Item, Spanned, Table};
use crate::spanned_value::Node;
use crate::ty::SigType;

/// A file of rows.
#[derive(Clone, Debug, Default)]
pub struct RawFile {
    pub signatures: Vec<RawSignature>,
    pub rows: Vec<Arc<RawRow>>,
    pub reasons: Vec<Spanned<Text>>,
    pub fails: Vec<RawFail>,
    pub codes: Vec<RawCode>,
}

/// A declared Signaling call or event.
#[derive(Clone, Debug)]
pub struct RawSignature {
    pub name: Spanned<Text>,
    pub args: Vec<(Text, SigType)>,
}

/// A failure class.
#[derive(Clone, Debug)]
pub struct RawFail {
    pub name: Spanned<Text>,
    pub event: Spanned<Text>,
    pub args: Option<Node>,
    pub families: Vec<(Text, FamilyCodes)>,
    pub reasons: Vec<Spanned<Text>>,
}

/// A limitation code.
#[derive(Clone, Debug)]
pub struct RawCode {
    pub name: Spanned<Text>,
    pub cause: Text,
    pub workaround: Text,
    pub undelivered: bool,
}

/// A platform vocabulary.
#[derive(Clone, Debug)]
pub struct RawPlatform {
    pub span: Span,
    pub calls: RawNames,
    pub events: RawNames,
    pub errors: Vec<(Spanned<Text>, RawNames)>,
    pub lacks: Vec<Spanned<Text>>,
}

/// Pairs of the bridge's name and the platform's.
pub type RawNames = Vec<(Spanned<Text>, Spanned<Text>)>;

impl RawFile {
    pub fn read(mut t: Table<'_>) -> Option<Self> {
        let file = Self {
            signatures: entries(t.take_table("signature"))
                .filter_map(|(n, i)| read_signature(n, i))
                .collect(),
            rows: t
                .take_tables("row")
                .into_iter()
                .filter_map(RawRow::read)
                .map(Arc::new)
                .collect(),
            reasons: entries(t.take_table("reason"))
                .filter_map(|(name, i)| i.into_str().map(|_| name))
                .collect(),
            fails: entries(t.take_table("fail"))
                .filter_map(|(n, i)| read_fail(n, i))
                .collect(),
            codes: entries(t.take_table("code"))
                .filter_map(|(n, i)| read_code(n, i))
                .collect(),
        };
        t.finish();
        Some(file)
    }
}

impl RawPlatform {
    pub fn read(mut t: Table<'_>) -> Option<Self> {
        let strs = |table: Table<'_>| -> Vec<_> {
            let entries = table.into_entries().into_iter();
            entries
                .filter_map(|(name, item)| Some((name, item.into_str()?)))
                .collect()
        };
        let errors = t.take_table("error").map(|table| {
            let entries = table.into_entries().into_iter();
            entries
                .filter_map(|(name, item)| Some((name, strs(item.into_table()?))))
                .collect()
        });
        let platform = Self {
            span: t.span().clone(),
            calls: t.take_table("call").map(strs).unwrap_or_default(),
            events: t.take_table("event").map(strs).unwrap_or_default(),
            errors: errors.unwrap_or_default(),
            lacks: t.take_strs("lacks").unwrap_or_default(),
        };
        t.finish();
        Some(platform)
    }
}

fn read_signature(name: Spanned<Text>, item: Item<'_>) -> Option<RawSignature> {
    let mut t = item.into_table()?;
    let args = t.require_table("args");
    t.finish();
    let entries = args?.into_entries().into_iter();
    let args = entries.filter_map(|(arg, ty)| Some((arg.value, ty.into_choice(SigType::NAMES)?.value)));
    Some(RawSignature {
        name,
        args: args.collect(),
    })
}

fn read_fail(name: Spanned<Text>, item: Item<'_>) -> Option<RawFail> {
    let mut t = item.into_table()?;
    let event = t.require_str("event");
    let args = t.require("args").and_then(Node::read);
    let mut families = Vec::new();
    let mut reasons = Vec::new();
    let api = t.require_table("api");
    for (family, table) in [
        ("api", api),
        ("web", t.take_table("web")),
        ("javasdk", t.take_table("javasdk")),
        ("native", t.take_table("native")),
    ] {
        if let Some(table) = table {
            families.push((Text::from(family), read_family(table, &mut reasons)));
        }
    }
    t.finish();
    Some(RawFail {
        name,
        event: event?,
        args,
        families,
        reasons,
    })
}

/// `client = {…}` means that the SDK generates the number; the format is the same.
fn read_family(mut t: Table<'_>, reasons: &mut Vec<Spanned<Text>>) -> FamilyCodes {
    let text = t.take_str("text").map(|s| s.value);
    let table = if t.has("client") {
        let client = t.take_table("client");
        t.finish();
        client
    } else {
        Some(t)
    };
    let mut codes = FamilyCodes {
        text,
        ..FamilyCodes::default()
    };
    for (name, item) in table.map(Table::into_entries).unwrap_or_default() {
        let Some(number) = item.into_int() else { continue };
        if &*name.value == "any" {
            codes.any = Some(*number);
        } else {
            codes.numbers.push((name.value.clone(), *number));
            reasons.push(name);
        }
    }
    codes
}

fn read_code(name: Spanned<Text>, item: Item<'_>) -> Option<RawCode> {
    let mut t = item.into_table()?;
    let cause = t.require_str("cause");
    let workaround = t.require_str("workaround");
    let undelivered = t.take_bool("undelivered").is_some_and(|b| *b);
    t.finish();
    Some(RawCode {
        name,
        cause: cause?.value,
        workaround: workaround?.value,
        undelivered,
    })
}

pub(super) fn entries<'r>(table: Option<Table<'r>>) -> impl Iterator<Item = (Spanned<Text>, Item<'r>)> {
    table.map(Table::into_entries).unwrap_or_default().into_iter()
}
