//! Contender: a minimal WebSocket relay. Each client has a connection of its own upstream, which gets its messages,
//! and returns the answers.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use sigbridge_bench::toy::small_buffers;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{accept_async_with_config, client_async_with_config};

async fn relay(tcp: TcpStream, upstream: Arc<str>) -> anyhow::Result<()> {
    tcp.set_nodelay(true)?;
    // Boxed, so that the task does not keep room for the handshakes.
    let mut client = Box::pin(accept_async_with_config(tcp, Some(small_buffers()))).await?;
    let tcp = TcpStream::connect(&*upstream).await?;
    tcp.set_nodelay(true)?;
    let url = format!("ws://{upstream}/");
    let (mut server, _) = Box::pin(client_async_with_config(url, tcp, Some(small_buffers()))).await?;
    loop {
        tokio::select! {
            message = client.next() => match message {
                Some(message) => server.send(message?).await?,
                None => return Ok(()),
            },
            message = server.next() => match message {
                Some(message) => client.send(message?).await?,
                None => return Ok(()),
            },
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let address = args.next().unwrap_or("127.0.0.1:8001".into());
    let upstream: Arc<str> = args.next().unwrap_or("127.0.0.1:8002".into()).into();
    let listener = TcpListener::bind(address).await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (tcp, _) = listener.accept().await?;
        tokio::spawn(relay(tcp, upstream.clone()));
    }
}
