use std::path::Path;

use serde_json::Value as Json;

use tables::Tables;
use tables::wire::Target;

use crate::openrpc::document;

fn built_in() -> (Tables, String, Json) {
    let tables = Tables::built_in().unwrap_or_else(|diags| panic!("{}", diags.render(false)));
    let text = document(&tables);
    let json = serde_json::from_str(&text).expect("it is JSON");
    (tables, text, json)
}

fn names(list: &Json) -> Vec<&str> {
    let list = list.as_array().expect("a list").iter();
    list.map(|entry| entry["name"].as_str().expect("a name")).collect()
}

/// The structure that OpenRPC 1.3 requires, as far as this document uses it.
#[test]
fn it_is_an_openrpc_document() {
    let (_, _, json) = built_in();
    assert_eq!(json["openrpc"], "1.3.2");
    assert_eq!(json["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(json["info"]["title"].is_string());
    let keys: Vec<&String> = json.as_object().expect("an object").keys().collect();
    let known = ["openrpc", "info", "servers", "methods", "components"];
    assert!(
        keys.iter()
            .all(|key| known.contains(&key.as_str()) || key.starts_with("x-")),
        "{keys:?}"
    );
    let methods = json["methods"].as_array().expect("a list");
    for method in methods {
        let name = method["name"].as_str().expect("a name");
        assert_eq!(
            methods.iter().filter(|other| other["name"] == name).count(),
            1,
            "{name} is unique"
        );
        assert_eq!(method["paramStructure"], "either", "{name}");
        let params = method["params"].as_array().expect("a list");
        assert!(
            params.is_sorted_by_key(|param| param["required"] == false),
            "{name}: required ones go first"
        );
        for param in params {
            assert!(
                param["name"].is_string() && param["required"].is_boolean(),
                "{name}: {param}"
            );
            check_descriptor(name, param);
        }
        check_descriptor(name, &method["result"]);
        for error in method["errors"].as_array().expect("a list") {
            let error = resolved(&json, error);
            assert!(
                error["code"].is_i64() && error["message"].is_string(),
                "{name}: {error}"
            );
        }
    }
    for (name, schema) in json["components"]["schemas"].as_object().expect("an object") {
        assert!(
            name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)),
            "{name}"
        );
        assert!(schema["type"].is_string(), "{name}");
    }
    for name in json["components"]["errors"].as_object().expect("an object").keys() {
        assert!(
            name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)),
            "{name}"
        );
    }
}

fn check_descriptor(method: &str, descriptor: &Json) {
    assert!(descriptor["name"].is_string(), "{method}: {descriptor}");
    let schema = &descriptor["schema"];
    assert!(
        schema["$ref"].is_string() || schema["type"].is_string(),
        "{method}: {descriptor} is not typed"
    );
}

#[test]
fn every_reference_leads_somewhere() {
    let (_, _, json) = built_in();
    let mut open = vec![&json];
    let mut found = 0;
    while let Some(next) = open.pop() {
        match next {
            Json::Object(entries) => {
                if entries.contains_key("$ref") {
                    found += 1;
                    assert!(resolved(&json, next).is_object(), "{next}");
                }
                open.extend(entries.values());
            }
            Json::Array(items) => open.extend(items),
            _ => {}
        }
    }
    assert!(found > 100, "only {found}");
}

fn resolved<'j>(document: &'j Json, reference: &'j Json) -> &'j Json {
    let Some(path) = reference["$ref"].as_str() else {
        return reference;
    };
    let pointer = path.strip_prefix('#').expect("a reference into the document");
    document
        .pointer(pointer)
        .unwrap_or_else(|| panic!("{path} leads nowhere"))
}

#[test]
fn it_has_every_documented_call_and_event_with_its_arguments_in_order() {
    let (tables, _, json) = built_in();
    let wire = tables.documented();
    let (methods, events) = (names(&json["methods"]), names(&json["x-notifications"]));
    let documented = |name: &str| !name.contains('.');
    for signature in tables.signatures.iter().filter(|signature| documented(&signature.name)) {
        let name = &*signature.name;
        let (list, known) = match (methods.contains(&name), events.contains(&name)) {
            (true, false) => (&json["methods"], &methods),
            (false, true) => (&json["x-notifications"], &events),
            found => panic!("{name} is a method and a notification: {found:?}"),
        };
        let at = known.iter().position(|known| *known == name).expect("it is there");
        let args: Vec<&str> = signature.args.iter().map(|(arg, _)| &**arg).collect();
        assert_eq!(names(&list[at]["params"]), args, "{name}");
    }
    let served = wire.functions.iter().filter(|function| match &function.target {
        Target::Row(call) => tables.signatures[call.sig].name == function.name,
        Target::Invoke(_) => true,
        Target::Local(_) => false,
    });
    assert_eq!(methods.len(), served.count());
}

/// `UPDATE_FIXTURES=1` writes it anew.
#[test]
fn it_is_the_one_of_the_fixtures() {
    let (_, text, _) = built_in();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/openrpc.json");
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(&path, &text).expect("the fixture can be written");
    }
    let known = std::fs::read_to_string(&path).expect("the fixture is there");
    assert!(
        known == text,
        "the tables have changed: run this test with UPDATE_FIXTURES=1"
    );
}
