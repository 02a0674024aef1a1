//! Admission of connections: pages by origin, addresses by share, agents among other connections.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rtm::AppId;
use runtime::net::Shortage;
use serde_json::json;
use sigbridge::config::{App, Config};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::{
    Client, PATIENCE, agent, behind_a_link, config, counter, embedded, eventually, linked, serve, serve_with_config,
};

const PAGE: &str = "https://app.example.com";
const OTHER: &str = "https://evil.example";

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A WebSocket of a page; the status of the refusal, if it is refused.
async fn open(addr: SocketAddr, path: &str, origin: Option<&str>) -> Result<Socket, u16> {
    let mut request = format!("ws://{addr}{path}").into_client_request().expect("a URL");
    if let Some(origin) = origin {
        request
            .headers_mut()
            .insert("origin", origin.parse().expect("a header"));
    }
    match connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

fn pages(listed: &[&str]) -> Option<Vec<String>> {
    Some(listed.iter().map(|page| (*page).to_owned()).collect())
}

async fn check_pages(config: Config, expected: &[(&str, Option<&str>, Option<u16>)]) {
    let running = serve(config).await;
    for (path, origin, refused) in expected {
        let opened = open(running.http, path, *origin).await;
        assert_eq!(opened.err(), *refused, "{path} from {origin:?}");
    }
}

#[tokio::test]
async fn pages_connect_as_configured() {
    let with = |all: Option<Vec<String>>, api: Option<Vec<String>>| {
        let mut config = config();
        (config.listen.allowed_origins, config.listen.api_allowed_origins) = (all, api);
        config
    };
    // As the legacy service did: any page.
    check_pages(
        with(None, None),
        &[("/", Some(OTHER), None), ("/api", Some(OTHER), None)],
    )
    .await;
    let expected = [
        ("/", Some(PAGE), None),
        ("/", Some(OTHER), Some(403)),
        ("/", Some("null"), Some(403)),
        ("/", None, None),
        ("/api", Some(PAGE), None),
        ("/api", Some(OTHER), Some(403)),
    ];
    check_pages(with(pages(&[PAGE]), None), &expected).await;
    let expected = [
        ("/", Some(PAGE), None),
        ("/api", Some(PAGE), Some(403)),
        ("/api", None, None),
    ];
    check_pages(with(None, pages(&[])), &expected).await;
}

async fn login_from(addr: SocketAddr, app: &str, origin: Option<&str>) -> String {
    let mut socket = open(addr, "/", origin).await.expect("any page may connect");
    let fields = json!({"vid": app, "account": "alice", "uid": 0, "token": "", "device": "websdk", "ip": ""});
    let login = Message::text(json!(["login", fields]).to_string());
    socket.send(login).await.expect("it reads");
    let answer = timeout(PATIENCE, socket.next()).await.expect("an answer");
    answer
        .expect("a frame")
        .expect("a frame")
        .into_text()
        .expect("a text")
        .to_string()
}

#[tokio::test]
async fn pages_log_in_to_their_own_app_only() {
    let mut config = config();
    let app = |id: &str, allowed_origins| App {
        id: AppId::new(id).expect("an app id"),
        auth: Default::default(),
        upstream: Default::default(),
        allowed_origins,
        limits: Default::default(),
    };
    config.apps = vec![app("one", pages(&[PAGE])), app("two", None)];
    let running = serve(config).await;
    let mut refused = Vec::new();
    for (app, origin) in [
        ("one", Some(OTHER)),
        ("one", Some(PAGE)),
        ("one", None),
        ("two", Some(OTHER)),
    ] {
        let answer = login_from(running.http, app, origin).await;
        refused.push(answer.contains("TokenErrorOrigin"));
        assert!(answer.starts_with("[\"login_ret\""), "{answer}");
    }
    assert_eq!(refused, [true, false, false, false]);
}

/// An idle socket.
async fn idle(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((from, 0).into()).expect("an address of this machine");
    socket.connect(to).await.expect("the server listens")
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn one_address_cannot_use_all_connections() {
    let mut config = config();
    config.limits.sockets = 8;
    let running = serve_with_config(config).await;
    let mut held = Vec::new();
    for _ in 0..10 {
        held.push(idle([127, 0, 0, 2], running.http).await);
    }
    // The last of them are closed at once.
    let end = timeout(PATIENCE, held[9].read(&mut [0])).await.expect("it is closed");
    assert!(matches!(end, Ok(0) | Err(_)));
    assert_eq!(running.server.shortages.current(), Some(Shortage::Sockets));
    assert_eq!(counter(&running, "sigbridge_connections_without_room_total"), 4);
    let alice = Client::login(running.http, "alice").await;
    // Idle connections are closed in favour of new ones of any address.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    let (mut bob, _carol) = (
        Client::login(running.http, "bob").await,
        Client::login(running.http, "carol").await,
    );
    let end = timeout(PATIENCE, held[0].read(&mut [0]))
        .await
        .expect("the oldest is closed");
    assert!(matches!(end, Ok(0) | Err(_)));
    drop(alice);
    assert_eq!(bob.poll(0).await, (0, vec![]), "logged-in clients stay connected");
}

#[tokio::test]
async fn an_agent_connects_among_connections_without_a_secret() {
    let config = config();
    let rtm = embedded(&config);
    let running = serve_with_config(behind_a_link(config)).await;
    let addr = running.agents.expect("an agent upstream");
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(TcpStream::connect(addr).await.expect("it listens"));
    }
    agent("flutter", rtm, addr);
    linked(&running).await;
    let closed = || counter(&running, "sigbridge_connections_without_secret_total");
    eventually("the oldest are closed", || closed() >= 36).await;
    assert_eq!(running.server.shortages.current(), None, "clients can still connect");
}
