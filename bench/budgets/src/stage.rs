//! Stages of a call.

/// A stage of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the text of a frame to a call.
    Decode,
    /// From the call to the effects of all sessions: arguments, row, RTM, events.
    Row,
    /// From the effects to the texts of frames.
    Encode,
}

impl Stage {
    /// All stages, in order.
    pub const ALL: [Self; 3] = [Self::Decode, Self::Row, Self::Encode];

    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Row => "row",
            Self::Encode => "encode",
        }
    }
}
