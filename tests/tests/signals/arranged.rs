//! Signals that come about a descriptor: its owner may be somebody outside, from whom it was inherited.

use std::time::Duration;

use agentsh_tests::record::await_event;
use agentsh_tests::shell::Subject;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Ended, Result, Shell, User, World, enforced, fail};

const PATIENCE: Duration = Duration::from_secs(60);

/// Owns one end of a pair, hands it to a shell, and lives as long as nothing is sent to it.
const OWNER: &str = r#"
import fcntl, os, socket, subprocess, sys
a, b = socket.socketpair()
fcntl.fcntl(a, fcntl.F_SETOWN, os.getpid())
os.set_inheritable(a.fileno(), True)
shell = subprocess.Popen([sys.argv[1], "-c", "exec python3 inner.py %d" % a.fileno()], close_fds=False, stdout=subprocess.PIPE)
out = shell.stdout.read()
b.send(b"x")
print(out.decode(), end="")
print("lives", shell.wait())
"#;

/// Tries to have its owner signalled, by every request and with the number exchanged by another thread.
const INNER: &str = r#"
import array, fcntl, os, signal, socket, sys, threading, errno
fd = int(sys.argv[1])
F_SETSIG, F_NOTIFY = 10, 1026
def tried(what, go):
    try: go(); print(what, 0)
    except OSError as error: print(what, errno.errorcode[error.errno])
flags = fcntl.fcntl(fd, fcntl.F_GETFL)
tried("signal", lambda: fcntl.fcntl(fd, F_SETSIG, signal.SIGKILL))
tried("flags", lambda: fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_ASYNC))
tried("switch", lambda: fcntl.ioctl(fd, 0x5452, array.array("i", [1])))
tried("folder", lambda: fcntl.fcntl(os.open(".", os.O_RDONLY), F_NOTIFY, 2))
# One's own is free, and without the switch flags are.
tried("plain", lambda: fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_NONBLOCK))
fcntl.fcntl(fd, fcntl.F_SETFL, flags)
# Another thread puts the inherited one under a number that was judged.
own, peer = socket.socketpair()
number = os.dup(own.fileno())
over = False
def exchange():
    while not over:
        os.dup2(fd, number)
        os.dup2(own.fileno(), number)
thread = threading.Thread(target=exchange)
thread.start()
for _ in range(2000):
    for go in (lambda: fcntl.fcntl(number, fcntl.F_SETFL, flags | os.O_ASYNC), lambda: fcntl.fcntl(number, F_SETSIG, signal.SIGKILL),
               lambda: fcntl.ioctl(number, 0x5452, array.array("i", [1]))):
        try: go()
        except OSError: pass
over = True
thread.join()
print("flags", fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ASYNC, "signal", fcntl.fcntl(fd, 11))
# Whether the exchange was ever won or not: where it is let, the owner is reached in the end.
tried("again", lambda: fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_ASYNC))
"#;

fn start(world: &World, subject: &Subject) -> Result<agentsh_tests::Outcome> {
    let workspace = world.workspace();
    world.user().write_file(&workspace.join("outer.py"), OWNER, 0o644)?;
    world.user().write_file(&workspace.join("inner.py"), INNER, 0o644)?;
    let shell = match subject {
        Subject::Real => "/bin/bash".to_owned(),
        _ => format!("{}/bash", agentsh_tests::world::SHIMS),
    };
    Shell::program("/usr/bin/python3")
        .args(["outer.py", &shell])
        .deadline(PATIENCE)
        .run(world)
}

#[test]
fn the_owner_of_an_inherited_descriptor_is_not_signalled() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        let real = start(&world, &Subject::Real)?;
        if !matches!(
            real.ended,
            Ended::Signal {
                number: libc::SIGKILL,
                ..
            }
        ) {
            return Err(fail(format!(
                "nothing is shown: the real shell's program does not reach its owner: {real:?}"
            )));
        }
        let outcome = start(&world, &Subject::shims())?;
        outcome.expect_out(
            "signal EPERM\nflags EPERM\nswitch EPERM\nfolder EINVAL\nplain 0\nflags 0 signal 0\nagain EPERM\nlives 0\n",
        )?;
        await_event(&world, "the denial", |event| {
            event.kind == "signal_send" && event.policy.as_ref().is_some_and(|policy| policy.decision == "deny")
        })?;
    }
    Ok(())
}

