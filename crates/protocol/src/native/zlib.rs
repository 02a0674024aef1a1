//! zlib with bounded output. The state is large (inflating 40 KiB, deflating about 300 KiB) and
//! used for microseconds. There is one state of each kind per thread and none per client.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Initial size of the output buffer, bytes.
const LEAST_ROOM: usize = 256;

thread_local! {
    static INFLATE: RefCell<Decompress> = RefCell::new(Decompress::new(true));
    static DEFLATE: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), true));
}

/// The reason why bytes cannot be inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZlibError {
    /// The input is not a zlib stream, or is incomplete.
    Bad,
    /// The output exceeds the bound.
    Bomb,
    /// Bytes follow the end of the stream.
    Trailing,
}

/// Inflates one complete zlib stream.
///
/// At most one byte above `max` is inflated or allocated. Allocation depends on the actual output,
/// not on lengths in the stream.
///
/// # Errors
/// [`ZlibError`].
pub fn inflate(input: &[u8], max: usize) -> Result<Vec<u8>, ZlibError> {
    let most = max + 1;
    let mut out = Vec::with_capacity((input.len() * 4).max(LEAST_ROOM).min(most));
    INFLATE.with_borrow_mut(|stream| {
        stream.reset(true);
        loop {
            let (read, written) = (stream.total_in() as usize, out.len());
            let status = stream.decompress_vec(&input[read..], &mut out, FlushDecompress::None);
            let status = status.map_err(|_| ZlibError::Bad)?;
            let now_read = stream.total_in() as usize;
            match status {
                _ if out.len() > max => return Err(ZlibError::Bomb),
                Status::StreamEnd if now_read == input.len() => return Ok(()),
                Status::StreamEnd => return Err(ZlibError::Trailing),
                // The output buffer is full. Growth is possible, or this would be a bomb.
                _ if out.len() == out.capacity() => {
                    let grown = (out.capacity() * 2).min(most);
                    out.reserve_exact(grown - out.len());
                }
                _ if (now_read, out.len()) == (read, written) => return Err(ZlibError::Bad),
                // zlib may pause for internal reasons.
                _ => {}
            }
        }
    })?;
    Ok(out)
}

/// Writes `body` as a zlib stream at the start of `room`. Returns its length; `None` if the room is
/// too small.
pub fn deflate(body: &[u8], room: &mut [u8]) -> Option<usize> {
    DEFLATE.with_borrow_mut(|stream| {
        stream.reset();
        let status = stream.compress(body, room, FlushCompress::Finish);
        matches!(status, Ok(Status::StreamEnd)).then(|| stream.total_out() as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn deflated(body: &[u8]) -> Vec<u8> {
        let mut room = vec![0; body.len() + 64 + body.len() / 8];
        let length = deflate(body, &mut room).expect("enough room");
        room.truncate(length);
        room
    }

    fn check(input: &[u8], max: usize, expected: Result<&[u8], ZlibError>) {
        let got = inflate(input, max);
        let lengths = (got.as_ref().map(Vec::len), expected.map(<[u8]>::len));
        assert!(got.as_deref() == expected.as_deref(), "{lengths:?} of {max}");
    }

    #[test]
    fn valid_and_invalid_streams() {
        let hello = deflated(b"hello");
        check(&hello, 5, Ok(b"hello"));
        check(&hello, 4, Err(ZlibError::Bomb));
        check(&deflated(b""), 0, Ok(b""));
        check(&[&*hello, b"x"].concat(), 5, Err(ZlibError::Trailing));
        check(&[hello.clone(), hello.clone()].concat(), 50, Err(ZlibError::Trailing));
        for length in 0..hello.len() {
            check(&hello[..length], 5, Err(ZlibError::Bad));
        }
        for at in 0..hello.len() {
            let mut broken = hello.clone();
            broken[at] ^= 0x55;
            assert!(inflate(&broken, 5).is_err(), "byte {at}");
        }
        check(b"hello", 5, Err(ZlibError::Bad));
        // A gzip stream; a zlib stream that needs a dictionary.
        check(
            b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0",
            5,
            Err(ZlibError::Bad),
        );
        check(
            b"\x78\xbb\x00\x00\x00\x01\x03\x00\x00\x00\x00\x01",
            5,
            Err(ZlibError::Bad),
        );
    }

    #[test]
    fn the_bound_is_exact() {
        for length in [1, 255, 256, 257, 1_000, 4_096, 65_535, 65_536] {
            let body = vec![b'x'; length];
            check(&deflated(&body), length, Ok(&body));
            check(&deflated(&body), length - 1, Err(ZlibError::Bomb));
        }
    }

    #[test]
    fn a_bomb_is_not_inflated() {
        let bomb = deflated(&vec![0; 64 << 20]);
        assert!(bomb.len() < 400_000);
        check(&bomb, 64 * 1024, Err(ZlibError::Bomb));
    }

    #[test]
    fn too_little_room_gives_no_stream() {
        assert_eq!(deflate(b"hello", &mut [0; 5]), None);
        assert_eq!(deflate(b"hello", &mut []), None);
        // The state of an aborted stream is discarded.
        check(&deflated(b"hello"), 5, Ok(b"hello"));
    }

    proptest! {
        #[test]
        fn bodies_round_trip(body in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            check(&deflated(&body), 2_000, Ok(&body));
        }

        #[test]
        fn the_bound_holds_for_any_input(mut input in proptest::collection::vec(any::<u8>(), 0..300), max in 0..2_000_usize) {
            for _ in 0..2 {
                if let Ok(out) = inflate(&input, max) {
                    prop_assert!(out.len() <= max && out.capacity() <= max + 1);
                }
                // And as the body of data that begins like a stream.
                input.splice(0..0, [0x78, 0x9c]);
            }
        }
    }
}
