//! Trace lines written directly from the buffer.
//!
//! Frequent records use the streaming algorithm ([`crate::redact::fast_path`]); others use the full one. Both produce
//! the same bytes.

use rtm::{FieldSpec, Message, Part};
use tables::profile::Transport;

use crate::buffer::{Parts, PlainResult, Waiting};
use crate::placeholder::Class;
use crate::record::Record;
use crate::redact::fast_path::FastRedactor;
use crate::redact::json::quoted;
use crate::redact::rtm_fields::id_class;
use crate::redact::scan::is_plain;
use crate::redact::{Redactor, may_hold_token};

impl Redactor {
    /// Writes a record.
    pub fn write(&mut self, t_us: u64, session: u64, what: Waiting<'_>, out: &mut String) {
        let mut digits = itoa::Buffer::new();
        // Most records have the same time as the previous one.
        if self.moment.0 != t_us || self.moment.1.is_empty() {
            self.moment = (t_us, format!("{{\"t_us\":{t_us},\"session\":"));
        }
        let moment = &*self.moment.1;
        let mut begin = |legs: &str, out: &mut String| {
            out.push_str(moment);
            out.push_str(digits.format(session));
            out.push_str(legs);
        };
        let mut digits = itoa::Buffer::new();
        match what {
            Waiting::Decoded(socket, frame) => {
                begin(",\"leg\":\"legacy\",\"dir\":\"in\",\"data\":{\"socket\":", out);
                out.push_str(digits.format(socket.0));
                out.push_str(",\"frame\":\"");
                self.write_input(session, frame, out);
                out.push_str("\"}}\n");
            }
            Waiting::Sent(socket, frame, row) => {
                begin(",\"leg\":\"legacy\",\"dir\":\"out\"", out);
                if !row.is_empty() {
                    out.push_str(",\"row\":");
                    push_quoted(row, out);
                }
                out.push_str(",\"data\":{\"socket\":");
                out.push_str(digits.format(socket.0));
                out.push_str(",\"frame\":\"");
                self.write_output(frame, out);
                out.push_str("\"}}\n");
            }
            Waiting::Call(request, kind, parts) => {
                begin(",\"leg\":\"rtm\",\"dir\":\"out\",\"data\":{\"request\":", out);
                out.push_str(digits.format(request));
                out.push_str(",\"call\":");
                self.write_fields(kind.name(), kind.fields(), parts, out);
                out.push_str("}}\n");
            }
            Waiting::Reply(request, result) => {
                begin(",\"leg\":\"rtm\",\"dir\":\"in\",\"data\":{\"request\":", out);
                out.push_str(digits.format(request));
                match result {
                    Ok(PlainResult::Void) => out.push_str(",\"reply\":{}"),
                    Ok(PlainResult::Bool(truth)) => {
                        out.push_str(",\"reply\":");
                        push_bool(truth, out);
                    }
                    Err(error) => {
                        out.push_str(",\"error\":\"");
                        out.push_str(error.error_enum().name());
                        out.push('.');
                        out.push_str(error.name());
                        out.push('"');
                    }
                }
                out.push_str("}}\n");
            }
            Waiting::Event(kind, parts) => {
                begin(",\"leg\":\"rtm\",\"dir\":\"in\",\"data\":{\"event\":", out);
                self.write_fields(kind.name(), kind.fields(), parts, out);
                out.push_str("}}\n");
            }
            Waiting::Record(record) => write_record(&self.redact(*record), out),
        }
    }

    fn write_input(&mut self, session: u64, frame: &str, out: &mut String) {
        let client_wire = self.client_wires.get(&session);
        if self.redaction.replaces()
            && let Some(client_wire) = client_wire
        {
            let (before, mut fast) = (
                out.len(),
                FastRedactor::new(&mut self.dictionary, &self.redaction, &mut self.last_json),
            );
            let written = match client_wire.transport {
                Transport::WebSocket => fast.input_json(&client_wire.plans, frame, out),
                Transport::Tcp => fast.input_line(&client_wire.plans, frame, out),
                Transport::Api => None,
            };
            if written.is_some() {
                return;
            }
            out.truncate(before);
        }
        let new = if self.redaction.replaces() || may_hold_token(frame) {
            self.input(session, frame)
        } else {
            None
        };
        push_inside(new.as_deref().unwrap_or(frame), out);
    }

    fn write_output(&mut self, frame: &str, out: &mut String) {
        if !self.redaction.replaces() {
            return push_inside(frame, out);
        }
        let before = out.len();
        if FastRedactor::new(&mut self.dictionary, &self.redaction, &mut self.last_json)
            .output(frame, out)
            .is_none()
        {
            out.truncate(before);
            let new = self.output(frame);
            push_inside(new.as_deref().unwrap_or(frame), out);
        }
    }

    /// Writes `{"name":{…}}`.
    fn write_fields(&mut self, name: &str, fields: &[FieldSpec], parts: Parts<'_>, out: &mut String) {
        out.push_str("{\"");
        out.push_str(name);
        let mut between = "\":{\"";
        for (field, part) in fields.iter().zip(parts) {
            out.push_str(std::mem::replace(&mut between, ",\""));
            out.push_str(field.name);
            out.push_str("\":");
            self.write_part(field.name, part, out);
        }
        out.push_str(if fields.is_empty() { "\":{}}" } else { "}}" });
    }

    fn write_part(&mut self, name: &str, part: Part<'_>, out: &mut String) {
        match part {
            Part::Bool(truth) => push_bool(truth, out),
            // In the same form as a value.
            Part::Int(n) => out.push_str(itoa::Buffer::new().format(i64::try_from(n).unwrap_or(i64::MAX))),
            Part::Absent | Part::Other => out.push_str("null"),
            Part::Name(name) => {
                out.push('"');
                out.push_str(name);
                out.push('"');
            }
            Part::UserId(id) => self.write_text(id, || id_class(id, Class::Account), out),
            Part::ChannelId(id) => self.write_text(id, || id_class(id, Class::Channel), out),
            Part::Text(text) if FieldSpec::is_channel(name) => self.write_text(text, || Class::Channel, out),
            Part::Text(text) => self.write_text(text, || Class::Text, out),
            Part::Message(text) => {
                out.push_str(Message::BEFORE_TEXT);
                self.write_text(text, || Class::Text, out);
                out.push('}');
            }
        }
    }

    fn write_text(&mut self, text: &str, class: impl Fn() -> Class, out: &mut String) {
        if !self.redaction.replaces() {
            return push_quoted(text, out);
        }
        let before = out.len();
        out.push('"');
        let mut fast = FastRedactor::new(&mut self.dictionary, &self.redaction, &mut self.last_json);
        if fast.secret(text, &class, 0, out).is_some() {
            return out.push('"');
        }
        out.truncate(before);
        match self.replace(text, class()) {
            Some(new) => push_quoted(&new, out),
            None => push_quoted(text, out),
        }
    }
}

fn push_bool(truth: bool, out: &mut String) {
    out.push_str(if truth { "true" } else { "false" });
}

/// Writes a record without redaction.
fn write_record(record: &Record, out: &mut String) {
    out.push_str(&serde_json::to_string(record).expect("a record has only text keys and finite numbers"));
    out.push('\n');
}

/// Writes a JSON string.
fn push_quoted(text: &str, out: &mut String) {
    out.push('"');
    push_inside(text, out);
    out.push('"');
}

/// Writes a JSON string without quotes.
fn push_inside(text: &str, out: &mut String) {
    if is_plain(text) {
        return out.push_str(text);
    }
    let quoted = quoted(text);
    out.push_str(&quoted[1..quoted.len() - 1]);
}
