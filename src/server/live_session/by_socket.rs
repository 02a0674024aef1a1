//! Values by socket, for the few sockets of one session.

use protocol::event::SocketId;

/// Values by socket. The memory is that of the values, because most sessions have one socket for hours.
pub(super) struct BySocket<T>(Vec<(SocketId, T)>);

impl<T> Default for BySocket<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> BySocket<T> {
    pub(super) fn get(&self, socket: SocketId) -> Option<&T> {
        self.0
            .iter()
            .find(|(known, _)| *known == socket)
            .map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, socket: SocketId) -> Option<&mut T> {
        let found = self.0.iter_mut().find(|(known, _)| *known == socket);
        found.map(|(_, value)| value)
    }

    /// Sets the value of a socket.
    pub(super) fn insert(&mut self, socket: SocketId, value: T) {
        self.remove(socket);
        self.0.reserve_exact(1);
        self.0.push((socket, value));
    }

    /// Removes the value of a socket.
    pub(super) fn remove(&mut self, socket: SocketId) -> Option<T> {
        let place = self.0.iter().position(|(known, _)| *known == socket)?;
        let (_, value) = self.0.swap_remove(place);
        self.0.shrink_to_fit();
        Some(value)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, value)| value)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_socket_and_need_no_memory_after_their_end() {
        let mut sockets = BySocket::default();
        for number in [1, 2, 1] {
            sockets.insert(SocketId(number), number * 10);
        }
        assert_eq!((sockets.get(SocketId(1)), sockets.len()), (Some(&10), 2));
        assert_eq!(sockets.remove(SocketId(2)), Some(20));
        assert_eq!(sockets.remove(SocketId(2)), None);
        assert_eq!(sockets.get_mut(SocketId(1)), Some(&mut 10));
        assert_eq!((sockets.0.capacity(), sockets.values().count()), (1, 1));
        sockets.remove(SocketId(1));
        assert!(sockets.is_empty() && sockets.0.capacity() == 0);
    }
}
