//! Frames as text, in both directions: Web, Java and Python, native lines, JSON-RPC.

use std::sync::{Arc, LazyLock};

use engine::dispatch::{Caller, Dispatch};
use protocol::ClientFrame;
use protocol::client::{LegacyClient, Login};
use protocol::decoder::Decoder;
use protocol::encoder::Encoder;
use protocol::event::SocketId;
use rtm::time::Time;
use rtm::value::Value;
use tables::profile::Transport;
use tables::wire::Wire;

use super::{BUILT_IN, ENCODERS, selected, text};

struct Family {
    transport: Transport,
    wire: Arc<Wire>,
    encoder: Arc<dyn Encoder>,
    /// A client that has logged in.
    client: Option<LegacyClient>,
}

/// One for each profile.
static FAMILIES: LazyLock<Vec<Family>> = LazyLock::new(|| {
    let profiles = BUILT_IN.profiles.iter().zip(&**ENCODERS);
    let family = |(profile, encoder): (&Arc<tables::profile::Profile>, &Arc<dyn Encoder>)| {
        let wire = BUILT_IN.wire(&profile.family).expect("a wire of the profile").clone();
        Family {
            transport: profile.transport,
            client: (profile.transport != Transport::Api).then(|| client(profile.transport, &wire)),
            wire,
            encoder: encoder.clone(),
        }
    };
    profiles.map(family).collect()
});

fn client(transport: Transport, wire: &Arc<Wire>) -> LegacyClient {
    let login = Login {
        vid: "app".into(),
        account: "alice".into(),
        token: "_no_need_token".into(),
    };
    let mut client = LegacyClient::new(BUILT_IN.clone(), wire.clone(), login);
    client.connected();
    let reply = r#"{"result":"ok","uid":7,"line":"L"}"#;
    let welcome = match transport {
        Transport::Tcp => format!("login_res ok ok {reply}"),
        _ => format!("[\"login_ret\",[\"\",{}]]", Value::text(reply).to_json()),
    };
    client.frame(&welcome, Time::from_millis(1));
    client
}

/// The first byte selects the profile, and whether a server or a client reads the text.
pub fn text_frames(data: &[u8]) {
    let (choice, rest) = selected(data);
    let text = text(rest);
    let family = &FAMILIES[usize::from(choice >> 2) % FAMILIES.len()];
    match (choice & 3, &family.client) {
        (0, Some(client)) => {
            client.clone().frame(&text, Time::from_millis(2));
        }
        // A line of a notification.
        (1, Some(client)) => {
            let pair = Value::List(vec![1.into(), Value::text(&*text)]).to_json();
            let frame = match family.transport {
                Transport::Tcp => format!("notify recvmsg {pair}"),
                _ => format!(
                    "[\"notify\",{}]",
                    Value::text(format!("notify recvmsg {pair}")).to_json()
                ),
            };
            client.clone().frame(&frame, Time::from_millis(2));
        }
        (2, _) => json(&text),
        _ => server(family, &text),
    }
}

/// JSON is the same again after it was written.
pub fn json(text: &str) {
    if let Ok(value) = Value::from_json(text) {
        let written = value.to_json();
        assert_eq!(Value::from_json(&written).ok().as_ref(), Some(&value), "{written}");
    }
}

/// Decodes a client's text and its calls; answers without a session are frames.
fn server(family: &Family, text: &str) {
    let decoder = Decoder::new(family.transport, &BUILT_IN);
    let Some(decoded) = decoder.decode(text) else { return };
    if let Some(answer) = &decoded.answer {
        assert!(Value::from_json(answer).is_ok(), "answered with {answer}");
    }
    let own = decoder.encoder().unwrap_or_else(|| family.encoder.clone());
    for frame in decoded.frames {
        let ClientFrame::Call { function, id, args } = frame else {
            continue;
        };
        for logged_in in [true, false] {
            let is_own_line = |_: &str| true;
            let caller = Caller {
                wire: &family.wire,
                encoder: &*own,
                socket: SocketId(1),
                now: Time::from_millis(1),
                is_own_line: logged_in.then_some(&is_own_line),
            };
            if let Dispatch::Frames(frames) = caller.read(&function, id, &args).action {
                frames.iter().for_each(|frame| check_frame(family.transport, frame));
            }
        }
    }
}

fn check_frame(transport: Transport, frame: &str) {
    let is_good = match transport {
        Transport::Tcp => frame.split(' ').count() >= 4,
        _ => Value::from_json(frame).is_ok(),
    };
    assert!(is_good, "answered with {frame}");
}
