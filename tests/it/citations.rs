//! Citations of the specification: each names a document of `docs/spec` and a section that has an anchor there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tables::Tables;

const DOCUMENTS: [&str; 5] = ["signaling-wire", "signaling-api", "rtm-api", "upstreams", "decisions"];

/// Documents whose names are no English words: code and tables never write them without a section.
const UNAMBIGUOUS: [&str; 3] = ["signaling-wire", "signaling-api", "rtm-api"];

/// Fewest citations outside `docs/spec`. There are more than 380; far fewer mean that the search misses them.
const FEWEST: usize = 300;

/// Files that are searched, by the ends of their names.
const TEXT: [&str; 9] = ["rs", "toml", "md", "mjs", "js", "py", "html", "sh", "yml"];

#[test]
fn every_citation_has_an_anchor() {
    let anchors = Anchors::read();
    let mut total = 0;
    let mut problems = Vec::new();
    for (path, text) in files() {
        let is_code = path.extension().is_some_and(|end| end != "md");
        let words = words(&text);
        for citation in citations(&words) {
            total += usize::from(citation.section.is_some() && !path.starts_with("docs/spec"));
            let problem = match citation.section {
                Some(section) if anchors.has(citation.document, section) => continue,
                Some(section) => format!("{} has no section {section}", citation.document),
                None if is_code && UNAMBIGUOUS.contains(&citation.document) => {
                    format!("{} without a section", citation.document)
                }
                None => continue,
            };
            problems.push(format!("{}:{}: {problem}", path.display(), citation.line));
        }
        for (line, section) in short_citations(&words) {
            problems.push(format!(
                "{}:{line}: `wire {section}` is `signaling-wire {section}`",
                path.display()
            ));
        }
        for (line, document, anchor) in links(&text) {
            if !anchors.has(document, anchor) && anchor != "marks" {
                problems.push(format!("{}:{line}: {document}.md has no #{anchor}", path.display()));
            }
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    assert!(total >= FEWEST, "only {total} citations were found");
}

/// The `source` of a row consists of citations, with notes in parentheses, and of nothing else.
#[test]
fn every_row_cites_its_sources() {
    let anchors = Anchors::read();
    let mut rows = 0;
    let mut problems = Vec::new();
    for (path, text) in files().into_iter().filter(|(path, _)| path.starts_with("mappings")) {
        for (line, source) in sources(&text) {
            rows += 1;
            let wrong = wrong_parts(source, &anchors);
            problems.extend(wrong.map(|wrong| format!("{}:{line}: {wrong}", path.display())));
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    let tables = Tables::built_in().expect("the built-in tables compile");
    assert_eq!(rows, tables.rows.len(), "each row has a source");
}

/// The anchor of a numbered heading is its number, written in the line before it.
#[test]
fn every_section_has_an_anchor() {
    for document in DOCUMENTS {
        let text = fs::read_to_string(path_of(document)).expect(document);
        let mut before = "";
        let mut seen = BTreeSet::new();
        for line in text.lines() {
            let title = line.trim_start_matches('#').trim_start();
            if let Some((number, _)) = section(document, title).filter(|_| line.starts_with("##")) {
                assert_eq!(
                    before,
                    format!("<a id=\"{number}\"></a>"),
                    "{document}: the line before {line:?}"
                );
                assert!(seen.insert(number.to_owned()), "{document}: two sections {number}");
            }
            before = line;
        }
        assert_eq!(
            seen.len(),
            Anchors::of(document).len(),
            "{document}: anchors and headings"
        );
    }
}

#[test]
fn citations_are_found_in_lists_and_over_lines() {
    let found = |text: &str| -> Vec<String> {
        let one = |c: Citation<'_>| format!("{}: {} {}", c.line, c.document, c.section.unwrap_or_default());
        citations(&words(text)).into_iter().map(one).collect()
    };
    assert_eq!(
        found("//! Profiles (signaling-wire 1.4, 3,\n//! 9 and 10). Builds are 3 and 4.\n"),
        [
            "1: signaling-wire 1.4",
            "1: signaling-wire 3",
            "2: signaling-wire 9",
            "2: signaling-wire 10"
        ]
    );
    assert_eq!(
        found("source = \"signaling-api 6.2 6.3, rtm-api 7, decisions H1 D9\""),
        [
            "1: signaling-api 6.2",
            "1: signaling-api 6.3",
            "1: rtm-api 7",
            "1: decisions H1",
            "1: decisions D9"
        ]
    );
    assert_eq!(
        found("[upstreams 3.1](upstreams.md#3.1), rtm-api 2: 64 is accepted"),
        ["1: upstreams 3.1", "1: rtm-api 2"]
    );
    assert_eq!(found("/// (rtm-api, \"RTM 1.1\")"), ["1: rtm-api "]);
    assert_eq!(
        found("two upstreams and their decisions"),
        ["1: upstreams ", "1: decisions "]
    );
    assert_eq!(
        found("rtm-api 4.\n// By the way, 5 s"),
        ["1: rtm-api 4"],
        "a sentence has ended"
    );
}

#[test]
fn a_source_of_anything_else_is_wrong() {
    let anchors = Anchors::read();
    let wrong = |source: &str| wrong_parts(source, &anchors).count();
    assert_eq!(wrong("signaling-api 3 (6xx), decisions H1 H9"), 0);
    assert_eq!(wrong(""), 1);
    assert_eq!(wrong("rtm-api"), 1);
    assert_eq!(wrong("the vendor's page, rtm-api 3.99"), 2);
    assert_eq!(wrong("rtm-api 3.2 and more"), 1);
}

/// A document, and a section if one is named.
struct Citation<'t> {
    line: usize,
    document: &'static str,
    section: Option<&'t str>,
}

/// The anchors of each document.
struct Anchors(Vec<(&'static str, BTreeSet<String>)>);

impl Anchors {
    fn read() -> Self {
        Self(DOCUMENTS.map(|document| (document, Self::of(document))).into())
    }

    fn of(document: &str) -> BTreeSet<String> {
        let text = fs::read_to_string(path_of(document)).expect(document);
        let starts = text.lines().filter_map(|line| line.strip_prefix("<a id=\""));
        let ids = starts.filter_map(|rest| rest.strip_suffix("\"></a>"));
        // `D` and `H` are the parts of the decisions.
        let numbered = ids.filter(|id| section(document, id).is_some());
        numbered.map(str::to_owned).collect()
    }

    fn has(&self, document: &str, section: &str) -> bool {
        let mut documents = self.0.iter();
        documents.any(|(known, anchors)| *known == document && anchors.contains(section))
    }
}

fn path_of(document: &str) -> PathBuf {
    root().join("docs/spec").join(document).with_extension("md")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file of the project, by its path from the root.
fn files() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    walk(root(), &mut files);
    assert!(files.len() > 300, "only {} files", files.len());
    files
}

fn walk(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).expect("a folder of this project") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            let is_built = path.join("CACHEDIR.TAG").exists();
            if !(name.starts_with('.') || is_built || ["target", "node_modules"].contains(&name)) {
                walk(&path, files);
            }
            continue;
        }
        let is_text = path.extension().is_some_and(|end| TEXT.iter().any(|text| end == *text));
        let is_this = path.ends_with(file!());
        if is_text && !is_this {
            let text = fs::read_to_string(&path).expect("a text file");
            files.push((path.strip_prefix(root()).expect("below the root").to_owned(), text));
        }
    }
}

/// All citations among the words of a text, those without a section included.
fn citations<'t>(words: &[(usize, &'t str)]) -> Vec<Citation<'t>> {
    let mut found = Vec::new();
    for (at, (line, word)) in words.iter().enumerate() {
        let word = word.trim_start_matches(['(', '[', '"', '\'', '`', '*']);
        let known = |document: &&str| word.trim_end_matches([',', '.', ';', ':', ')']) == *document;
        let Some(document) = DOCUMENTS.into_iter().find(|document| known(document)) else {
            continue;
        };
        let listed = if word == document {
            sections(document, &words[at + 1..])
        } else {
            Vec::new()
        };
        if listed.is_empty() {
            found.push(Citation {
                line: *line,
                document,
                section: None,
            });
        }
        found.extend(listed.into_iter().map(|(line, section)| Citation {
            line,
            document,
            section: Some(section),
        }));
    }
    found
}

