//! Live sessions: list, details, close.

use std::cmp::Reverse;
use std::sync::Arc;

use hyper::StatusCode;
use serde::Serialize;
use serde_json::json;
use tracing::info;

use crate::admin::query::Query;
use crate::admin::reply::{Reply, Wrong, json, text};
use crate::server::{Inbox, Message, Server, SessionView};
use rtm::time::Time;
use rtm::value::Text;

/// Sessions of a page, without `limit`.
const PAGE: u64 = 100;
/// Largest page.
const MOST: u64 = 10_000;
/// Parameters of a list.
const PARAMETERS: &[&str] = &[
    "account",
    "app",
    "profile",
    "build",
    "peer",
    "channel",
    "inexact",
    "connected",
    "text",
    "limit",
    "offset",
];

/// Session, as shown.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// Session number. It exceeds the numbers of JavaScript.
    pub id: String,
    /// As `[log] accounts` shows it.
    pub account: Option<String>,
    pub app: String,
    pub profile: Text,
    /// The version of the SDK that its login has, else the builds of its profile.
    pub build: Text,
    /// Address of its latest connection.
    pub peer: String,
    pub channel: Option<Text>,
    /// Open connections; 0 in the grace time.
    pub connections: usize,
    /// Messages that its client has not acknowledged.
    pub mailbox_lines: usize,
    /// Inexact translations since its beginning.
    pub inexact: u64,
    pub calls: u64,
    pub events: u64,
    /// Beginning in milliseconds of UNIX time.
    pub since_ms: u64,
    /// Latest login, likewise.
    pub login_ms: u64,
    pub recorded: bool,
    pub watched: bool,
}

/// Page of a list.
#[derive(Debug, Serialize)]
struct Page {
    /// All sessions.
    total: usize,
    /// Sessions that fit the filter.
    matched: usize,
    offset: usize,
    /// Time of the list.
    now_ms: u64,
    sessions: Vec<Shown>,
}

/// Filter of a list. A session fits if it fits each part.
#[derive(Debug, Default)]
struct Filter {
    /// The account itself, or as it is shown.
    account: Option<String>,
    app: Option<String>,
    profile: Option<String>,
    /// A part of the build.
    build: Option<String>,
    peer: Option<String>,
    channel: Option<String>,
    /// Least number of inexact translations.
    inexact: u64,
    connected: Option<bool>,
    /// A part of the account, the channel, the address, the app or the number.
    text: Option<String>,
}

/// Lists sessions, newest first.
pub async fn list(server: &Arc<Server>, query: &Query) -> Reply {
    let server = server.clone();
    let (filter, offset, limit) = match read(query) {
        Ok(read) => read,
        Err(wrong) => return wrong.into(),
    };
    // Thousands of sessions take milliseconds, which others would wait for.
    let listed = tokio::task::spawn_blocking(move || page(&server, &filter, offset, limit));
    match listed.await {
        Ok(page) => json(StatusCode::OK, &page),
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "cannot list the sessions\n"),
    }
}

/// Shows one session.
pub fn one(server: &Server, id: &str) -> Reply {
    match find(server, id) {
        Ok((view, _)) => json(StatusCode::OK, &shown(server, &view)),
        Err(wrong) => wrong.into(),
    }
}

/// Ends a session. Its client gets the last frames of its profile.
pub fn close(server: &Server, id: &str) -> Reply {
    let (view, inbox) = match find(server, id) {
        Ok(found) => found,
        Err(wrong) => return wrong.into(),
    };
    if inbox.send(Message::Close).is_err() {
        return none().into();
    }
    let session = view.id;
    info!(
        session,
        account = view.shown_account,
        app = view.app.as_str(),
        "session closed by an operator"
    );
    json(StatusCode::OK, &json!({ "closed": session.to_string() }))
}

/// Returns a session and its inbox.
///
/// # Errors
/// The response to an unknown number.
pub fn find(server: &Server, id: &str) -> Result<(Arc<SessionView>, Inbox), Wrong> {
    let id: u64 = id.parse().map_err(|_| none())?;
    server.sessions.get(id).ok_or_else(none)
}

fn none() -> Wrong {
    Wrong(
        StatusCode::NOT_FOUND,
        "no such session; GET /sessions lists them\n".into(),
    )
}

