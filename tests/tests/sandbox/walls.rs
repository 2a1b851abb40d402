//! no_new_privs, capabilities, and the calls that are refused for ever.

use std::collections::BTreeMap;

use agentsh_tests::world::people::SECRET;
use agentsh_tests::world::processes::status;
use agentsh_tests::{Result, Shell, User, World, enforced, fail};

use crate::PROBE;

/// The design's list for root's sessions: chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap,
/// net_bind_service, sys_chroot, audit_write, setfcap (bits of `capabilities(7)`).
const ROOT_KEEPS: [u32; 12] = [0, 1, 3, 4, 5, 6, 7, 8, 10, 18, 29, 31];

fn probe<T: serde::de::DeserializeOwned>(world: &World, what: &str) -> Result<T> {
    world.shimmed(&format!("exec {PROBE} {what}"))?.json()
}

#[test]
fn every_set_of_capabilities_is_what_the_design_lists() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let walls: BTreeMap<String, String> = probe(&world, "walls")?;
        let bits = |set: &str| u64::from_str_radix(&walls[set], 16);
        let most = ROOT_KEEPS.iter().fold(0u64, |mask, bit| mask | 1 << bit);
        let kept = [bits("permitted")?, bits("effective")?];
        let right = match world.user().uid {
            // kill is kept only where signals are judged.
            0 => kept.iter().all(|set| set & !most == 0 && set | 1 << 5 == most),
            _ => kept == [0, 0],
        };
        if !right
            || world.user().uid == 0 && bits("bounding")? & !most != 0
            || bits("inheritable")? != 0
            || bits("ambient")? != 0
        {
            return Err(fail(format!("{}: {walls:?}", world.user().name)));
        }
        if walls["no_new_privs"] != "1" || walls["seccomp"] != "2" {
            return Err(fail(format!("{}: {walls:?}", world.user().name)));
        }
    }
    Ok(())
}

#[test]
fn every_statically_denied_call_is_refused() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let tries: BTreeMap<String, String> = probe(&world, "syscalls")?;
        let refused = ["EPERM", "ENOSYS", "EACCES", "EAFNOSUPPORT", "EBUSY", "EIO"];
        let open: Vec<_> = tries
            .iter()
            .filter(|(_, end)| !refused.contains(&end.as_str()))
            .collect();
        if !open.is_empty() || tries.len() < 38 {
            return Err(fail(format!(
                "{}: not refused: {open:?} of {tries:?}",
                world.user().name
            )));
        }
        if tries["clone3"] != "ENOSYS" {
            return Err(fail(format!(
                "clone3 must look missing so that flags are seen: {tries:?}"
            )));
        }
    }
    Ok(())
}

#[test]
fn over_ip_there_are_streams_and_datagrams_whatever_capabilities_are_left() -> Result {
    let text = "import socket, sys
for family in (socket.AF_INET, socket.AF_INET6):
    for kind in (3, 4, 5, 6, 10):
        for protocol in (0, 0x300):
            try: socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol); print('made', family, kind, protocol)
            except OSError as error: print(error.errno, file=sys.stderr)
socket.socket(); socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)";
    let world = World::new(User::root())?;
    world.user().write_file(
        "/etc/agentsh/config.yaml".as_ref(),
        "capabilities: {allow: [net_raw]}\n",
        0o644,
    )?;
    world.user().write_file(&world.workspace().join("p.py"), text, 0o644)?;
    let shell = Shell::named("bash").args(["-c", "python3 p.py"]);
    let (native, caged) = (shell.run(&world)?, shell.run_shimmed(&world)?);
    // Frames as a whole, by a type that the kernel still takes for a family of its own.
    if !native.out().contains("made 2 10 768") {
        return Err(fail(format!("the real shell makes none either: {native:?}")));
    }
    caged.expect_success("the others are made")?;
    caged.expect_out("").map(drop)
}

#[test]
fn nobody_is_told_to_be_behind_walls_that_would_not_hold() -> Result {
    // What is carried out for a caller would be done outside of a Landlock domain of its own.
    let text = "import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
ruleset = libc.syscall(444, (ctypes.c_uint64 * 1)(0x1ffe), 8, 0)
print(ruleset >= 0, ctypes.get_errno(), libc.syscall(446, 0, 0), ctypes.get_errno())
if ruleset >= 0: libc.syscall(446, ruleset, 0)
try: open('made', 'w'); print('made')
except OSError: print('refused')";
    for user in User::both() {
        let world = World::new(user)?;
        let shell = Shell::program("python3").args(["-c", text]);
        shell.run(&world)?.expect_out("True 0 -1 77\nrefused\n")?;
        let caged = Shell::named("bash").args(["-c", &format!("exec python3 -c \"{text}\"")]);
        caged.run_shimmed(&world)?.expect_out("False 95 -1 95\nmade\n")?;
    }
    Ok(())
}

