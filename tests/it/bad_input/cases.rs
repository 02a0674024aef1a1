//! Bad input as data.

/// Expected reaction to an input.
pub enum Gets {
    /// The socket is closed with this code.
    Closed(u16),
    /// Nothing.
    Nothing,
    /// A failed call, in the form of the calls that SDKs make themselves.
    Own(&'static str),
    /// A failed call, in the form of `invoke()`.
    Invoked(&'static str),
    /// A failed invitation, whose err is what apps parse.
    Invitation(&'static str),
}

use Gets::{Closed, Invitation, Invoked, Nothing, Own};

/// Input as text. `$line` is the client's own session token, `$other` that of an observing session, `$forged` an invalid
/// one, and `$x<n>` n times the letter x.
///
/// Then what it gets, and the reason that it is counted by. One case is one line, however long.
pub type Case = (&'static str, Gets, &'static str);

/// From a client that has not logged in.
#[rustfmt::skip]
pub const BEFORE_LOGIN: &[Case] = &[
    ("", Closed(1007), "not a frame"),
    ("hello", Closed(1007), "not a frame"),
    ("{}", Closed(1007), "not a frame"),
    ("[]", Closed(1007), "not a frame"),
    (r#"["ping"]"#, Closed(1007), "not a frame"),
    (r#"["ping",1,2]"#, Closed(1007), "not a frame"),
    (r#"[1,2]"#, Closed(1007), "not a frame"),
    (r#"["ping",1"#, Closed(1007), "not a frame"),
    (r#"["login","#, Closed(1007), "not a frame"),
    (r#"["hello",{}]"#, Nothing, "unknown frame"),
    (r#"["$x65000",1]"#, Nothing, "unknown frame"),
    (r#"["$x65537",1]"#, Closed(1009), "frame too large"),
    (r#"["call2",["channel_join",1,{"name":"r"}]]"#, Own("not login"), "call before login"),
    (r#"["call2",["channel_query_num",1,{"name":"r","line":"$other"}]]"#, Own("not login"), "call before login"),
    (r#"["call2",["no_such",1,{}]]"#, Own("not login"), "call before login"),
];

/// From one that has.
#[rustfmt::skip]
pub const AFTER_LOGIN: &[Case] = &[
    ("hello", Closed(1007), "not a frame"),
    (r#"["call2",["channel_join",1]]"#, Closed(1007), "not a frame"),
    (r#"["call2",{"line":"$line"}]"#, Closed(1007), "not a frame"),
    (r#"["call2",["channel_join","1",{"line":"$line"}]]"#, Closed(1007), "not a frame"),
    (r#"["$x65537",1]"#, Closed(1009), "frame too large"),
    (r#"["hello",{}]"#, Nothing, "unknown frame"),
    (r#"["multi",[]]"#, Nothing, "unknown frame"),
    (r#"["login",{"vid":"app","account":"mallory2"}]"#, Nothing, "second login"),
    // Functions that no table has.
    (r#"["call2",["no_such",1,{"line":"$line"}]]"#, Invoked("unknown func no_such"), "unknown function"),
    (r#"["call2",["",1,{"line":"$line"}]]"#, Invoked("unknown func "), "unknown function"),
    // Lines.
    (r#"["call2",["channel_join",1,{"line":"$other","name":"r"}]]"#, Own("wrong line"), "wrong line"),
    (r#"["call2",["channel_join",1,{"line":"$forged","name":"r"}]]"#, Own("wrong line"), "wrong line"),
    (r#"["call2",["channel_join",1,{"line":"","name":"r"}]]"#, Own("wrong line"), "wrong line"),
    (r#"["call2",["channel_join",1,{"line":7,"name":"r"}]]"#, Own("wrong line"), "wrong line"),
    (r#"["call2",["channel_join",1,{"name":"r"}]]"#, Own("wrong line"), "wrong line"),
    (r#"["call2",["channel_join",1,[]]]"#, Own("wrong line"), "wrong line"),
    (r#"["call2",["channel_join",1,null]]"#, Own("wrong line"), "wrong line"),
    (r#"["call2",["user_logout",1,{"line":"$other"}]]"#, Own("wrong line"), "wrong line"),
    (r#"["call2",["user_getmsg",1,{"line":"$other","ver_clear":9}]]"#, Own("wrong line"), "wrong line"),
    (r#"["call2",["user_getmsg2",1,{"clear_msgs":[]}]]"#, Own("wrong line"), "wrong line"),
    (r#"["call2",["channel_query_num",1,{"line":"$other","name":"r"}]]"#, Invoked("wrong line"), "wrong line"),
    // Types.
    (r#"["call2",["channel_join",1,{"line":"$line","name":{}}]]"#, Own("wrong param"), "wrong param"),
    (r#"["call2",["channel_join",1,{"line":"$line","name":["r"]}]]"#, Own("wrong param"), "wrong param"),
    (r#"["call2",["channel_join",1,{"line":"$line","name":null}]]"#, Own("wrong param"), "wrong param"),
    (r#"["call2",["channel_join",1,{"line":"$line"}]]"#, Own("wrong param"), "wrong param"),
    (r#"["call2",["channel_query_num",1,{"line":"$line","name":{}}]]"#, Invoked("wrong param"), "wrong param"),
    (r#"["call2",["voip_invite",1,{"line":"$line","channelName":"r","peer":[],"extra":""}]]"#, Invitation("wrong param"), "wrong param"),
    // Ids that no account and no channel can have.
    (r#"["call2",["channel_join",1,{"line":"$line","name":""}]]"#, Own("wrong param"), "wrong param"),
    (r#"["call2",["channel_join",1,{"line":"$line","name":"a b"}]]"#, Own("wrong param"), "wrong param"),
    (r#"["call2",["channel_join",1,{"line":"$line","name":"$x129"}]]"#, Own("wrong param"), "wrong param"),
    (r#"["call2",["user_sendmsg",1,{"line":"$line","peer":"a\nb","content":"x"}]]"#, Own("wrong param"), "wrong param"),
    (r#"["call2",["user_sendmsg",1,{"line":"$line","peer":"$x129","content":"x"}]]"#, Own("wrong param"), "wrong param"),
    (r#"["call2",["channel_set_attr",1,{"line":"$line","channel":"r","name":"","value":"x"}]]"#, Own("wrong param"), "wrong param"),
    (r#"["call2",["channel_set_attr",1,{"line":"$line","channel":"r","name":"$x129","value":"x"}]]"#, Own("wrong param"), "wrong param"),
    // Sizes.
    (r#"["call2",["user_sendmsg",1,{"line":"$line","peer":"bob","content":"$x8193"}]]"#, Own("large param"), "large param"),
    (r#"["call2",["channel_sendmsg",1,{"line":"$line","name":"r","msg":"$x8193"}]]"#, Own("large param"), "large param"),
    (r#"["call2",["voip_invite",1,{"line":"$line","channelName":"r","peer":"bob","extra":"$x8193"}]]"#, Invitation("large param"), "large param"),
    (r#"["call2",["channel_set_attr",1,{"line":"$line","channel":"r","name":"n","value":"$x8097"}]]"#, Own("large param"), "large param"),
];
