//! Signals: one's own processes are free, others are not touched, by effect and on record.

mod arranged;
mod kernel;

use std::time::Duration;

use agentsh_tests::child::Child;
use agentsh_tests::record::await_event;
use agentsh_tests::shell::Subject;
use agentsh_tests::world::processes::{Process, wait_until};
use agentsh_tests::{Ended, Outcome, Output, Result, Shell, User, World, enforced, fail, session};

const PATIENCE: Duration = Duration::from_secs(30);

/// A process of the same user outside every session, which has come to rest: it starts nothing and changes nothing any more.
fn outsider(world: &World, seconds: &str) -> Result<(Child, Process)> {
    let child = Shell::program("sleep")
        .args([seconds])
        .spawn_with(world, &Subject::Real)?;
    let other = world.await_process(&format!("sleep {seconds}"))?;
    let asleep = || other.status("State").is_some_and(|state| state.starts_with('S'));
    match wait_until(PATIENCE, asleep) {
        true => Ok((child, other)),
        false => Err(fail(format!("{} {:?}", other.line, other.status("State")))),
    }
}

#[test]
fn no_way_of_sending_reaches_a_process_outside() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        let (_child, other) = outsider(&world, "4811")?;
        let pid = other.pid;
        let script = format!(
            "import os,signal,ctypes,errno
c=ctypes.CDLL(None,use_errno=True)
info=ctypes.create_string_buffer(128); ctypes.memmove(info,(9).to_bytes(4,'little')+bytes(4)+(-1).to_bytes(4,'little',signed=True),12)
def go(*a): print(0 if c.syscall(*a)==0 else errno.errorcode[ctypes.get_errno()])
p={pid}
go(62,p,9); go(200,p,9); go(234,p,p,9); go(129,p,9,info); go(297,p,p,9,info)
f=os.pidfd_open(p); go(424,f,9,0,0); go(62,p,0)"
        );
        let outcome = world.shimmed(&format!("python3 -c \"{script}\""))?;
        outcome.expect_out(&format!("{}0\n", "EPERM\n".repeat(6)))?;
        world.shimmed("kill -9 -1; true")?;
        if !other.is_alive() {
            return Err(fail("a process outside was ended"));
        }
        let event = await_event(&world, "the denial", |event| {
            event.kind == "signal_send" && event.fields.get("target").is_some_and(|target| target == pid)
        })?;
        let denied = event.policy.as_ref().is_some_and(|policy| policy.decision == "deny");
        if !denied || event.signal != Some(9) || event.result.as_deref() != Some("EPERM") {
            return Err(fail(format!("{event:?}")));
        }
        if world.supervisors().is_empty() {
            return Err(fail("the supervisor was ended"));
        }
    }
    Ok(())
}

#[test]
fn minus_one_ends_what_is_inside_and_nothing_else() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        let (_child, other) = outsider(&world, "4821")?;
        let mut sibling = world.in_background("exec sleep 4822")?;
        world.await_process("sleep 4822")?;
        world.shimmed("kill -TERM -1; echo $?")?.expect_out("0\n")?;
        let ended = sibling.wait(PATIENCE)?;
        if !matches!(
            ended,
            Ended::Signal {
                number: libc::SIGTERM,
                ..
            }
        ) || !other.is_alive()
        {
            return Err(fail(format!("{ended:?}, {other:?}")));
        }
    }
    Ok(())
}

#[test]
fn ones_own_processes_are_signalled_as_ever() -> Result {
    // A signal that comes before a fresh child of bash has put its own dispositions in place can be lost in
    // the real shell too: each child is up before it is signalled.
    let text = "up() { until grep -q sleep /proc/$1/comm; do :; done; }
trap 'echo usr1' USR1; kill -USR1 $$; (exec sleep 99) & up $!; kill $!; wait $!; echo $?
sleep 98 & kill -STOP $!; kill -CONT $!; kill -9 $!; wait $! 2>/dev/null; echo $?
timeout 0.2 sleep 97; echo $?; set -m; sleep 96 | sleep 96 & up $(jobs -p %1); up $!; kill -INT %1; wait %1; echo $?
(: > up; while :; do :; done) & until [ -e up ]; do :; done; kill $!; wait $!; echo $?; rm up
python3 -c \"
import os,signal,threading
def h(n,i): pass
signal.signal(signal.SIGUSR2,h)
c=os.fork()
if c==0: print(signal.sigwaitinfo([signal.SIGTERM]).si_pid==os.getppid()); os._exit(0)
import time; time.sleep(0.2); os.kill(c,15); os.waitpid(c,0)
t=threading.Thread(target=lambda: signal.pthread_kill(threading.main_thread().ident,signal.SIGUSR2)); t.start(); t.join()
signal.pidfd_send_signal(os.pidfd_open(os.getpid()),signal.SIGUSR2)
try: os.kill(4194000,9)
except ProcessLookupError: print('ESRCH')
try: os.kill(os.getpid(),77)
except OSError as e: print(e.errno)
os.abort()\" 2>/dev/null; echo $?";
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        let real = Shell::named("bash").args(["-c", text]).run(&world)?;
        world.shimmed(text)?.expect_out(&real.out())?;
    }
    Ok(())
}

