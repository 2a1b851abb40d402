//! Whatever else the kernel offers to end, stop, slow or starve another process, with a policy that allows all signals
//! but those to processes outside.

use std::fs;

use agentsh_tests::record::await_event;
use agentsh_tests::{Result, User, World, enforced, fail};

use crate::{outsider, python};

/// What can be seen of a process that others could have changed.
fn state(pid: i32) -> Result<Vec<String>> {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}"));
    let stat = read("stat")?;
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split(' ').collect())
        .unwrap_or_default();
    // State, group, session, priority, nice value, policy (`proc_pid_stat(5)`).
    let mut seen: Vec<String> = [1, 3, 4, 16, 17, 39]
        .iter()
        .filter_map(|at| fields.get(*at))
        .map(|&field| field.to_owned())
        .collect();
    let status = read("status")?;
    let named = |line: &&str| {
        ["SigQ", "SigPnd", "ShdPnd", "TracerPid", "Cpus_allowed:"]
            .iter()
            .any(|name| line.starts_with(name))
    };
    seen.extend(
        status
            .lines()
            .filter(named)
            .filter(|line| !line.starts_with("SigQ"))
            .map(str::to_owned),
    );
    seen.extend([read("oom_score_adj")?, read("limits")?, read("comm")?]);
    Ok(seen)
}

/// Calls that name a process, by number; each is tried on a process outside and prints what worked.
const ATTEMPTS: &str = r#"
import ctypes, os, signal, struct, sys, fcntl, pty, termios
libc = ctypes.CDLL(None, use_errno=True)
pid = int(sys.argv[1])
worked = []
def call(what, *args):
    if libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in args]) != -1: worked.append(what)
def tried(what, go):
    try: go(); worked.append(what)
    except OSError: pass
buffer = ctypes.create_string_buffer(64)
vector = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)
remote = (ctypes.c_size_t * 2)(0x400000, 8)
held = os.pidfd_open(pid)
thread = libc.syscall(434, pid, os.O_EXCL)
for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGUSR1, 40):
    for flags in (0, 1, 2, 4):
        for fd in (held, thread):
            if fd >= 0: call(("pidfd", number, flags), 424, fd, int(number), 0, flags)
    call(("kill", number), 62, pid, int(number))
    # One's own group would be the caller too.
    if os.getpgid(pid) != os.getpgrp(): call(("group", number), 62, -os.getpgid(pid), int(number))
    call(("tkill", number), 200, pid, int(number))
    call(("upper half", number), 62, pid | (7 << 32), int(number) | (7 << 32))
call("pidfd of procfs", 424, os.open("/proc/%d" % pid, os.O_PATH | os.O_DIRECTORY), 9, 0, 0)
call("mrelease", 448, held, 0)
call("madvise", 440, held, vector, 1, 21, 0)
call("getfd", 438, held, 0, 0)
call("setns", 308, held, 0x20000)
call("vm_writev", 311, pid, vector, 1, remote, 1, 0)
call("vm_readv", 310, pid, vector, 1, remote, 1, 0)
call("kcmp", 312, pid, os.getpid(), 0, 0, 0)
call("migrate_pages", 256, pid, 8, buffer, buffer)
call("move_pages", 279, pid, 1, vector, buffer, buffer, 2)
call("ptrace attach", 101, 16, pid, 0, 0)
call("ptrace seize", 101, 0x4206, pid, 0, 0)
call("prlimit", 302, pid, 7, struct.pack("QQ", 9, 9), 0)
call("setaffinity", 203, pid, 8, struct.pack("Q", 1))
call("setscheduler", 144, pid, 5, struct.pack("i", 0))
call("setparam", 142, pid, struct.pack("i", 0))
call("setattr", 314, pid, struct.pack("IIQiIQQQ", 48, 5, 0, 0, 0, 0, 0, 0), 0)
call("setpriority", 141, 0, pid, 19)
call("setpriority of the group", 141, 1, os.getpgid(pid), 19)
call("setpriority of the user", 141, 2, os.getuid(), 19)
call("ioprio", 251, 1, pid, 3 << 13)
call("ioprio of the group", 251, 2, os.getpgid(pid), 3 << 13)
call("ioprio of the user", 251, 3, os.getuid(), 3 << 13)
call("setpgid", 109, pid, pid)
for name in ("oom_score_adj", "oom_adj", "autogroup", "timerslack_ns", "comm", "coredump_filter", "clear_refs", "sched", "mem", "attr/current"):
    def write(name=name):
        with open("/proc/%d/%s" % (pid, name), "wb", buffering=0) as file: file.write(b"1")
    tried(name, write)
