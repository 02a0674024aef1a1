//! Input of one connection, and its form in the corpus.
//!
//! A file of the corpus is a case. Each line is a piece: a frame, a line, a datagram or some bytes, as its front has it.
//! Lines that begin with `#` are comments. `\n`, `\r`, `\t`, `\\` and `\x81` stand for bytes; `\<60000:[>` stands for
//! 60000 times what follows the colon. `$line` and `$id` are replaced by the front's test (`calls.rs`).

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

/// Pieces, in their order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Case(pub Vec<Vec<u8>>);

/// As a file of the corpus.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('\n')?;
        self.0.iter().try_for_each(|piece| writeln!(f, "{}", written(piece)))
    }
}

/// Runs of one byte that are as long as this are written as such.
const LONG_RUN: usize = 40;

/// A piece as a line of a file.
fn written(piece: &[u8]) -> String {
    let mut line = String::new();
    let mut rest = piece;
    while let Some(&first) = rest.first() {
        let run = rest.iter().take_while(|&&byte| byte == first).count();
        let unit = match std::str::from_utf8(&rest[..1]) {
            Ok("\\") => "\\\\".to_owned(),
            Ok(text) if !text.starts_with(|c: char| c.is_control()) => text.to_owned(),
            _ => format!("\\x{first:02x}"),
        };
        if run >= LONG_RUN && unit != ">" {
            let _ = write!(line, "\\<{run}:{unit}>");
            rest = &rest[run..];
            continue;
        }
        match first {
            b'\n' => line += "\\n",
            b'\r' => line += "\\r",
            b'\t' => line += "\\t",
            b'#' if line.is_empty() => line += "\\x23",
            _ => line += &unit,
        }
        rest = &rest[1..];
    }
    line
}

/// A line of a file as a piece.
fn read(line: &str) -> Result<Vec<u8>, String> {
    let mut piece = Vec::new();
    let mut rest = line;
    while let Some((plain, behind)) = rest.split_once('\\') {
        piece.extend_from_slice(plain.as_bytes());
        let kind = behind.chars().next().ok_or("a \\ at the end")?;
        let mut after = &behind[kind.len_utf8()..];
        match kind {
            'n' => piece.push(b'\n'),
            'r' => piece.push(b'\r'),
            't' => piece.push(b'\t'),
            '\\' => piece.push(b'\\'),
            'x' => {
                let digits = after.get(..2).ok_or("\\x without two digits")?;
                piece.push(u8::from_str_radix(digits, 16).map_err(|_| format!("\\x{digits}"))?);
                after = &after[2..];
            }
            '<' => {
                let (run, behind) = after.split_once('>').ok_or("\\< without >")?;
                let (times, unit) = run.split_once(':').ok_or("\\< without :")?;
                let times: usize = times.parse().map_err(|_| format!("\\<{times}"))?;
                piece.extend(read(unit)?.repeat(times));
                after = behind;
            }
            other => return Err(format!("\\{other}")),
        }
        rest = after;
    }
    piece.extend_from_slice(rest.as_bytes());
    Ok(piece)
}

/// The cases of a front in the corpus, by the names of their files.
pub fn corpus(front: &str) -> Vec<(String, Case)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(front);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    let case = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).expect("readable");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pieces: Result<Vec<_>, _> = lines.map(read).collect();
        let name = format!("{front}/{}", path.file_name().expect("a name").to_string_lossy());
        let case = pieces.unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, Case(case))
    };
    paths.iter().map(case).collect()
}

/// All pieces of a front's corpus: what mutations begin with.
pub fn seeds(front: &str) -> Vec<Vec<u8>> {
    corpus(front).into_iter().flat_map(|(_, case)| case.0).collect()
}

#[test]
fn the_corpus_can_write_every_case() {
    let all: Vec<u8> = (0..=255).collect();
    for piece in [
        all,
        vec![b'['; 60_000],
        vec![0; 50],
        vec![b'\\'; 50],
        vec![b'>'; 50],
        b"# \xff\xfe".to_vec(),
        "\u{1f600}\r\n".into(),
        vec![],
    ] {
        let line = written(&piece);
        assert!(!line.contains('\n') && !line.starts_with('#'), "{line}");
        assert_eq!(read(&line).as_ref(), Ok(&piece), "{line}");
    }
    assert_eq!(read(r"a\<3:\x00b>c"), Ok(b"a\0b\0b\0bc".to_vec()));
}
