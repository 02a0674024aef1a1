use rtm::value::Value;

use crate::spanned_toml::*;

fn titles(diags: Diags) -> Vec<String> {
    diags
        .into_iter()
        .map(|diag| {
            let (line, column) = diag.span().position();
            let help = diag.help_text().map_or(String::new(), |help| format!(" ({help})"));
            format!("{line}:{column} {}{help}", diag.title())
        })
        .collect()
}

/// A reader with one key of every kind, used by all error cases.
fn sample(mut root: Table<'_>) -> Option<()> {
    let name = root.require_str("name");
    root.take_bool("on");
    root.take_int("count");
    root.take_strs("words");
    root.take_choice("color", &[("red", 1), ("green", 2), ("blue", 3)]);
    root.take_parsed("port", str::parse::<u16>);
    if let Some(mut inner) = root.take_table("inner") {
        inner.require_int("depth");
        inner.finish();
    }
    for mut row in root.take_tables("row") {
        row.require_str("id");
        row.finish();
    }
    root.finish();
    name.map(|_| ())
}

fn check(text: &str, expected: &[&str]) {
    let source = Source::new("t.toml", text);
    let got = read(&source, sample).err().map(titles).unwrap_or_default();
    assert_eq!(got, expected, "{text}");
}

#[test]
fn errors_have_their_position() {
    check("name = 'x'", &[]);
    check("", &["1:1 the key `name` is missing"]);
    check("name = 1", &["1:8 `name`: expected a string, got an integer"]);
    check(
        "name = ''\non = 'yes'",
        &["2:6 `on`: expected true or false, got a string"],
    );
    check(
        "name = ''\non = 1.5",
        &["2:6 `on`: expected true or false, got a number with a fraction"],
    );
    check(
        "name = ''\ncount = []",
        &["2:9 `count`: expected an integer, got an array"],
    );
    check(
        "name = ''\ncount = 2020-01-01",
        &["2:9 `count`: expected an integer, got a date"],
    );
    check(
        "name = ''\ncount = 0xffff_ffff_ffff_ffff",
        &["2:9 `count`: expected a number of at most 64 bits"],
    );
    check(
        "name = ''\nwords = ['a', 1, true]",
        &[
            "2:15 `words[1]`: expected a string, got an integer",
            "2:18 `words[2]`: expected a string, got true or false",
        ],
    );
    check(
        "name = ''\ncolor = 'gren'",
        &["2:9 `color`: expected `red`, `green` or `blue`, got `gren` (did you mean `green`?)"],
    );
    check(
        "name = ''\ncolor = 'mauve'",
        &["2:9 `color`: expected `red`, `green` or `blue`, got `mauve`"],
    );
    check(
        "name = ''\nport = '70000'",
        &["2:8 `port`: number too large to fit in target type"],
    );
    check(
        "name = ''\ninner = 1",
        &["2:9 `inner`: expected a table, got an integer"],
    );
    check("name = ''\n[inner]\n", &["2:1 `inner`: the key `depth` is missing"]);
    check("name = ''\ninner = {}\n", &["2:9 `inner`: the key `depth` is missing"]);
    check(
        "name = ''\n[inner]\ndepth = 1\ndeph = 2",
        &["4:1 `inner`: unknown key `deph` (did you mean `depth`?)"],
    );
    check(
        "name = ''\n[[row]]\nid = 'a'\n[[row]]\nid = 5\nmore = 1",
        &[
            "5:6 `row[1].id`: expected a string, got an integer",
            "6:1 `row[1]`: unknown key `more`",
        ],
    );
}

#[test]
fn all_errors_of_a_document_are_reported() {
    check(
        "nam = 'x'\ncount = 'many'\n[inner]\n",
        &[
            "1:1 the key `name` is missing",
            "2:9 `count`: expected an integer, got a string",
            "3:1 `inner`: the key `depth` is missing",
            "1:1 unknown key `nam` (did you mean `name`?)",
        ],
    );
}

#[test]
fn syntax_errors_are_all_reported_and_nothing_else() {
    check(
        "name = \nunknown = 1",
        &["1:8 invalid TOML: string values must be quoted, expected literal string"],
    );
    check("name = ''\nname = ''", &["2:1 invalid TOML: duplicate key"]);
    let both = read(&Source::new("t", "a =\n[b\n"), sample).unwrap_err();
    assert_eq!(both.len(), 2, "{both}");
}

