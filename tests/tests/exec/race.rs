//! A thread that rewrites the path between check and use.

use std::collections::BTreeMap;

use agentsh_tests::{Result, Shell, User, fail, record};

use crate::TRACES;

const COUNT: &str = "400";

/// So often the race is run without agentsh until it is lost once.
const ROUNDS: u32 = 20;

/// Flips between an allowed and the banned program of names of one length. Both read an empty standard input; only the
/// banned one prints then.
fn race(user: User) -> Result {
    let (world, _) = crate::world(user)?;
    let text = format!("exec /usr/local/lib/agentsh-tests/probe race-exec /usr/bin/base64 /usr/bin/md5sum {COUNT}");
    // On a busy machine the threads may seldom meet.
    let lost = |_| {
        let control = Shell::named("bash").args(["-c", &text]).run(&world);
        control.is_ok_and(|control| control.out().contains(TRACES[1]))
    };
    if !(0..ROUNDS).any(lost) {
        return Err(fail("the race is never lost without agentsh: it proves nothing"));
    }
    for _ in 0..ROUNDS {
        let outcome = Shell::named("bash").args(["-c", &text]).run_shimmed(&world)?;
        let all = outcome.out() + &outcome.err();
        if TRACES.iter().any(|trace| all.contains(trace)) {
            return Err(fail(format!("the banned program got as far as output: {outcome:?}")));
        }
        let last = all.lines().find(|line| line.starts_with('{')).unwrap_or_default();
        let ends: BTreeMap<String, u32> =
            serde_json::from_str(last).map_err(|error| fail(format!("{error}: {outcome:?}")))?;
        let killed = ends.get("137").copied().unwrap_or_default();
        let denied = ends.get("126").copied().unwrap_or_default();
        eprintln!("race: {ends:?}: denied at the notification or by the hull {denied}, killed afterwards {killed}");
        if denied + killed > 0 {
            let told = |event: &record::Event| event.is("process_exec", "deny", "/usr/bin/md5sum");
            return record::await_event(&world, "a denial of md5sum", told).map(drop);
        }
    }
    Err(fail("nothing was ever denied"))
}

#[test]
fn rewriting_the_path_does_not_get_root_the_banned_program() -> Result {
    race(User::root())
}

#[test]
fn rewriting_the_path_does_not_get_a_user_the_banned_program() -> Result {
    race(User::agent())
}
