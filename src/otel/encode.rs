//! Requests in OTLP's JSON, and its answers.

use serde_json::{Value as Json, json};

use crate::otel::span::{Attribute, Span};

/// Number of the status "error" in OTLP.
const ERROR: u8 = 2;

/// Returns the body of a request with these spans.
pub(super) fn request(spans: &[Span], instance: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let of_process = [
        ("service.name", "sigbridge".into()),
        ("service.version", version.into()),
        ("service.instance.id", instance.into()),
    ];
    let spans: Vec<Json> = spans.iter().map(span).collect();
    let scope = json!({ "scope": { "name": "sigbridge", "version": version }, "spans": spans });
    let resource = json!({ "attributes": attributes(&of_process) });
    json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": [scope] }] }).to_string()
}

fn span(span: &Span) -> Json {
    let parent = span.parent.map(|parent| format!("{parent:016x}"));
    let status = match &span.failure {
        None => json!({}),
        Some(reason) => json!({ "code": ERROR, "message": &**reason }),
    };
    // Numbers of 64 bits are texts in the JSON of Protocol Buffers, ids are hexadecimal in that of OTLP.
    json!({
        "traceId": format!("{:032x}", span.begun.trace),
        "spanId": format!("{:016x}", span.begun.span),
        "parentSpanId": parent.unwrap_or_default(),
        "name": &*span.name,
        "kind": span.kind as u8,
        "startTimeUnixNano": span.begun.at.to_string(),
        "endTimeUnixNano": span.ended.to_string(),
        "attributes": attributes(&span.attributes),
        "status": status,
    })
}

fn attributes(of: &[(&'static str, Attribute)]) -> Vec<Json> {
    let text = |text: &str| json!({ "stringValue": text });
    let value = |value: &Attribute| match value {
        Attribute::Text(content) => text(content),
        Attribute::List(items) => {
            let values: Vec<Json> = items.iter().map(|item| text(item)).collect();
            json!({ "arrayValue": { "values": values } })
        }
    };
    let pair = |(key, attribute): &(&str, Attribute)| json!({ "key": key, "value": value(attribute) });
    of.iter().map(pair).collect()
}

/// Returns the number of spans that the collector has rejected, by the body of its answer.
pub(super) fn rejected(body: &[u8]) -> usize {
    let answer: Json = serde_json::from_slice(body).unwrap_or_default();
    let count = &answer["partialSuccess"]["rejectedSpans"];
    let count = count.as_u64().or_else(|| count.as_str()?.parse().ok());
    usize::try_from(count.unwrap_or(0)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otel::span::{Begun, Kind};

    #[test]
    fn a_request_has_the_form_of_otlp() {
        let span = Span {
            begun: Begun {
                trace: 0xa,
                span: 0xb,
                at: 1_500_000_000_000_000_001,
            },
            parent: Some(0xc),
            name: "row".into(),
            kind: Kind::Client,
            ended: 1_500_000_000_000_000_002,
            attributes: vec![
                ("one", "1".into()),
                ("codes", Attribute::List(vec!["A".into(), "B".into()])),
            ],
            failure: Some("timeout".into()),
        };
        let body: Json = serde_json::from_str(&request(&[span], "host")).expect("JSON");
        let of_process = &body["resourceSpans"][0];
        assert_eq!(
            of_process["resource"]["attributes"][0],
            json!({ "key": "service.name", "value": { "stringValue": "sigbridge" } })
        );
        assert_eq!(
            of_process["scopeSpans"][0]["spans"],
            json!([{
                "traceId": "0000000000000000000000000000000a",
                "spanId": "000000000000000b",
                "parentSpanId": "000000000000000c",
                "name": "row",
                "kind": 3,
                "startTimeUnixNano": "1500000000000000001",
                "endTimeUnixNano": "1500000000000000002",
                "attributes": [
                    { "key": "one", "value": { "stringValue": "1" } },
                    { "key": "codes", "value": { "arrayValue": { "values": [
                        { "stringValue": "A" }, { "stringValue": "B" },
                    ] } } },
                ],
                "status": { "code": 2, "message": "timeout" },
            }])
        );
    }

    #[test]
    fn rejected_spans_are_read_from_the_answer() {
        let check = |body: &str, expected: usize| assert_eq!(rejected(body.as_bytes()), expected, "{body}");
        check("", 0);
        check("{}", 0);
        check(r#"{"partialSuccess":{"rejectedSpans":"3"}}"#, 3);
        check(r#"{"partialSuccess":{"rejectedSpans":4,"errorMessage":"x"}}"#, 4);
        check(r#"{"partialSuccess":{"rejectedSpans":-1}}"#, 0);
        check("\u{0}", 0);
    }
}