fn read(query: &Query) -> Result<(Filter, usize, usize), Wrong> {
    query.only(PARAMETERS)?;
    let text_of = |name: &str| query.text(name).map(str::to_owned);
    let connected = match query.text("connected") {
        None => None,
        Some("true" | "1") => Some(true),
        Some("false" | "0") => Some(false),
        Some(_) => {
            return Err(Wrong::request(
                "`connected` is true or false
",
            ));
        }
    };
    let filter = Filter {
        account: text_of("account"),
        app: text_of("app"),
        profile: text_of("profile"),
        build: text_of("build").map(|text| text.to_lowercase()),
        peer: text_of("peer"),
        channel: text_of("channel"),
        inexact: query.number("inexact")?.unwrap_or(0),
        connected,
        text: text_of("text").map(|text| text.to_lowercase()),
    };
    let offset = usize::try_from(query.number("offset")?.unwrap_or(0)).unwrap_or(usize::MAX);
    let limit = query.number("limit")?.unwrap_or(PAGE).min(MOST);
    Ok((filter, offset, usize::try_from(limit).unwrap_or(usize::MAX)))
}

fn page(server: &Server, filter: &Filter, offset: usize, limit: usize) -> Page {
    let mut views = server.sessions.views();
    let total = views.len();
    views.retain(|view| fits(server, filter, view));
    views.sort_by_key(|view| (Reverse(view.since), view.id));
    Page {
        total,
        matched: views.len(),
        offset,
        now_ms: server.clock.now().as_millis(),
        sessions: views
            .iter()
            .skip(offset)
            .take(limit)
            .map(|view| shown(server, view))
            .collect(),
    }
}

fn fits(server: &Server, filter: &Filter, view: &SessionView) -> bool {
    let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
    let shown_account = view.shown_account.as_deref().unwrap_or_default();
    if !is(&filter.app, view.app.as_str())
        || !(is(&filter.account, &view.account) || is(&filter.account, shown_account))
    {
        return false;
    }
    let numbers = view.numbers();
    if numbers.inexact < filter.inexact
        || filter
            .connected
            .is_some_and(|wanted| wanted != (numbers.connections > 0))
    {
        return false;
    }
    view.with_client(|client| {
        let channel = client.channel.as_deref().unwrap_or_default();
        let peer = client.peer.to_canonical().to_string();
        let has = |value: &str, part: &str| value.to_lowercase().contains(part);
        is(&filter.profile, &client.profile)
            && is(&filter.peer, &peer)
            && is(&filter.channel, channel)
            && filter
                .build
                .as_ref()
                .is_none_or(|part| has(&build(server, &client.profile, client.version.as_ref()), part))
            && filter.text.as_ref().is_none_or(|part| {
                let own = [shown_account, channel, &peer, view.app.as_str(), &client.profile];
                own.iter().any(|value| has(value, part)) || view.id.to_string() == *part
            })
    })
}

/// Returns the version of a login, or the builds of the profile.
fn build(server: &Server, profile: &str, version: Option<&Text>) -> Text {
    version.cloned().unwrap_or_else(|| {
        let set = server.sets.current();
        let known = set.tables.profiles.iter().find(|known| &*known.name == profile);
        known.map_or_else(|| "".into(), |profile| profile.builds.clone())
    })
}

/// Returns the fields of a session.
pub fn shown(server: &Server, view: &SessionView) -> Shown {
    let (client, numbers) = (view.client(), view.numbers());
    let millis = |time: Time| time.as_millis();
    Shown {
        id: view.id.to_string(),
        account: view.shown_account.as_deref().map(str::to_owned),
        app: view.app.as_str().to_owned(),
        build: build(server, &client.profile, client.version.as_ref()),
        profile: client.profile,
        peer: client.peer.to_canonical().to_string(),
        channel: client.channel,
        connections: numbers.connections,
        mailbox_lines: numbers.mailbox,
        inexact: numbers.inexact,
        calls: numbers.calls,
        events: numbers.events,
        since_ms: millis(view.since),
        login_ms: millis(client.login),
        recorded: view.is_recorded(),
        watched: view.is_watched(),
    }
}
