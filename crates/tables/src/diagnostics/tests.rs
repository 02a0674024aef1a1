use crate::diagnostics::*;

fn check_suggest(name: &str, candidates: &[&str], expected: Option<&str>) {
    assert_eq!(suggest(name, candidates.iter().copied()), expected, "{name:?}");
}

#[test]
fn suggestions_are_typing_errors() {
    let keys = ["limit", "ttl", "timeout", "login_timeout"];
    check_suggest("limt", &keys, Some("limit"));
    check_suggest("lmiit", &keys, Some("limit"));
    check_suggest("LIMIT", &keys, Some("limit"));
    check_suggest("tll", &keys, Some("ttl"));
    check_suggest("timeout_", &keys, Some("timeout"));
    check_suggest("login_timout", &keys, Some("login_timeout"));
    check_suggest("colour", &keys, None);
    check_suggest("x", &["y"], None);
    check_suggest("", &["y"], None);
    check_suggest("limits", &[], None);
}

fn check_position(text: &str, start: usize, expected: (usize, usize)) {
    let span = Source::new("f", text).span(start..start);
    assert_eq!(span.position(), expected, "{text:?} at {start}");
}

#[test]
fn positions_count_lines_and_characters_from_one() {
    check_position("", 0, (1, 1));
    check_position("ab\ncd", 1, (1, 2));
    check_position("ab\ncd", 3, (2, 1));
    check_position("é=1\nx", 2, (1, 2));
    check_position("ab", 99, (1, 3));
}

#[test]
fn an_error_shows_file_line_caret_and_help() {
    let source = Source::new("a.toml", "[invite]\ntimout = \"20s\"\n");
    let diag = Diag::new(&source.span(9..15), "unknown key `timout`")
        .label("not a key of [invite]")
        .did_you_mean("timout", ["timeout"]);
    insta::assert_snapshot!(diag.render(false), @r#"
    error: unknown key `timout`
     --> a.toml:2:1
      |
    2 | timout = "20s"
      | ^^^^^^ not a key of [invite]
      |
      = help: did you mean `timeout`?
    "#);
    assert!(!diag.render(false).contains('\u{1b}'));
    assert!(diag.render(true).contains('\u{1b}'));
}

#[test]
fn errors_are_sorted_by_file_then_position() {
    let a = Source::new("a", "one two");
    let b = Source::new("b", "three");
    let mut diags = Diags::new();
    diags.push(Diag::new(&b.span(0..5), "third"));
    diags.push(Diag::new(&a.span(4..7), "second"));
    diags.push(Diag::new(&a.span(0..3), "first"));
    let text = diags.to_string();
    let at = |title: &str| text.find(title).expect(title);
    assert!(at("first") < at("second") && at("second") < at("third"), "{text}");
}

#[test]
fn long_files_are_folded() {
    let mut text = String::new();
    for i in 0..1000 {
        text += &format!("key{i} = {i}\n");
    }
    let start = text.find("key500 ").expect("was written");
    let rendered = Diag::new(&Source::new("long", text).span(start..start + 6), "here").render(false);
    assert!(rendered.lines().count() < 8, "{rendered}");
    assert!(rendered.contains("long:501:1"), "{rendered}");
}

fn check_renders(text: &str, range: Range<usize>) {
    let rendered = Diag::new(&Source::new("f", text).span(range.clone()), "odd").render(false);
    assert!(rendered.starts_with("error: odd"), "{text:?} {range:?}: {rendered}");
    assert!(rendered.lines().count() < 8, "{text:?} {range:?}: {rendered}");
}

#[test]
#[expect(clippy::reversed_empty_ranges)]
fn no_span_makes_rendering_fail() {
    check_renders("", 0..0);
    check_renders("", 5..9);
    check_renders("é", 1..1);
    check_renders("ab\r\ncd", 0..6);
    check_renders("ab\n", 3..3);
    check_renders("abc", 2..1);
    check_renders("\u{1b}[31m\0", 0..3);
    check_renders(&"x\n".repeat(500), 0..1000);
}

#[test]
fn private_sources_are_not_shown() {
    let source = Source::private("p", "a = 1\nkey = secret");
    let rendered = Diag::new(&source.span(12..18), "bad").help("good").render(false);
    assert!(rendered.contains("p:2:7") && rendered.contains("good"), "{rendered}");
    assert!(!rendered.contains("secret") && !rendered.contains("key"), "{rendered}");
}

#[test]
fn an_empty_list_is_no_error() {
    assert_eq!(Diags::new().or_ok(1), Ok(1));
    let diags = Diags::from(Diag::new(&Source::new("f", "x").span(0..1), "bad"));
    assert_eq!(diags.clone().or_ok(1), Err(diags));
}
