//! User attributes (rtm-api 3.4): written by their owner, gone with the login, and nobody is told of a change.

use rtm::value::Text;
use rtm::{AttributeOperation, RtmError, RtmReply, UserId};

use crate::attributes::{select, upsert};
use crate::checks;
use crate::context::{Ask, Step};
use crate::service::RtmService;

impl RtmService {
    pub(super) fn set_user_attributes(&mut self, step: &mut Step<'_>, ask: Ask, pairs: Vec<(Text, Text)>) {
        let Some(session) = self.clients.session_mut(ask.client) else {
            return;
        };
        session.attributes.clear();
        for (key, value) in pairs {
            upsert(&mut session.attributes, key, value);
        }
        step.reply(ask, RtmReply::Void);
    }

    pub(super) fn update_user_attributes(
        &mut self,
        step: &mut Step<'_>,
        ask: Ask,
        pairs: Vec<(Text, Text)>,
    ) -> Result<(), RtmError> {
        let Some(session) = self.clients.session_mut(ask.client) else {
            return Ok(());
        };
        let mut merged = session.attributes.clone();
        for (key, value) in pairs {
            upsert(&mut merged, key, value);
        }
        checks::user_attributes(&merged)?;
        session.attributes = merged;
        step.reply(ask, RtmReply::Void);
        Ok(())
    }

    pub(super) fn delete_user_attributes(&mut self, step: &mut Step<'_>, ask: Ask, keys: &[Text]) {
        let Some(session) = self.clients.session_mut(ask.client) else {
            return;
        };
        session.attributes.retain(|(key, _)| !keys.contains(key));
        step.reply(ask, RtmReply::Void);
    }

    /// Attributes of the keys that exist, or all.
    pub(super) fn get_user_attributes(
        &mut self,
        step: &mut Step<'_>,
        ask: Ask,
        user: &UserId,
        keys: Option<&[Text]>,
    ) -> Result<(), RtmError> {
        let owner = self.users.get(user).and_then(|&client| self.clients.session(client));
        let owner = owner.ok_or(AttributeOperation::UserNotFound)?;
        step.reply(ask, RtmReply::Attributes(select(&owner.attributes, keys)));
        Ok(())
    }
}