#[test]
fn an_image_does_not_say_that_it_lies_elsewhere() -> Result {
    // Whoever nobody has seen is known by its addresses, which are those of the image that it was forked from.
    let text = "import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True); libc.sbrk.restype = ctypes.c_void_p
def seen(): return [int(word) for word in open('/proc/self/stat').read().rsplit(')', 1)[1].split()[1:]]
of = lambda field: seen()[field - 4]
stack = of(28)
words = [of(26), of(27), of(45), of(46), of(47), libc.sbrk(0), stack + 16, of(48), of(49), of(50), of(51), 0]
done = libc.prctl(35, 14, struct.pack('=12Q2I', *words, 0, 2**32 - 1), 104, 0)
print(done, ctypes.get_errno(), of(28) - stack)";
    for user in User::both() {
        let world = World::new(user)?;
        let shell = Shell::program("python3").args(["-c", text]);
        shell.run(&world)?.expect_out("0 0 16\n")?;
        let caged = Shell::named("bash").args(["-c", &format!("exec python3 -c \"{text}\"")]);
        caged.run_shimmed(&world)?.expect_out("-1 1 0\n")?;
    }
    Ok(())
}

#[test]
fn a_listener_of_ones_own_does_not_answer_for_ours() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::control(&world)?;
        let key = world.user().home.join(".ssh/id_ed25519");
        let outcome = world.shimmed(&format!("{PROBE} shadow-listener {}", key.display()))?;
        if outcome.out().contains(SECRET) || !outcome.err().contains("listener:") {
            return Err(fail(format!("{outcome:?}")));
        }
    }
    Ok(())
}

#[test]
fn runtimes_start_where_clone3_is_missing() -> Result {
    let world = World::new(User::agent())?;
    for (program, text) in [
        (
            "python3",
            "/usr/bin/python3 -c 'import threading; t = threading.Thread(target=print, args=[\"ok\"]); t.start(); t.join()'",
        ),
        (
            "node",
            "node -e 'const {Worker} = require(\"worker_threads\"); new Worker(\"console.log(\\\"ok\\\")\", {eval: true})'",
        ),
        ("perl", "perl -e 'system(\"echo ok\")'"),
        ("java", "java -version 2>/dev/null && echo ok"),
        ("git", "git --version > /dev/null && echo ok"),
        (
            "gcc",
            "echo 'int main(void){return 0;}' > m.c && gcc m.c -o m && ./m && echo ok",
        ),
        (
            "gdb",
            "gdb -q -batch -ex run -ex quit /usr/bin/true 2>&1 | grep -q 'exited normally' && echo ok",
        ),
        ("strace", "strace -o trace -f true && grep -q execve trace && echo ok"),
    ] {
        if !agentsh_tests::skips::has_programs(program, &[program])? {
            continue;
        }
        let outcome = world.shimmed(text)?;
        if outcome.out().trim() != "ok" {
            return Err(fail(format!("{program}: {outcome:?}")));
        }
    }
    Ok(())
}

#[test]
fn every_descendant_is_inside_the_same_walls() -> Result {
    let world = World::new(User::root())?;
    let outcome = world.shimmed(
        "setsid sh -c 'su -s /bin/sh nobody -c \"sleep 1000\"' </dev/null >/dev/null 2>&1 & sleep 1000 </dev/null >/dev/null 2>&1 & echo started",
    )?;
    outcome.expect_success("start")?;
    let sleeps = || {
        world
            .strays()
            .into_iter()
            .filter(|process| process.line == "sleep 1000")
            .collect::<Vec<_>>()
    };
    if !agentsh_tests::world::processes::wait_until(std::time::Duration::from_secs(20), || sleeps().len() == 2) {
        return Err(fail(format!("not both are there: {:#?}", world.strays())));
    }
    for process in world.strays() {
        if status(process.pid, "Seccomp").as_deref() != Some("2")
            || status(process.pid, "NoNewPrivs").as_deref() != Some("1")
        {
            return Err(fail(format!("outside: {process:?}")));
        }
    }
    Ok(())
}

#[test]
fn a_nested_stand_in_is_the_real_shell_at_once_and_adds_no_filter() -> Result {
    let world = World::new(User::agent())?;
    let one: BTreeMap<String, String> = probe(&world, "walls")?;
    let text = format!("$SHELL -c '$SHELL -c \"exec {PROBE} walls\"'");
    let deep: BTreeMap<String, String> = Shell::named("bash").args(["-c", &text]).run_shimmed(&world)?.json()?;
    match one == deep {
        true => Ok(()),
        false => Err(fail(format!("{one:?} became {deep:?}"))),
    }
}
