//! `[webhook]`.

use std::time::Duration;

use hyper::Uri;
use secrecy::SecretString;

use crate::config::Files;
use crate::config::values::{duration, https, number, secret_file, value};
use crate::webhook::EventClass;
use tables::diagnostics::Diag;
use tables::spanned_toml::Table;

/// Maximum of receivers; each has its own queue.
const MAX_URLS: usize = 8;

/// `[webhook]`: receivers of event notifications.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// `urls`: receivers, `https`, or `http` on this machine; at most 8. Default: none.
    pub urls: Vec<Uri>,
    /// `secret_file`: path of a file with the signing secret; required for `urls`.
    pub secret: SecretString,
    /// `events`: event classes to send. Default all: `["session", "channel", "message", "upstream"]`.
    pub events: Vec<EventClass>,
    /// `product_id`: the `productId` of the envelope. Default `9001`, which the vendor does not use.
    pub product_id: u32,
    /// `queue`: maximum of queued notifications per receiver; more are dropped and counted. Default `10000`.
    pub queue: usize,
    /// `timeout`: request timeout. Default `"10s"`.
    pub timeout: Duration,
    /// `retries`: maximum of retries. Default `3`.
    pub retries: u32,
    /// `backoff`: delay before the first retry, doubled for each further one, up to 30 s. Default `"1s"`.
    pub backoff: Duration,
}

impl Default for Webhook {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            secret: SecretString::default(),
            events: EventClass::ALL.to_vec(),
            product_id: 9001,
            queue: 10_000,
            timeout: Duration::from_secs(10),
            retries: 3,
            backoff: Duration::from_secs(1),
        }
    }
}

pub(super) fn webhook(table: &mut Table<'_>, files: &dyn Files) -> Webhook {
    let default = Webhook::default();
    let place = table.span().clone();
    let urls: Vec<Uri> = table
        .take_array("urls")
        .into_iter()
        .flatten()
        .filter_map(|item| value(item.into_parsed(https)))
        .collect();
    let is_signed = table.has("secret_file");
    let secret = secret_file(table, files, "secret_file");
    if !urls.is_empty() && !is_signed {
        let unsigned = Diag::new(&place, "`webhook`: `urls` requires `secret_file`");
        table.report(unsigned.help("store the receiver's secret in a file and set `secret_file`"));
    }
    if urls.len() > MAX_URLS {
        table.report(Diag::new(
            &place,
            format!("`webhook.urls`: at most {MAX_URLS}, got {}", urls.len()),
        ));
    }
    let events = table.take_array("events").map(|items| {
        let classes = items
            .into_iter()
            .filter_map(|item| value(item.into_choice(EventClass::NAMES)));
        classes.collect()
    });
    let ms = Duration::from_millis(1);
    let minute = Duration::from_secs(60);
    Webhook {
        urls,
        secret: secret.unwrap_or_default(),
        events: events.unwrap_or(default.events),
        product_id: number(table, "product_id", 1..=i32::MAX as u32).unwrap_or(default.product_id),
        queue: number(table, "queue", 1..=1_000_000).map_or(default.queue, |n| n as usize),
        timeout: duration(table, "timeout", 100 * ms..=minute).unwrap_or(default.timeout),
        retries: number(table, "retries", 0..=10).unwrap_or(default.retries),
        backoff: duration(table, "backoff", ms..=30 * 1000 * ms).unwrap_or(default.backoff),
    }
}
