//! Explanation as text.

use std::fmt::{self, Display, Formatter};

use rtm::value::{Text, Value};

use crate::explain::view::{
    AnswerView, CallView, EventView, Explanation, ExprView, FailureView, OutcomeView, RowView, StepEffect, StepView,
};

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the {} wire", self.function, self.family)?;
        if let Some(id) = self.id {
            write!(f, ", call {id}")?;
        }
        writeln!(f)?;
        if let Some(local) = self.local {
            writeln!(f, "  no row: the wire {local}")?;
        }
        if let Some(row) = &self.row {
            head(f, row)?;
        }
        writeln!(f, "\narguments")?;
        for arg in self.row.iter().flat_map(|row| &row.args) {
            match (&arg.wire, &arg.value) {
                (None, _) => writeln!(f, "  {} is not sent on this wire", arg.name)?,
                (Some(wire), Some(value)) => writeln!(f, "  {} <- {wire} = {value}", arg.name)?,
                (Some(wire), None) => writeln!(f, "  {} <- {wire} is missing", arg.name)?,
            }
        }
        for constant in &self.constants {
            let name = &constant.name;
            match &constant.sent {
                Some(sent) if *sent == constant.expected => writeln!(f, "  {name} = {sent}, as sent by every client")?,
                Some(sent) => writeln!(f, "  {name} = {sent}; clients initially send {}", constant.expected)?,
                None => writeln!(f, "  {name} is missing; clients send {}", constant.expected)?,
            }
        }
        for name in &self.unread {
            writeln!(f, "  {name} is ignored")?;
        }
        let Some(row) = &self.row else { return Ok(()) };
        body(f, row)?;
        writeln!(f, "\nrefusals that the row does not define")?;
        writeln!(f, "  on the wire {}", self.refusal_form)?;
        if let Some(fail) = &row.fail {
            failure(f, fail, 2)?;
        }
        if self.ends {
            writeln!(f, "\nthe session ends after the answer")?;
        }
        Ok(())
    }
}

fn head(f: &mut Formatter<'_>, row: &RowView) -> fmt::Result {
    writeln!(f, "  is {}", row.call)?;
    writeln!(f, "  row {} at {}", row.id, row.place)?;
    write!(f, "  status {}", row.status)?;
    if let Some(emulation) = row.emulation {
        write!(f, ", with the emulation {emulation}")?;
    }
    writeln!(f, "\n  source {}", row.source)?;
    for code in &row.codes {
        writeln!(f, "  code {}: {}", code.name, code.cause)?;
    }
    Ok(())
}

fn body(f: &mut Formatter<'_>, row: &RowView) -> fmt::Result {
    if let Some(reason) = row.refused {
        writeln!(f, "  refused before any step: {reason}")?;
    }
    for item in &row.let_values {
        write!(f, "  {} <- {}", item.name, item.from)?;
        if let Some(key) = &item.json {
            write!(f, "#json.{key}")?;
        }
        let positive = if item.positive { " above 0" } else { "" };
        write!(f, " as {}{positive}, else {}", item.ty, item.otherwise)?;
        if let Some((low, high)) = item.clamp {
            write!(f, ", within {low} and {high}")?;
        }
        value(f, item.value.as_ref())?;
        writeln!(f)?;
    }
    writeln!(f, "\nsteps")?;
    if row.steps.is_empty() {
        writeln!(f, "  none")?;
    }
    steps(f, &row.steps, 2)?;
    answer(f, &row.answer)?;
    writeln!(f, "\noutcomes")?;
    if row.outcomes.is_empty() {
        writeln!(f, "  none")?;
    }
    row.outcomes.iter().try_for_each(|o| outcome(f, o))
}

fn steps(f: &mut Formatter<'_>, list: &[StepView], indent: usize) -> fmt::Result {
    for (at, step) in list.iter().enumerate() {
        write!(f, "{:indent$}{}. ", "", at + 1)?;
        if !step.conds.is_empty() {
            write!(f, "if {}: ", step.conds.join(", "))?;
        }
        let inside = indent + 3;
        match &step.does {
            StepEffect::Rtm(rtm) => {
                let via = if rtm.via_member {
                    " via a member of the channel"
                } else {
                    ""
                };
                write!(f, "RTM {}{via}", rtm.call.name)?;
                notes(f, step)?;
                call_args(f, &rtm.call, inside)?;
                let lines = [
                    rtm.gather.as_ref().map(|gather| format!("gathered: {gather}")),
                    rtm.lane.as_ref().map(|lane| {
                        let name = lane
                            .value
                            .clone()
                            .map_or_else(|| lane.path.clone(), |name| name.into_text().to_string());
                        format!("queued in the lane \"{name}\"")
                    }),
                    rtm.bind.as_ref().map(|name| format!("the result is ${name}")),
                    rtm.expect.as_ref().map(|expect| format!("expects that {expect}")),
                    rtm.value.as_ref().map(|part| format!("$value is {part}")),
                ];
                for line in lines.into_iter().flatten() {
                    writeln!(f, "{:inside$}{line}", "")?;
                }
                for (error, after) in &rtm.waits {
                    writeln!(f, "{:inside$}after {error} retries in {after}", "")?;
                }
                for (error, to) in &rtm.errors {
                    writeln!(f, "{:inside$}error {error} -> {to}", "")?;
                }
            }
            StepEffect::Row {
                id,
                place,
                args,
                steps: inner,
            } => {
                write!(f, "row {id} at {place}, without an answer")?;
                notes(f, step)?;
                shown_args(f, args, inside)?;
                steps(f, inner, inside)?;
            }
            StepEffect::Value { value: shown, expect } => {
                write!(f, "$value = {}", shown.path)?;
                value(f, shown.value.as_ref())?;
                notes(f, step)?;
                if let Some(expect) = expect {
                    writeln!(f, "{:inside$}expects that {expect}", "")?;
                }
            }
            StepEffect::Outcome(name) => {
                write!(f, "-> {name}")?;
                notes(f, step)?;
            }
        }
    }
    Ok(())
}

