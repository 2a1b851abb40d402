//! Starts with hardly anything left, or with limits, rights and places that are seldom seen.

use agentsh_tests::shell::Inherit;
use agentsh_tests::{Case, Input, Output, Shell};

use crate::{by_python, probing, text};

pub fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = closed().collect();
    cases.extend([
        limited("eight descriptors", "ulimit -n; exec 5</dev/null; echo $?; echo x | cat", |inherit| {
            inherit.rlimits = vec![(libc::RLIMIT_NOFILE, 8, 8)]
        }),
        limited("five descriptors for now", "ulimit -n; ulimit -Hn; echo x", |inherit| {
            inherit.rlimits = vec![(libc::RLIMIT_NOFILE, 5, 4096)]
        }),
        // Shells keep descriptors of their own above a limit that is lowered later: below it there is room.
        text("descriptors above the limit", concat!(
            "(ulimit -n 6; cat 3<&- 4<&- 5<&- <<< first > out); ",
            "(exec 3<&- 4<&- 5<&- 6</dev/null 7<&6 && ulimit -n 9; echo second > out; echo new > new; cat out new); ",
            "(ulimit -n 3; : > out); echo $?; cat out"
        )),
        limited("no file may grow", "echo x > f; echo $?; cat <<< word", |inherit| {
            inherit.rlimits = vec![(libc::RLIMIT_FSIZE, 0, 0)]
        }),
        limited("a small stack", "ulimit -s; f() { echo $1; }; f x", |inherit| {
            inherit.rlimits = vec![(libc::RLIMIT_STACK, 256 << 10, 256 << 10)]
        }),
        limited("little address space", "ulimit -v; echo x; /bin/true; echo $?", |inherit| {
            inherit.rlimits = vec![(libc::RLIMIT_AS, 64 << 20, 64 << 20)]
        }),
        limited("little data", "ulimit -d; echo x; /bin/true; echo $?", |inherit| {
            inherit.rlimits = vec![(libc::RLIMIT_DATA, 16 << 20, 16 << 20)]
        }),
        limited("no processes", "ulimit -u; echo x; /bin/true; echo $?", |inherit| {
            inherit.rlimits = vec![(libc::RLIMIT_NPROC, 1, 1)]
        }),
        limited("no locked memory, no queued signals, no core", "ulimit -l; ulimit -i; ulimit -c; kill -USR1 $$", |inherit| {
            inherit.rlimits = vec![
                (libc::RLIMIT_MEMLOCK, 0, 0),
                (libc::RLIMIT_SIGPENDING, 0, 0),
                (libc::RLIMIT_CORE, 0, 0),
            ]
        }),
        limited("a second of the processor", "ulimit -t; while :; do :; done", |inherit| {
            inherit.rlimits = vec![(libc::RLIMIT_CPU, 1, 2), (libc::RLIMIT_CORE, 0, 0)]
        }),
        by_python(
            "a folder that may not be read or searched",
            "os.mkdir('shut'); os.chdir('shut'); os.chmod('.', 0)",
            "pwd | sed 's,.*/,,'; echo $?; ls; echo $?; echo x > y; echo $?; cd .; echo $?; cd /; pwd; /bin/echo z",
        )
        .forget("shut"),
        by_python(
            "a folder below one that may not be searched",
            "os.makedirs('shut/in'); os.chdir('shut/in'); os.chmod('..', 0)",
            "pwd | sed 's,.*/,,'; ls; echo $?; /bin/pwd | sed 's,.*/,,'; echo x > made; echo $?; cat made; mkdir d; mv made d/m; ln -s d l; cat l/m; rm -r d l; ls; cd ..; echo $?",
        )
        .forget("shut"),
        by_python(
            "a folder that got another name",
            "os.mkdir('old'); os.chdir('old'); os.rename('../old', '../new')",
            "pwd | sed 's,.*/,,'; pwd -P | sed 's,.*/,,'; echo x > y; ls; cd ../new; echo $?",
        ),
        by_python(
            "a folder with a newline and bytes in its name",
            "os.mkdir(b'a\\n\\xff'); os.chdir(b'a\\n\\xff')",
            "pwd | tail -c 5 | od -c; ls -a; echo x > y; cat y",
        ),
        by_python("another scheduler", "os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))", &probing("exec PROBE state")),
        by_python("the idle scheduler", "os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0)); ctypes.CDLL(None).syscall(251, 1, 0, 3 << 13)", &probing("exec PROBE state")),
        by_python("dumps are not wanted", "ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)", &probing("exec PROBE state")),
        by_python("memory is not to be made executable", "ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)", "echo x; /bin/true; echo $?"),
        by_python("what speculation may do", "ctypes.CDLL(None).prctl(53, 0, 4, 0, 0)", "grep -i specul /proc/self/status"),
        by_python("addresses are not random", "ctypes.CDLL(None).personality(0x0040000 | 0x0200000 | 0x4000000)", "cat /proc/self/personality; grep -c . /proc/self/maps"),
        by_python("nothing of the kernel's timers", "ctypes.CDLL(None).prctl(29, 50000, 0, 0, 0); ctypes.CDLL(None).alarm(300)", &probing("exec PROBE state")),
        by_python(
            "pipes that do not block",
            "r, w = os.pipe(); os.set_blocking(r, False); os.dup2(r, 0); a, b = os.pipe(); os.set_blocking(b, False); os.dup2(b, 9)",
            &probing("PROBE fds | head -c 300; echo; read -r x; echo $?; cat; echo $?"),
        )
        .mask_numbers(),
        by_python(
            "numbers of a thousand and more",
            "resource.setrlimit(resource.RLIMIT_NOFILE, (2048, resource.getrlimit(resource.RLIMIT_NOFILE)[1])); f = os.open('f', os.O_RDWR | os.O_CREAT); [os.dup2(f, n) for n in (255, 256, 1000, 1023, 1024, 2047)]",
            "ls /proc/$$/fd; echo x >&1000; eval 'echo y >&2047'; cat f",
        ),
        by_python(
            "two hundred descriptors",
            "[os.dup2(1, n) for n in range(10, 210)]",
            "ls /proc/$$/fd > list; wc -l < list; rm list; echo x >&150",
        ),
        by_python(
            "three descriptors are left below a limit that is not low",
            "resource.setrlimit(resource.RLIMIT_NOFILE, (128, 4096)); [os.dup2(1, n) for n in range(6, 128)]",
            "ulimit -n; ulimit -Hn; echo x; /bin/echo y; echo z >&127",
        ),
        by_python(
            "descriptors of odd kinds",
            "import select, time; held = [select.epoll(), socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0], socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)[0], socket.socket(socket.AF_INET, socket.SOCK_DGRAM), open('/proc/self/status'), open('/dev/zero')]; [os.dup2(one.fileno(), 20 + n) for n, one in enumerate(held)]; os.dup2(os.pidfd_open(os.getpid()), 30); os.dup2(ctypes.CDLL(None).timerfd_create(1, 0), 31); os.dup2(ctypes.CDLL(None).inotify_init(), 32)",
            "ls -l /proc/$$/fd > list; sed 's/.* \\([0-9]* -> [a-z_:/]*\\).*/\\1/' list | grep -v '^[3-9] ' | sort -n; rm list; head -c 6 <&24",
        ),
        by_python(
            "a socket that listens, as services get it",
            "s = socket.socket(socket.AF_UNIX); s.bind('s'); s.listen(); os.dup2(s.fileno(), 3); os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))",
            "[ $LISTEN_PID = $$ ] && echo mine; python3 -c 'import socket; s = socket.socket(fileno=3); print(s.getsockopt(1, 30))'; rm s",
        ),
        by_python(
            "a terminal whose other side is closed",
            "import pty; m, s = pty.openpty(); os.dup2(s, 0); os.close(m); os.close(s)",
            "test -t 0; echo $?; read -r x; echo $?; cat; echo $?",
        ),
        by_python(
            "a terminal that is nobody's own",
            "import pty; m, s = pty.openpty(); os.dup2(s, 5); os.dup2(m, 6); os.set_inheritable(5, True)",
            "test -t 5; echo $?; stty -F /dev/fd/5 size; (: < /dev/tty) 2>&1 | sed 's/line [0-9]*//'; echo x >&5; read -r -u 6 x; echo \"$x\" | od -c",
        ),
        by_python(
            "a session's leader with a terminal that is nobody's own",
            "import pty; m, s = pty.openpty(); os.dup2(s, 0); os.dup2(m, 6); os.getsid(0) == os.getpid() or os.setsid()",
            "(: < /dev/tty) && echo has; ps -o tty= -p $$ | grep -c pts; ps -o pid=,sid= -p $$ | xargs -n 1 | sort -u | wc -l",
        ),
        by_python(
            "the other side of a terminal as input",
            "import pty; m, s = pty.openpty(); os.dup2(m, 0); os.dup2(s, 5); os.set_inheritable(5, True)",
            "test -t 0; echo $?; echo x >&5; read -r x; echo \"$x\" | od -c; ls -l /proc/self/fd/0 | sed 's/.* //'",
        ),
        by_python(
            "capabilities that nobody can have any more",
            "[ctypes.CDLL(None).prctl(24, one, 0, 0, 0) for one in (8, 21, 25)]",
            &probing("echo x > f; cat f; chmod 600 f; stat -c %a f; exec PROBE state"),
        ),
        by_python(
            "root's own rights are switched off",
            "ctypes.CDLL(None).prctl(28, 0x2f, 0, 0, 0)",
            &probing("echo x > f; cat f; exec PROBE state"),
        ),
        by_python(
            "input is the writing end, output the reading end",
            "r, w = os.pipe(); os.dup2(w, 0); os.dup2(r, 1)",
            "read x 2>&9; echo $? >&2; echo y; echo $? >&2",
        )
        .change(|shell| shell.writes(9, Output::Null)),
        by_python(
            "children are nobody's",
            "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
            "(exit 3); echo $?; (exit 4) & wait $!; echo $?; echo x | cat; echo ${PIPESTATUS[*]}; x=$(exit 5); echo $?",
        ),
        by_python(
            "every signal is ignored",
            "[signal.signal(n, signal.SIG_IGN) for n in range(1, 65) if n not in (9, 19, 32, 33)]",
            "for s in HUP INT QUIT TERM USR1 PIPE TSTP TTIN; do kill -$s $$; done; trap 'echo no' TERM; kill $$; sh -c 'kill $$; echo alive'; echo end",
        ),
        by_python(
            "every signal is blocked",
            "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))",
            "kill -TERM $$; trap 'echo t' USR1; kill -USR1 $$; echo x | cat; (exit 3); echo $?",
        ),
        by_python(
            "an alarm that comes soon",
            "signal.setitimer(signal.ITIMER_REAL, 0.3)",
            "while :; do :; done",
        ),
        Case::new(
            "standard input is a folder, output a device",
            Shell::named("bash").args(["-c", "cat; echo $? >&2; echo x"]).stdin(Input::Folder("/usr".into())).stdout(Output::Full),
        ),
    ]);
    cases
}

fn limited(name: &'static str, text: &str, change: fn(&mut Inherit)) -> Case {
    Case::new(name, Shell::named("bash").args(["-c", text]).inherit(change))
}

/// Every choice of standard descriptors that are closed.
fn closed() -> impl Iterator<Item = Case> {
    const NAMES: [&str; 8] = [
        "none is closed",
        "0 is closed",
        "1 is closed",
        "0 and 1 are closed",
        "2 is closed",
        "0 and 2 are closed",
        "1 and 2 are closed",
        "all are closed and 9 tells",
    ];
    NAMES.into_iter().enumerate().map(|(bits, name)| {
        let text = probing(
            "PROBE fds >&9; exec 4</dev/null; ls /proc/$$/fd >&9; echo x | PROBE fds >&9; sh -c 'PROBE fds >&9'",
        );
        let mut shell = Shell::named("bash").args(["-c", &text]).writes(9, Output::Pipe);
        if bits & 1 != 0 {
            shell = shell.stdin(Input::Closed);
        }
        if bits & 2 != 0 {
            shell = shell.stdout(Output::Closed);
        }
        if bits & 4 != 0 {
            shell = shell.stderr(Output::Closed);
        }
        Case::new(name, shell)
    })
}
