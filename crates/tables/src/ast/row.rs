//! Syntax of a `[[row]]`.

use std::sync::Arc;
use std::time::Duration;

use rtm::value::Text;

use crate::condition::Emulation;
use crate::diagnostics::Span;
use crate::row::{AnswerAt, Limit, Status};
use crate::spanned_toml::{Item, Spanned, Table};
use crate::spanned_value::Node;

use crate::duration::parse_duration;

/// A row as written.
#[derive(Clone, Debug)]
pub struct RawRow {
    pub id: Spanned<Text>,
    pub calls: Vec<Spanned<Text>>,
    pub on: Option<Spanned<Text>>,
    pub by: Option<Spanned<Text>>,
    pub status: Option<Status>,
    pub emulation: Option<Spanned<Emulation>>,
    pub codes: Vec<Spanned<Text>>,
    pub fail: Option<Spanned<Text>>,
    pub serial: Option<Spanned<Text>>,
    pub after: Option<Spanned<Text>>,
    pub limit: Option<Limit>,
    pub source: Text,
    pub params: Vec<(Spanned<Text>, Spanned<Text>)>,
    pub pages: Vec<RawPage>,
    pub let_values: Vec<RawLet>,
    pub members: Vec<(Spanned<Text>, Spanned<Text>)>,
    pub steps: Vec<RawStep>,
    pub answer: Option<RawAnswer>,
    pub outcomes: Vec<RawOutcome>,
    pub examples: Vec<Arc<RawExample>>,
}

/// The exceptions of a row on one comparison page.
#[derive(Clone, Debug)]
pub struct RawPage {
    pub platform: Spanned<Text>,
    pub status: Option<Status>,
    pub signaling: Option<Text>,
    pub note: Option<Text>,
    pub codes: Vec<Spanned<Text>>,
}

/// A `let`.
#[derive(Clone, Debug)]
pub struct RawLet {
    pub name: Spanned<Text>,
    pub from: Spanned<Text>,
    pub json: Option<Text>,
    pub ty: Spanned<Text>,
    pub otherwise: Option<Node>,
    pub clamp: Option<(i64, i64)>,
    pub positive: bool,
}

/// A `do` step.
#[derive(Clone, Debug)]
pub struct RawStep {
    pub span: Span,
    pub conds: Vec<Spanned<Text>>,
    pub rtm: Option<Spanned<Text>>,
    pub row: Option<Spanned<Text>>,
    pub outcome: Option<Spanned<Text>>,
    pub args: Option<Node>,
    pub bind: Option<Spanned<Text>>,
    pub expect: Option<RawExpect>,
    pub value: Option<Node>,
    pub errors: Vec<(Spanned<Text>, Spanned<Text>)>,
    pub waits: Vec<(Spanned<Text>, Spanned<Duration>)>,
    pub gather: Option<RawGather>,
    pub together: bool,
    pub via: Option<Spanned<Text>>,
    pub lane: Option<Node>,
}

/// The expectation of a result.
#[derive(Clone, Debug)]
pub struct RawExpect {
    pub at: Option<Node>,
    pub is: Option<Node>,
    pub exists: bool,
    pub otherwise: Spanned<Text>,
}

