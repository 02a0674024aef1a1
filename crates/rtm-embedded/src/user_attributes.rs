//! User attributes (rtm-api 3.4): written by their owner, deleted at logout, without change events.

use rtm::value::Text;
use rtm::{AttributeOperation, RtmError, RtmReply, UserId};

use crate::attributes::{select, upsert};
use crate::checks;
use crate::context::{Ctx, ReplyTo};
use crate::service::RtmService;

impl RtmService {
    pub(super) fn set_user_attributes(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, pairs: Vec<(Text, Text)>) {
        let Some(session) = self.clients.session_mut(reply_to.client) else {
            return;
        };
        session.attributes.clear();
        for (key, value) in pairs {
            upsert(&mut session.attributes, key, value);
        }
        ctx.reply(reply_to, RtmReply::Void);
    }

    pub(super) fn update_user_attributes(
        &mut self,
        ctx: &mut Ctx<'_>,
        reply_to: ReplyTo,
        pairs: Vec<(Text, Text)>,
    ) -> Result<(), RtmError> {
        let Some(session) = self.clients.session_mut(reply_to.client) else {
            return Ok(());
        };
        let mut merged = session.attributes.clone();
        for (key, value) in pairs {
            upsert(&mut merged, key, value);
        }
        checks::user_attributes(&merged)?;
        session.attributes = merged;
        ctx.reply(reply_to, RtmReply::Void);
        Ok(())
    }

    pub(super) fn delete_user_attributes(&mut self, ctx: &mut Ctx<'_>, reply_to: ReplyTo, keys: &[Text]) {
        let Some(session) = self.clients.session_mut(reply_to.client) else {
            return;
        };
        session.attributes.retain(|(key, _)| !keys.contains(key));
        ctx.reply(reply_to, RtmReply::Void);
    }

    /// Returns the attributes of the keys that exist, or all.
    pub(super) fn get_user_attributes(
        &mut self,
        ctx: &mut Ctx<'_>,
        reply_to: ReplyTo,
        user: &UserId,
        keys: Option<&[Text]>,
    ) -> Result<(), RtmError> {
        let owner = self.users.get(user).and_then(|&client| self.clients.session(client));
        let owner = owner.ok_or(AttributeOperation::UserNotFound)?;
        ctx.reply(reply_to, RtmReply::Attributes(select(&owner.attributes, keys)));
        Ok(())
    }
}
