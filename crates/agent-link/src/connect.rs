//! Dialling a link, with back-off.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};

use rtm::value::{Text, Value};
use runtime::backoff::{Backoff, random};

use crate::frame::{Body, ErrorBody, Frame};
use crate::{HANDSHAKE_TIMEOUT, websocket_config};

/// Delays between attempts to dial, after a first immediate retry.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(5));

/// Returns the delay before another attempt after so many attempts without a connection, with jitter.
pub fn redial_delay(attempts: u32) -> Duration {
    match attempts {
        0 => Duration::ZERO,
        more => BACKOFF.jittered(more - 1, random()),
    }
}

/// Dialled socket.
pub type OutboundWebSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Dial error.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Connection or WebSocket handshake failed.
    #[error("cannot connect: {0}")]
    Connect(#[from] Box<tungstenite::Error>),
    /// A header cannot carry the secret.
    #[error("the secret must consist of visible ASCII characters")]
    Secret,
    /// No answer to the handshake.
    #[error("no handshake answer within 5 s")]
    Silent,
    /// The handshake was rejected.
    #[error("handshake rejected: {} ({})", .0.message, .0.code)]
    Refused(ErrorBody),
    /// Invalid answer.
    #[error("invalid handshake answer: {0}")]
    BadAnswer(String),
}

/// Dials `url` and performs the handshake; returns the socket and the answer.
///
/// # Errors
/// [`DialError`].
pub async fn dial(
    url: &str,
    secret: Option<&SecretString>,
    method: &'static str,
    params: Value,
) -> Result<(OutboundWebSocket, Value), DialError> {
    let mut request = url.into_client_request().map_err(Box::new)?;
    if let Some(secret) = secret {
        let mut value =
            HeaderValue::from_str(&format!("Bearer {}", secret.expose_secret())).map_err(|_| DialError::Secret)?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    let connect = connect_async_with_config(request, Some(websocket_config()), true);
    let connected = timeout(HANDSHAKE_TIMEOUT, connect)
        .await
        .map_err(|_| DialError::Silent)?;
    let (mut websocket, _) = connected.map_err(Box::new)?;
    let hello = Frame::own(Body::Request {
        id: 0,
        method: method.into(),
        params,
    });
    websocket
        .send(Message::text(hello.into_text()))
        .await
        .map_err(Box::new)?;
    match first_frame(&mut websocket).await? {
        Body::Result { id: 0, result } => Ok((websocket, result)),
        Body::Error { error, .. } => Err(DialError::Refused(error)),
        _ => Err(DialError::BadAnswer("expected a result or an error".into())),
    }
}

/// Reads the first frame of a socket.
///
/// # Errors
/// [`DialError`].
pub async fn first_frame<S>(websocket: &mut WebSocketStream<S>) -> Result<Body, DialError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let read = async {
        loop {
            match websocket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Err(error)) => return Err(DialError::Connect(Box::new(error))),
                _ => return Err(DialError::BadAnswer("socket closed".into())),
            }
        }
    };
    let text = timeout(HANDSHAKE_TIMEOUT, read)
        .await
        .map_err(|_| DialError::Silent)??;
    let frame = Frame::parse(&text).map_err(|error| DialError::BadAnswer(error.to_string()))?;
    Ok(frame.body)
}

/// Answers the handshake.
///
/// # Errors
/// The socket is closed.
pub async fn answer<S>(
    websocket: &mut WebSocketStream<S>,
    id: u64,
    answer: Result<Value, ErrorBody>,
) -> Result<(), DialError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let body = match answer {
        Ok(result) => Body::Result { id, result },
        Err(error) => Body::Error { id, error },
    };
    let text = Frame::own(body).into_text();
    Ok(websocket.send(Message::text(text)).await.map_err(Box::new)?)
}

/// Returns number, method and parameters of a handshake request.
pub fn requested(body: Body) -> Option<(u64, Text, Value)> {
    match body {
        Body::Request { id, method, params } => Some((id, method, params)),
        _ => None,
    }
}
