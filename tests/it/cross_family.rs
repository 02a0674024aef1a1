//! People of all families together: every pair both ways, and all in one channel.

use std::fmt::Write as _;

use crate::support::{Stage, config, database, is_installed, on_redis, reached, serve, serve_with_config};

/// A family, and the events of its clients for a call to an offline user.
struct Family {
    name: &'static str,
    /// The argument of the event that has the number; none where apps read the text.
    failed: &'static str,
}

const FAMILIES: &[Family] = &[
    Family {
        name: "web",
        failed: "",
    },
    Family {
        name: "javasdk",
        failed: " ecode=700",
    },
    Family {
        name: "native",
        failed: " ecode=703",
    },
    Family {
        name: "api",
        failed: " uid=uid($b) ecode=703",
    },
];

async fn stage() -> Stage {
    let mut config = config();
    // RTM's rates are not what this is about.
    config.embedded.rate_scale = 0;
    config.limits.messages_per_second = 0;
    config.limits.channel_messages_per_second = 0;
    Stage::new(serve(config).await, true)
}

#[tokio::test]
async fn every_pair_both_ways() {
    every_pair(stage().await).await;
}

/// The same with three sidecars on one Redis: each newcomer is at the next one.
#[tokio::test]
async fn every_pair_at_three_sidecars() {
    if is_installed() {
        let url = database();
        let mut servers = Vec::new();
        for _ in 0..3 {
            let mut config = on_redis(config(), &url);
            // RTM's rates are not what this is about.
            config.redis.rate_scale = 1000;
            config.limits.messages_per_second = 0;
            config.limits.channel_messages_per_second = 0;
            let running = serve_with_config(config).await;
            reached(&running).await;
            servers.push(running);
        }
        let first = servers.remove(0);
        every_pair(Stage::new(first, true).among(servers)).await;
    }
}

async fn every_pair(mut stage: Stage) {
    for a in FAMILIES {
        for b in FAMILIES {
            let pair = format!("{}-and-{}", a.name, b.name);
            let with_functions = if a.name == "api" { "# " } else { "" };
            let script = include_str!("cross_family/pair.txt")
                .replace("\n? ", &format!("\n{with_functions}"))
                .replace("$of-a", a.name)
                .replace("$of-b", b.name)
                .replace("$failed-a", a.failed)
                .replace("$room", &format!("room-of-{pair}"))
                .replace("$a", &format!("a-{pair}"))
                .replace("$b", &format!("b-{pair}"));
            stage.play(&pair, &script).await;
        }
    }
}

#[tokio::test]
async fn all_in_one_channel() {
    let mut script = String::new();
    let mut here: Vec<&str> = Vec::new();
    for Family { name, .. } in FAMILIES {
        let accounts = here
            .iter()
            .chain([name])
            .map(|who| format!("\"{who}\""))
            .collect::<Vec<_>>();
        let uids = here
            .iter()
            .chain([name])
            .map(|who| format!("uid({who})"))
            .collect::<Vec<_>>();
        let (accounts, uids) = (accounts.join(","), uids.join(","));
        write!(
            script,
            "{name} {name}\n> {name} onLoginSuccess uid=uid({name}) fd=0\n{name}: channelJoin room\n\
             > {name} onChannelJoined channelID=\"room\"\n\
             > {name} onChannelUserList accounts=[{accounts}] uids=[{uids}]\n",
        )
        .expect("memory");
        for other in &here {
            writeln!(
                script,
                "> {other} onChannelUserJoined account=\"{name}\" uid=uid({name})"
            )
            .expect("memory");
        }
        here.push(name);
    }
    for from in &here {
        writeln!(script, "{from}: messageChannelSend room \"from {from}\"").expect("memory");
        writeln!(script, "> {from} onMessageSendSuccess messageID=\"\"").expect("memory");
        for to in &here {
            writeln!(
                script,
                "> {to} onMessageChannelReceive channelID=\"room\" account=\"{from}\" uid=uid({from}) msg=\"from {from}\""
            )
            .expect("memory");
        }
    }
    stage().await.play("all", &script).await;
}