# A terminal of its own signals its own session at most.
master, slave = pty.openpty()
for fd in (master, slave):
    tried(("TIOCSPGRP", fd), lambda: fcntl.ioctl(fd, termios.TIOCSPGRP, struct.pack("i", os.getpgid(pid))))
# Timers and queues signal nobody else.
event = ctypes.create_string_buffer(64)
struct.pack_into("QiiI", event, 0, 0, 9, 4, pid)
call("timer", 222, 1, event, buffer)
print(worked)
"#;

#[test]
fn nothing_that_names_a_process_reaches_one_outside() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        let (_child, other) = outsider(&world, "4841")?;
        let before = state(other.pid)?;
        let text = ATTEMPTS.replace("sys.argv[1]", &other.pid.to_string());
        python(&world, &text)?.expect_out("[]\n")?;
        let after = state(other.pid)?;
        if before != after || !other.is_alive() {
            return Err(fail(format!("{before:#?}\n{after:#?}")));
        }
        await_event(&world, "a denial", |event| {
            event.kind == "signal_send" && event.fields.get("target").is_some_and(|target| *target == other.pid)
        })?;
    }
    Ok(())
}

#[test]
fn a_terminals_own_signals_stay_in_its_session() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        let (_child, other) = outsider(&world, "4842")?;
        // `TIOCSIG` on the master of a terminal of its own, and the hang-up of its session.
        let text = r#"
import fcntl, os, pty, signal, struct, termios, time
pid, master = pty.fork()
if pid == 0:
    signal.signal(signal.SIGINT, lambda *_: (os.write(1, b"INT"), None))
    os.write(1, b"up")
    while True: time.sleep(1)
seen = b""
while b"up" not in seen: seen += os.read(master, 100)
fcntl.ioctl(master, 0x40045436, signal.SIGINT)
while b"INT" not in seen: seen += os.read(master, 100)
os.close(master)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;
        python(&world, text)?.expect_out("-1\n")?;
        if !other.is_alive() {
            return Err(fail("a process outside was ended"));
        }
    }
    Ok(())
}

#[test]
fn a_queued_signal_carries_no_forged_sender() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        // To oneself the kernel lets a process say what it wants; to another, and by pidfd as by number, never that
        // the kernel or kill(2) sent it.
        let text = r#"
import ctypes, os, signal, struct, subprocess
libc = ctypes.CDLL(None, use_errno=True)
child = subprocess.Popen(["sleep", "60"])
def queue(code, number=signal.SIGURG):
    info = ctypes.create_string_buffer(128)
    struct.pack_into("iiiiiI", info, 0, number, 0, code, 0, 1, 0)
    results = []
    for call, target in ((129, child.pid), (424, os.pidfd_open(child.pid))):
        args = (call, target, number, info) + ((0,) if call == 424 else ())
        results.append(0 if libc.syscall(*args) == 0 else ctypes.get_errno())
    return results
for code in (0, -6, 0x80, -1, -2): print(code, queue(code))
child.kill()
"#;
        let outcome = python(&world, text)?;
        outcome.expect_out("0 [1, 1]\n-6 [1, 1]\n128 [1, 1]\n-1 [0, 0]\n-2 [0, 0]\n")?;
    }
    Ok(())
}