#[test]
fn a_type_error_is_rendered_with_its_source() {
    let diags = read(&Source::new("a.toml", "name = 'x'\n\n[inner]\ndepth = \"2\"\n"), sample).unwrap_err();
    insta::assert_snapshot!(diags, @r#"
    error: `inner.depth`: expected an integer, got a string
     --> a.toml:4:9
      |
    4 | depth = "2"
      |         ^^^ not an integer
    "#);
}

fn check_value(toml: &str, expected: Result<&str, &[&str]>) {
    let source = Source::new("v", format!("v = {toml}"));
    let got = read(&source, |mut root| {
        let value = root.require("v").and_then(Item::into_value);
        root.finish();
        value
    });
    let got = got.map(|value| value.to_json()).map_err(titles);
    let expected = expected
        .map(str::to_owned)
        .map_err(|e| e.iter().map(|&e| e.to_owned()).collect());
    assert_eq!(got, expected, "{toml}");
}

#[test]
fn values_keep_the_order_of_the_file() {
    check_value("1_000", Ok("1000"));
    check_value("-0", Ok("0"));
    check_value("-9223372036854775808", Ok("-9223372036854775808"));
    check_value("0o17", Ok("15"));
    check_value("1.5", Ok("1.5"));
    check_value("true", Ok("true"));
    check_value(r#""a\u00e9""#, Ok("\"aé\""));
    check_value("[1, ['x']]", Ok(r#"[1,["x"]]"#));
    check_value("{ z = 1, a = { y = 2, b = 3 } }", Ok(r#"{"z":1,"a":{"y":2,"b":3}}"#));
    check_value(
        "[inf, 2020-01-01]",
        Err(&[
            "1:6 `v[0]`: expected a finite number",
            "1:11 `v[1]`: a date is not supported here; write it as a string",
        ]),
    );
}

#[test]
fn entries_keep_the_order_of_the_file() {
    let source = Source::new("e", "z = 1\na = 'x'\nm = true\n");
    let keys = read(&source, |root| {
        let entries = root.into_entries().into_iter();
        Some(
            entries
                .map(|(key, item)| (key.to_string(), item.into_value()))
                .collect::<Vec<_>>(),
        )
    });
    let expected = [("z", Value::Int(1)), ("a", "x".into()), ("m", true.into())];
    assert_eq!(
        keys,
        Ok(expected.map(|(key, value)| (key.to_owned(), Some(value))).to_vec())
    );
}

#[test]
fn requested_keys_are_those_of_existing_tables() {
    let keys = |text| {
        requested_keys(&Source::new("k", text), sample)
            .into_iter()
            .collect::<Vec<_>>()
    };
    let root = ["color", "count", "inner", "name", "on", "port", "row", "words"];
    assert_eq!(keys(""), root);
    let inner = [
        "color",
        "count",
        "inner",
        "inner.depth",
        "name",
        "on",
        "port",
        "row",
        "words",
    ];
    assert_eq!(keys("[inner]"), inner);
}

fn check_part(written: &str, find: &str, expected: &str) {
    let source = Source::new("p", format!("name = {written}"));
    let mut got = String::new();
    let _ = read(&source, |mut root| {
        let name = root.require_str("name")?;
        let at = name.find(find).expect("the case names a part of the value");
        got = name.part(at..at + find.len()).text().to_owned();
        root.finish();
        Some(())
    });
    assert_eq!(got, expected, "{written}");
}

#[test]
fn parts_of_a_text_have_their_own_position() {
    check_part("\"uid($x)\"", "$x", "$x");
    check_part("'''\na $x'''", "$x", "$x");
    check_part(r#""\t$x""#, "$x", r#""\t$x""#);
}

#[cfg(debug_assertions)]
#[test]
#[should_panic(expected = "has not called finish()")]
fn a_missing_finish_panics_in_debug_builds() {
    let _ = read(&Source::new("f", "[a]\nb = 1"), |mut root| {
        let inner = root.take_table("a");
        root.finish();
        drop(inner);
        Some(())
    });
}
