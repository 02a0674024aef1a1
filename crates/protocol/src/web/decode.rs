//! Decoding of client frames.

use rtm::json::Reader;
use rtm::value::Value;

use crate::ClientFrame;

/// The name of calls.
const CALL: &str = "call2";

/// An invalid frame: the socket is closed with 1007.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// Not a JSON array of a name and one value.
    #[error("a frame is a JSON array of a name and a value")]
    NotAFrame,
    /// Not a call of a function, a number and an object.
    #[error("a call is [function, number, arguments]")]
    NotACall,
}

/// Decodes a frame.
///
/// # Errors
/// [`BadFrame`]: the violated rule.
pub fn decode(text: &str) -> Result<ClientFrame, BadFrame> {
    match call(text) {
        Some(call) => Ok(call),
        None => decode_any(text),
    }
}

/// Decodes a valid call without intermediate lists. Returns `None` for anything else.
fn call(text: &str) -> Option<ClientFrame> {
    let mut reader = Reader::new(text, 2);
    reader.token(b'[')?;
    reader.text().filter(|name| &**name == CALL)?;
    reader.token(b',')?;
    reader.token(b'[')?;
    let function = reader.text()?;
    reader.token(b',')?;
    let id = reader.value()?.as_int()?;
    reader.token(b',')?;
    let args = reader.value()?;
    reader.token(b']')?;
    reader.token(b']')?;
    reader.end()?;
    Some(ClientFrame::Call { function, id, args })
}

fn decode_any(text: &str) -> Result<ClientFrame, BadFrame> {
    let Ok(Value::List(items)) = Value::from_json(text) else {
        return Err(BadFrame::NotAFrame);
    };
    let Ok([Value::Text(name), arg]) = <[Value; 2]>::try_from(items) else {
        return Err(BadFrame::NotAFrame);
    };
    Ok(match &*name {
        "login" => ClientFrame::Login(arg),
        CALL => {
            let Value::List(call) = arg else {
                return Err(BadFrame::NotACall);
            };
            let Ok([Value::Text(function), Value::Int(id), args]) = <[Value; 3]>::try_from(call) else {
                return Err(BadFrame::NotACall);
            };
            ClientFrame::Call { function, id, args }
        }
        "ping" => ClientFrame::Ping(arg),
        "set_flag" => ClientFrame::SetFlag,
        _ => ClientFrame::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<ClientFrame, BadFrame>) {
        assert_eq!(decode(text), expected, "{text}");
    }

    #[test]
    fn valid_and_invalid_frames() {
        let call = |id| ClientFrame::Call {
            function: "f".into(),
            id,
            args: Value::Map(vec![]),
        };
        check(r#"["call2",["f",7,{}]]"#, Ok(call(7)));
        check(r#" [ "call2" , [ "f" , -1 , { } ] ] "#, Ok(call(-1)));
        check(r#"["ping",3]"#, Ok(ClientFrame::Ping(3.into())));
        check(r#"["set_flag",{"binary":1}]"#, Ok(ClientFrame::SetFlag));
        check(r#"["hello",null]"#, Ok(ClientFrame::Unknown));
        check(
            r#"["login",{"account":"a"}]"#,
            Ok(ClientFrame::Login(Value::Map(vec![("account".into(), "a".into())]))),
        );
        for text in [
            "",
            "x",
            "{}",
            "[]",
            r#"["ping"]"#,
            r#"["ping",1,2]"#,
            r#"[1,2]"#,
            "[[\"ping\",1]]",
            "null",
        ] {
            check(text, Err(BadFrame::NotAFrame));
        }
        for text in [
            r#"["call2",{}]"#,
            r#"["call2",["f",7]]"#,
            r#"["call2",[1,7,{}]]"#,
            r#"["call2",["f","7",{}]]"#,
        ] {
            check(text, Err(BadFrame::NotACall));
        }
        check(
            r#"["call2",["f",7,[]]]"#,
            Ok(ClientFrame::Call {
                function: "f".into(),
                id: 7,
                args: Value::List(vec![]),
            }),
        );
        check(
            &format!("[\"call2\",[\"f\",1,{}]]", "[".repeat(5_000)),
            Err(BadFrame::NotAFrame),
        );
    }

    #[test]
    fn both_decoders_read_the_same_calls() {
        let nested = |depth: usize| format!("[\"call2\",[\"f\",1,{}{}]]", "[".repeat(depth), "]".repeat(depth));
        let cases = [
            r#"["call2",["f",7,{"a":"b\n","c":[1,{"d":null}]}]]"#.to_owned(),
            r#" [ "call2" , [ "f" , -1 , { } ] ] "#.to_owned(),
            r#"["call2",["f\u0041",7,{"\ud83d":1}]]"#.to_owned(),
            r#"["call2",["f",7,{}],1]"#.to_owned(),
            r#"["call2",["f",7.5,{}]]"#.to_owned(),
            r#"["call2",["f",7,{}]] x"#.to_owned(),
            r#"["call2",["f",7,"#.to_owned(),
            nested(124),
            nested(125),
            nested(126),
            nested(127),
        ];
        for text in cases {
            if let Some(read) = call(&text) {
                assert_eq!(Ok(read), decode_any(&text), "{text}");
            }
            assert_eq!(decode(&text), decode_any(&text), "{text}");
        }
        assert!(call(&nested(125)).is_some() && call(&nested(126)).is_none());
    }
}
