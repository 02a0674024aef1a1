//! Start of a session, and the selection of those that are recorded.

use std::sync::{Arc, OnceLock};

use identity::Account;
use rtm::upstream::UpstreamEvent;
use rtm::{AppId, RtmEvent};
use tables::profile::Profile;
use tables::wire::Wire;
use trace::{Begin, RecordedNames};

use crate::server::Server;
use crate::server::live_session::LiveSession;
use crate::server::live_session::record::RecordSync;
use crate::server::registry::SessionHandle;
use crate::server::session_directory::{ClientView, SessionView};
use crate::server::session_inbox::inbox;
use crate::server::table_set::TableSet;

/// Selection of recorded sessions: those of an account, an app, or all.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    pub account: Option<String>,
    pub app: Option<String>,
}

impl RecordFilter {
    fn fits(&self, app: &AppId, account: &Account) -> bool {
        self.account.as_ref().is_none_or(|wanted| wanted == account.as_str())
            && self.app.as_ref().is_none_or(|wanted| wanted == app.as_str())
    }
}

impl Server {
    /// Starts a session and its RTM client.
    pub fn new_session(
        self: &Arc<Self>,
        vid: AppId,
        account: Account,
        set: &Arc<TableSet>,
        wire: Arc<Wire>,
        profile: &Profile,
        shown: ClientView,
    ) -> SessionHandle {
        let mut context = self.context(&vid, set, wire);
        let now = self.clock.now();
        let is_selected = self.record_filter.lock().fits(&vid, &account);
        let may_be_recorded = is_selected
            && self
                .recorded
                .lock()
                .as_ref()
                .is_none_or(|known| Arc::ptr_eq(known, set));
        let recorder = may_be_recorded
            .then(|| self.recorder.session_recorder(&set.tables, now))
            .flatten();
        if let Some(recorder) = &recorder {
            recorder.at(now);
            let platform = self.upstream.platform(&vid);
            recorder.begin(&Begin::of(&profile.name, account.text(), platform, &context));
            context.names = Arc::new(RecordedNames::new(context.names, recorder.clone()));
        }
        let inbox = inbox(&self.pressure, &self.runs);
        let (to_session, metrics) = (inbox.downgrade(), self.metrics.clone());
        let redis = self.redis.as_ref().filter(|_| context.durable);
        // The backend of a durable session keeps a peer message until it is processed, or dropped.
        let dropped = redis.map(|_| (self.upstream.clone(), Arc::new(OnceLock::new())));
        let own = dropped.as_ref().map(|(_, client)| client.clone());
        let client = self.upstream.open(
            &vid,
            Arc::new(move |event| {
                let is_peers = matches!(event, UpstreamEvent::Event(RtmEvent::MessageFromPeer { .. }));
                if let Some(inbox) = to_session.upgrade()
                    && !inbox.deliver(event)
                {
                    metrics.dropped("messages for a session that cannot keep up");
                    if let Some((upstream, client)) = dropped.as_ref().filter(|_| is_peers)
                        && let Some(client) = client.get()
                    {
                        upstream.processed(client, 1);
                    }
                }
            }),
        );
        if let Some(own) = own {
            let _ = own.set(client.clone());
        }
        // Random in all bits: session lines are valid at all sidecars with the same key.
        let id = getrandom::u64().unwrap_or_else(|_| self.new_socket().0);
        let shown_account = self.log.accounts.name(vid.as_str(), account.as_str());
        let named = (vid.clone(), account.text().clone(), shown_account);
        let view = SessionView::new(id, named, now, shown);
        self.sessions.add(view.clone(), inbox.downgrade());
        let record = redis.map(|redis| RecordSync::new(self, redis, (&vid, &account), id, inbox.downgrade(), &client));
        let parts = (context, set.clone());
        let session = LiveSession::new(
            self.clone(),
            (vid, account),
            parts,
            view.clone(),
            client,
            inbox.downgrade(),
        );
        inbox.start(Box::new(session.with_record(record).recorded_by(recorder).begin()));
        SessionHandle {
            id,
            inbox,
            view,
            set: set.clone(),
        }
    }
}
