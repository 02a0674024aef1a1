//! Blocks of documents: commands, and what is shown as their output.

use std::fs;
use std::path::Path;

use super::root;

/// Lines in place of this one are omitted from the document.
const LEFT_OUT: &str = "…";

/// A fenced block.
#[derive(Clone, Debug)]
pub struct Block {
    /// The document.
    pub file: String,
    /// The line of the first line in the fence, from 1.
    pub line: usize,
    /// Its lines.
    pub lines: Vec<String>,
    /// Its commands.
    pub steps: Vec<Step>,
}

/// A command.
#[derive(Clone, Debug)]
pub struct Step {
    /// The text after `$ `.
    pub command: String,
    /// The lines behind it.
    pub expected: Vec<String>,
}

/// Output of a block's commands, and the exit code of the last one.
#[derive(Debug)]
pub struct Ran {
    /// The lines of each command.
    pub printed: Vec<Vec<String>>,
    /// Their exit statuses.
    pub statuses: Vec<i32>,
}

/// All fenced blocks of a document.
pub fn blocks(root: &Path, file: &str) -> Vec<Block> {
    let text = fs::read_to_string(root.join(file)).expect(file);
    let mut found: Vec<Block> = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in text.lines().enumerate() {
        match (&mut open, line.starts_with("```")) {
            (None, false) => {}
            (None, true) => {
                open = Some(Block {
                    file: file.into(),
                    line: at + 2,
                    lines: Vec::new(),
                    steps: Vec::new(),
                });
            }
            (Some(block), false) => block.take(line),
            (Some(_), true) => found.extend(open.take()),
        }
    }
    assert!(open.is_none(), "{file}: a block without an end");
    found
}

impl Block {
    fn take(&mut self, line: &str) {
        self.lines.push(line.into());
        if let Some(command) = line.strip_prefix("$ ") {
            self.steps.push(Step {
                command: command.into(),
                expected: Vec::new(),
            });
        } else if let Some(step) = self.steps.last_mut() {
            step.expected.push(line.into());
        }
    }
}

/// Returns the differences of a block from its output. A block without output has only commands.
pub fn compare(block: &Block, ran: &Ran) -> Vec<String> {
    let place = format!("{}:{}", block.file, block.line);
    let mut wrong = Vec::new();
    for (at, (step, status)) in block.steps.iter().zip(&ran.statuses).enumerate() {
        let is_shown = block.steps.get(at + 1).is_some_and(|next| next.command == "echo $?");
        if *status != 0 && !is_shown {
            let printed = ran.printed[at].join("\n");
            wrong.push(format!("{place}: `$ {}` ends with {status}:\n{printed}", step.command));
        }
    }
    if block.steps.iter().all(|step| step.expected.is_empty()) {
        return wrong;
    }
    let differs = |(step, printed): &(&Step, &Vec<String>)| !fits(&step.expected, printed);
    let different: Vec<_> = block.steps.iter().zip(&ran.printed).filter(differs).collect();
    if !different.is_empty() && std::env::var_os("UPDATE_DOCS").is_some() {
        update(block, ran);
        return wrong;
    }
    wrong.extend(different.iter().map(|(step, printed)| {
        format!(
            "{place}: `$ {}` shows\n{}\nand prints\n{}",
            step.command,
            step.expected.join("\n"),
            printed.join("\n")
        )
    }));
    wrong
}

/// Compares lines with the document, without parts that vary.
fn fits(expected: &[String], printed: &[String]) -> bool {
    let (expected, printed) = (masked(expected), masked(printed));
    match expected.iter().position(|line| line == LEFT_OUT) {
        None => expected == printed,
        Some(at) => {
            let (head, tail) = (&expected[..at], &expected[at + 1..]);
            printed.len() > head.len() + tail.len() && printed.starts_with(head) && printed.ends_with(tail)
        }
    }
}

/// The lines without days, times and seconds since 1970.
pub fn masked(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| mask(line)).collect()
}

fn mask(line: &str) -> String {
    let mut shown = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        shown.push_str(&rest[..start]);
        rest = &rest[start..];
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | ':' | '.' | 'T' | 'Z');
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        let is_day = part.len() >= 10 && part.as_bytes()[4] == b'-' && part.as_bytes()[7] == b'-';
        let is_seconds = part.len() == 10 && part.bytes().all(|b| b.is_ascii_digit()) && shown.ends_with('(');
        shown.push_str(match (is_day, is_seconds) {
            (true, _) => "TIME",
            (_, true) => "SECONDS",
            _ => part,
        });
        rest = after;
    }
    shown + rest
}

/// Writes what was printed into the document, where it does not fit.
fn update(block: &Block, ran: &Ran) {
    let path = root().join(&block.file);
    let text = fs::read_to_string(&path).expect("the document");
    let mut new = Vec::new();
    for (step, printed) in block.steps.iter().zip(&ran.printed) {
        new.push(format!("$ {}", step.command));
        let fit = fits(&step.expected, printed);
        assert!(
            fit || !step.expected.iter().any(|line| line == LEFT_OUT),
            "{}:{}: by hand, since something is left out",
            block.file,
            block.line
        );
        new.extend_from_slice(if fit { &step.expected } else { printed });
    }
    let (old, new) = (block.lines.join("\n"), new.join("\n"));
    let fenced = |text: &str| format!("```\n{text}\n```");
    assert_eq!(text.matches(&fenced(&old)).count(), 1, "{}:{}", block.file, block.line);
    fs::write(&path, text.replace(&fenced(&old), &fenced(&new))).expect("the document can be written");
}

#[test]
fn varying_output_is_skipped() {
    let check = |line: &str, expected: &str| assert_eq!(mask(line), expected);
    check("valid until 2027-12-23", "valid until TIME");
    check(
        "2026-11-21T06:24:29.722311Z  INFO a=127.0.0.1:8001",
        "TIME  INFO a=127.0.0.1:8001",
    );
    check("issued   2026-11-21T11:57:28Z (1795262248)", "issued   TIME (SECONDS)");
    check("uid=1085660747 fd=0", "uid=1085660747 fd=0");
    let lines = |text: &str| text.lines().map(Into::into).collect::<Vec<String>>();
    for (expected, printed, fit) in [
        ("a\nb", "a\nb", true),
        ("a", "a\nb", false),
        ("a\n…", "a\nb\nc", true),
        ("a\n…\nd", "a\nb\nc\nd", true),
        ("a\n…", "a", false),
        ("a\n…\nd", "a\nb", false),
    ] {
        assert_eq!(fits(&lines(expected), &lines(printed)), fit, "{expected:?} {printed:?}");
    }
}
