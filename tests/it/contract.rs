//! The contract of an RTM, as far as it shows without a network: the same cases (`contract/offline.json`) for the embedded RTM, for
//! one behind a link in each platform's names, and, in `lanes/agent-web`, for the vendor's own SDK.
//!
//! A case is what each of its `calls` is refused with before a login: the error enum, the number and the name. In a text `v*300` is that many; `@many`
//! is that many attributes, with values of that size.

use std::sync::Arc;

use crate::support::{PATIENCE, agent, config, driver, embedded, eventually};
use rtm::AppId;
use rtm::upstream::{Upstream, UpstreamEvent};
use rtm::value::Value;
use rtm::{CallKind, RtmError};
use serde::Deserialize;
use tables::Tables;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

#[derive(Deserialize)]
struct Case {
    calls: Vec<String>,
    params: Value,
    refused: (String, u16, String),
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("contract/offline.json")).expect("cases")
}

fn filled(value: &Value) -> Value {
    match value {
        Value::Text(text) => Value::text(repeated(text)),
        Value::List(items) => Value::List(items.iter().map(filled).collect()),
        Value::Map(entries) => match &entries[..] {
            [(many, of)] if &**many == "@many" => {
                let of = of.as_list().expect("how many, of which size");
                let [count, size] = [&of[0], &of[1]].map(|n| n.as_int().expect("a number"));
                let value = "v".repeat(usize::try_from(size).expect("a size"));
                let pair = |n| (format!("k{n}").into(), Value::text(value.clone()));
                Value::Map((0..count).map(pair).collect())
            }
            entries => Value::Map(
                entries
                    .iter()
                    .map(|(key, v)| (repeated(key).into(), filled(v)))
                    .collect(),
            ),
        },
        other => other.clone(),
    }
}

fn repeated(text: &str) -> String {
    match text.split_once('*').map(|(of, n)| (of, n.parse())) {
        Some((of, Ok(n))) => of.repeat(n),
        _ => text.to_owned(),
    }
}

async fn check(rtm: Arc<dyn Upstream>, name: &str) {
    let (sender, mut emitted) = mpsc::channel(16);
    let app = AppId::new("app").expect("an app id");
    let key = rtm.open(&app, Arc::new(move |news| drop(sender.try_send(news))));
    let mut number = 0;
    for case in cases() {
        for call in &case.calls {
            let kind = CallKind::parse(call).unwrap_or_else(|| panic!("{call} is no call"));
            if !rtm.can(&app, kind) {
                continue;
            }
            let params = filled(&case.params);
            let values: Vec<Value> = kind
                .fields()
                .iter()
                .map(|f| params.get(f.name).cloned().unwrap_or_default())
                .collect();
            number += 1;
            rtm.call(
                &key,
                number,
                kind.build(&values).unwrap_or_else(|error| panic!("{call}: {error}")),
            );
            let answer = loop {
                match timeout(PATIENCE, emitted.recv())
                    .await
                    .expect("an answer")
                    .expect("it is there")
                {
                    UpstreamEvent::Reply { request, result } if request == number => break result,
                    _ => {}
                }
            };
            let got = answer.map_err(|error: RtmError| {
                let of = error.error_enum().name();
                (of.to_owned(), error.number(), error.name().to_owned())
            });
            assert_eq!(
                got,
                Err(case.refused.clone()),
                "{name}: {call} {:.200}",
                case.params.to_json()
            );
        }
    }
    assert!(number > 40, "{name}: only {number} calls");
}

#[tokio::test]
async fn the_embedded_rtm_keeps_it() {
    check(embedded(&config()), "embedded").await;
}

#[tokio::test]
async fn it_holds_over_a_link() {
    let tables = Tables::built_in().expect("the built-in tables compile");
    for platform in &tables.platforms {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let (driver, end) = driver(listener).await;
        agent(&platform.name, embedded(&config()), addr);
        eventually("agent connected", || driver.status().up).await;
        if platform.lacks.len() < 2 {
            check(driver, &platform.name).await;
        }
        end.cancel();
    }
}
