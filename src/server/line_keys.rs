//! Keys of session lines: that of this process or its config, and that of all sidecars on one Redis.

use std::sync::OnceLock;

use tokio::sync::Notify;

use identity::{BadSessionLine, SessionLine, SessionLineKey};

/// Keys of session lines.
pub struct LineKeys {
    own: SessionLineKey,
    shared: OnceLock<SessionLineKey>,
    is_shared: Notify,
}

impl LineKeys {
    /// Keys without a shared one.
    pub fn new(own: SessionLineKey) -> Self {
        Self {
            own,
            shared: OnceLock::new(),
            is_shared: Notify::new(),
        }
    }

    /// Sets the key of all sidecars, which signs all later lines. Lines of the other key remain valid here.
    pub fn share(&self, key: SessionLineKey) {
        let _ = self.shared.set(key);
        self.is_shared.notify_waiters();
    }

    /// Waits for the key of all sidecars.
    pub async fn shared(&self) {
        loop {
            let is_shared = self.is_shared.notified();
            if self.shared.get().is_some() {
                return;
            }
            is_shared.await;
        }
    }

    /// Issues the line of a session.
    pub fn issue(&self, session: u64) -> SessionLine {
        self.shared.get().unwrap_or(&self.own).issue(session)
    }

    /// Returns a valid line as such.
    pub fn known(&self, line: &str, session: u64) -> SessionLine {
        let own = self.own.issue(session);
        if own.is(line) { own } else { self.issue(session) }
    }

    /// Returns the session of a line.
    ///
    /// # Errors
    /// [`BadSessionLine`].
    pub fn verify(&self, line: &str) -> Result<u64, BadSessionLine> {
        match self.shared.get().map(|shared| shared.verify(line)) {
            Some(Ok(number)) => Ok(number),
            _ => self.own.verify(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_keys_are_valid() {
        let key = |secret: &str| SessionLineKey::new(secret.as_bytes()).unwrap();
        let keys = LineKeys::new(key("0123456789abcdef"));
        let before = keys.issue(7);
        keys.share(key("fedcba9876543210"));
        let after = keys.issue(7);
        assert_ne!(before.as_str(), after.as_str());
        assert_eq!(
            (keys.verify(before.as_str()), keys.verify(after.as_str())),
            (Ok(7), Ok(7))
        );
        assert!(keys.known(before.as_str(), 7).is(before.as_str()) && keys.known(after.as_str(), 7).is(after.as_str()));
        assert!(keys.verify(key("another secret..").issue(7).as_str()).is_err());
    }
}
