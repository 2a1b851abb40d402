//! Each limit says whether it is held, in the same words to whoever asks.

use agentsh_tests::{Result, User, World, fail, session};
use serde_json::Value;

use crate::limited;

/// Every key, with a value.
const KEYS: [(&str, &str); 10] = [
    ("max_memory_mb", "512"),
    ("memory_swap_max_mb", "64"),
    ("cpu_quota_percent", "300"),
    ("disk_read_bps_max", "1000000000"),
    ("disk_write_bps_max", "1000000000"),
    ("net_bandwidth_mbps", "100"),
    ("pids_max", "200"),
    ("command_timeout", "1h"),
    ("session_timeout", "2h"),
    ("idle_timeout", "3h"),
];

#[test]
fn each_key_is_held_by_a_group_or_said_not_to_be() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let limits: Vec<String> = KEYS.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        let info = limited(&world, &limits.join(", "))?;
        let groups = info.layers.iter().find(|layer| layer.layer == "cgroup");
        let groups = groups.map(|layer| layer.detail.clone()).unwrap_or_default();
        let explained: Value = world
            .agentsh(["policy", "explain", "--json", "--session", &info.id])?
            .json()?;
        let named = |lines: &[String], key: &str| {
            lines
                .iter()
                .any(|line| line.contains(&format!("resource_limits.{key}:")))
        };
        let told: Vec<String> = serde_json::from_value(explained["not_held"].clone())?;
        for (key, _) in KEYS {
            let missing = named(&info.not_held, key);
            let by_clock = key.ends_with("_timeout");
            let by_group = groups.contains(&format!("{key}: v"));
            // A group holds it, the supervisor's clock does, or it is said what is missing.
            if !(missing || by_clock || by_group) || missing != named(&told, key) || by_clock && missing {
                return Err(fail(format!(
                    "{key}: groups {groups:?}, not held {:?}, explained {told:?}",
                    info.not_held
                )));
            }
        }
        if !named(&info.not_held, "net_bandwidth_mbps") {
            return Err(fail(format!("{:?}", info.not_held)));
        }
        // With all of them a command runs.
        session::run(&world, &info.id, &["true"])?.expect_success("under all limits")?;
        let shown = world.agentsh(["session", "info", &info.id])?;
        if !shown.out().contains("net_bandwidth_mbps") {
            return Err(fail(format!("{shown:?}")));
        }
    }
    Ok(())
}

#[test]
fn a_limit_that_nobody_can_hold_refuses_a_session_that_is_to_be_strict() -> Result {
    let world = World::new(User::agent())?;
    let config = world.user().home.join(".config/agentsh/config.yaml");
    world.user().write_file(&config, "security: {strict: true}\n", 0o600)?;
    let rules = "resource_limits: {net_bandwidth_mbps: 1}\n";
    let policy = session::write_policy(&world, "strict", &format!("{}{rules}", session::BASE))?;
    let made = world.agentsh([
        "session",
        "create",
        "--workspace",
        ".",
        "--policy",
        &policy.to_string_lossy(),
    ])?;
    made.expect_exit(1, "session create")?;
    match made.err().contains("net_bandwidth_mbps") {
        true => Ok(()),
        false => Err(fail(format!("{made:?}"))),
    }
}

#[test]
fn who_does_not_want_to_be_warned_still_finds_what_is_not_held() -> Result {
    let world = World::new(User::agent())?;
    let config = world.user().home.join(".config/agentsh/config.yaml");
    let rules = format!("{}resource_limits: {{net_bandwidth_mbps: 1}}\n", session::BASE);
    let policy = session::write_policy(&world, "limited", &rules)?;
    let create = ["session", "create", "--policy"].map(str::to_owned);
    let create = create.into_iter().chain([policy.to_string_lossy().into_owned()]);
    for (warns, keys) in [(true, ""), (false, "security: {warn_degraded: false}\n")] {
        world.user().write_file(&config, keys, 0o600)?;
        let made = world.agentsh(create.clone())?;
        made.expect_success("session create")?;
        if made.err().contains("net_bandwidth_mbps") != warns || !made.out().contains("net_bandwidth_mbps") {
            return Err(fail(format!("{keys}: {made:?}")));
        }
    }
    Ok(())
}
