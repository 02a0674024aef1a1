//! `sigbridge check`.

use super::*;

#[test]
fn check_counts_what_it_has_checked() {
    let shown = run(&folder("check"), &["check"]);
    // The tables grow; a number is what matters.
    let numbers_hidden = shown
        .split(|c: char| c.is_ascii_digit())
        .filter(|part| !part.is_empty());
    insta::assert_snapshot!(numbers_hidden.collect::<Vec<_>>().join("#"), @r"
        exit #
        --- stdout
        rows           #
        examples       # (# runs)
        platform runs  # (# skipped)
        --- stderr
        ");
    assert!(shown.starts_with("exit 0\n"));
}

#[test]
fn check_shows_what_is_wrong_in_tables() {
    let folder = folder("check-tables");
    tables_with(&folder, MISTAKE);
    insta::assert_snapshot!(run(&folder, &["check", "--mappings", "mappings"]), @r#"
        exit 64
        --- stdout
        --- stderr
        error: RTM has no call `Rest.channelMesage`
         --> mappings/platforms/web.toml:3:10
          |
        3 | lacks = ["Rest.channelMesage"]
          |          ^^^^^^^^^^^^^^^^^^^^
          |
          = help: did you mean `Rest.channelMessage`?

        error: 1 error found
        "#);
}

#[test]
fn check_shows_what_is_wrong_in_a_config() {
    let folder = folder("check-config");
    fs::write(
        folder.join("sigbridge.toml"),
        "[listen]\nhtp = \"127.0.0.1:1\"\n\n[session]\ngrace = \"long\"\n",
    )
    .expect("a file");
    insta::assert_snapshot!(run(&folder, &["check", "--config", "sigbridge.toml"]), @r#"
        exit 64
        --- stdout
        --- stderr
        error: `listen`: unknown key `htp`
        --> sigbridge.toml:2:1
         = help: did you mean `http`?

        error: `session.grace`: expected a duration such as "500ms", "20s", "1h30m" or "7d"
        --> sigbridge.toml:5:9

        error: 2 errors found
        "#);
    insta::assert_snapshot!(run(&folder, &["check", "--config", "other.toml"]), @r"
        exit 64
        --- stdout
        --- stderr
        error: cannot read the config file: No such file or directory (os error 2)
         --> other.toml:1:1
          |
        1 |
          | ^
          |
          = help: check the path; start from config.example.toml, or omit --config to use the defaults

        error: 1 error found
        ");
}

#[test]
fn check_prints_error_positions_as_json() {
    let folder = folder("check-json");
    tables_with(&folder, MISTAKE);
    fs::write(folder.join("sigbridge.toml"), "[listen]\nhtp = \"127.0.0.1:1\"\n").expect("a file");
    insta::assert_snapshot!(run(&folder, &["check", "--json", "--mappings", "mappings", "--config", "sigbridge.toml"]), @r#"
        exit 64
        --- stdout
        {
          "counts": null,
          "errors": [
            {
              "column": 1,
              "file": "sigbridge.toml",
              "help": "did you mean `http`?",
              "line": 2,
              "message": "`listen`: unknown key `htp`"
            },
            {
              "column": 10,
              "file": "mappings/platforms/web.toml",
              "help": "did you mean `Rest.channelMessage`?",
              "line": 3,
              "message": "RTM has no call `Rest.channelMesage`"
            }
          ],
          "ok": false
        }
        --- stderr
        "#);
    insta::assert_snapshot!(run(&folder, &["check", "--json", "--mappings", "nowhere"]), @r#"
        exit 64
        --- stdout
        {
          "counts": null,
          "errors": [
            {
              "column": 1,
              "file": "nowhere",
              "help": "a tables directory holds *.toml, platforms/*.toml and wire/*.toml, like mappings/ in the source",
              "line": 1,
              "message": "cannot read nowhere: No such file or directory (os error 2)"
            }
          ],
          "ok": false
        }
        --- stderr
        "#);
    let shown = run(&folder, &["check", "--json"]);
    let json = shown
        .split("--- stdout\n")
        .nth(1)
        .and_then(|rest| rest.split("--- stderr").next());
    let json: serde_json::Value = serde_json::from_str(json.expect("stdout")).expect("JSON");
    assert_eq!((&json["ok"], &json["errors"]), (&true.into(), &serde_json::json!([])));
    assert!(json["counts"]["rows"].as_u64().is_some_and(|rows| rows > 70), "{json}");
}