#[test]
fn rules_deny_absorb_and_exchange() -> Result {
    let world = World::new(User::agent())?;
    session::with_rules(
        &world,
        "signal_rules:
  - {name: soft, signals: [KILL], target: {type: children}, decision: redirect, redirect_to: TERM}
  - {name: deaf, signals: [HUP], decision: absorb}
  - {name: steady, signals: [STOP], target: {type: process, pattern: sleep}, decision: deny, message: \"no naps\"}
",
    )?;
    let outcome = world.shimmed(
        "sleep 91 & p=$!; until grep -q sleep /proc/$p/comm; do :; done; kill -HUP $p; echo $?; kill -STOP $p 2>/dev/null; echo $?; kill -9 $p; wait $p; echo $?",
    )?;
    outcome.expect_out("0\n1\n143\n")?;
    for (decision, signal) in [("absorb", 1), ("deny", 19), ("redirect", 9)] {
        await_event(&world, decision, |event| {
            event.kind == "signal_send"
                && event.signal == Some(signal)
                && event.policy.as_ref().is_some_and(|policy| policy.decision == decision)
        })?;
    }
    Ok(())
}

/// Runs a Python text in the session's shell.
fn python(world: &World, text: &str) -> Result<Outcome> {
    world.user().write_file(&world.workspace().join("p.py"), text, 0o644)?;
    world.shimmed("python3 p.py")
}

#[test]
fn no_arrangement_with_the_kernel_signals_a_process_outside() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        let (_child, other) = outsider(&world, "4831")?;
        let text = format!(
            r#"
import fcntl, os, signal, socket, struct, errno
F_SETOWN_EX, F_SETSIG = 15, 10
def tried(go):
    try: go(); return 0
    except OSError as error: return errno.errorcode[error.errno]
a, b = socket.socketpair()
fcntl.fcntl(a, F_SETSIG, signal.SIGKILL)
fcntl.fcntl(a, fcntl.F_SETFL, os.O_ASYNC)
print(tried(lambda: fcntl.fcntl(a, fcntl.F_SETOWN, {pid})))
print(tried(lambda: fcntl.fcntl(a, fcntl.F_SETOWN, -os.getpgid({pid}))))
print(tried(lambda: fcntl.fcntl(a, F_SETOWN_EX, struct.pack("ii", 1, {pid}))))
print(tried(lambda: fcntl.ioctl(a, 0x8901, struct.pack("i", {pid}))))
print(tried(lambda: fcntl.ioctl(a, 0x8902, struct.pack("i", {pid}))))
b.send(b"x")
# Its own arrangements work.
got = []
signal.signal(signal.SIGUSR1, lambda *_: got.append(1))
c, d = socket.socketpair()
fcntl.fcntl(c, F_SETSIG, signal.SIGUSR1)
fcntl.fcntl(c, fcntl.F_SETOWN, os.getpid())
fcntl.fcntl(c, fcntl.F_SETFL, os.O_ASYNC)
d.send(b"x")
while not got: pass
print("heard")
"#,
            pid = other.pid
        );
        let outcome = python(&world, &text)?;
        outcome.expect_out("EPERM\nEPERM\nEINVAL\nEINVAL\nEINVAL\nheard\n")?;
        if !other.is_alive() {
            return Err(fail("a process outside was ended"));
        }
        await_event(&world, "the denial", |event| {
            event.kind == "signal_send"
                && event.policy.as_ref().is_some_and(|policy| policy.decision == "deny")
                && event.fields.get("target").is_some_and(|target| *target == other.pid)
        })?;
    }
    Ok(())
}

