//! A thread that rewrites the path between check and use.

use std::collections::BTreeMap;
use std::path::Path;

use agentsh_tests::{Ended, Outcome, Result, Shell, User, World, fail, record, session};

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

/// Runs the script as `/tmp/race.py` with these arguments, which python may not be started for with a first argument of
/// 7, until `met` says that something was stopped.
fn python_races(user: User, script: &str, more: &[&str], met: impl Fn(&Outcome) -> Result<bool>) -> Result {
    let world = World::new(user)?;
    let rules = "command_rules:
  - {name: seven, commands: ['python3*'], args_patterns: ['^/tmp/race.py 7'], decision: deny}
  - {name: rest, commands: ['*'], decision: allow}
";
    let id = session::with_rules(&world, rules)?.id;
    world.user().write_file(Path::new("/tmp/race.py"), script, 0o644)?;
    let program = std::fs::canonicalize("/usr/bin/python3")?;
    let program = program.to_string_lossy();
    let argv = [&[&*program, "/tmp/race.py"], more].concat();
    for _ in 0..ROUNDS {
        let outcome = session::run(&world, &id, &argv)?;
        if outcome.out().contains("BANNED") {
            return Err(fail(format!("{outcome:?}")));
        }
        if met(&outcome)? {
            return Ok(());
        }
    }
    Err(fail("the race was never met: it proves nothing"))
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
    let killed = |outcome: &Outcome| {
        Ok(matches!(
            outcome.ended,
            Ended::Signal {
                number: libc::SIGKILL,
                ..
            }
        ))
    };
    for user in User::both() {
        python_races(user, LOOKALIKE, &["1"], killed)?;
    }
    Ok(())
}

/// Each child asks for `true` while a thread flips the path to the program that the child already is, which may not be
/// started with these arguments.
const AGAIN: &str = r#"
import ctypes, os, sys, threading
if sys.argv[1] == "7":
    os.write(1, b"BANNED RAN\n")
    os._exit(0)
libc = ctypes.CDLL(None, use_errno=True)
if len(sys.argv) > 2 and not libc.personality(0xFFFFFFFF) & 0x40000:
    libc.personality(0x40000)
    os.execv(sys.executable, [sys.executable] + sys.argv)
program, script = os.fsencode(sys.executable), os.fsencode(sys.argv[0])
paths = [ctypes.create_string_buffer(text, 64) for text in (b"/usr/bin/true", program)]
path = ctypes.create_string_buffer(b"/usr/bin/true", 64)
argv = (ctypes.c_char_p * 4)(program, script, b"7", None)
def flip():
    while True:
        ctypes.memmove(path, paths[1], 64); ctypes.memmove(path, paths[0], 64)
sys.setswitchinterval(1e-6)
ends = {}
for _ in range(120):
    child = os.fork()
    if child == 0:
        threading.Thread(target=flip, daemon=True).start()
        for _ in range(50):
            libc.execv(path, argv)
        os._exit(9)
    end = os.waitpid(child, 0)[1]
    ends[end] = ends.get(end, 0) + 1
print("ends", ends.get(9, 0), ends)
"#;

#[test]
fn a_program_that_is_raced_into_itself_is_judged_by_its_new_arguments() -> Result {
    let killed = |outcome: &Outcome| {
        outcome.expect_success("the children")?;
        Ok(!outcome.out().contains("ends 0 "))
    };
    for user in User::both() {
        for more in [&["1"][..], &["1", "as it lies"]] {
            python_races(user.clone(), AGAIN, more, killed)?;
        }
    }
    Ok(())
}
