//! Documents made from the declarations: `config.example.toml`, the reference, the JSON Schema.

use std::fmt::Write as _;

use rtm::schema;
use rtm::value::Value;

use crate::config::Config;
use crate::config::declare::{KeySpec, SectionSpec, variable};

/// Longest line of the example.
const WIDTH: usize = 120;
const HEADER: &str = "sigbridge: every key with its default. All keys are optional. A commented key has no fixed default; its \
                      comment names the behaviour without it. Durations: \"500ms\", \"20s\", \"1h30m\", \"7d\". File \
                      paths are relative to this file. docs/guide/configuration.md is the same list as tables.";

/// Returns the text of `config.example.toml`.
pub fn example() -> String {
    let mut text = comment(HEADER);
    for section in Config::sections() {
        text.push('\n');
        text += &comment(&section.text);
        let _ = writeln!(text, "{}", header(&section, true));
        for key in &section.keys {
            text += &comment(&key.text);
            let sign = if is_commented(&section, key) { "# " } else { "" };
            let _ = writeln!(text, "{sign}{} = {}", key.name, value_of(key));
        }
    }
    text
}

/// Returns the tables of the configuration reference, as Markdown.
pub fn reference() -> String {
    let mut page = String::new();
    for section in Config::sections() {
        let _ = write!(
            page,
            "\n## {}\n\n`{}`: {}\n",
            section.name,
            header(&section, false),
            cell(&section.text)
        );
        if section.keys.is_empty() {
            continue;
        }
        page += "\n| key | value | range | change | meaning |\n|---|---|---|---|---|\n";
        for key in &section.keys {
            let sign = if key.default.is_none() { "e.g. " } else { "" };
            let range = key.range.as_deref().unwrap_or_default();
            let _ = writeln!(
                page,
                "| `{}` | {sign}`{}` | {} | {} | {} |",
                key.name,
                value_of(key),
                cell(range),
                key.change.name(),
                cell(&key.text),
            );
        }
    }
    page
}

/// Returns the JSON Schema of a config, for editors.
pub fn json_schema() -> String {
    let mut root: Vec<(String, Value)> = Vec::new();
    for section in Config::sections() {
        add_section(&mut root, &section);
    }
    let properties = root.iter().map(|(name, value)| (&**name, value.clone()));
    let mut document = vec![
        ("$schema", Value::text(schema::DRAFT)),
        ("$id", "urn:sigbridge:config:1".into()),
        ("title", "the config of sigbridge".into()),
    ];
    let Value::Map(record) = schema::record(properties, [], true) else {
        return String::new();
    };
    document.extend(record.iter().map(|(name, value)| (&**name, value.clone())));
    let mut text = serde_json::to_string_pretty(&schema::named(document)).expect("a Value has only text keys");
    text.push('\n');
    text
}

/// Adds a section; `a.b` is a property of `a`.
fn add_section(into: &mut Vec<(String, Value)>, section: &SectionSpec) {
    let own = match section.keys.is_empty() {
        true => schema::map(schema::text()),
        false => {
            let keys = section.keys.iter().map(|key| (key.name, key_schema(section, key)));
            schema::record(keys, [], true)
        }
    };
    let own = schema::described(own, &section.text);
    let own = if section.repeated { schema::list(own) } else { own };
    match section.name.split_once('.') {
        None => into.push((section.name.to_owned(), own)),
        Some((parent, name)) => {
            let parent = into.iter_mut().find(|(known, _)| known == parent);
            if let Some((_, Value::Map(entries))) = parent
                && let Some((_, Value::Map(properties))) = entries.iter_mut().find(|(name, _)| &**name == "properties")
            {
                properties.push((name.into(), own));
            }
        }
    }
}

fn key_schema(section: &SectionSpec, key: &KeySpec) -> Value {
    let mut text = key.text.clone();
    if let Some(range) = &key.range {
        let _ = write!(text, " Range: {range}.");
    }
    if !section.repeated {
        let _ = write!(text, " Environment: {}.", variable(section.name, key.name));
    }
    let _ = write!(text, " Change: {}.", key.change.name());
    schema::described(key.schema.clone(), &text)
}

fn header(section: &SectionSpec, in_example: bool) -> String {
    match (section.repeated, in_example) {
        (true, true) => format!("# [[{}]]", section.name),
        (true, false) => format!("[[{}]]", section.name),
        (false, _) => format!("[{}]", section.name),
    }
}

/// Keys without a default are examples, and so are all of a repeated section.
fn is_commented(section: &SectionSpec, key: &KeySpec) -> bool {
    section.repeated || key.default.is_none()
}

fn value_of(key: &KeySpec) -> &str {
    key.default.as_deref().or(key.example).unwrap_or_default()
}

/// Returns a comment of lines that are not too long.
fn comment(text: &str) -> String {
    let (mut lines, mut line) = (String::new(), String::from("#"));
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            lines += &line;
            lines.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line += word;
    }
    lines + &line + "\n"
}

/// Returns a text for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
