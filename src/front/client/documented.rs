//! Calls by their documented names: they carry no line, and some are answered before a login.

use crate::bridge::{CallRef, Input};
use crate::front::args::{read_args, readable_args};
use crate::mapping::wire::{FailureForm, Target};
use crate::shell::{Asked, Message};
use crate::value::Value;

use super::Client;

impl Client {
    /// Takes a call. Before its login a client is answered by a session that never begins: it knows what SDKs answer
    /// by themselves, and refuses the rest in the form of each call.
    pub(super) async fn documented_call(&mut self, asked: Asked<'_>, args: &Value) {
        let wire = self.wire.clone();
        let found = wire.find(asked.function, args);
        let Some((position, Target::Row(row))) = found.map(|(at, function)| (at, &function.target)) else {
            self.server.metrics.bad_frame("unknown function");
            let reason = format!("unknown func {}", asked.function);
            return self.send(self.speech().plain(asked, FailureForm::Own, Err(&reason)));
        };
        let call = CallRef {
            socket: self.socket,
            id: asked.id,
            function: position,
        };
        let again = matches!(&wire.login.target, Target::Row(login) if login.row == row.row);
        let read = if again {
            Err("already login")
        } else {
            read_args(row, args)
        };
        if let Err(reason) = read {
            self.server.metrics.bad_frame(reason);
        } else if self.session.is_none() {
            self.server.metrics.bad_frame("call before login");
        }
        let row_id = row.row;
        match (read, self.session.is_some()) {
            (Ok(args), true) => {
                let row = row_id;
                self.tell(Message::Call { call, row, args }).await;
            }
            (Ok(args), false) => self.ask_nobody(Input::Call {
                call,
                row: row_id,
                args,
            }),
            (Err(reason), true) => {
                self.tell(Message::Refused {
                    call,
                    row: row_id,
                    args: readable_args(row, args),
                    reason: reason.into(),
                })
                .await;
            }
            (Err(reason), false) => self.ask_nobody(Input::Refused {
                call,
                row: row_id,
                args: readable_args(row, args),
                reason: reason.into(),
            }),
        }
    }
}
