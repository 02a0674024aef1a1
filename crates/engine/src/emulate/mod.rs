//! Emulations of features that RTM lacks: a state machine and a file each. An emulation never names
//! a Signaling event: its row binds each outcome.
//!
//! A state machine appends its own effects to the context. Where a row must run, it returns
//! the event, and the session runs the row.

pub mod attributes;
pub mod call_role;
pub mod channel;
pub mod channel_lines;
pub mod directory;
pub mod invitations;
pub mod mailbox;
pub mod mailbox_share;
pub mod members;
pub mod messages;
pub mod outbox;
pub mod rate_limits;
pub mod status;
pub mod system_attributes;
pub mod transient_join;
