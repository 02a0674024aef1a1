//! `[webhook]`.

use std::time::Duration;

use hyper::Uri;
use secrecy::{ExposeSecret, SecretString};

use crate::config::declare::{Reader, Section, section};
use crate::config::kinds::{Choices, Int, ParsedList, SecretFile, Time};
use crate::config::sections::{MS, SECOND};
use crate::config::values::{https, secret_file};
use crate::webhook::EventClass;
use tables::diagnostics::Diag;

/// Maximum of receivers; each has its own queue.
const MAX_URLS: usize = 8;

section! {
    /// Webhook notices, in the format of the vendor's notification service (docs/webhooks.md).
    pub struct Webhook("webhook") derives() {
        /// Receivers, at most 8: https, or http on this machine. Default: none.
        urls: Vec<Uri> = Vec::new(), example "[\"https://example.com/hook\"]" => ParsedList(https), Reload;
        /// File with the secret that signs notices. Required with urls.
        secret as "secret_file": SecretString = SecretString::default(), example "\"webhook.secret\""
            => SecretFile { read: secret_file, content: |secret| secret.expose_secret().to_owned() }, Reload;
        /// Kinds of events to send.
        events: Vec<EventClass> = EventClass::ALL.to_vec() => Choices(EventClass::NAMES), Reload;
        /// productId of the envelope. The vendor does not use this one.
        product_id: u32 = 9001 => Int::new(1..=i32::MAX as u32), Reload;
        /// Notices that wait for one receiver. Further ones are dropped and counted.
        queue: usize = 10_000 => Int::new(1..=1_000_000), Reload;
        /// Time limit of a request.
        timeout: Duration = 10 * SECOND => Time(100 * MS..=60 * SECOND), Reload;
        /// Retries of a notice that was not acknowledged.
        retries: u32 = 3 => Int::new(0..=10), Reload;
        /// Delay before the first retry. It doubles for each further one, up to 30s.
        backoff: Duration = SECOND => Time(MS..=30 * SECOND), Reload;
    }
}

pub(super) fn webhook(reader: &mut Reader<'_, '_>) -> Webhook {
    let webhook = Webhook::read(reader);
    let place = reader.section_place().clone();
    if !webhook.urls.is_empty() && reader.place("secret_file").is_none() {
        let unsigned = Diag::new(&place, "`webhook`: `urls` requires `secret_file`");
        reader.report(unsigned.help("store the receiver's secret in a file and set `secret_file`"));
    }
    if webhook.urls.len() > MAX_URLS {
        let title = format!("`webhook.urls`: at most {MAX_URLS}, got {}", webhook.urls.len());
        reader.report(Diag::new(&place, title));
    }
    webhook
}
