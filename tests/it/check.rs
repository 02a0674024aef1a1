//! What `check` finds in tables with a mistake: every error, at its place, in one run.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use analysis::check::check_sources;
use tables::diagnostics::{Diags, Source};
use tables::{compile, from_dir};

/// An edit: where it is (`file#row` or `file#table`), a text that is there, what stands there instead, and an error.
///
/// `▲` is no part of the tables: it is where the error points to. An edit without an error finds nothing by itself.
type Edit = (&'static str, &'static str, &'static str, &'static str);

// One edit is one line or two, however long.
#[rustfmt::skip]
const MISTAKES: &[&[Edit]] = &[
    // An unknown key.
    &[("login.toml#login.logout", "status =", "▲statuss = \"x\"\nstatus =", "`row[3]`: unknown key `statuss`")],
    // A duplicate row; the first one is meant by all others.
    &[("login.toml#login.logged-out", "[row.outcome]\ndefault = { event = \"onLogout\", args = { ecode = \"$ecode\" } }\n",
       "[row.outcome]\ndefault = { event = \"onLogout\", args = { ecode = \"$ecode\" } }\n\n\
        [[row]]\nid = ▲\"login.logged-out\"\nstatus = \"direct\"\nsource = \"\"\nparams = { ecode = \"int\" }\n\n\
        [row.outcome]\ndefault = { event = \"onLogout\", args = { ecode = \"$ecode\" } }\n",
       "duplicate row `login.logged-out`")],
    // A path that names no argument.
    &[("peer.toml#peer.send", "message = \"$msg\"", "message = ▲\"$mssg\"", "`$mssg` is not defined here")],
    // A call that RTM does not have, and an argument.
    &[("channel-msg.toml#channel-msg.send", "\"sendMessage\"", "▲\"sendMesage\"", "RTM has no call `sendMesage`")],
    &[("channel.toml#channel.leave", "rtm    = \"leave\"", "rtm    = ▲\"leave\"", "`leave` needs the argument `channelId`"),
      ("channel.toml#channel.leave", "{ channelId =", "{ ▲chanelId =", "`leave` has no argument `chanelId`")],
    // An error that its enum does not have.
    &[("peer.toml#peer.send", "PEER_UNREACHABLE =", "▲PEER_UNREACHABEL =", "`PEER_UNREACHABEL` is not a member of PEER_MESSAGE")],
    // An outcome that is not bound, and so one that is unreachable.
    &[("invite.toml#invite.send", "any = \"failed\"", "any = ▲\"faild\"", "outcome `faild` is not bound in row `invite.send`"),
      ("invite.toml#invite.send", "\nfailed ", "\n▲failed ", "the outcome `failed` is unreachable")],
    &[("peer.toml#peer.send", "\nlost ", "\n▲never = { code = \"SEND-ACK\" }\nlost ", "the outcome `never` is unreachable")],
    // An outcome of the emulation.
    &[("channel-attr.toml#channel-attr.updated", "\"attr-diff\"", "▲\"attr-diff\"", "outcome `removed` of the emulation is not bound in row `channel-attr.updated`"),
      ("channel-attr.toml#channel-attr.updated", "\nremoved =", "\n# removed =", "")],
    // No answer.
    &[("login.toml", "\"login.logout\"", "▲\"login.logout\"", "row `login.logout` never answers"),
      ("login.toml#login.logout", "logged-out =", "▲logged-out =", "the outcome `logged-out` is unreachable"),
      ("login.toml#login.logout", "[row.answer]\nat   = \"done\"\nemit = [\"logged-out\"]\n", "", "")],
    // A reason that is not declared, for which no number can be.
    &[("channel-msg.toml#channel-msg.send", "{ row = \"channel-msg.send-failed\", with = { reason = \"timeout\" } }",
       "{ fail = \"send\", reason = ▲\"time-out\" }", "the reason `time-out` is not declared")],
    // A reason that is computed, and one that code gives.
    &[("channel-msg.toml#channel-msg.send", "\nfailed     = { row = \"channel-msg.send-failed\", with = { reason = \"failed\" }", "\nfailed     = ▲{ row = \"channel-msg.send-failed\", with = { reason = \"$msg\" }", "the reason of `failed` is not a declared one")],
    &[("errors.toml", "\"already login\"      =", "▲\"already login\"      =", "the reason `wrong line`, which the bridge gives itself, is not declared"),
      ("errors.toml", "\"wrong line\" ", "\"wrong lane\" ", "")],
    // An outcome that would happen for ever.
    &[("invite.toml#invite.accept", "otherwise = \"own\"", "otherwise = ▲\"lost\"", "`lost` replaces itself, directly or indirectly")],
    // A lane of calls that have none, and one that has no name.
    &[("presence.toml#presence.query", "gather = {", "lane   = ▲\"of $account\"\ngather = {", "gathered calls cannot have a lane")],
    &[("channel-attr.toml#channel-attr.set", "\"attributes of channel $channelID\"", "▲\"attributes of channel $chanelID\"", "`$chanelID` is not defined here")],
    // A limitation of the wire that is none.
    &[("wire/web.toml#event.onInviteFailed", "\"INVITE-AWAY\"", "▲\"INVITE-AWAI\"", "unknown code `INVITE-AWAI`")],
    // The wire.
    &[("wire/web.toml#function.channel_leave", "\"channel.leave\"", "▲\"channel.leav\"", "unknown row `channel.leav`")],
    &[("wire/web.toml", "\"web\"", "▲\"web\"", "the web wire has no form for `onReconnecting`"),
      ("wire/web.toml", "[event.onReconnecting]\nvia = \"client\"\n", "", "")],
    // Two calls of one name on a platform.
    &[("platforms/linux-cpp-2019-08.toml", "\"IChannel::leave\"", "▲\"IChannel::join\"", "`IChannel::join` means both `join` and `leave` on linux-cpp-2019-08")],
];

