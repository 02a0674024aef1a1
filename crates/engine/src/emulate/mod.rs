//! Emulations of features that RTM lacks, a file each. An emulation never names a Signaling event:
//! its row binds each outcome.

pub mod attributes;
pub mod channel;
mod events;
pub mod invitations;
mod large_channel;
pub mod mailbox;
pub mod mailbox_share;
pub mod name_directory;
pub mod outbox;
pub mod resume;
pub mod system_attributes;
pub mod token_bucket;
pub mod transient_join;

use invitations::Call;

use rtm::value::Text;
use rtm::{RtmCall, RtmError, RtmReply};
use tables::condition::Emulation;
use tables::row::RowId;

use crate::api::Effect;
use crate::invocation::Run;
use crate::session::{Ctx, Session};

/// Limitation codes that the engine notes itself, without an outcome of a row.
pub const CODES: &[&str] = &["ID-HASH", "MAILBOX-FULL"];

impl Session {
    /// Notes one of [`CODES`] for a row.
    pub(super) fn note_own(&self, code: &str, row: Option<RowId>, about: Option<Text>, ctx: &mut Ctx<'_>) {
        let code = self.context.tables.codes.iter().position(|known| &*known.name == code);
        if let Some((row, code)) = row.zip(code) {
            ctx.out.push(Effect::Note { row, code, about });
        }
    }

    pub(super) fn emulation(&self, run: &Run) -> Option<Emulation> {
        self.context.tables.rows[run.row].emulation
    }

    /// Runs before the first step of a run.
    pub(super) fn emulate_start(&mut self, run: &mut Run, ctx: &mut Ctx<'_>) {
        match self.emulation(run) {
            Some(Emulation::SingleChannel) => self.hold_channel(run),
            Some(Emulation::RefuseCall) => self.closing_calls(run, Call::is_ringing),
            Some(Emulation::CloseCall) => self.closing_calls(run, |_| true),
            Some(Emulation::Outbox) => self.sending_to_peer(run, ctx),
            Some(Emulation::SystemAttributeWrite) => self.writing_system_attribute(run, ctx),
            _ => {}
        }
    }

    /// Runs after the last step, before the answer.
    pub(super) fn emulate_done(&mut self, run: &mut Run, _step: &mut Ctx<'_>) {
        if self.emulation(run) == Some(Emulation::SingleChannel) {
            self.settle_list(run);
        }
    }

    /// Runs after the answer.
    pub(super) fn emulate_end(&mut self, run: &Run, ctx: &mut Ctx<'_>) {
        match self.emulation(run) {
            Some(Emulation::SingleChannel) => self.release_channel(ctx),
            Some(Emulation::AnswerCall) => self.accept_over(run),
            Some(Emulation::RefuseCall) => self.closed_calls(run, Call::is_ringing),
            Some(Emulation::CloseCall) => self.closed_calls(run, |_| true),
            _ => {}
        }
    }

    /// Runs before an RTM call of a run.
    pub(super) fn before_call(&mut self, run: &Run, call: &RtmCall, ctx: &mut Ctx<'_>) {
        match call {
            RtmCall::Join { channel_id } if self.emulation(run) == Some(Emulation::TransientJoin) => {
                self.transient_joining(run, channel_id, ctx);
            }
            RtmCall::Join { channel_id } => self.joining(run, channel_id),
            RtmCall::SendMessage { channel_id, .. } => self.sending_to(channel_id),
            RtmCall::Leave { channel_id } => self.left(channel_id),
            RtmCall::LocalInvitationSend { invitation, .. } => self.calling(run, *invitation, ctx),
            _ => {}
        }
    }

    /// Runs after the result of an RTM call.
    pub(super) fn after_call(&mut self, call: &RtmCall, result: &Result<RtmReply, RtmError>, ctx: &mut Ctx<'_>) {
        match (call, result) {
            (RtmCall::Login { .. }, result) => self.resumed_login(result.is_ok(), ctx),
            (RtmCall::GetUserAttributesByKeys { user_id, .. }, result) => {
                self.name_resolved(user_id, result.as_ref().ok(), ctx);
            }
            (RtmCall::GetMembers { channel_id }, Ok(RtmReply::UserIds(list)))
                if self.lists_silently(channel_id, list) => {}
            (RtmCall::GetMembers { channel_id }, result) => self.recounted(channel_id, result.as_ref().ok(), ctx),
            (RtmCall::Join { channel_id }, result) => self.joined(channel_id, result, ctx),
            (RtmCall::SendMessage { channel_id, .. }, result) => self.sent_to(channel_id, result, ctx),
            (RtmCall::LocalInvitationSend { invitation, .. }, Err(_)) => {
                self.calls.remove(invitations::Role::Caller, *invitation);
            }
            (RtmCall::LocalInvitationCancel { invitation, .. }, _) => self.cancel_answered(*invitation),
            (RtmCall::RemoteInvitationAccept { invitation, .. }, result) => {
                self.accepted(*invitation, result);
            }
            (
                RtmCall::AddOrUpdateChannelAttributes { .. }
                | RtmCall::DeleteChannelAttributesByKeys { .. }
                | RtmCall::ClearChannelAttributes { .. },
                result,
            ) => match result {
                Ok(_) => self.written(call),
                Err(_) => self.write_failed(call),
            },
            _ => {}
        }
    }
}
