//! The sockets of the toy servers: one thread, run to completion.
//!
//! A frame for a client is written straight to its socket by the task that has it; the client's task is not woken for it. Only
//! data that a socket does not take waits for a task.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes, WebSocket};

/// Handler of frames.
pub trait Toy: 'static {
    fn frame(&self, client: &Rc<Client>, text: &str);
    fn left(&self, client: &Rc<Client>);
}

/// A connection with the state of a toy server.
pub struct Client {
    ws: RefCell<WebSocket<Socket>>,
    tcp: Rc<TcpStream>,
    blocked: Cell<bool>,
    pub account: RefCell<String>,
    /// The version of the last mailbox line, or the number of the last line of a channel.
    pub version: Cell<u64>,
}

impl Client {
    /// Writes a frame. A client with 256 KiB of waiting frames is closed.
    pub fn send(self: &Rc<Self>, text: impl Into<Utf8Bytes>) {
        let sent = self.ws.borrow_mut().send(Message::Text(text.into()));
        match sent {
            Ok(()) => {}
            Err(error) if would_block(&error) => {
                if !self.blocked.replace(true) {
                    spawn_local(flush(self.clone()));
                }
            }
            Err(_) => drop(socket2::SockRef::from(&*self.tcp).shutdown(std::net::Shutdown::Both)),
        }
    }
}

/// Buffers of 4 KiB, in place of the library's 128 KiB.
pub fn small_buffers() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_write_buffer_size(1 << 18)
}

/// Serves clients until the process ends.
///
/// # Errors
/// Those of the listener.
pub async fn serve<T: Toy>(address: &str, toy: T) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    println!("{}", listener.local_addr()?);
    let toy = Rc::new(toy);
    let serve = async {
        loop {
            let (tcp, _) = listener.accept().await?;
            spawn_local(connection(tcp, toy.clone()));
        }
    };
    tokio::task::LocalSet::new().run_until(serve).await
}

async fn connection<T: Toy>(tcp: TcpStream, toy: Rc<T>) -> Result<(), Error> {
    tcp.set_nodelay(true)?;
    // Boxed, so that the task does not keep room for the handshake.
    let handshake = Box::pin(tokio_tungstenite::accept_async_with_config(tcp, Some(small_buffers())));
    let tcp = Rc::new(handshake.await?.into_inner());
    let socket = Socket(tcp.clone());
    let client = Rc::new(Client {
        ws: RefCell::new(WebSocket::from_raw_socket(socket, Role::Server, Some(small_buffers()))),
        tcp,
        blocked: Cell::new(false),
        account: RefCell::default(),
        version: Cell::new(0),
    });
    loop {
        let read = client.ws.borrow_mut().read();
        match read {
            Ok(Message::Text(text)) => toy.frame(&client, &text),
            Ok(_) => {}
            Err(error) if would_block(&error) => client.tcp.readable().await?,
            Err(_) => break,
        }
    }
    toy.left(&client);
    Ok(())
}

async fn flush(client: Rc<Client>) -> io::Result<()> {
    loop {
        client.tcp.writable().await?;
        let flushed = client.ws.borrow_mut().flush();
        if !flushed.is_err_and(|error| would_block(&error)) {
            client.blocked.set(false);
            return Ok(());
        }
    }
}

fn would_block(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == ErrorKind::WouldBlock)
}

/// A socket that does not block, as the WebSocket library wants it.
struct Socket(Rc<TcpStream>);

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.try_write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
