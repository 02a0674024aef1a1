//! The documented API against its tables: what they name is served.

use crate::support::{ApiClient, config, serve};
use serde_json::json;
use sigbridge::mapping::Tables;
use sigbridge::mapping::ty::SigType;
use sigbridge::mapping::wire::Target;

/// Every documented call of the tables, once right and once wrong, before the login and after it.
#[tokio::test]
async fn every_documented_call_is_served() {
    let tables = Tables::built_in().expect("the built-in tables compile");
    let wire = tables.documented();
    let running = serve(config()).await;
    let mut tried = 0;
    for function in &wire.functions {
        let sig = match &function.target {
            Target::Row(call) => call.sig,
            Target::Invoke(invoke) => invoke.call,
            Target::Local(_) => panic!("{} does nothing", function.name),
        };
        let signature = &tables.signatures[sig];
        if signature.name != function.name {
            continue;
        }
        tried += 1;
        let (name, args) = (&*signature.name, &signature.args);
        let params = |right: bool| {
            let named = args.iter().map(|(arg, ty)| (arg.to_string(), example(*ty, right)));
            serde_json::Value::Object(named.collect())
        };
        let in_order = serde_json::Value::Array(args.iter().map(|(_, ty)| example(*ty, true)).collect());
        let too_many = vec![json!(""); args.len() + 1];
        let mut client = ApiClient::connect(running.http).await;
        for wrong in [json!(too_many), json!({"no-such": 1})] {
            let answer = client.call(name, wrong).await;
            assert!(
                answer.starts_with(&format!("error -32602 `{name}` takes (")),
                "{answer}"
            );
        }
        let is_login = name.starts_with("login");
        if !is_login {
            // Before the login nothing is done, and nothing is left unanswered.
            let answer = client.call(name, in_order.clone()).await;
            assert!(
                answer.contains("not login") || !answer.starts_with("error") || answer.contains("unknown func"),
                "{name}: {answer}"
            );
            if &*function.name == "destroy" {
                client = ApiClient::connect(running.http).await;
            }
            client.log_in("alice").await;
            client.event("onLoginSuccess").await;
        }
        if args.iter().any(|(_, ty)| example(*ty, false) != example(*ty, true)) && !is_login {
            let answer = client.call(name, params(false)).await;
            assert!(answer.starts_with("error "), "{name}: {answer}");
        }
        let answer = client
            .call(name, if tried % 2 == 0 { params(true) } else { in_order })
            .await;
        let refused = ["not in channel", "no such", "unknown func"];
        assert!(
            !answer.starts_with("error") || refused.iter().any(|r| answer.contains(r)),
            "{name}: {answer}"
        );
    }
    assert!(tried > 30, "only {tried}");
    assert!(running.server.metrics.text().contains("sigbridge_bad_frames_total"));
}

/// A value of a type, or one that is none of it, where there is such.
fn example(ty: SigType, right: bool) -> serde_json::Value {
    match (ty, right) {
        (SigType::Account, true) => json!("bob"),
        (SigType::Channel, true) => json!("room"),
        (SigType::Digits, true) => json!("1#"),
        (SigType::Key, true) => json!("key"),
        (SigType::Int | SigType::Seconds, true) => json!(1),
        (SigType::Flag, true) => json!(true),
        (_, true) => json!("{}"),
        (SigType::Account | SigType::Channel | SigType::Key, false) => json!(""),
        (SigType::Digits | SigType::Int | SigType::Seconds | SigType::Flag, false) => json!("x y"),
        (_, false) => json!("x".repeat(8_193)),
    }
}
