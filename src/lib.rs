//! sigbridge: legacy Signaling clients on the left, RTM 1.x on the right.
pub mod rtm;
pub mod time;
pub mod upstream;
pub mod value;
