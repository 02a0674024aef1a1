//! Contender: a minimal server of peer messages on the legacy Web wire, without an engine, checks or storage.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{from_str, to_string, value::RawValue};
use sigbridge_bench::toy::{Client, Toy, serve};

/// With a line as long as a server's.
const LOGGED_IN: &str = r#"["login_ret",["","{\"result\":\"ok\",\"uid\":1,\"line\":\"4f9d2807c7e83271-b8d9ce996045faef75968d3b2bf5415b4547fb1a\"}"]]"#;

#[derive(Default)]
struct Floor {
    clients: RefCell<HashMap<String, Rc<Client>>>,
}

#[derive(serde::Deserialize)]
struct Login {
    account: String,
}

#[derive(serde::Deserialize)]
struct Peer<'a> {
    peer: &'a str,
    flag: &'a str,
    content: std::borrow::Cow<'a, str>,
}

#[derive(serde::Deserialize)]
struct Poll {
    ver_clear: u64,
}

impl Floor {
    fn call(&self, client: &Rc<Client>, function: &str, call: u64, args: &str) -> serde_json::Result<()> {
        let mut answer = format!(r#"["call2-ret",[{call},"","{{\"result\":\"ok\"}}"]]"#);
        match function {
            "user_sendmsg" => {
                let Peer { peer, flag, content } = from_str(args)?;
                if let Some(peer_client) = self.clients.borrow().get(peer) {
                    let version = peer_client.version.get() + 1;
                    peer_client.version.set(version);
                    let from = client.account.borrow();
                    let line = format!("msg-v2 {from} {peer} {flag} instant 1795793322117 {content}");
                    let line = to_string(&(version, line))?;
                    peer_client.send(to_string(&("notify", format!("notify recvmsg {line}")))?);
                }
            }
            "user_getmsg" => {
                let version = from_str::<Poll>(args)?.ver_clear;
                answer =
                    format!(r#"["call2-ret",[{call},"","{{\"result\":\"ok\",\"ver_clear\":{version},\"msgs\":[]}}"]]"#);
            }
            _ => {}
        }
        client.send(answer);
        Ok(())
    }

    fn try_frame(&self, client: &Rc<Client>, text: &str) -> serde_json::Result<()> {
        let (name, arg): (&str, &RawValue) = from_str(text)?;
        match name {
            "login" => {
                let Login { account } = from_str(arg.get())?;
                client.send(LOGGED_IN);
                client.account.replace(account.clone());
                self.clients.borrow_mut().insert(account, client.clone());
            }
            "ping" => client.send(format!(r#"["pong",{arg}]"#)),
            "call2" => {
                let (function, call, args): (&str, u64, &RawValue) = from_str(arg.get())?;
                self.call(client, function, call, args.get())?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Toy for Floor {
    fn frame(&self, client: &Rc<Client>, text: &str) {
        if let Err(error) = self.try_frame(client, text) {
            eprintln!("{error}: {text}");
        }
    }

    fn left(&self, client: &Rc<Client>) {
        self.clients.borrow_mut().remove(&*client.account.borrow());
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8001".into());
    Ok(serve(&address, Floor::default()).await?)
}