#[test]
fn limits_and_priorities_of_a_process_outside_stay_as_they_are() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        let (_child, other) = outsider(&world, "4832")?;
        let text = format!(
            r#"
import errno, os, resource, subprocess
def tried(go):
    try: go(); return 0
    except OSError as error: return errno.errorcode[error.errno]
child = subprocess.Popen(["sleep", "60"])
for pid in ({pid}, child.pid, os.getpid()):
    print(tried(lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, (64, 64))),
          tried(lambda: os.sched_setaffinity(pid, os.sched_getaffinity(0))),
          tried(lambda: os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0))),
          tried(lambda: os.setpriority(os.PRIO_PROCESS, pid, 5)))
print(tried(lambda: resource.prlimit({pid}, resource.RLIMIT_NOFILE)), tried(lambda: os.setpriority(os.PRIO_USER, 0, 6)))
child.kill()
"#,
            pid = other.pid
        );
        let outcome = python(&world, &text)?;
        // To read limits is as free as the kernel makes it.
        let expected = "EPERM EPERM EPERM EPERM\n0 0 0 0\n0 0 0 0\n0 EPERM\n";
        outcome.expect_out(expected)?;
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", other.pid))?;
        if limits
            .lines()
            .any(|line| line.starts_with("Max open files") && line.contains(" 64 "))
        {
            return Err(fail(limits));
        }
    }
    Ok(())
}

#[test]
fn a_group_is_signalled_member_by_member() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        // The real shell outside and the session's command share a group.
        let text = format!(
            "trap 'echo hit' TERM; {}/bash -c 'trap : TERM; sleep 77 & sleep 0; kill -TERM 0; wait; echo inside'; echo outside",
            agentsh_tests::world::SHIMS
        );
        let outcome = Shell::named("bash").args(["-c", &text]).run(&world)?;
        outcome.expect_out("inside\noutside\n")?;
    }
    Ok(())
}

#[test]
fn a_signal_waits_for_a_persons_answer() -> Result {
    let rules = "signal_rules:
  - {name: ask, signals: [TERM], target: {type: children}, decision: approve, message: \"end it?\"}
approvals: {timeout: 60s}
";
    for user in User::both() {
        let world = World::new(user)?;
        let id = session::with_rules(&world, rules)?.id;
        let text = "sleep 93 & p=$!; until grep -q sleep /proc/$p/comm; do :; done; kill -TERM $p; echo $?; kill -0 $p; echo $?; kill -9 $p";
        // Nobody is there: no.
        world
            .shimmed(&format!("{{ {text}; }} 2>/dev/null"))?
            .expect_out("1\n0\n")?;
        for (word, out) in [("deny", "1\n0\n"), ("allow", "0\n143\n")] {
            let mut watcher = Shell::program(format!("{}/agentsh", agentsh_tests::world::PRODUCT))
                .args(["approve", "--watch", "--json"])
                .stdout(Output::Null)
                .deadline(Duration::from_secs(120))
                .spawn(&world)?;
            let seen = || {
                let info = world.agentsh(["session", "info", "--json", &id]);
                info.is_ok_and(|outcome| !outcome.out().contains("nobody can be asked"))
            };
            if !wait_until(PATIENCE, seen) {
                return Err(fail("the session does not learn of the watcher"));
            }
            let text = match word {
                "deny" => format!("{{ {text}; }} 2>/dev/null"),
                _ => "sleep 93 & p=$!; until grep -q sleep /proc/$p/comm; do :; done; kill -TERM $p; echo $?; wait $p; echo $?".to_owned(),
            };
            let child = Shell::named("bash")
                .args(["-c", &text])
                .spawn_with(&world, &Subject::shims())?;
            let mut asked = Vec::new();
            let there = wait_until(PATIENCE, || {
                let list = world.agentsh(["approve", "list", "--json"]);
                asked = list
                    .and_then(|list| list.json::<Vec<serde_json::Value>>())
                    .unwrap_or_default();
                asked.len() == 1
            });
            let words = asked.first().map(|one| one["argv"].to_string()).unwrap_or_default();
            if !there || !words.contains("TERM (15)") || asked[0]["message"] != "end it?" {
                return Err(fail(format!("{asked:?}")));
            }
            let id = asked[0]["id"].as_str().unwrap_or_default();
            world.agentsh(["approve", word, id])?.expect_success(word)?;
            child.finish(PATIENCE)?.expect_out(out)?;
            watcher.signal(libc::SIGKILL)?;
            watcher.wait(PATIENCE)?;
        }
    }
    Ok(())
}
