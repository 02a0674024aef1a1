//! The documented API against its tables: what they name is served.

use crate::support::{ApiClient, config, serve};
use serde_json::json;
use tables::Tables;
use tables::expr::{Expr, Part};
use tables::row::{Row, RowKind, StepKind};
use tables::ty::SigType;
use tables::wire::Target;

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

/// A value of a type, or an invalid one if the type has such.
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

/// Documented arguments that no row reads, wherever they are, and why.
const UNREAD: &[(&str, &str)] = &[
    ("uid", "the account is the key, and its number follows from it"),
    ("appId", "admission reads it, before a row is entered"),
    ("token", "admission reads it"),
    ("deviceID", "the documents give it no meaning"),
    ("retry_time_in_s", "the SDK tries again by itself"),
    ("retry_count", "the SDK tries again by itself"),
    ("handler", "the SDK keeps its app's callbacks"),
];

/// A documented argument does something.
#[test]
fn every_documented_argument_is_read() {
    let tables = Tables::built_in().expect("the built-in tables compile");
    let mut unread = Vec::new();
    for row in tables.rows.iter().filter(|row| matches!(row.kind, RowKind::Call(_))) {
        let read = Slots::of(row);
        let args = row.slots[..row.args].iter().enumerate();
        let args =
            args.filter(|(slot, _)| !read.0.contains(slot) && Some(*slot) != row.account && Some(*slot) != row.channel);
        unread.extend(args.map(|(_, (name, _))| format!("{} {name}", row.id)));
    }
    let is_of = |place: &str, name: &str| place.ends_with(&format!(" {name}"));
    let stale = UNREAD
        .iter()
        .filter(|(name, _)| !unread.iter().any(|place| is_of(place, name)));
    assert_eq!(stale.count(), 0, "all that is listed is unread");
    unread.retain(|place| !UNREAD.iter().any(|(name, _)| is_of(place, name)));
    assert_eq!(unread, [] as [String; 0]);
}

/// The values that a row reads, by their numbers.
#[derive(Default)]
struct Slots(Vec<usize>);

impl Slots {
    fn of(row: &Row) -> Self {
        let mut slots = Self::default();
        row.let_values.iter().for_each(|item| slots.read(&item.from));
        for step in &row.steps {
            match &step.kind {
                StepKind::Rtm(rtm) => {
                    let gathered = rtm.gather.iter().map(|gather| &gather.item);
                    let args = rtm.call.args.iter().flatten().chain(gathered).chain(&rtm.lane);
                    args.for_each(|arg| slots.read(arg));
                }
                StepKind::Row { args, .. } => args.iter().for_each(|arg| slots.read(arg)),
                StepKind::Value { expr, .. } => slots.read(expr),
                StepKind::Outcome(_) => {}
            }
        }
        for outcome in &row.outcomes {
            let failure = outcome.failure.iter().flat_map(|failure| &failure.emission.args);
            let emission = outcome.emission.iter().flat_map(|emission| &emission.args);
            let rtm = outcome.rtm.iter().flat_map(|call| call.args.iter().flatten());
            failure.chain(emission).chain(rtm).for_each(|arg| slots.read(arg));
        }
        let failure = row.fail.iter().flat_map(|failure| &failure.emission.args);
        let fields = row.answer.fields.iter().map(|(_, field)| field);
        failure.chain(fields).for_each(|arg| slots.read(arg));
        slots
    }

    fn read(&mut self, expr: &Expr) {
        match expr {
            Expr::Slot(slot) => self.0.push(*slot),
            Expr::Member(of, _) | Expr::Convert(_, of) | Expr::Json(of) => self.read(of),
            Expr::Call(_, items) | Expr::List(items) => items.iter().for_each(|item| self.read(item)),
            Expr::Map(entries) => entries.iter().for_each(|(_, item)| self.read(item)),
            Expr::Template { parts, .. } => {
                for part in parts {
                    if let Part::Expr(expr) = part {
                        self.read(expr);
                    }
                }
            }
            Expr::Const(_) | Expr::State(_) | Expr::Ambient(_) | Expr::MemberReason(_) => {}
        }
    }
}
