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

/// With `1` it writes `7` over its own arguments, turns off the randomisation of addresses, and executes itself while a
/// thread flips the argument between both.
const LOOKALIKE: &str = r#"
import ctypes, os, sys, threading, time
if sys.argv[1] == "7":
    os.write(1, b"BANNED RAN\n")
    os._exit(0)
libc = ctypes.CDLL(None, use_errno=True)
NO_RANDOMIZE = 0x40000
program, script = os.fsencode(sys.executable), os.fsencode(sys.argv[0])
def words(last):
    return (ctypes.c_char_p * 4)(program, script, ctypes.cast(last, ctypes.c_char_p), None)
if not libc.personality(0xFFFFFFFF) & NO_RANDOMIZE:
    libc.personality(NO_RANDOMIZE)
    libc.execv(program, words(ctypes.create_string_buffer(b"1")))
end = int(open("/proc/self/stat").read().rsplit(")", 1)[1].split()[46])
ctypes.memset(end - 2, ord("7"), 1)
last = ctypes.create_string_buffer(b"1")
address = ctypes.addressof(last)
def flip():
    while True:
        ctypes.memset(address, ord("1"), 1); ctypes.memset(address, ord("7"), 1)
sys.setswitchinterval(1e-6)
threading.Thread(target=flip, daemon=True).start()
argv, until = words(last), time.monotonic() + 20
while time.monotonic() < until:
    libc.execv(program, argv)
print("never won")
"#;

#[test]
fn an_image_that_was_made_to_look_like_the_banned_one_does_not_cover_for_it() -> Result {
    for user in User::both() {
        let world = agentsh_tests::World::new(user)?;
        let rules = "command_rules:
  - {name: seven, commands: ['python3*'], args_patterns: ['^/tmp/self.py 7'], decision: deny}
  - {name: rest, commands: ['*'], decision: allow}
";
        let id = agentsh_tests::session::with_rules(&world, rules)?.id;
        world
            .user()
            .write_file(std::path::Path::new("/tmp/self.py"), LOOKALIKE, 0o644)?;
        let program = std::fs::canonicalize("/usr/bin/python3")?;
        let program = program.to_string_lossy().into_owned();
        let mut killed = false;
        for _ in 0..ROUNDS {
            let outcome = agentsh_tests::session::run(&world, &id, &[&program, "/tmp/self.py", "1"])?;
            if outcome.out().contains("BANNED") {
                return Err(fail(format!("{outcome:?}")));
            }
            killed |= matches!(
                outcome.ended,
                agentsh_tests::Ended::Signal {
                    number: libc::SIGKILL,
                    ..
                }
            );
            if killed {
                break;
            }
        }
        if !killed {
            return Err(fail("the race was never met: it proves nothing"));
        }
    }
    Ok(())
}
