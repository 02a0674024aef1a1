//! The report as one HTML file without scripts, with plots as SVG.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::report::Report;

/// Colours of profiles, in the order of their names.
const COLORS: [&str; 6] = ["#2f5bd8", "#1a9c8a", "#d98e04", "#8a56c9", "#c2415a", "#6b7684"];
/// Size of the plot.
const WIDTH: f64 = 920.0;
const HEIGHT: f64 = 200.0;
/// Space for its numbers.
const LEFT: f64 = 44.0;
const BOTTOM: f64 = 22.0;

const STYLE: &str = "\
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--line:#e3e6ea;--text:#1b1f24;--dim:#626b76;--warn:#d98e04}\
@media(prefers-color-scheme:dark){:root{--bg:#101317;--card:#171b21;--line:#272d36;--text:#e4e8ed;--dim:#96a0ad}}\
body{margin:0;padding:28px;background:var(--bg);color:var(--text);font:14px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums}\
main{max-width:1040px;margin:auto}h1{font-size:22px;margin:0}h2{font-size:15px;margin:30px 0 10px}p{color:var(--dim);margin:4px 0 18px}\
dl{display:flex;gap:34px;margin:0}dt{color:var(--dim);font-size:12px}dd{margin:0;font-size:22px;font-weight:600}\
section{background:var(--card);border:1px solid var(--line);border-radius:9px;overflow:auto;padding:6px 0}section.pad{padding:16px}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:6px 14px;border-bottom:1px solid var(--line);vertical-align:top}\
th{color:var(--dim);font-weight:500;font-size:12px}tr:last-child td{border:0}td.n,th.n{text-align:right}code{font-family:ui-monospace,monospace;font-size:12.5px}\
svg{display:block;width:100%;height:auto}svg text{fill:var(--dim);font-size:11px}svg .grid{stroke:var(--line)}\
.legend{display:flex;gap:16px;color:var(--dim);font-size:12px;padding:0 0 8px 44px}.legend svg{width:9px;display:inline;margin-right:5px}\
.bar{fill:var(--warn)}.track{fill:var(--line)}";

/// Renders the report.
pub fn html(report: &Report) -> String {
    let mut page = String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    let _ = write!(
        page,
        "<meta name=\"viewport\" content=\"width=device-width\"><title>Migration report</title><style>{STYLE}</style></head>\n<body><main>\
         <h1>Migration report</h1><p>{} to {}, as of {}</p><dl>",
        report.first, report.last, report.today
    );
    for (name, value) in [
        ("Logins", report.logins),
        ("Calls", report.calls),
        ("Accounts", report.accounts.all as u64),
        ("within 30 days", report.accounts.last_30_days as u64),
        ("within 7 days", report.accounts.last_7_days as u64),
    ] {
        let _ = write!(page, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    page += "</dl>\n<h2>Trend: logins by day and profile</h2><section class=\"pad\">";
    trend(report, &mut page);
    page += "</section>\n<h2>Remaining clients</h2><section><table><tr><th>App</th><th>Profile</th><th>Build</th><th>Last seen</th>\
             <th class=\"n\">Days since</th><th class=\"n\">Accounts</th><th class=\"n\">Logins</th><th class=\"n\">Calls</th><th>Inexact</th>\
             <th class=\"n\">Refused</th></tr>";
    for used in &report.kinds {
        let share = (100 * used.inexact).checked_div(used.calls).unwrap_or(0);
        let _ = write!(
            page,
            "<tr><td><code>{}</code></td><td>{}</td><td><code>{}</code></td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td><svg viewBox=\"0 0 120 14\" style=\"width:120px\" role=\"img\" aria-label=\"{share} %\">\
             <rect class=\"track\" y=\"4\" width=\"80\" height=\"6\" rx=\"3\"/><rect class=\"bar\" y=\"4\" width=\"{}\" height=\"6\" rx=\"3\"/>\
             <text x=\"86\" y=\"11\">{share} %</text></svg></td><td class=\"n\">{}</td></tr>",
            escaped(&used.kind.app),
            escaped(&used.kind.profile),
            escaped(&used.kind.build),
            used.last_seen,
            used.days_since,
            used.accounts,
            used.logins,
            used.calls,
            share * 80 / 100,
            used.refused
        );
    }
    page += "</table></section>\n<h2>Which calls</h2><section><table><tr><th>Row</th><th>Signaling</th><th>Status</th><th class=\"n\">Calls</th><th>Always inexact</th></tr>";
    for row in &report.rows {
        let _ = write!(
            page,
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            escaped(&row.row),
            escaped(&row.names.join(", ")),
            row.status,
            row.calls,
            escaped(&row.codes.join(", "))
        );
    }
    page += "</table></section>\n<h2>What is inexact, and for whom</h2><section><table><tr><th>Code</th><th class=\"n\">Count</th><th>Whom</th><th>Cause</th><th>What an app can do</th></tr>";
    for inexact in &report.inexact {
        let _ = write!(
            page,
            "<tr><td><code>{}</code></td><td class=\"n\">{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&inexact.code),
            inexact.count,
            escaped(&inexact.whom.join("; ")),
            escaped(&inexact.cause),
            escaped(&inexact.workaround)
        );
    }
    page += "</table></section></main></body></html>\n";
    page
}

fn trend(report: &Report, page: &mut String) {
    let profiles: BTreeSet<&String> = report.trend.iter().flat_map(|day| day.logins.keys()).collect();
    let color =
        |profile: &String| COLORS[profiles.iter().position(|known| *known == profile).unwrap_or(0) % COLORS.len()];
    *page += "<div class=\"legend\">";
    for profile in &profiles {
        let _ = write!(
            page,
            "<span><svg viewBox=\"0 0 9 9\"><rect width=\"9\" height=\"9\" rx=\"2\" fill=\"{}\"/></svg>{}</span>",
            color(profile),
            escaped(profile)
        );
    }
    *page += "</div>";
    let most = report
        .trend
        .iter()
        .map(|day| day.logins.values().sum::<u64>())
        .max()
        .unwrap_or(0)
        .max(1);
    let high = HEIGHT - BOTTOM - 8.0;
    let y = |value: f64| HEIGHT - BOTTOM - high * value / most as f64;
    let _ = write!(
        page,
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Logins by day\">"
    );
    for part in [0, 1, 2] {
        let value = most as f64 * f64::from(part) / 2.0;
        let _ = write!(
            page,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{0:.1}\" y2=\"{0:.1}\"/><text x=\"{1}\" y=\"{2:.1}\" text-anchor=\"end\">{3}</text>",
            y(value),
            LEFT - 8.0,
            y(value) + 4.0,
            value.round()
        );
    }
    let step = (WIDTH - LEFT) / report.trend.len().max(1) as f64;
    let width = (step * 0.72).min(40.0);
    for (at, day) in report.trend.iter().enumerate() {
        let x = LEFT + step * at as f64 + (step - width) / 2.0;
        let mut below = 0;
        for (profile, logins) in &day.logins {
            let top = y((below + logins) as f64);
            let _ = write!(
                page,
                "<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{}\"><title>{} {}: {logins}</title></rect>",
                y(below as f64) - top,
                color(profile),
                day.day,
                escaped(profile)
            );
            below += logins;
        }
        let every = report.trend.len().div_ceil(10);
        if at % every == 0 {
            let _ = write!(
                page,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                x + width / 2.0,
                HEIGHT - 6.0,
                &day.day.to_string()[5..]
            );
        }
    }
    *page += "</svg>";
}

/// Escapes text of clients.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            c => safe.push(c),
        }
    }
    if safe.is_empty() { "–".into() } else { safe }
}