/// The sections at the beginning of some words: `3`, `6.2 6.3`, `1.4, 3 and 9`, `2 to 6`.
fn sections<'t>(document: &str, words: &[(usize, &'t str)]) -> Vec<(usize, &'t str)> {
    let mut found = Vec::new();
    let mut rest = words.iter().copied().peekable();
    while let Some((line, word)) = rest.next() {
        if !found.is_empty() && ["and", "to"].contains(&word) {
            let goes_on = rest.peek().is_some_and(|(_, next)| section(document, next).is_some());
            if goes_on {
                continue;
            }
            break;
        }
        let Some((number, end)) = section(document, word) else {
            break;
        };
        found.push((line, number));
        if !["", ","].contains(&end) {
            break;
        }
    }
    found
}

/// The number of a section at the beginning of a word, and what follows it.
fn section<'t>(document: &str, word: &'t str) -> Option<(&'t str, &'t str)> {
    let end = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '.');
    let (number, end) = word.split_at(end.unwrap_or(word.len()));
    let trimmed = number.trim_end_matches('.');
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let fits = match document {
        "decisions" => trimmed.strip_prefix(['D', 'H']).is_some_and(is_number),
        _ => trimmed.split('.').all(is_number),
    };
    // A full stop ends the list as any other sign does.
    let end = if trimmed.len() < number.len() { "." } else { end };
    fits.then_some((trimmed, end))
}

