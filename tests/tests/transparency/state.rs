//! What is inherited beside descriptors: it comes from the caller, not from a daemon.

use agentsh_tests::shell::Inherit;
use agentsh_tests::{Case, Shell};

use crate::{probing, text};

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
        with("ignored children", |inherit| inherit.ignored = vec![libc::SIGCHLD]),
        with("blocked signals", |inherit| {
            inherit.blocked = vec![libc::SIGUSR2, libc::SIGALRM, 50]
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
        text(
            "time and limits are the shell's own",
            "ulimit -S -n 100; ulimit -n; (ulimit -v 200000; ulimit -v)",
        ),
    ]
}
