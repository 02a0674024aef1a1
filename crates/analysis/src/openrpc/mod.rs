//! The documented API as an OpenRPC document, made of the tables. <https://spec.open-rpc.org>
//!
//! No call or event is named here. Params, results and errors of a method are those of the `api` codec, which uses the
//! same tables; events, for which OpenRPC has no place, are under `x-notifications`.

mod errors;
mod methods;
mod schemas;
#[cfg(test)]
mod tests;

use rtm::schema;
use rtm::schema::members as object;
use rtm::value::{Text, Value};
use tables::Tables;
use tables::row::Signature;
use tables::wire::Target;

/// The version of OpenRPC.
const OPENRPC: &str = "1.3.2";

/// The document, as indented JSON.
pub fn document(tables: &Tables) -> String {
    let mut text = serde_json::to_string_pretty(&value(tables)).expect("a Value has only text keys");
    text.push('\n');
    text
}

fn value(tables: &Tables) -> Value {
    object([
        ("openrpc", OPENRPC.into()),
        ("info", info()),
        ("servers", Value::List(vec![server()])),
        ("methods", Value::List(methods::all(tables))),
        (
            "components",
            object([("schemas", schemas::all()), ("errors", errors::all(tables))]),
        ),
        ("x-notifications", Value::List(notifications(tables))),
    ])
}

fn info() -> Value {
    object([
        ("title", "sigbridge: the documented Signaling API by name".into()),
        (
            "description",
            "JSON-RPC 2.0 over WebSocket. A connection is a session: it begins with a login and ends with a logout. \
             A call is answered when it is done or refused. Its later effects are notifications, \
             listed under x-notifications."
                .into(),
        ),
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("license", object([("name", env!("CARGO_PKG_LICENSE").into())])),
    ])
}

fn server() -> Value {
    object([
        ("name", "the sidecar's default address".into()),
        ("url", "ws://127.0.0.1:8001/api".into()),
    ])
}

/// Every event of the api wire, with its arguments in order.
fn notifications(tables: &Tables) -> Vec<Value> {
    let wire = tables.documented();
    let mut events: Vec<usize> = (0..tables.signatures.len())
        .filter(|&sig| wire.events.get(sig).is_some_and(Option::is_some))
        .collect();
    for function in &wire.functions {
        if let Target::Invoke(invoke) = &function.target
            && !events.contains(&invoke.result_event)
        {
            events.push(invoke.result_event);
        }
    }
    let notification = |sig: usize| {
        let signature = &tables.signatures[sig];
        object([
            ("name", signature.name.clone().into()),
            ("paramStructure", "by-name".into()),
            ("params", params(signature, |_| true)),
        ])
    };
    events.into_iter().map(notification).collect()
}

/// Content descriptors of documented arguments.
fn params(signature: &Signature, required: impl Fn(usize) -> bool) -> Value {
    let args = signature.args.iter().enumerate();
    let param = |(at, (name, ty)): (usize, &(Text, _))| {
        object([
            ("name", name.clone().into()),
            ("required", required(at).into()),
            ("schema", schemas::reference(*ty)),
        ])
    };
    Value::List(args.map(param).collect())
}

fn reference(kind: &str, name: &str) -> Value {
    schema::reference(&format!("#/components/{kind}"), name)
}
