//! Contender: a minimal server of one channel. A message is encoded once and written to all members.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serde_json::{from_str, to_string, value::RawValue};
use sigbridge_bench::toy::{Client, Toy, serve};
use tokio_tungstenite::tungstenite::Utf8Bytes;

#[derive(Default)]
struct Broadcast {
    members: RefCell<Vec<Rc<Client>>>,
    number: Cell<u64>,
}

#[derive(serde::Deserialize)]
struct Login {
    account: String,
}

#[derive(serde::Deserialize)]
struct Message<'a> {
    name: &'a str,
    msg: std::borrow::Cow<'a, str>,
}

impl Broadcast {
    fn call(&self, client: &Rc<Client>, function: &str, call: u64, args: &str) -> serde_json::Result<()> {
        client.send(format!(
            r#"["call2-ret",[{call},"","{{\"result\":\"ok\",\"list\":[],\"attrs\":{{}}}}"]]"#
        ));
        match function {
            "channel_join" => self.members.borrow_mut().push(client.clone()),
            "channel_sendmsg" => {
                let Message { name, msg } = from_str(args)?;
                self.number.set(self.number.get() + 1);
                let account = client.account.borrow();
                let content = serde_json::json!({ "channel": name, "account": *account, "uid": 1, "msg": msg });
                let line = format!("msg-v2 {account} {name} v1:E:3600 channel_msg 1795793322117 {content}");
                let frame: Utf8Bytes = to_string(&("notify", ("channel2", 1, self.number.get(), line)))?.into();
                for member in &*self.members.borrow() {
                    member.send(frame.clone());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn try_frame(&self, client: &Rc<Client>, text: &str) -> serde_json::Result<()> {
        let (name, arg): (&str, &RawValue) = from_str(text)?;
        match name {
            "login" => {
                client.account.replace(from_str::<Login>(arg.get())?.account);
                client.send(r#"["login_ret",["","{\"result\":\"ok\",\"uid\":1,\"line\":\"4f9d2807c7e83271-b8d9ce996045faef75968d3b2bf5415b4547fb1a\"}"]]"#);
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

impl Toy for Broadcast {
    fn frame(&self, client: &Rc<Client>, text: &str) {
        if let Err(error) = self.try_frame(client, text) {
            eprintln!("{error}: {text}");
        }
    }

    fn left(&self, client: &Rc<Client>) {
        self.members.borrow_mut().retain(|member| !Rc::ptr_eq(member, client));
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8001".into());
    Ok(serve(&address, Broadcast::default()).await?)
}
