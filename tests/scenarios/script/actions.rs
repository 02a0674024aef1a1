//! Actions of scenarios.

use std::time::Duration;

use secrecy::SecretString;

use identity::{Account, token};
use rtm::{AppId, CallKind};
use sigbridge::config::OverRate;

use super::{split, times};
use crate::sim::{Config, Sim, VID};

/// Longer than all rate windows and count delays.
const SOME_TIME: Duration = Duration::from_secs(10);

/// Handles `set key value`.
pub fn set(config: &mut Config, line: &str) -> Result<(), String> {
    let words = split(line)?;
    let [_, key, value] = &words[..] else {
        return Err("set key value".into());
    };
    let bad = |_| format!("{key} = {value}");
    let server = &mut config.server;
    match &**key {
        "grace" => server.session.grace = duration(value)?,
        "invite" => server.invite.timeout = duration(value)?,
        "mailbox" => server.mailbox.limit = value.parse().map_err(bad)?,
        "mailbox-ttl" => server.mailbox.ttl = duration(value)?,
        "messages-per-second" => server.limits.messages_per_second = value.parse().map_err(bad)?,
        "over-rate" => {
            let choice = OverRate::NAMES.iter().find(|(name, _)| *name == &**value);
            server.policy.over_rate = choice.ok_or("fail or discard")?.1;
        }
        "force-join" => server.policy.force_join = value == "allowed",
        "rate-scale" => server.embedded.rate_scale = value.parse().map_err(bad)?,
        "offline-messages" => server.embedded.offline_messages = value == "on",
        "certificate" => server.auth.certificate = Some(SecretString::from(&**value)),
        "no-token" => server.auth.allow_no_token = value == "allowed",
        "app" => server.auth.app_id = AppId::new(&**value).ok(),
        "lacks" => config
            .lacks
            .push(CallKind::parse(value).ok_or_else(|| format!("RTM has no call {value}"))?),
        _ => return Err(format!("nothing is called {key}")),
    }
    Ok(())
}

/// Runs one action.
pub fn act(sim: &mut Sim, line: &str) -> Result<(), String> {
    let (count, line) = times(line);
    for _ in 0..count {
        let line = expand(sim, line)?;
        let words = split(&line)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match &words[..] {
            ["given", who @ ..] => given(sim, who)?,
            ["after", time] => sim.pass(duration(time)?),
            ["drop", name] => sim.drop_socket(name, false),
            ["close", name] => sim.drop_socket(name, true),
            ["old", names @ ..] => names.iter().for_each(|name| sim.client(name).old = true),
            ["nat", names @ ..] => sim.nat.extend(names.iter().map(|name| (*name).to_owned())),
            ["drop-older", name] => sim.drop_older(name),
            ["back", name] => sim.login(name),
            ["twin", name] => sim.twin(name),
            ["lose", name] => sim.lose_socket(name),
            ["return", name] => sim.resume(name, None),
            ["return", name, cid] => sim.resume(name, Some(cid)),
            ["line", name, line] => sim.client(name).line = (*line).into(),
            ["family", family, names @ ..] => {
                let mut names = names.iter();
                names.try_for_each(|name| sim.family(family, name))?;
            }
            ["link", name, "up"] => sim.link(name, true)?,
            ["link", name, "down"] => sim.link(name, false)?,
            ["ban", name] => sim.ban(name)?,
            ["stop", name] => sim.stop(name, true)?,
            ["kill", name] => sim.stop(name, false)?,
            ["upstream", name, "down"] => sim.lose_upstream(name)?,
            ["upstream", "up"] => sim.upstream(true),
            ["upstream", "down"] => sim.upstream(false),
            ["crowd", from, to, call @ ..] => crowd(sim, from, to, call)?,
            ["rtm", name, call @ ..] => {
                let name = name.strip_suffix(':').ok_or("rtm name: call")?;
                let call: Vec<String> = call.iter().map(|word| (*word).into()).collect();
                sim.native_call(name, &call)?;
            }
            [name, call @ ..] => {
                let name = name.strip_suffix(':').ok_or("name: call")?;
                legacy(sim, name, call)?;
            }
            [] => {}
        }
    }
    Ok(())
}

