//! An echo server behind a proxy: each message goes back to its sender.

use futures_util::{SinkExt, StreamExt};
use sigbridge_bench::toy::small_buffers;
use tokio::net::{TcpListener, TcpStream};

async fn echo(tcp: TcpStream) -> anyhow::Result<()> {
    tcp.set_nodelay(true)?;
    let mut ws = tokio_tungstenite::accept_async_with_config(tcp, Some(small_buffers())).await?;
    while let Some(message) = ws.next().await {
        let message = message?;
        if message.is_text() {
            ws.send(message).await?;
        }
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind(std::env::args().nth(1).unwrap_or("127.0.0.1:8002".into())).await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (tcp, _) = listener.accept().await?;
        tokio::spawn(echo(tcp));
    }
}
