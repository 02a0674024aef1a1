//! `[[sunset]]`: times at which logins are refused, before a client or an app is no longer served.

use std::fmt;
use std::time::Duration;

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;
use tables::Tables;
use tables::diagnostics::Diag;
use tables::spanned_toml::Table;

use crate::config::declare::{Reader, Section, section};
use crate::config::kinds::{Maybe, Parsed, ParsedList, Time as Span};
use crate::config::sections::{DAY, SECOND};
use crate::config::upstream::app_id;
use crate::config::{Config, Files};
use rtm::AppId;
use rtm::time::Time;
use rtm::value::Text;

section! {
    /// Logins that are refused at given times, so that users of old apps notice before the end of service. Several entries
    /// may apply. The refusal has the reason `sunset`, which is code 202, or 201 with SDKs that have one code only.
    pub struct SunsetKeys("sunset") derives() {
        /// App ID. Default: all apps.
        app: Option<AppId> = None, example "\"0123456789abcdef0123456789abcdef\"" => Maybe(Parsed(app_id)), Reload;
        /// Client profiles of mappings/wire/profiles.toml, as they are at a login: Web SDKs are "web" there. Default: all.
        profiles: Vec<Text> = Vec::new(), example "[\"java-python\"]" => ParsedList(profile), Reload;
        /// First refusal, in UTC.
        from: Option<Moment> = None, example "\"2027-01-11T09:00:00Z\"" => Maybe(Parsed(moment)), Reload;
        /// End of the refusals. Default: none.
        until: Option<Moment> = None, example "\"2027-01-15T18:00:00Z\"" => Maybe(Parsed(moment)), Reload;
        /// Period of a brownout, which begins at `from`. Default: refusals without pause.
        every: Option<Duration> = None, example "\"1h\"" => Maybe(Span(SECOND..=365 * DAY)), Reload;
        /// Length of the refusals in each period.
        lasts as "for": Option<Duration> = None, example "\"5m\"" => Maybe(Span(SECOND..=365 * DAY)), Reload;
    }
}

/// Point in time, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Time);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0.as_secs()).unwrap_or(i64::MAX);
        let time = OffsetDateTime::from_unix_timestamp(seconds).ok();
        f.write_str(&time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default())
    }
}

fn moment(text: &str) -> Result<Moment, &'static str> {
    let expected = "expected a time such as \"2027-01-11T09:00:00Z\"";
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| expected)?;
    let seconds = u64::try_from(time.unix_timestamp()).map_err(|_| expected)?;
    Ok(Moment(Time::from_millis(seconds.saturating_mul(1000))))
}

fn profile(text: &str) -> Result<Text, &'static str> {
    let is_name = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    is_name
        .then(|| text.into())
        .ok_or("expected the name of a client profile")
}

/// Refusal of logins at given times.
#[derive(Clone, Debug)]
pub struct Sunset {
    /// The only app; `None` for all.
    pub app: Option<AppId>,
    /// Profiles; empty for all.
    pub profiles: Vec<Text>,
    from: Moment,
    until: Option<Moment>,
    /// Period, and length of the refusals in each.
    brownout: Option<(Duration, Duration)>,
}

impl Sunset {
    /// Returns true if a login is refused at `now`, by the wall clock.
    pub fn refuses(&self, app: &AppId, profile: &str, now: Time) -> bool {
        let is_concerned = self.app.as_ref().is_none_or(|only| only == app)
            && (self.profiles.is_empty() || self.profiles.iter().any(|known| &**known == profile));
        let is_open = now >= self.from.0 && self.until.is_none_or(|until| now < until.0);
        let is_dark = self.brownout.is_none_or(|(every, lasts)| {
            let since = now.since(self.from.0).as_millis();
            since % every.as_millis() < lasts.as_millis()
        });
        is_concerned && is_open && is_dark
    }
}

impl From<&Sunset> for SunsetKeys {
    fn from(sunset: &Sunset) -> Self {
        Self {
            app: sunset.app.clone(),
            profiles: sunset.profiles.clone(),
            from: Some(sunset.from),
            until: sunset.until,
            every: sunset.brownout.map(|(every, _)| every),
            lasts: sunset.brownout.map(|(_, lasts)| lasts),
        }
    }
}

impl Config {
    /// Returns true if a login is refused at `now`, by the wall clock.
    pub fn is_sunset(&self, app: &AppId, profile: &str, now: Time) -> bool {
        self.sunsets.iter().any(|sunset| sunset.refuses(app, profile, now))
    }
}

/// Returns the profiles of `[[sunset]]` that no login can have: unknown ones, and those after `set_flag` only.
pub fn unreachable_profiles(config: &Config, tables: &Tables) -> Vec<Text> {
    let is_at_login = |name: &Text| {
        let position = tables.profiles.iter().position(|profile| profile.name == *name);
        position.is_some_and(|at| tables.profiles.iter().all(|profile| profile.flagged != Some(at)))
    };
    let named = config.sunsets.iter().flat_map(|sunset| &sunset.profiles);
    named.filter(|name| !is_at_login(name)).cloned().collect()
}

