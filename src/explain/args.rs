//! A call's arguments, from their names on the wire to the row's slots.

use crate::ident::{Account, ChannelName};
use crate::mapping::lets::typed;
use crate::mapping::ty::SigType;
use crate::mapping::wire::{RowCall, WireArg};
use crate::value::Value;

/// Longest text (signaling-wire 8: 8 KB).
const MAX_TEXT: usize = 8192;
/// Longest value of an attribute.
const MAX_VALUE: usize = 8096;
/// Longest name of an attribute.
const MAX_KEY: usize = 128;

/// The row's arguments by slot; what the wire does not carry is null.
///
/// # Errors
/// The reason for which a client's call is refused.
pub fn read_args(call: &RowCall, args: &Value) -> Result<Vec<Value>, &'static str> {
    let slots = call.args.iter().map(|arg| arg.slot + 1).max().unwrap_or(0);
    let mut values = vec![Value::Null; slots];
    for arg in &call.args {
        values[arg.slot] = read(arg, args)?;
    }
    Ok(values)
}

fn read(arg: &WireArg, args: &Value) -> Result<Value, &'static str> {
    let Some(wire) = &arg.wire else {
        return Ok(Value::Null);
    };
    let value = args.get(wire).cloned().unwrap_or_default();
    // Apps leave texts out, and send anything where text is documented.
    let value = match (value, arg.ty) {
        (Value::Null, SigType::Text | SigType::Json | SigType::Value) => "".into(),
        (value, _) => value,
    };
    let value = typed(value, arg.ty).ok_or("wrong param")?;
    let Some(text) = value.as_text() else { return Ok(value) };
    let right = match arg.ty {
        SigType::Account => Account::new(text.clone()).is_ok(),
        SigType::Channel => ChannelName::new(text.clone()).is_ok(),
        SigType::Key => !text.is_empty(),
        _ => true,
    };
    let longest = match arg.ty {
        SigType::Key => MAX_KEY,
        SigType::Value => MAX_VALUE,
        _ => MAX_TEXT,
    };
    match (right, text.len() <= longest) {
        (false, _) => Err("wrong param"),
        (true, false) => Err("large param"),
        (true, true) => Ok(value),
    }
}