#[test]
fn ones_own_descriptors_signal_as_ever() -> Result {
    let text = r#"
import array, fcntl, os, pty, signal, socket, threading
heard = []
signal.signal(signal.SIGIO, lambda *_: heard.append("io"))
def wait(count):
    while len(heard) < count: signal.sigtimedwait([], 0.01)
for threads in (0, 1):
    if threads: threading.Thread(target=lambda: signal.pause(), daemon=True).start()
    # As nginx does it.
    a, b = socket.socketpair()
    fcntl.ioctl(a, 0x5452, array.array("i", [1]))
    fcntl.fcntl(a, fcntl.F_SETOWN, os.getpid())
    before = len(heard); b.send(b"x"); wait(before + 1)
    fcntl.ioctl(a, 0x5452, array.array("i", [0]))
    print(fcntl.fcntl(a, fcntl.F_GETFL) & os.O_ASYNC)
    # A pipe, with the number of the descriptor in what is told.
    signal.pthread_sigmask(signal.SIG_BLOCK, [40])
    r, w = os.pipe()
    r = fcntl.fcntl(r, fcntl.F_DUPFD, 77)
    fcntl.fcntl(r, fcntl.F_SETOWN, os.getpid()); fcntl.fcntl(r, 10, 40)
    fcntl.fcntl(r, fcntl.F_SETFL, fcntl.fcntl(r, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    os.write(w, b"x")
    info = signal.sigwaitinfo([40])
    print(info.si_signo, info.si_band, fcntl.fcntl(r, fcntl.F_GETFL) & os.O_NONBLOCK != 0)
    # A terminal of its own.
    master, slave = pty.openpty()
    fcntl.fcntl(slave, fcntl.F_SETFL, fcntl.fcntl(slave, fcntl.F_GETFL) | os.O_ASYNC)
    before = len(heard); os.write(master, b"x\n"); wait(before + 1)
    # A lease.
    with open("leased", "w"): pass
    file = os.open("leased", os.O_RDONLY)
    fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    print(fcntl.fcntl(file, fcntl.F_GETLEASE) == fcntl.F_RDLCK)
    os.close(file); os.close(r); os.close(slave); os.close(master)
    for call in (lambda: fcntl.fcntl(a, 10, 99), lambda: fcntl.fcntl(999, 10, 9), lambda: fcntl.fcntl(999, fcntl.F_SETFL, os.O_ASYNC)):
        try: call()
        except OSError as error: print(error.errno)
"#;
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        world
            .user()
            .write_file(&world.workspace().join("own.py"), text, 0o644)?;
        let real = Shell::named("bash").args(["-c", "python3 own.py"]).run(&world)?;
        real.expect_success("the real shell")?;
        let outcome = world.shimmed("python3 own.py")?;
        if outcome.out() != real.out() || outcome.ended != real.ended {
            return Err(fail(format!("{real:?}\n{outcome:?}")));
        }
        // The number that a receiver is told is the one under which it has the file.
        let told = r#"
import ctypes, fcntl, os, signal, struct, threading
libc = ctypes.CDLL(None)
signal.pthread_sigmask(signal.SIG_BLOCK, [40])
threading.Thread(target=signal.pause, daemon=True).start()
r, w = os.pipe(); r = fcntl.fcntl(r, fcntl.F_DUPFD, 77)
fcntl.fcntl(r, fcntl.F_SETOWN, os.getpid()); fcntl.fcntl(r, 10, 40)
fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC); os.write(w, b"x")
info = ctypes.create_string_buffer(128); mask = struct.pack("Q", 1 << 39)
libc.syscall(128, mask, info, None, 8)
print(struct.unpack_from("iiiiqi", info)[5])
"#;
        world
            .user()
            .write_file(&world.workspace().join("told.py"), told, 0o644)?;
        world.shimmed("python3 told.py")?.expect_out("77\n")?;
        if !wait_until(PATIENCE, || world.strays().is_empty()) {
            return Err(fail(format!("left: {:#?}", world.strays())));
        }
    }
    Ok(())
}
