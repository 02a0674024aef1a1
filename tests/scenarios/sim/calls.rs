//! Calls of an app on its SDK.

use rtm::value::Value;

use super::client::{Client, Pending};
use super::invert;

impl Client {
    /// Makes a call by its documented name, with the arguments of the wire, in the documented
    /// order. A call that the wire's SDK lacks is recorded as `unavailable`.
    ///
    /// # Errors
    /// Too many arguments.
    pub fn documented(&mut self, name: &str, words: &[&str]) -> Result<(), String> {
        let (tables, wire) = (self.tables.clone(), self.wire.clone());
        // Without a login the SDK has no session for calls.
        let function = invert::function(&tables, &wire, name).filter(|_| self.status != 0);
        let Some((function, names)) = function else {
            self.see(["unavailable"]);
            return Ok(());
        };
        if words.len() > names.len() {
            return Err(format!("{name} takes {}", names.join(", ")));
        }
        let mut args: Vec<(String, Value)> = Vec::new();
        for (at, arg) in names.into_iter().enumerate() {
            let word = words.get(at).copied().unwrap_or("");
            let json = word.strip_prefix("json:").map(Value::from_json).transpose();
            args.push((arg, json.map_err(|e| e.to_string())?.unwrap_or_else(|| word.into())));
        }
        self.call(function, args, false);
        Ok(())
    }

    /// Calls `invoke('io.agora.signal.…', args)`.
    ///
    /// # Errors
    /// The arguments are not a JSON object.
    pub fn invoke(&mut self, name: &str, args: &str) -> Result<(), String> {
        let args = Value::from_json(args).map_err(|e| e.to_string())?;
        let fields = args.as_map().ok_or("an object")?.to_vec();
        let function = self.wire.find(name, &args).map_or(usize::MAX, |(at, _)| at);
        let id = self.send_call(name, fields);
        let pending = Pending {
            function: Some(function),
            name: name.into(),
            invoked: true,
            args: Vec::new(),
        };
        self.pending.insert(id, pending);
        Ok(())
    }

    /// Sends a frame unchanged. The answer to a call in it is recorded as `reply`.
    pub fn raw_frame(&mut self, frame: &str) {
        self.out.push(frame.into());
        let call = Value::from_json(frame).ok();
        let call = call
            .as_ref()
            .and_then(Value::as_list)
            .filter(|items| items.first() == Some(&"call2".into()));
        let id = call.and_then(|items| items.get(1)?.as_list()?.get(1)?.as_int());
        // A native line: `call function id …`.
        let of_line = || frame.strip_prefix("call ")?.split(' ').nth(1)?.parse().ok();
        let id = id.or_else(of_line);
        if let Some(id) = id {
            let pending = Pending {
                function: None,
                name: String::new(),
                invoked: false,
                args: Vec::new(),
            };
            self.pending.insert(id, pending);
        }
    }

    /// Returns the SDK's own status.
    pub fn get_status(&mut self) {
        let status = self.status.to_string();
        self.see(["getStatus".to_owned(), status]);
    }
}
