use proptest::prelude::*;

use crate::json::*;

fn check(json: &str, expected: &str) {
    let value = parse(json).unwrap_or_else(|error| panic!("{json}: {error}"));
    assert_eq!(value.to_json(), expected, "{json}");
}

fn check_bad(json: &str, expected: &str) {
    let error = parse(json).expect_err(json);
    assert_eq!(error.to_string(), expected, "{json:?}");
}

#[test]
fn lone_surrogates_become_replacement_characters() {
    check(r#""cut \ud83d""#, "\"cut \u{fffd}\"");
    check(r#""\uD83D\uDE00""#, "\"😀\"");
    check(r#""\ude00""#, "\"\u{fffd}\"");
    check(r#""\ud83d\ud83d\ude00""#, "\"\u{fffd}😀\"");
    check(r#""\ud83d\u0041\ud83dx""#, "\"\u{fffd}A\u{fffd}x\"");
    check(r#""\ud83d\n""#, "\"\u{fffd}\\n\"");
    check(r#"{"\udfff":"\uffff"}"#, "{\"\u{fffd}\":\"\u{ffff}\"}");
    // A backslash, and four letters and digits.
    check(r#""\\ud83d""#, r#""\\ud83d""#);
    check(r#""\\\ud83d""#, "\"\\\\\u{fffd}\"");
}

#[test]
fn texts_without_replacement_are_borrowed() {
    for whole in [
        "",
        "[1]",
        r#""a\nb""#,
        r#""\ud83d\ude00 \u00e9""#,
        r#""\\ud83d""#,
        r#"\ud8"#,
        "\\",
    ] {
        assert!(matches!(paired(whole), Cow::Borrowed(same) if same == whole), "{whole}");
    }
    assert_eq!(paired(r#"["\ud83d","😀"]"#), r#"["\ufffd","😀"]"#);
}

#[test]
fn typed_reads_replace_lone_surrogates() {
    assert_eq!(read::<Vec<String>>(r#"["\ud83d"]"#).expect("JSON"), ["\u{fffd}"]);
}

#[test]
fn numbers_keep_their_text() {
    for number in [
        "0",
        "-7",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "18446744073709551615",
        "-0",
        "1.10",
        "1.0",
        "1e400",
        "-1E-400",
        "0.1000000000000000055511151231257827",
        "1e+3",
    ] {
        check(number, number);
        check(&format!(" [ {number} ] "), &format!("[{number}]"));
    }
    assert_eq!(parse("1.5e1").ok(), Some(Value::Number(Number::from_checked("1.5e1"))));
    let as_f64 = |json| match parse(json) {
        Ok(Value::Number(number)) => number.as_f64(),
        other => panic!("{other:?}"),
    };
    assert_eq!((as_f64("1.5e1"), as_f64("1e400")), (Some(15.0), None));
}

#[test]
fn errors_have_their_position() {
    check_bad("", "end of the text inside a value at line 1 column 1");
    check_bad("[1,\n 2", "end of the text inside a value at line 2 column 3");
    check_bad("x", "expected a value at line 1 column 1");
    check_bad("[tru]", "expected a value at line 1 column 2");
    check_bad("{1:2}", "expected a name in quotes at line 1 column 2");
    check_bad(r#"{"a" 1}"#, "expected `:` at line 1 column 6");
    check_bad("[1 2]", "expected `,` or `]` at line 1 column 4");
    check_bad("[1}", "expected `,` or `]` at line 1 column 3");
    check_bad(r#"{"a":1]"#, "expected `,` or `}` at line 1 column 7");
    check_bad("[01]", "invalid number at line 1 column 2");
    check_bad(r#"["\x"]"#, "invalid escape at line 1 column 5");
    check_bad("[\"a\nb\"]", "control character in a string at line 1 column 4");
    check_bad("[] x", "trailing characters at line 1 column 4");
    check_bad(&"[".repeat(128), "nested too deeply at line 1 column 128");
    let deep = "[".repeat(127) + &"]".repeat(127);
    check(&deep, &deep);
}

#[test]
fn every_character_is_escaped_at_every_position() {
    for code in 0..=0x17f {
        let char = char::from_u32(code).expect("a character");
        for before in 0..17 {
            let text = format!("{}{char}{}", "x".repeat(before), "y".repeat(9));
            let expected = serde_json::to_string(&text).expect("text");
            assert_eq!(Value::text(text).to_json(), expected);
        }
    }
}

/// Returns a text as `JSON.stringify` writes it.
fn stringified(units: &[u16]) -> String {
    let piece = |read: Result<char, std::char::DecodeUtf16Error>| match read {
        Ok(char) => serde_json::to_string(&char)
            .expect("a char")
            .trim_matches('"')
            .to_owned(),
        Err(half) => format!("\\u{:04x}", half.unpaired_surrogate()),
    };
    let inner: String = char::decode_utf16(units.iter().copied())
        .map(|read| match read {
            Ok('"') => "\\\"".to_owned(),
            read => piece(read),
        })
        .collect();
    format!("\"{inner}\"")
}

/// Almost valid JSON.
fn near_json() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"",
        "\\n",
        "\\u00e9",
        "\\ud83d\\ude00",
        "\\",
        "1",
        "-",
        "0",
        ".",
        "5",
        "e",
        "+",
        "true",
        "null",
        "false",
        " ",
        "\n",
        "é",
        "😀",
        "\u{1}",
        "9223372036854775808",
    ]);
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

/// Any JSON with numbers that serde_json can hold.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        prop::num::f64::NORMAL.prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn javascript_texts_are_accepted(units in prop::collection::vec(
        prop_oneof![any::<u16>(), 0xd800_u16..0xe000, 0x20_u16..0x7f], 0..20,
    )) {
        let json = stringified(&units);
        let expected = Value::text(String::from_utf16_lossy(&units));
        prop_assert_eq!(parse(&json).ok(), Some(expected.clone()), "{}", json);
        // JSON nested in JSON: the outer text is unchanged.
        let nested = Value::text(&*json).to_json();
        let outer = parse(&nested).map(Value::into_text).expect("JSON");
        prop_assert_eq!(parse(&outer).ok(), Some(expected));
    }

    #[test]
    fn it_accepts_the_same_texts_as_serde_json(text in near_json()) {
        let known: Result<serde_json::Value, _> = serde_json::from_str(&text);
        prop_assert_eq!(parse(&text).is_ok(), known.is_ok(), "{:?}", known);
    }

    #[test]
    fn serde_json_output_round_trips(json in json()) {
        for text in [json.to_string(), serde_json::to_string_pretty(&json).expect("JSON")] {
            let value = parse(&text).expect("JSON");
            prop_assert_eq!(value.to_json(), serde_json::to_string(&value).expect("JSON"));
            let read: serde_json::Value = serde_json::from_str(&value.to_json()).expect("JSON");
            // serde_json rounds some numbers that it has written itself.
            let expected: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            prop_assert_eq!(read, expected);
        }
    }
}
