//! What is inherited beside descriptors: it comes from the caller, not from a daemon.

use agentsh_tests::shell::Inherit;
use agentsh_tests::{Case, Shell};

use crate::{by_python, probing, text};

/// How often somebody, or what it starts, may run elsewhere than at the beginning.
const PROCESSORS: &str = "import os
allowed, moved, born = os.sched_getaffinity(0), 0, 0
for n in range(300):
    made = os.open('made', os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    moved += os.sched_getaffinity(0) != allowed
    child = os.open('child', os.O_CREAT | os.O_WRONLY) and os.fork()
    if child == 0:
        os._exit(os.sched_getaffinity(0) != allowed)
    born += os.waitpid(child, 0)[1] != 0
    os.close(made); os.close(made + 1)
print(moved, born)
";

pub fn cases() -> Vec<Case> {
    let with = |name: &'static str, change: fn(&mut Inherit)| {
        Case::new(
            name,
            Shell::named("bash")
                .args(["-c", &probing("exec PROBE state")])
                .inherit(change),
        )
    };
    vec![
        with("the state of a plain start", |_| {}),
        with("ignored signals", |inherit| {
            inherit.ignored = vec![libc::SIGHUP, libc::SIGPIPE, libc::SIGINT, libc::SIGUSR1, 40]
        }),
        with("ignored signals of the C library's own range", |inherit| {
            inherit.ignored = vec![34, 35, 64]
        }),
        with("ignored children", |inherit| inherit.ignored = vec![libc::SIGCHLD]),
        with("blocked signals", |inherit| {
            // 34 is the first real-time signal; some C libraries keep it for themselves.
            inherit.blocked = vec![libc::SIGUSR2, libc::SIGALRM, 34, 50]
        }),
        with("a umask", |inherit| inherit.umask = Some(0o027)),
        with("limits", |inherit| {
            inherit.rlimits = vec![
                (libc::RLIMIT_NOFILE, 500, 900),
                (libc::RLIMIT_CORE, 0, 0),
                (libc::RLIMIT_FSIZE, 1 << 30, 1 << 31),
                (libc::RLIMIT_STACK, 4 << 20, 8 << 20),
            ]
        }),
        with("a niceness", |inherit| inherit.nice = Some(7)),
        with("a session of its own", |inherit| inherit.new_session = true),
        with("a group of its own", |inherit| inherit.new_group = true),
        with("no new privileges already", |inherit| inherit.no_new_privs = true),
        with("an oom score", |inherit| inherit.oom_score = Some("345")),
        text(
            "the state two shells further down",
            &probing("@sh@ -c '@bash@ -c \"exec PROBE state\"' | sed 's/\"parent\":[0-9]*//'"),
        ),
        text("the parent is the caller", "echo $PPID"),
        text("who I am", "id; umask; ulimit -a; pwd -P; pwd -L"),
        Case::new(
            "a small file size limit still holds",
            Shell::named("bash")
                .args([
                    "-c",
                    "head -c 100000 /dev/zero > big; echo $?; ls -l big | cut -d' ' -f5",
                ])
                .inherit(|inherit| inherit.rlimits = vec![(libc::RLIMIT_FSIZE, 4096, 4096)]),
        )
        .mask_numbers(),
        Case::new(
            "few descriptors",
            Shell::named("bash")
                .args(["-c", "ulimit -n; exec 30</dev/null; echo $?"])
                .inherit(|inherit| inherit.rlimits = vec![(libc::RLIMIT_NOFILE, 24, 24)]),
        ),
        Case::new(
            "a folder that was removed",
            Shell::named("bash")
                .args(["-c", "pwd; echo $?; cd ..; echo $?; /bin/pwd; ls"])
                .inherit(|inherit| inherit.removed_cwd = true),
        ),
        Case::new(
            "a removed folder under sh",
            Shell::named("sh")
                .args(["-c", "pwd; echo $?; ls; echo x > y"])
                .inherit(|inherit| inherit.removed_cwd = true),
        ),
        Case::new(
            "what is above a folder that was removed",
            Shell::named("bash")
                .args(["-c", "cd ..; echo $?; echo x > made; cat made; rm made; echo $?"])
                .inherit(|inherit| inherit.removed_cwd = true),
        ),
        Case::new(
            "a logical folder",
            Shell::named("bash")
                .args(["-c", "pwd; pwd -P; cd ..; pwd"])
                .cwd("link/inner"),
        )
        .logical_cwd()
        .file("real/inner/x", "", 0o644)
        .link("link", "real"),
        text(
            "signals arrive at traps",
            "trap 'echo got' USR1; kill -USR1 $$; trap '' TERM; kill $$; echo alive; trap - TERM; trap 'echo bye' EXIT",
        ),
        text(
            "a child ignores what the caller ignores",
            "trap '' HUP; @bash@ -c 'kill -HUP $$; echo survived'",
        ),
        text(
            "a loop of jobs",
            "for i in 1 2 3; do (exit $i) & done; wait; (sleep 0.01; exit 4) & wait $!; echo $?",
        ),
        by_python(
            "timers go on",
            "signal.setitimer(signal.ITIMER_REAL, 500); signal.setitimer(signal.ITIMER_VIRTUAL, 500); signal.setitimer(signal.ITIMER_PROF, 600)",
            "exec python3 -c 'import signal; print([round(left / 100) for which in (0, 1, 2) for left in signal.getitimer(which)])'",
        ),
        by_python(
            "a signal that came while it was held back",
            "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, 34, 40]); os.kill(os.getpid(), signal.SIGUSR1); os.kill(os.getpid(), 34)",
            "exec grep -E '^(Sig[PBIC]|Shd)' /proc/self/status",
        ),
        by_python(
            "locks are held on",
            "held = os.open('l', os.O_RDWR | os.O_CREAT); os.set_inheritable(held, True); fcntl.lockf(held, fcntl.LOCK_EX)",
            "python3 -c 'import fcntl; fcntl.lockf(open(\"l\", \"r+\"), fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>&1 | tail -n 1; flock -n l echo flock",
        ),
        by_python(
            "attributes that survive an exec",
            "libc = ctypes.CDLL(None); libc.prctl(36, 1, 0, 0, 0); libc.prctl(1, 15, 0, 0, 0); libc.prctl(29, 12345, 0, 0, 0); libc.prctl(41, 1, 0, 0, 0); libc.personality(0x0040000); os.sched_setaffinity(0, {0})",
            "exec python3 -c 'import ctypes, os; libc = ctypes.CDLL(None); value = ctypes.c_int(); libc.prctl(2, ctypes.byref(value), 0, 0, 0); print(value.value, libc.prctl(30, 0, 0, 0, 0), libc.prctl(42, 0, 0, 0, 0), libc.personality(0xffffffff), os.sched_getaffinity(0)); libc.prctl(37, ctypes.byref(value), 0, 0, 0); print(value.value)'",
        ),
        by_python(
            "flags and positions of open files",
            "flags = [os.O_APPEND | os.O_WRONLY, os.O_SYNC | os.O_RDWR, os.O_NONBLOCK, os.O_NOATIME, os.O_PATH]; made = os.open('f', os.O_RDWR | os.O_CREAT); [os.dup2(os.open('f', flag), 30 + number) for number, flag in enumerate(flags)]; os.lseek(31, 7, 0); memory = os.memfd_create('m'); os.write(memory, b'hello'); os.dup2(memory, 40); os.dup2(os.eventfd(3), 41); os.dup2(os.open('.', os.O_TMPFILE | os.O_RDWR), 42); os.dup2(made, 500)",
            "for fd in 30 31 32 33 34 40 41 42 500; do echo $fd $(grep -E 'flags|pos' /proc/$$/fdinfo/$fd); done; cat /proc/$$/fd/40; echo z >&42; cat /dev/fd/42; ls /proc/$$/fd",
        ),
        Case::new(
            "where it may run stays, also in the moment after a file was opened",
            Shell::named("bash").args(["-c", "exec python3 -S -c \"$0\"", PROCESSORS]),
        )
        .needs(&["python3"]),
        text(
            "memory that nobody else may read has no name",
            "python3 -S -c 'import ctypes, os; fd = ctypes.CDLL(None).syscall(447, 0); os.ftruncate(fd, 4096); print(os.fstat(fd).st_size, os.readlink(\"/proc/self/fd/%d\" % fd))' 2>&1",
        ),
        text(
            "time and limits are the shell's own",
            "ulimit -S -n 100; ulimit -n; (ulimit -v 200000; ulimit -v)",
        ),
    ]
}
