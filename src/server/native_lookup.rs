//! Discovery of the native SDKs: questions for the server address, and answers (signaling-wire 10).
//!
//! A question is the zlib stream of `getaddr {"appid":"…"}`; 1.4 adds `ip`. The answer is one of `ok
//! {"http":[],"tcp":[["host",port],…]}`, and both keys are required.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::config::{Config, HostPort};
use crate::server::lookup::COPIES;
use protocol::native::zlib::{ZlibError, inflate};
use rtm::value::Value;

/// Largest question in bytes, deflated or not.
pub const MAX_QUESTION_BYTES: usize = 2 * 1024;
/// Largest ratio of the answer length to the question length. It limits amplification with forged source addresses.
const MAX_AMPLIFICATION: usize = 3;
/// Length of the shortest deflated question of 1.3, which has no `ip`, among 300 000 random App IDs of 32 digits.
const SHORTEST_QUESTION_BYTES: usize = 55;

/// Reason for a datagram without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The datagram is not one whole zlib stream, or is too large.
    BadZlib,
    /// The inflated question is too long.
    Bomb,
    /// The text is not a question.
    NoQuestion,
    /// The question is too short for the answer.
    TooShort,
}

impl NoAnswer {
    /// Returns the counter label of the reason.
    pub fn label(self) -> &'static str {
        match self {
            Self::BadZlib => "UDP bad zlib",
            Self::Bomb => "UDP zlib bomb",
            Self::NoQuestion => "UDP no question",
            Self::TooShort => "UDP question too short",
        }
    }
}

/// Answer to every question, deflated once.
#[derive(Clone, Debug)]
pub struct Answer(Vec<u8>);

impl Answer {
    /// Builds the answer with `places`. They are repeated as in the other look-up, if the answer is short enough. More
    /// than two places make the answer too long.
    pub fn new(places: &[HostPort]) -> Self {
        let repeated = Self::of(&[places; COPIES].concat());
        if repeated.fits() { repeated } else { Self::of(places) }
    }

    fn of(places: &[HostPort]) -> Self {
        let tcp: Vec<_> = places.iter().map(|place| (&*place.host, place.port)).collect();
        let text = format!("ok {}", serde_json::json!({ "http": [], "tcp": tcp }));
        let mut deflated = ZlibEncoder::new(Vec::new(), Compression::best());
        // Writing to a Vec cannot fail.
        let _ = deflated.write_all(text.as_bytes());
        Self(deflated.finish().unwrap_or_default())
    }

    /// Returns true if every question of an SDK is long enough for the answer.
    pub fn fits(&self) -> bool {
        self.0.len() <= MAX_AMPLIFICATION * SHORTEST_QUESTION_BYTES
    }
}

/// Returns the advertised address for native clients; `None` if they are not served.
///
/// `bound_port` is the bound TCP port, for a config that advertises no other.
pub fn advertised(config: &Config, bound_port: Option<u16>) -> Option<HostPort> {
    let discovery = &config.discovery;
    let own = || {
        Some(HostPort {
            host: discovery.advertise_ip.to_string().into(),
            port: bound_port?,
        })
    };
    discovery.advertise_tcp.clone().or_else(own)
}