fn notes(f: &mut Formatter<'_>, step: &StepView) -> fmt::Result {
    let together = if step.together {
        ", in parallel with adjacent steps"
    } else {
        ""
    };
    let passed = if step.passed_over { " (skipped here)" } else { "" };
    writeln!(f, "{together}{passed}")
}

fn answer(f: &mut Formatter<'_>, answer: &AnswerView) -> fmt::Result {
    writeln!(f, "\nanswer")?;
    write!(f, "  {}", answer.at)?;
    if !answer.emit.is_empty() {
        write!(f, ", with {}", answer.emit.join(", "))?;
    }
    writeln!(f)?;
    let mut reply = answer.reply.iter();
    reply.try_for_each(|(member, fold)| writeln!(f, "  {member} <- {fold}"))
}

fn outcome(f: &mut Formatter<'_>, outcome: &OutcomeView) -> fmt::Result {
    write!(f, "  {}", outcome.name)?;
    if !outcome.conds.is_empty() {
        write!(f, ", if {}", outcome.conds.join(", "))?;
    }
    writeln!(f)?;
    if outcome.hold {
        writeln!(f, "    stores the message until its peer is online")?;
    }
    if let Some(call) = &outcome.rtm {
        writeln!(f, "    RTM {}, without waiting for its result", call.name)?;
        call_args(f, call, 6)?;
    }
    if let Some(code) = &outcome.code {
        writeln!(f, "    notes {code}")?;
    }
    if let Some(refusal) = &outcome.failure {
        failure(f, refusal, 4)?;
    }
    outcome.event.as_ref().map_or(Ok(()), |of| event(f, of, 4))
}

fn failure(f: &mut Formatter<'_>, failure: &FailureView, indent: usize) -> fmt::Result {
    writeln!(f, "{:indent$}fails as {}", "", failure.class)?;
    for reason in &failure.reasons {
        let codes = reason.codes.iter().map(|(family, code)| format!("{family} {code}"));
        let codes = codes.collect::<Vec<_>>().join(", ");
        let error = reason
            .error
            .as_ref()
            .map_or_else(String::new, |error| format!("{error}: "));
        writeln!(f, "{:indent$}  {error}\"{}\" -> {codes}", "", reason.text)?;
    }
    event(f, &failure.event, indent + 2)
}

fn event(f: &mut Formatter<'_>, event: &EventView, indent: usize) -> fmt::Result {
    write!(f, "{:indent$}event {}", "", event.name)?;
    if let Some(each) = &event.each {
        write!(f, " for each of {each}")?;
    }
    if let Some(last) = event.last {
        write!(f, ", the last {last}, own user last")?;
    }
    writeln!(f, " ({})", event.emitted)?;
    shown_args(f, &event.args, indent + 2)
}

fn call_args(f: &mut Formatter<'_>, call: &CallView, indent: usize) -> fmt::Result {
    for (name, of) in &call.args {
        shown(f, name, of, indent)?;
    }
    match &call.problem {
        Some(problem) => writeln!(f, "{:indent$}RTM rejects it: {problem}", ""),
        None => Ok(()),
    }
}

fn shown_args(f: &mut Formatter<'_>, args: &[(Text, ExprView)], indent: usize) -> fmt::Result {
    args.iter().try_for_each(|(name, of)| shown(f, name, of, indent))
}

fn shown(f: &mut Formatter<'_>, name: &str, of: &ExprView, indent: usize) -> fmt::Result {
    write!(f, "{:indent$}{name} <- {}", "", of.path)?;
    // A literal is its own value.
    if of.value.as_ref().is_none_or(|value| value.to_json() != of.path) {
        value(f, of.value.as_ref())?;
    }
    writeln!(f)
}

fn value(f: &mut Formatter<'_>, value: Option<&Value>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " = {value}"))
}