/// Nothing is wrong with such tables in themselves: an example that covers the change shows it.
#[rustfmt::skip]
const BROKEN_EXAMPLES: &[&[Edit]] = &[
    // A number in errors.toml.
    &[("errors.toml#fail.invite", "\"peer is not online\" = 703", "\"peer is not online\" = 704", ""),
      ("invite.toml#invite.send", "ecode = 703", "ecode = ▲703", "expected 703, got 704"),
      ("invite.toml#invite.failed", "{ channelID = \"r\", account = \"bob\", uid = 1002, ecode = \"$ecode\"",
       "▲{ channelID = \"r\", account = \"bob\", uid = 1002, ecode = \"$ecode\"", "expected {\"channelID\":\"r\",\"account\":\"bob\",\"uid\":1002,\"ecode\":703,…")],
    // A reason.
    &[("channel-msg.toml#channel-msg.send", "reason = \"not in channel\"", "reason = \"not login\"", ""),
      ("channel-msg.toml#channel-msg.send", "reason = \"not in channel\"", "reason = ▲\"not in channel\"", "expected \"not in channel\", got \"not login\"")],
    // The name of an RTM call.
    &[("user-attr.toml#user-attr.set", "rtm    = \"addOrUpdateLocalUserAttributes\"", "rtm    = \"setLocalUserAttributes\"", ""),
      ("user-attr.toml#user-attr.set", "{ rtm = \"addOrUpdateLocalUserAttributes\"", "▲{ rtm = \"addOrUpdateLocalUserAttributes\"",
       "expected the call addOrUpdateLocalUserAttributes, got the call setLocalUserAttributes …")],
    // The path of an argument.
    &[("channel-attr.toml#channel-attr.updated", "value = \"$value\", type = \"update\"", "value = \"$name\", type = \"update\"", ""),
      ("channel-attr.toml#channel-attr.updated", "lastUpdateTs = 1 } } } },\n  { event = \"onChannelAttrUpdated\", args = {", "lastUpdateTs = 1 } } } },\n  { event = \"onChannelAttrUpdated\", args = ▲{",
       "expected {\"channelID\":\"room\",\"name\":\"topic\",\"value\":\"a\",\"type\":\"update\"}, got …"),
      ("channel-attr.toml#channel-attr.updated", "lastUpdateTs = 2 } } } },\n  { event = \"onChannelAttrUpdated\", args = {", "lastUpdateTs = 2 } } } },\n  { event = \"onChannelAttrUpdated\", args = ▲{",
       "expected {\"channelID\":\"room\",\"name\":\"topic\",\"value\":\"a\",\"type\":\"update\"}, got …")],
];

#[test]
fn tables_without_a_mistake_are_right() {
    check_compile(&[]);
    check_examples(&[]);
}

#[test]
fn each_mistake_is_found_at_its_place() {
    for mistake in MISTAKES {
        check_compile(mistake);
    }
}

#[test]
fn an_example_fails_at_the_step_that_a_change_breaks() {
    for change in BROKEN_EXAMPLES {
        check_examples(change);
    }
}

#[test]
fn all_that_is_wrong_is_found_in_one_run() {
    check_compile(&MISTAKES.concat());
    check_examples(&BROKEN_EXAMPLES.concat());
}

