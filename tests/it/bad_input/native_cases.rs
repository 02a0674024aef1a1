//! Bad input over TCP as data.

/// Expected reaction to an input.
pub enum Gets {
    /// The end of its connection, and nothing before it.
    End,
    /// Nothing.
    Nothing,
    /// A failed call, in the form of the calls that SDKs make themselves.
    Own(&'static str),
    /// A failed call, in the form of `invoke()`.
    Invoked(&'static str),
}

use Gets::{End, Invoked, Nothing, Own};

/// A line, with the names of `cases.rs` filled in; what it gets, and the reason that it is counted by.
pub type Case = (&'static str, Gets, &'static str);

/// From a client that has not logged in.
#[rustfmt::skip]
pub const BEFORE_LOGIN: &[Case] = &[
    ("", End, "too few words"),
    (" ", End, "too few words"),
    ("login", End, "too few words"),
    ("login ", End, "too few words"),
    ("login x", End, "not an object"),
    ("login []", End, "not an object"),
    ("login {", End, "not an object"),
    ("login {} {}", End, "not an object"),
    ("line_login2", End, "too few words"),
    ("line_login3 ", End, "too few words"),
    ("line_ping:", End, "not a number"),
    ("line_ping:1.5", End, "not a number"),
    ("channel_sub {}", End, "too few words"),
    (r#"channel_sub {"cid":"x","cname":"r"}"#, End, "not a number"),
    (r#"channel_sub {"cid":"1","cname":"r","msgid":0}"#, Nothing, "call before login"),
    ("call", End, "too few words"),
    ("call channel_join", End, "too few words"),
    ("call channel_join 1", End, "too few words"),
    ("call channel_join 1 0", End, "too few words"),
    ("call channel_join 1 0 []", End, "not an object"),
    ("call channel_join one 0 {}", End, "not a number"),
    ("call channel_join 1 x {}", End, "not a number"),
    ("call channel_join 99999999999999999999 0 {}", End, "not a number"),
    (r#"call channel_join 1 0 {"name":"r"}"#, Own("not login"), "call before login"),
    (r#"call channel_query_num 1 0 {"name":"r","line":"$other"}"#, Own("not login"), "call before login"),
    ("call no_such 1 0 {}", Own("not login"), "call before login"),
    ("hello", Nothing, "unknown frame"),
    ("hello world", Nothing, "unknown frame"),
    (r#"["login",{"vid":"app","account":"mallory","token":""}]"#, Nothing, "unknown frame"),
    ("$x65000", Nothing, "unknown frame"),
    ("$x65533", End, "packet too large"),
];

/// From one that has.
#[rustfmt::skip]
pub const AFTER_LOGIN: &[Case] = &[
    ("call channel_join", End, "too few words"),
    ("call channel_join one 0 {}", End, "not a number"),
    ("hello", Nothing, "unknown frame"),
    (r#"login {"vid":"app","account":"mallory2","token":""}"#, Nothing, "second login"),
    ("line_login2 $line 2 0", Nothing, "second login"),
    ("line_login2 $other 2 0", Nothing, "second login"),
    // Functions that no table has.
    (r#"call no_such 1 0 {"line":"$line"}"#, Invoked("unknown func no_such"), "unknown function"),
    // Lines.
    (r#"call channel_join 1 0 {"line":"$other","name":"r"}"#, Own("wrong line"), "wrong line"),
    (r#"call channel_join 1 0 {"line":"$forged","name":"r"}"#, Own("wrong line"), "wrong line"),
    (r#"call channel_join 1 0 {"line":"","name":"r"}"#, Own("wrong line"), "wrong line"),
    (r#"call channel_join 1 0 {"line":7,"name":"r"}"#, Own("wrong line"), "wrong line"),
    (r#"call channel_join 1 0 {"name":"r"}"#, Own("wrong line"), "wrong line"),
    (r#"call user_logout 1 0 {"line":"$other"}"#, Own("wrong line"), "wrong line"),
    (r#"call user_getmsg 1 0 {"line":"$other","ver_clear":9}"#, Own("wrong line"), "wrong line"),
    (r#"call user_setfg 1 0 {"isfg":1}"#, Own("wrong line"), "wrong line"),
    (r#"call channel_query_num 1 0 {"line":"$other","name":"r"}"#, Invoked("wrong line"), "wrong line"),
    // Types, ids, sizes.
    (r#"call channel_join 1 0 {"line":"$line","name":{}}"#, Own("wrong param"), "wrong param"),
    (r#"call channel_join 1 0 {"line":"$line"}"#, Own("wrong param"), "wrong param"),
    (r#"call channel_join 1 0 {"line":"$line","name":"a b"}"#, Own("wrong param"), "wrong param"),
    (r#"call channel_join 1 0 {"line":"$line","name":"$x129"}"#, Own("wrong param"), "wrong param"),
    (r#"call voip_invite 1 0 {"line":"$line","channelName":"r","peer":[],"extra":""}"#, Own("wrong param"), "wrong param"),
    (r#"call call_bye 1 0 {"line":"$line","channelName":"r"}"#, Own("wrong param"), "wrong param"),
    (r#"call user_sendmsg 1 0 {"line":"$line","peer":"a\nb","content":"x"}"#, Own("wrong param"), "wrong param"),
    (r#"call user_sendmsg 1 0 {"line":"$line","peer":"bob","content":"$x8193"}"#, Own("large param"), "large param"),
    (r#"call channel_set_attr 1 0 {"line":"$line","channel":"r","name":"n","value":"$x8097"}"#, Own("large param"), "large param"),
];