/// The rule for merging calls.
#[derive(Clone, Debug)]
pub struct RawGather {
    pub arg: Spanned<Text>,
    pub from: Node,
    pub max: Spanned<i64>,
    pub every: Spanned<Duration>,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct RawAnswer {
    pub at: AnswerAt,
    pub emit: Vec<Spanned<Text>>,
    pub fields: Option<Node>,
}

/// An outcome.
#[derive(Clone, Debug)]
pub struct RawOutcome {
    pub name: Spanned<Text>,
    pub span: Span,
    pub conds: Vec<Spanned<Text>>,
    pub event: Option<Spanned<Text>>,
    pub fail: Option<Spanned<Text>>,
    pub rtm: Option<Spanned<Text>>,
    pub row: Option<Spanned<Text>>,
    pub args: Option<Node>,
    pub with: Option<Node>,
    pub each: Option<Node>,
    pub last: Option<Spanned<i64>>,
    pub self_last: bool,
    pub hold: bool,
    pub otherwise: Option<Spanned<Text>>,
    pub reason: Option<Node>,
    pub code: Option<Spanned<Text>>,
}

/// An example.
#[derive(Clone, Debug)]
pub struct RawExample {
    pub span: Span,
    pub name: Text,
    pub given: Option<Node>,
    pub account: Option<Text>,
    pub lacks: Vec<Spanned<Text>>,
    pub offers: Vec<Spanned<Text>>,
    pub row: Option<Spanned<Text>>,
    pub table: Vec<Node>,
    pub steps: Vec<Node>,
}

impl RawRow {
    pub fn read(mut t: Table<'_>) -> Option<Self> {
        let has_steps = t.has("do");
        let row = Self {
            calls: t.take_strs("call").unwrap_or_default(),
            on: t.take_str("on"),
            by: t.take_str("by"),
            status: t.require_choice("status", Status::NAMES).map(|s| s.value),
            emulation: t.take_choice("emulation", Emulation::NAMES),
            codes: t.take_strs("code").unwrap_or_default(),
            fail: t.take_str("fail"),
            serial: t.take_str("serial"),
            after: t.take_str("after"),
            limit: t.take_choice("limit", Limit::NAMES).map(|limit| limit.value),
            source: t.require_str("source").map(|s| s.value).unwrap_or_else(|| "".into()),
            params: t.take_table("params").map(named_strs).unwrap_or_default(),
            pages: t.take_table("page").map(read_pages).unwrap_or_default(),
            let_values: t.take_table("let").map(read_let_values).unwrap_or_default(),
            members: t.take_table("member").map(read_members).unwrap_or_default(),
            steps: t.take_tables("do").into_iter().filter_map(RawStep::read).collect(),
            answer: t.take_table("answer").map(|answer| RawAnswer::read(answer, has_steps)),
            outcomes: t.take_table("outcome").map(read_outcomes).unwrap_or_default(),
            examples: t
                .take_tables("example")
                .into_iter()
                .filter_map(RawExample::read)
                .map(Arc::new)
                .collect(),
            id: match t.require_str("id") {
                Some(id) => id,
                None => {
                    t.finish();
                    return None;
                }
            },
        };
        t.finish();
        Some(row)
    }
}

impl RawStep {
    fn read(mut t: Table<'_>) -> Option<Self> {
        let step = Self {
            span: t.span().clone(),
            conds: t.take_strs("if").unwrap_or_default(),
            rtm: t.take_str("rtm"),
            row: t.take_str("row"),
            outcome: t.take_str("outcome"),
            args: t.take("args").and_then(Node::read),
            bind: t.take_str("as"),
            expect: t.take_table("expect").and_then(read_expect),
            value: t.take("value").and_then(Node::read),
            errors: t.take_table("errors").map(named_strs).unwrap_or_default(),
            waits: t.take_table("wait").map(read_waits).unwrap_or_default(),
            gather: t.take_table("gather").and_then(read_gather),
            together: t.take_bool("together").is_some_and(|b| *b),
            via: t.take_str("via"),
            lane: t.take("lane").and_then(Node::read),
        };
        t.finish();
        Some(step)
    }
}

impl RawAnswer {
    /// A row without steps has only one possible time of answer, so `at` is optional.
    fn read(mut t: Table<'_>, has_steps: bool) -> Self {
        const AT: &[(&str, AnswerAt)] = &[
            ("accepted", AnswerAt::Accepted),
            ("first", AnswerAt::First),
            ("done", AnswerAt::Done),
        ];
        let at = match has_steps {
            true => t.require_choice("at", AT),
            false => t.take_choice("at", AT),
        };
        let answer = Self {
            at: at.map_or(AnswerAt::Done, |at| at.value),
            emit: t.take_strs("emit").unwrap_or_default(),
            fields: t.take("fields").and_then(Node::read),
        };
        t.finish();
        answer
    }
}

impl RawExample {
    fn read(mut t: Table<'_>) -> Option<Self> {
        let nodes = |items: Option<Vec<Item<'_>>>| items.into_iter().flatten().filter_map(Node::read).collect();
        let example = Self {
            span: t.span().clone(),
            name: t.require_str("name").map(|s| s.value).unwrap_or_else(|| "".into()),
            given: t.take("given").and_then(Node::read),
            account: t.take_str("self").map(|s| s.value),
            lacks: t.take_strs("lacks").unwrap_or_default(),
            offers: t.take_strs("offers").unwrap_or_default(),
            row: t.take_str("row"),
            table: nodes(t.take_array("table")),
            steps: nodes(t.require_array("steps")),
        };
        t.finish();
        Some(example)
    }
}

fn read_outcomes(t: Table<'_>) -> Vec<RawOutcome> {
    let entries = t.into_entries().into_iter();
    entries
        .filter_map(|(name, item)| read_outcome(name, item.into_table()?))
        .collect()
}

fn read_outcome(name: Spanned<Text>, mut t: Table<'_>) -> Option<RawOutcome> {
    let self_last = t.take_choice("self", &[("last", true)]);
    let outcome = RawOutcome {
        name,
        span: t.span().clone(),
        conds: t.take_strs("if").unwrap_or_default(),
        event: t.take_str("event"),
        fail: t.take_str("fail"),
        rtm: t.take_str("rtm"),
        row: t.take_str("row"),
        args: t.take("args").and_then(Node::read),
        with: t.take("with").and_then(Node::read),
        each: t.take("each").and_then(Node::read),
        last: t.take_int("last"),
        self_last: self_last.is_some_and(|s| *s),
        otherwise: t.take_str("otherwise"),
        hold: t.take_choice("hold", &[("outbox", true)]).is_some(),
        reason: t.take("reason").and_then(Node::read),
        code: t.take_str("code"),
    };
    t.finish();
    Some(outcome)
}

fn read_expect(mut t: Table<'_>) -> Option<RawExpect> {
    let at = t.take("at").and_then(Node::read);
    let is = t.take("is").and_then(Node::read);
    let exists = t.take_bool("exists").is_some_and(|exists| *exists);
    if is.is_some() == exists {
        t.error("expected either `is` or `exists`");
    }
    let otherwise = t.require_str("else");
    t.finish();
    Some(RawExpect {
        at,
        is,
        exists,
        otherwise: otherwise?,
    })
}

fn read_gather(mut t: Table<'_>) -> Option<RawGather> {
    let arg = t.require_str("arg");
    let from = t.require("from").and_then(Node::read);
    let max = t.require_int("max");
    let every = t.require_parsed("every", parse_duration);
    t.finish();
    Some(RawGather {
        arg: arg?,
        from: from?,
        max: max?,
        every: every?,
    })
}

fn read_waits(t: Table<'_>) -> Vec<(Spanned<Text>, Spanned<Duration>)> {
    let entries = t.into_entries().into_iter();
    entries
        .filter_map(|(name, item)| Some((name, item.into_parsed(parse_duration)?)))
        .collect()
}

fn named_strs(t: Table<'_>) -> Vec<(Spanned<Text>, Spanned<Text>)> {
    let entries = t.into_entries().into_iter();
    entries
        .filter_map(|(name, item)| Some((name, item.into_str()?)))
        .collect()
}

fn read_members(t: Table<'_>) -> Vec<(Spanned<Text>, Spanned<Text>)> {
    let entries = t.into_entries().into_iter();
    entries
        .filter_map(|(name, item)| {
            let mut t = item.into_table()?;
            let reason = t.require_str("reason");
            t.finish();
            Some((name, reason?))
        })
        .collect()
}

fn read_let_values(t: Table<'_>) -> Vec<RawLet> {
    let entries = t.into_entries().into_iter();
    entries
        .filter_map(|(name, item)| {
            let mut t = item.into_table()?;
            let from = t.require_str("from");
            let json = t.take_str("json").map(|s| s.value);
            let ty = t.require_str("as");
            let otherwise = t.take("else").and_then(Node::read);
            let clamp = t.take_array("clamp").and_then(|items| {
                let numbers: Vec<i64> = items.into_iter().filter_map(Item::into_int).map(|n| n.value).collect();
                match numbers[..] {
                    [low, high] if low <= high => Some((low, high)),
                    _ => {
                        t.error("`clamp` is [lowest, highest]");
                        None
                    }
                }
            });
            let positive = t.take_bool("positive").is_some_and(|b| *b);
            t.finish();
            Some(RawLet {
                name,
                from: from?,
                json,
                ty: ty?,
                otherwise,
                clamp,
                positive,
            })
        })
        .collect()
}

fn read_pages(t: Table<'_>) -> Vec<RawPage> {
    let entries = t.into_entries().into_iter();
    entries
        .filter_map(|(platform, item)| {
            let mut t = item.into_table()?;
            let page = RawPage {
                platform,
                status: t.take_choice("status", Status::NAMES).map(|s| s.value),
                signaling: t.take_str("signaling").map(|s| s.value),
                note: t.take_str("note").map(|s| s.value),
                codes: t.take_strs("code").unwrap_or_default(),
            };
            t.finish();
            Some(page)
        })
        .collect()
}
