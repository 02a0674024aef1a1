//! Syntax of a family's wire.

use rtm::value::Text;

use crate::ast::tables::entries;
use crate::diagnostics::Span;
use crate::spanned_toml::{Item, Spanned, Table};
use crate::spanned_value::Node;
use crate::wire::{FailureForm, Local, Polls, ResumeMode, Via};

/// A wire table.
#[derive(Clone, Debug)]
pub struct RawWire {
    pub family: Spanned<Text>,
    pub like: Option<Spanned<Text>>,
    pub documented: bool,
    pub polls: Polls,
    pub resume_mode: ResumeMode,
    pub login: Option<RawFunction>,
    pub functions: Vec<RawFunction>,
    pub events: Vec<RawEvent>,
}

/// A function.
#[derive(Clone, Debug)]
pub struct RawFunction {
    pub name: Spanned<Text>,
    pub span: Span,
    pub row: Option<Spanned<Text>>,
    pub call: Option<Spanned<Text>>,
    pub local: Option<Local>,
    pub result_event: Option<Spanned<Text>>,
    pub args: Vec<(Spanned<Text>, Spanned<Text>)>,
    pub constants: Option<Node>,
    pub label: Spanned<Text>,
    pub when: Option<Node>,
    pub whole: Option<Spanned<Text>>,
    pub reply: Vec<(Spanned<Text>, Spanned<Text>)>,
    pub failure: FailureForm,
    pub ends: bool,
    pub acknowledges: Option<Text>,
    pub made_by_client: Vec<Spanned<Text>>,
}

/// A notification.
#[derive(Clone, Debug)]
pub struct RawEvent {
    pub name: Spanned<Text>,
    pub span: Span,
    pub via: Via,
    pub volatile: bool,
    pub missed: Option<Spanned<Text>>,
    pub kind: Option<Text>,
    pub src: Option<Node>,
    pub text: Option<Node>,
    pub content: Option<Node>,
    pub frames: Vec<(Spanned<Text>, Vec<Text>)>,
}

impl RawWire {
    pub fn read(mut t: Table<'_>) -> Option<Self> {
        let family = t.require_str("family");
        let like = t.take_str("like");
        let documented = t.take_choice("names", &[("documented", true)]).is_some();
        let polls = t.take_choice("polls", Polls::NAMES).map_or(Polls::AtLogin, |p| p.value);
        let resume_mode = t.take_choice("comes-back", ResumeMode::NAMES);
        let resume_mode = resume_mode.map_or(ResumeMode::ByLogin, |choice| choice.value);
        let frames = if like.is_some() {
            t.take_table("frame")
        } else {
            t.require_table("frame")
        };
        let functions = entries(t.take_table("function"))
            .filter_map(|(n, i)| read_function(n, i))
            .collect();
        let events = entries(t.take_table("event"))
            .filter_map(|(n, i)| read_event(n, i))
            .collect();
        t.finish();
        let login = frames.and_then(|mut frames| {
            let login = frames.require("login").and_then(|item| {
                let name = Spanned {
                    value: "login".into(),
                    span: item.span().clone(),
                };
                read_function(name, item)
            });
            frames.finish();
            login
        });
        Some(Self {
            family: family?,
            like,
            documented,
            polls,
            resume_mode,
            login,
            functions,
            events,
        })
    }

    /// Returns this wire followed by the entries of `base` that it does not redefine. If two
    /// functions implement a call, clients use the family's own.
    pub fn over(&self, base: &Self) -> Self {
        let own = |name: &Text| self.functions.iter().any(|f| f.label.value == *name);
        let inherited = base.functions.iter().filter(|f| !own(&f.label.value));
        let written = |name: &Text| self.events.iter().any(|e| e.name.value == *name);
        let events = base.events.iter().filter(|e| !written(&e.name.value));
        Self {
            family: self.family.clone(),
            like: self.like.clone(),
            documented: self.documented,
            polls: self.polls,
            resume_mode: self.resume_mode,
            login: self.login.clone().or_else(|| base.login.clone()),
            functions: self.functions.iter().chain(inherited).cloned().collect(),
            events: events.chain(&self.events).cloned().collect(),
        }
    }
}

fn read_function(name: Spanned<Text>, item: Item<'_>) -> Option<RawFunction> {
    let mut t = item.into_table()?;
    let strs = |table: Option<Table<'_>>| entries(table).filter_map(|(n, i)| Some((n, i.into_str()?))).collect();
    let function = RawFunction {
        label: name.clone(),
        name: t.take_str("name").unwrap_or(name),
        span: t.span().clone(),
        row: t.take_str("row"),
        call: t.take_str("call"),
        local: t.take_choice("local", Local::NAMES).map(|l| l.value),
        result_event: t.take_str("result-event"),
        args: strs(t.take_table("args")),
        constants: t.take("const").and_then(Node::read),
        when: t.take("when").and_then(Node::read),
        whole: t.take_str("reply-is"),
        reply: strs(t.take_table("reply")),
        failure: t
            .take_choice("failure", FailureForm::NAMES)
            .map_or(FailureForm::Own, |f| f.value),
        ends: t.take_bool("ends").is_some_and(|b| *b),
        acknowledges: t.take_str("acknowledges").map(|s| s.value),
        made_by_client: t.take_strs("made-by-client").unwrap_or_default(),
    };
    t.finish();
    Some(function)
}

fn read_event(name: Spanned<Text>, item: Item<'_>) -> Option<RawEvent> {
    let mut t = item.into_table()?;
    let via = t.require_choice("via", Via::NAMES);
    let frames = entries(t.take_table("frames"))
        .filter_map(|(code, item)| Some((code, item.into_strs()?.into_iter().map(|s| s.value).collect())))
        .collect();
    let event = RawEvent {
        name,
        span: t.span().clone(),
        via: Via::Client,
        volatile: t.take_bool("volatile").is_some_and(|b| *b),
        missed: t.take_str("missed"),
        kind: t.take_str("type").map(|s| s.value),
        src: t.take("src").and_then(Node::read),
        text: t.take("text").and_then(Node::read),
        content: t.take("content").and_then(Node::read),
        frames,
    };
    t.finish();
    Some(RawEvent {
        via: via?.value,
        ..event
    })
}
