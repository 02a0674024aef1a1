//! The config of a running process after a reload: keys that need a restart keep their values.

use crate::config::{App, Config, UpstreamKind};
use rtm::AppId;

impl Config {
    /// Returns `new` as far as a running process can use it. `routed` is the RTM backend that an app has in it.
    #[must_use]
    pub fn reloaded(&self, new: &Config, routed: impl Fn(&AppId) -> UpstreamKind) -> Self {
        let old = self.clone();
        let mut config = new.clone();
        config.listen.http = old.listen.http;
        config.listen.tcp = old.listen.tcp;
        config.listen.udp = old.listen.udp;
        config.listen.reports = old.listen.reports;
        config.listen.wss = old.listen.wss;
        config.session.line_key = old.session.line_key;
        config.mailbox.file = old.mailbox.file;
        config.upstream = old.upstream;
        config.rest = old.rest;
        config.redis = old.redis;
        config.embedded = old.embedded;
        config.log = old.log;
        config.otel = old.otel;
        config.admin.listen = old.admin.listen;
        config.admin.usage_file = old.admin.usage_file;
        // A new app is served only if its backend is the one that it gets.
        let known = |app: &App| self.apps.iter().any(|old| old.id == app.id);
        config.apps.retain(|app| known(app) || app.upstream == routed(&app.id));
        for app in &mut config.apps {
            app.upstream = routed(&app.id);
        }
        config
    }

    /// Returns the new apps that need a restart.
    pub fn apps_for_restart<'n>(
        &self,
        new: &'n Config,
        routed: impl Fn(&AppId) -> UpstreamKind,
    ) -> impl Iterator<Item = &'n AppId> {
        let known = |app: &App| self.apps.iter().any(|old| old.id == app.id);
        let apps = new
            .apps
            .iter()
            .filter(move |app| !known(app) && app.upstream != routed(&app.id));
        apps.map(|app| &app.id)
    }
}