/// `wire 3.1`, by the number of the line.
fn short_citations<'t>(words: &[(usize, &'t str)]) -> Vec<(usize, &'t str)> {
    let pairs = words.windows(2);
    let short = pairs.filter(|pair| pair[0].1.trim_start_matches(['(', '[', '"']) == "wire");
    let numbered = short.filter_map(|pair| Some((pair[0].0, section("signaling-wire", pair[1].1)?.0)));
    numbered.collect()
}

/// Links to anchors of the documents.
fn links(text: &str) -> Vec<(usize, &'static str, &str)> {
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for (start, mark) in line.match_indices(".md#") {
            let path = line[..start].rsplit(['(', '/', ' ']).next().unwrap_or_default();
            let anchor = &line[start + mark.len()..];
            let end = anchor.find([')', ' ', '`', '"']).unwrap_or(anchor.len());
            let document = DOCUMENTS.into_iter().find(|document| *document == path);
            found.extend(document.map(|document| (at + 1, document, &anchor[..end])));
        }
    }
    found
}

/// The words of a text with the numbers of their lines, without the signs that begin lines of comments.
fn words(text: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let mut of_line = line.split_whitespace().peekable();
        let is_sign = |word: &&str| ["//", "///", "//!", "#", "*"].contains(word);
        of_line.next_if(|word| is_sign(word));
        words.extend(of_line.map(|word| (at + 1, word)));
    }
    words
}

/// The values of the keys `source` of a table file.
fn sources(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter_map(|(at, line)| {
        let value = line.strip_prefix("source")?.trim_start().strip_prefix('=')?;
        let (value, _) = value.trim_start().strip_prefix('"')?.split_once('"')?;
        Some((at + 1, value))
    })
}

/// Errors of a source, one text for each part between commas.
fn wrong_parts<'s>(source: &'s str, anchors: &Anchors) -> impl Iterator<Item = String> + use<'s> {
    let wrong = |part: &str| {
        let cited = part.split('(').next().unwrap_or_default();
        let mut words = cited.split_whitespace();
        let document = words.next().unwrap_or_default();
        if !DOCUMENTS.contains(&document) {
            return Some(format!("{part:?} cites no document of docs/spec"));
        }
        let named: Vec<&str> = words.collect();
        let missing = named.iter().find(|name| !anchors.has(document, name));
        match missing {
            Some(missing) => Some(format!("{document} has no section {missing}")),
            None => named.is_empty().then(|| format!("{part:?} names no section")),
        }
    };
    let parts = source.split(',').map(str::trim);
    parts.filter_map(wrong).collect::<Vec<_>>().into_iter()
}