/// Handles `given room: alice rtm:carol`: users that joined some time ago, without their events.
/// Without a channel they are only logged in.
fn given(sim: &mut Sim, who: &[&str]) -> Result<(), String> {
    let channel = who.first().and_then(|first| first.strip_suffix(':'));
    for name in &who[usize::from(channel.is_some())..] {
        match name.strip_prefix("rtm:") {
            Some(native) => {
                sim.native_call(native, &["login".into()])?;
                if let Some(channel) = channel {
                    sim.native_call(native, &["join".into(), channel.into()])?;
                }
            }
            None => {
                legacy(sim, name, &["login"])?;
                if let Some(channel) = channel {
                    legacy(sim, name, &["channelJoin", channel])?;
                }
            }
        }
    }
    sim.pass(SOME_TIME);
    let faults = sim
        .take_observed()
        .into_iter()
        .find(|observed| observed.words.first().is_some_and(|word| word == "FAULT"));
    faults.map_or(Ok(()), |fault| Err(fault.to_string()))
}

/// Runs a call of a legacy app.
fn legacy(sim: &mut Sim, name: &str, call: &[&str]) -> Result<(), String> {
    match call {
        ["login", who @ ..] => {
            let client = sim.client(name);
            if let [account, ..] = who {
                client.account = (*account).into();
            }
            if let [_, token] = who {
                client.token = (*token).into();
            }
            sim.login(name);
            return Ok(());
        }
        ["getStatus"] => sim.client(name).get_status(),
        ["frame", frame] => sim.client(name).raw_frame(frame),
        ["invoke", function, args] => sim.client(name).invoke(function, args)?,
        [call, args @ ..] => sim.client(name).documented(call, args)?,
        [] => return Err("a call".into()),
    }
    sim.settle();
    Ok(())
}

/// Adds users whose events are not displayed: `crowd 1 520 join room`.
fn crowd(sim: &mut Sim, from: &str, to: &str, call: &[&str]) -> Result<(), String> {
    let number = |text: &str| text.parse::<usize>().map_err(|e| e.to_string());
    for user in number(from)?..=number(to)? {
        let name = format!("user{user}");
        let call: Vec<String> = call.iter().map(|word| (*word).into()).collect();
        if !sim.natives.contains_key(&name) {
            sim.native(&name, true);
            sim.native_call(&name, &["login".into()])?;
        }
        sim.native_call(&name, &call)?;
    }
    Ok(())
}

/// Expands `uid(account)`, `token(account,seconds,certificate)`, `line(client)`.
pub fn expand(sim: &Sim, line: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = line;
    while let Some((at, name)) = ["uid(", "token(", "line("]
        .iter()
        .filter_map(|n| Some((rest.find(n)?, *n)))
        .min()
    {
        let (before, after) = rest.split_at(at);
        let (args, after) = after[name.len()..].split_once(')').ok_or("a `(` without its end")?;
        out.push_str(before);
        let args: Vec<&str> = args.split(',').collect();
        out.push_str(&match (name, &args[..]) {
            ("uid(", [account]) => sim.uid(account).to_string(),
            ("line(", [client]) => sim.clients.get(*client).map_or_else(String::new, |c| c.line.clone()),
            ("token(", [account, seconds, certificate]) => {
                let seconds: i64 = seconds.parse().map_err(|_| "seconds")?;
                let expires = sim.now.as_secs().saturating_add_signed(seconds);
                let (account, vid) = (Account::new(*account), AppId::new(VID));
                let (Ok(account), Ok(vid)) = (account, vid) else {
                    return Err("a token".into());
                };
                token::mint(&account, &vid, &SecretString::from(*certificate), expires)
            }
            _ => return Err(format!("{name}…) has other arguments")),
        });
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn duration(text: &str) -> Result<Duration, String> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .ok_or("a unit: ms, s, min, h")?;
    let number: u64 = text[..end].parse().map_err(|_| format!("{text} is no time"))?;
    match &text[end..] {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "min" => Ok(Duration::from_secs(number * 60)),
        "h" => Ok(Duration::from_secs(number * 3600)),
        unit => Err(format!("no unit: {unit}")),
    }
}