/// Returns the answer to a datagram.
///
/// # Errors
/// Returns [`NoAnswer`] for a datagram without an answer.
pub fn answer<'a>(datagram: &[u8], answer: &'a Answer) -> Result<&'a [u8], NoAnswer> {
    let text = inflate(datagram, MAX_QUESTION_BYTES).map_err(|error| match error {
        ZlibError::Bad | ZlibError::Trailing => NoAnswer::BadZlib,
        ZlibError::Bomb => NoAnswer::Bomb,
    })?;
    let json = text.strip_prefix(b"getaddr ").ok_or(NoAnswer::NoQuestion)?;
    let question = std::str::from_utf8(json)
        .ok()
        .and_then(|json| Value::from_json(json).ok());
    // The App ID is not checked here: the login checks it.
    if question.as_ref().and_then(|of| of.get("appid")?.as_text()).is_none() {
        return Err(NoAnswer::NoQuestion);
    }
    if answer.0.len() > MAX_AMPLIFICATION * datagram.len() {
        return Err(NoAnswer::TooShort);
    }
    Ok(&answer.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QUESTION: &str = r#"getaddr {"appid":"0123456789abcdef0123456789abcdef"}"#;

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut deflated = ZlibEncoder::new(Vec::new(), Compression::default());
        deflated.write_all(text).expect("writing to a Vec cannot fail");
        deflated.finish().expect("writing to a Vec cannot fail")
    }

    fn place(host: &str, port: u16) -> HostPort {
        HostPort {
            host: host.into(),
            port,
        }
    }

    fn check(datagram: &[u8], places: &[HostPort], expected: Result<&str, NoAnswer>) {
        let known = Answer::new(places);
        let got = answer(datagram, &known).map(|answer| {
            assert!(answer.len() <= 3 * datagram.len());
            String::from_utf8(inflate(answer, 4_096).expect("a zlib stream")).expect("text")
        });
        assert_eq!(got.as_deref(), expected.as_ref().copied());
    }

    #[test]
    fn questions_are_answered() {
        let local = [place("127.0.0.1", 8003)];
        let six = [r#"["127.0.0.1",8003]"#; 6].join(",");
        let emitted = &*format!(r#"ok {{"http":[],"tcp":[{six}]}}"#);
        for question in [
            QUESTION,
            r#"getaddr {"appid":"f3b1c09a7e5d4f12a9c0d2e4b6788102","ip":"192.168.1.23"}"#,
            r#"getaddr {"ip":7,"appid":"","more":[{}]}"#,
            r#"getaddr   { "appid" : "\u0061" } "#,
        ] {
            check(&zlib(question.as_bytes()), &local, Ok(emitted));
        }
        // Stream of the C library, which the SDKs use.
        let foreign =
            b"\x78\x9c\x0d\xca\x3b\x0e\x80\x20\x0c\x00\xd0\xab\x98\xce\x86\xd0\xf2\xf7\x36\x85\x16\xc3\xd6\x18\
            \x37\xe3\xdd\xf5\xcd\xef\xd4\x9b\x45\xae\xed\x01\x36\x5b\x02\x07\xcc\xd0\x71\xf8\xc6\x45\x93\xc4\
            \x89\xc4\x6d\x78\x21\x8d\x3d\x97\x5a\xd1\x13\xec\xb0\xec\x7f\xd8\xc8\x61\xae\x0e\x1d\x05\x78\x3f\
            \x18\x58\x13\x9f";
        check(foreign, &local, Ok(emitted));
        let two = [place("bridge-1.example.com", 8003), place("bridge-2.example.com", 443)];
        let six = [r#"["bridge-1.example.com",8003],["bridge-2.example.com",443]"#; 6].join(",");
        let emitted = format!(r#"ok {{"http":[],"tcp":[{six}]}}"#);
        check(&zlib(QUESTION.as_bytes()), &two, Ok(&emitted));
    }

    #[test]
    fn anything_else_is_not() {
        let local = [place("127.0.0.1", 8003)];
        for (datagram, error) in [
            (vec![], NoAnswer::BadZlib),
            (QUESTION.as_bytes().to_vec(), NoAnswer::BadZlib),
            (zlib(QUESTION.as_bytes())[..40].to_vec(), NoAnswer::BadZlib),
            ([zlib(QUESTION.as_bytes()), b"x".to_vec()].concat(), NoAnswer::BadZlib),
            (zlib(&[b' '; 2_049]), NoAnswer::Bomb),
            (zlib(&vec![0; 1 << 20]), NoAnswer::Bomb),
            (zlib(b""), NoAnswer::NoQuestion),
            (zlib(b"getaddr"), NoAnswer::NoQuestion),
            (zlib(b"getaddr x"), NoAnswer::NoQuestion),
            (zlib(b"getaddr []"), NoAnswer::NoQuestion),
            (zlib(b"getaddr {}"), NoAnswer::NoQuestion),
            (zlib(br#"getaddr {"appid":7}"#), NoAnswer::NoQuestion),
            (zlib(br#"getaddr {"appid":null}"#), NoAnswer::NoQuestion),
            (zlib(br#"getaddr {"appid":"a","ip":01}"#), NoAnswer::NoQuestion),
            (zlib(br#"getaddr {"appid":"a"} {}"#), NoAnswer::NoQuestion),
            (zlib(br#"GETADDR {"appid":"a"}"#), NoAnswer::NoQuestion),
            (zlib(b"getaddr {\"appid\":\"\xff\"}"), NoAnswer::NoQuestion),
            (
                zlib(format!("getaddr {}", "[".repeat(2_000)).as_bytes()),
                NoAnswer::NoQuestion,
            ),
            // An answer must not be answered: two servers would loop forever.
            (Answer::new(&local).0, NoAnswer::NoQuestion),
        ] {
            check(&datagram, &local, Err(error));
        }
    }

    #[test]
    fn an_answer_is_at_most_three_times_its_question() {
        // 64 hosts of 16 distinct digits take some 700 bytes of zlib.
        let many: Vec<HostPort> = (1..=64_u64)
            .map(|n| place(&format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)), 1))
            .collect();
        assert!(!Answer::new(&many).fits());
        check(&zlib(QUESTION.as_bytes()), &many, Err(NoAnswer::TooShort));
        assert!(Answer::new(&[place("255.255.255.255", 65_535)]).fits());
        let long = "signaling-bridge-0123.eu-west-1.compute.internal.example.com";
        assert!(Answer::new(&[place(long, 65_535), place("10.11.12.13", 8003)]).fits());
        let question = QUESTION.replace("0123456789abcdef0123456789abcdef", "f3b1c09a7e5d4f12a9c0d2e4b6788102");
        assert!(zlib(question.as_bytes()).len() >= SHORTEST_QUESTION_BYTES);
    }

    #[test]
    fn places_come_from_the_config() {
        let mut config = Config::default();
        let shown = |config: &Config, bound| advertised(config, bound).map(|place| place.to_string());
        assert_eq!(shown(&config, None), None);
        assert_eq!(shown(&config, Some(8003)).as_deref(), Some("127.0.0.1:8003"));
        config.discovery.advertise_ip = [10, 1, 2, 3].into();
        assert_eq!(shown(&config, Some(80)).as_deref(), Some("10.1.2.3:80"));
        config.discovery.advertise_tcp = Some(place("bridge.example.com", 443));
        assert_eq!(shown(&config, Some(80)).as_deref(), Some("bridge.example.com:443"));
        assert_eq!(shown(&config, None).as_deref(), Some("bridge.example.com:443"));
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let local = Answer::new(&[place("127.0.0.1", 8003)]);
            let _ = answer(&bytes, &local);
            let _ = answer(&zlib(&bytes), &local);
            let _ = answer(&zlib(&[b"getaddr ", &*bytes].concat()), &local);
        }
    }
}