/// Makes the edits: the reported errors are exactly the listed ones.
fn check_compile(edits: &[Edit]) {
    let (sources, mut expected) = edited(edits);
    let mut found = shown(&compile(&sources).1);
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    // A table that does not compile is one error: no example fails because of it.
    let mut checked = shown(&check_sources(&sources).1);
    checked.sort();
    assert_eq!(checked, expected);
}

/// Makes the edits: examples fail at the listed places. Further examples may fail, too.
fn check_examples(edits: &[Edit]) {
    let (sources, expected) = edited(edits);
    let (tables, wrong) = compile(&sources);
    assert!(wrong.is_empty(), "{wrong}");
    let found = shown(&analysis::check::check(&tables).1);
    assert_eq!(found.is_empty(), edits.is_empty(), "{found:#?}");
    for title in expected {
        let start = title.strip_suffix('…').unwrap_or(&title);
        assert!(
            found.iter().any(|found| found.starts_with(start)),
            "{title} is not in {found:#?}"
        );
    }
}

fn shown(diags: &Diags) -> Vec<String> {
    diags
        .iter()
        .map(|diag| format!("{}: {}", diag.span(), diag.title()))
        .collect()
}

/// The tables after edits, and what is then to be found, as `file:line:column: title`.
fn edited(edits: &[Edit]) -> (Vec<Arc<Source>>, Vec<String>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for source in from_dir(&folder).expect("the tables of this project") {
        let name = Path::new(&source.name)
            .strip_prefix(&folder)
            .expect("a file of the folder");
        texts.insert(name.display().to_string(), source.text.clone());
    }
    for (place, from, to, _) in edits {
        let (file, section) = place.split_once('#').unwrap_or((place, ""));
        let text = texts.get_mut(file).expect(file);
        let start = section_start(text, section);
        let at = start
            + text[start..]
                .find(from)
                .unwrap_or_else(|| panic!("{place} has no {from}"));
        text.replace_range(at..at + from.len(), to);
    }
    let mut expected = Vec::new();
    for (place, _, to, title) in edits.iter().filter(|edit| !edit.3.is_empty()) {
        let file = place.split('#').next().unwrap_or(place);
        let text = &texts[file];
        let at = text.find(to).expect("edits do not overlap") + to.find('▲').expect("a mark");
        let line_start = text[..at].rfind('\n').map_or(0, |at| at + 1);
        // Marks of other edits are no part of the line either.
        let column = text[line_start..at].chars().filter(|c| *c != '▲').count() + 1;
        let line = text[..at].matches('\n').count() + 1;
        expected.push(format!("{file}:{line}:{column}: {title}"));
    }
    let sources = texts
        .iter()
        .map(|(name, text)| Source::new(name.as_str(), text.replace('▲', "")));
    (sources.collect(), expected)
}

/// Returns the beginning of a row or a table.
fn section_start(text: &str, section: &str) -> usize {
    let is_start = |line: &str| {
        line == format!("[{section}]") || line.starts_with("id ") && line.ends_with(&format!("\"{section}\""))
    };
    let mut at = 0;
    for line in text.lines() {
        if section.is_empty() || is_start(line) {
            return at;
        }
        at += line.len() + 1;
    }
    panic!("missing section {section}");
}

/// A mistake in one row hides nothing that is wrong with others.
#[test]
fn examples_that_no_error_concerns_are_run_all_the_same() {
    let path = MISTAKES[2];
    assert!(path[0].3.contains("`$mssg` is not defined here"));
    let call = BROKEN_EXAMPLES[2];
    assert!(call[0].0.starts_with("user-attr.toml"));
    let (sources, expected) = edited(&[path, call].concat());
    let found = shown(&check_sources(&sources).1);
    for title in expected {
        let start = title.strip_suffix('…').unwrap_or(&title);
        assert!(
            found.iter().any(|found| found.starts_with(start)),
            "{title} is not in {found:#?}"
        );
    }
    assert_eq!(
        found
            .iter()
            .filter(|found| !found.starts_with("user-attr.toml"))
            .count(),
        1,
        "{found:#?}"
    );
}

/// An invalid TOML file is one error, although its rows are missing everywhere.
#[test]
fn a_file_that_is_no_toml_makes_no_errors_elsewhere() {
    let (mut sources, _) = edited(&[]);
    for source in &mut sources {
        if source.name == "peer.toml" {
            *source = Source::new("peer.toml", source.text.replacen("status = \"", "status = ", 1));
        }
    }
    let (_, found) = check_sources(&sources);
    let found = shown(&found);
    let of_the_file = |error: &String| error.starts_with("peer.toml:") && error.contains("invalid TOML");
    assert!(!found.is_empty() && found.iter().all(of_the_file), "{found:#?}");
    assert_eq!(found, shown(&compile(&sources).1));
}