pub(super) fn sunsets(tables: Vec<Table<'_>>, files: &dyn Files) -> Vec<Sunset> {
    let mut sunsets = Vec::new();
    for mut table in tables {
        if !table.has("from") {
            table.error("the key `from` is missing");
        }
        let mut reader = Reader::new(&mut table, files, None);
        let keys = SunsetKeys::read(&mut reader);
        for (key, other) in [("every", "for"), ("for", "every")] {
            if let Some(place) = reader.place(key).filter(|_| reader.place(other).is_none()) {
                reader.report(Diag::new(place, format!("`sunset.{key}`: requires `{other}`")));
            }
        }
        let brownout = keys.every.zip(keys.lasts);
        if let (Some((every, lasts)), Some(place)) = (brownout, reader.place("for"))
            && lasts > every
        {
            reader.report(Diag::new(place, "`sunset.for`: expected at most `every`"));
        }
        if let (Some(from), Some(until), Some(place)) = (keys.from, keys.until, reader.place("until"))
            && until <= from
        {
            reader.report(Diag::new(place, "`sunset.until`: expected a time after `from`"));
        }
        sunsets.extend(keys.from.map(|from| Sunset {
            app: keys.app,
            profiles: keys.profiles,
            from,
            until: keys.until,
            brownout,
        }));
        table.finish();
    }
    sunsets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::parse;

    fn at(text: &str) -> Time {
        moment(text).expect(text).0
    }

    fn check(config: &Config, (app, profile): (&str, &str), time: &str, expected: bool) {
        let app = AppId::new(app).expect("an app id");
        assert_eq!(config.is_sunset(&app, profile, at(time)), expected, "{profile} {time}");
    }

    #[test]
    fn a_brownout_refuses_a_part_of_each_period() {
        let text = "[[sunset]]\nfrom = '2027-01-11T09:00:00Z'\nuntil = '2027-01-11T12:00:00Z'\nevery = '1h'\nfor = '5m'\n\
                    profiles = ['web']\n";
        let config = parse(text).expect("legal");
        let check = |profile, time, expected| check(&config, ("a", profile), time, expected);
        check("web", "2027-01-11T08:59:59Z", false);
        check("web", "2027-01-11T09:00:00Z", true);
        check("web", "2027-01-11T10:04:59+01:00", true);
        check("web", "2027-01-11T09:05:00Z", false);
        check("web", "2027-01-11T11:04:00Z", true);
        check("web", "2027-01-11T12:00:00Z", false);
        check("java-python", "2027-01-11T09:00:00Z", false);
    }

    #[test]
    fn an_end_of_service_is_for_one_app() {
        let config = parse("[[sunset]]\nfrom = '2027-01-11T09:00:00Z'\napp = 'a'\n").expect("legal");
        check(&config, ("a", "web"), "2030-01-01T00:00:00Z", true);
        check(&config, ("b", "web"), "2030-01-01T00:00:00Z", false);
    }

    #[test]
    fn profiles_are_those_of_a_login() {
        let text = "[[sunset]]\nfrom = '2027-01-11T09:00:00Z'\nprofiles = ['web', 'web-flagged', 'pager']\n";
        let tables = Tables::built_in().expect("the built-in tables compile");
        let found = unreachable_profiles(&parse(text).expect("legal"), &tables);
        assert_eq!(
            found.iter().map(|name| &**name).collect::<Vec<_>>(),
            ["web-flagged", "pager"]
        );
    }

    #[test]
    fn wrong_entries_are_reported() {
        let errors = |text: &str| -> Vec<String> {
            let diags = parse(&format!("[[sunset]]\n{text}")).expect_err(text);
            diags.iter().map(|diag| diag.title().to_owned()).collect()
        };
        assert_eq!(errors("app = 'a'"), ["`sunset[0]`: the key `from` is missing"]);
        assert_eq!(
            errors("from = 'tomorrow'"),
            ["`sunset[0].from`: expected a time such as \"2027-01-11T09:00:00Z\""]
        );
        let from = "from = '2027-01-11T09:00:00Z'\n";
        assert_eq!(
            errors(&format!("{from}every = '1h'")),
            ["`sunset.every`: requires `for`"]
        );
        assert_eq!(
            errors(&format!("{from}every = '1h'\nfor = '2h'")),
            ["`sunset.for`: expected at most `every`"]
        );
        assert_eq!(
            errors(&format!("{from}until = '2027-01-11T09:00:00Z'")),
            ["`sunset.until`: expected a time after `from`"]
        );
    }
}
