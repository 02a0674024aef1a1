//! Syntax of client profiles.

use std::time::Duration;

use rtm::value::Text;

use crate::ast::tables::entries;
use crate::diagnostics::Span;
use crate::duration::parse_duration;
use crate::profile::{NotifyForm, Transport};
use crate::spanned_toml::{Item, Spanned, Table};
use crate::spanned_value::Node;

/// A profile.
#[derive(Clone, Debug)]
pub struct RawProfile {
    pub name: Spanned<Text>,
    pub span: Span,
    pub family: Spanned<Text>,
    pub transport: Transport,
    pub builds: Text,
    pub identifying_fields: Option<Node>,
    pub version: Option<Text>,
    pub flagged: Option<Spanned<Text>>,
    pub grace: Option<Duration>,
    pub loses_calls: bool,
    pub refused_stays: bool,
    pub notify: NotifyForm,
    pub pong_delay: Duration,
    pub twins: bool,
    pub loser_close: Duration,
    pub idle: Option<Duration>,
    pub ping: Option<Duration>,
    pub farewell: Vec<Text>,
    pub repair: Vec<(Spanned<Text>, Spanned<Text>)>,
}

/// Reads the file of profiles.
pub fn read_profiles(mut t: Table<'_>) -> Vec<RawProfile> {
    let profiles = entries(t.require_table("profile"))
        .filter_map(|(name, item)| read_profile(name, item))
        .collect();
    t.finish();
    profiles
}

fn read_profile(name: Spanned<Text>, item: Item<'_>) -> Option<RawProfile> {
    let mut t = item.into_table()?;
    let family = t.require_str("family");
    let transport = t.require_choice("transport", Transport::NAMES);
    let builds = t.require_str("builds");
    let notify = t.require_choice("notify", NotifyForm::NAMES);
    let pong_delay = t.require_parsed("pong-delay", parse_duration);
    let farewell = t.require_strs("farewell");
    let profile = RawProfile {
        name,
        span: t.span().clone(),
        family: family?,
        transport: transport?.value,
        builds: builds?.value,
        identifying_fields: t.take("identify").and_then(Node::read),
        version: t.take_str("version").map(|name| name.value),
        flagged: t.take_str("flagged"),
        grace: t.take_parsed("grace", parse_duration).map(|d| d.value),
        loses_calls: t.take_bool("anew").is_some_and(|b| *b),
        refused_stays: t.take_bool("refused-stays").is_some_and(|b| *b),
        notify: notify?.value,
        pong_delay: pong_delay?.value,
        twins: t.take_bool("twins").is_some_and(|b| *b),
        loser_close: t
            .take_parsed("loser-close", parse_duration)
            .map_or(Duration::ZERO, |d| d.value),
        idle: t.take_parsed("idle", parse_duration).map(|d| d.value),
        ping: t.take_parsed("ping", parse_duration).map(|d| d.value),
        farewell: farewell?.into_iter().map(|s| s.value).collect(),
        repair: entries(t.take_table("repair"))
            .filter_map(|(member, item)| Some((member, item.into_str()?)))
            .collect(),
    };
    t.finish();
    Some(profile)
}
