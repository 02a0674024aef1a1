//! Trace lines written directly from the buffer.

use rtm::json::write::quote;
use rtm::{FieldSpec, Message, Part};

use crate::buffer::{Parts, PlainResult, Waiting};
use crate::placeholder::Class;
use crate::record::Record;
use crate::redact::rtm_fields::id_class;
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
                out.push_str(",\"frame\":");
                self.write_input(session, frame, out);
                out.push_str("}}\n");
            }
            Waiting::Sent(socket, frame, row) => {
                begin(",\"leg\":\"legacy\",\"dir\":\"out\"", out);
                if !row.is_empty() {
                    out.push_str(",\"row\":");
                    quote(row, out);
                }
                out.push_str(",\"data\":{\"socket\":");
                out.push_str(digits.format(socket.0));
                out.push_str(",\"frame\":");
                self.write_output(frame, out);
                out.push_str("}}\n");
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
        let new = if self.redaction.replaces() || may_hold_token(frame) {
            self.input(session, frame)
        } else {
            None
        };
        quote(new.as_deref().unwrap_or(frame), out);
    }

    fn write_output(&mut self, frame: &str, out: &mut String) {
        let new = if self.redaction.replaces() {
            self.output(frame)
        } else {
            None
        };
        quote(new.as_deref().unwrap_or(frame), out);
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
            Part::UserId(id) => self.write_text(id, id_class(id, Class::Account), out),
            Part::ChannelId(id) => self.write_text(id, id_class(id, Class::Channel), out),
            Part::Text(text) if FieldSpec::is_channel(name) => self.write_text(text, Class::Channel, out),
            Part::Text(text) => self.write_text(text, Class::Text, out),
            Part::Message(text) => {
                out.push_str(Message::BEFORE_TEXT);
                self.write_text(text, Class::Text, out);
                out.push('}');
            }
        }
    }

    fn write_text(&mut self, text: &str, class: Class, out: &mut String) {
        let new = if self.redaction.replaces() {
            self.replace(text, class)
        } else {
            None
        };
        quote(new.as_deref().unwrap_or(text), out);
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
