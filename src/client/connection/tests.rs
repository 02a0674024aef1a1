use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpListener;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

use protocol::client::Login;
use tables::Tables;

use crate::client::connection::*;

/// Scripted step of a server.
#[derive(Clone, Copy)]
enum Act {
    /// Expects a frame that contains this text.
    Receives(&'static str),
    Sends(&'static str),
    Closes,
}
use Act::{Closes, Receives, Sends};

const LOGIN: [Act; 3] = [
    Receives(r#"["login","#),
    Sends(r#"["login_ret",["","{\"result\":\"ok\",\"uid\":1,\"line\":\"L\"}"]]"#),
    Receives(r#"["call2",["user_getmsg",1,"#),
];

/// Starts a server on a free port that runs the script once; its task fails on an unexpected frame.
async fn server(acts: Vec<Act>) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let mut socket = accept_async(listener.accept().await.unwrap().0).await.unwrap();
        for act in acts {
            match act {
                Sends(text) => socket.send(Message::text(text)).await.unwrap(),
                Closes => return,
                Receives(text) => {
                    let received = socket.next().await.unwrap().unwrap().into_text().unwrap();
                    assert!(received.contains(text), "{received} does not contain {text}");
                }
            }
        }
        while let Some(Ok(_)) = socket.next().await {}
    });
    (url, task)
}

async fn connect(acts: Vec<Act>) -> (Result<Connection, ConnectionError>, tokio::task::JoinHandle<()>) {
    let (url, task) = server(acts).await;
    let tables = Arc::new(Tables::built_in().unwrap());
    let wire = tables.wire("web").unwrap().clone();
    let login = Login {
        vid: "app".into(),
        account: "alice".into(),
        token: "t".into(),
    };
    (
        Connection::login(&url, LegacyClient::new(tables, wire, login)).await,
        task,
    )
}

#[tokio::test]
async fn a_call_waits_for_its_answer_and_events_wait_for_their_turn() {
    let line = r#"["notify",["recvmsg","[1,\"msg-v2 bob alice f instant 1 hi\"]"]]"#;
    let mut acts = LOGIN.to_vec();
    acts.extend([
        Sends(r#"["call2-ret",[1,"","{\"result\":\"ok\",\"ver_clear\":0,\"msgs\":[]}"]]"#),
        Receives(r#"["call2",["channel_leave",2,{"line":"L","name":"room"}]]"#),
        Sends(line),
        Sends(r#"["call2-ret",[2,"","{\"result\":\"ok\"}"]]"#),
        Receives(r#""ver_clear":1"#),
        Receives(r#"["call2",["user_logout",4,"#),
        Sends(r#"["call2-ret",[4,"","{\"result\":\"ok\"}"]]"#),
    ]);
    let (connection, server) = connect(acts).await;
    let mut connection = connection.unwrap();
    let reply = connection
        .call("channelLeave", &[("channelID".into(), "room".into())])
        .await;
    assert_eq!(reply.unwrap().id, 2);
    let mut names = Vec::new();
    while names.len() < 3 {
        match connection.next().await.unwrap() {
            Output::Event(emitted) => names.push(emitted.name.to_string()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(names, ["onLoginSuccess", "onMessageInstantReceive", "onChannelLeaved"]);
    // A timer sends the acknowledgement, while the caller waits for nothing.
    let nothing = tokio::time::timeout(Duration::from_millis(1_200), connection.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    let refused = connection
        .call("channelLeave", &[("channel".into(), "room".into())])
        .await;
    assert!(matches!(refused, Err(ConnectionError::Call(_))), "{refused:?}");
    assert!(connection.call("logout", &[]).await.unwrap().result.is_ok());
    connection.close().await;
    server.await.unwrap();
}

#[tokio::test]
async fn a_refusal_is_reported() {
    let refusal = r#"["login_ret",["TokenErrorExpired","{}"]]"#;
    let (connection, _server) = connect(vec![LOGIN[0], Sends(refusal)]).await;
    let Err(ConnectionError::Refused(reason)) = connection else {
        panic!("not refused");
    };
    assert_eq!(&*reason, "TokenErrorExpired");
}

#[tokio::test]
async fn an_end_is_an_end() {
    let (connection, _server) = connect(vec![LOGIN[0], Closes]).await;
    assert!(matches!(connection, Err(ConnectionError::Closed)));
    let mut acts = LOGIN.to_vec();
    acts.push(Closes);
    let mut connection = connect(acts).await.0.unwrap();
    for expected in ["onLoginSuccess uid=1 fd=0", "onLogout ecode=102"] {
        let Some(Output::Event(emitted)) = connection.next().await else {
            panic!("no {expected}");
        };
        assert_eq!(emitted.to_string(), expected);
    }
    assert_eq!(connection.next().await, None);
    assert!(matches!(
        connection.call("logout", &[]).await,
        Err(ConnectionError::Call(CallError::NotLoggedIn))
    ));
}

#[tokio::test]
async fn an_unreachable_server_is_reported() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let tables = Arc::new(Tables::built_in().unwrap());
    let wire = tables.wire("web").unwrap().clone();
    let login = Login {
        vid: "app".into(),
        account: "alice".into(),
        token: "t".into(),
    };
    let client = LegacyClient::new(tables, wire, login);
    let error = Connection::login(&format!("ws://{port}/"), client).await;
    assert!(matches!(error, Err(ConnectionError::Connect(_))));
}
