//! Binary encoding of both versions: integers little-endian, texts behind their length in two
//! bytes.

/// A byte buffer to which fields are appended.
#[derive(Default)]
pub struct Packer(Vec<u8>);

impl Packer {
    pub fn u16(mut self, value: u16) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Appends bytes behind their length. Ids, digests and messages are all far below 64 KiB;
    /// longer input is cut off.
    pub fn text(self, bytes: &[u8]) -> Self {
        let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        self.u16(len).raw(&bytes[..usize::from(len)])
    }

    /// Appends bytes without a length.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    pub fn done(self) -> Vec<u8> {
        self.0
    }
}

/// A reader of packed fields. Its methods return `None` if too few bytes are left.
pub struct Unpacker<'b>(pub &'b [u8]);

impl<'b> Unpacker<'b> {
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn text(&mut self) -> Option<&'b [u8]> {
        let len = usize::from(self.u16()?);
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(text)
    }

    pub fn str(&mut self) -> Option<&'b str> {
        std::str::from_utf8(self.text()?).ok()
    }

    /// Reads the privileges and their expiry times.
    pub fn privileges(&mut self) -> Option<Vec<(u16, u32)>> {
        let count = self.u16()?;
        (0..count).map(|_| Some((self.u16()?, self.u32()?))).collect()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }
}
