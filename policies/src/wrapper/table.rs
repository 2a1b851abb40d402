//! The wrappers that are known, by their manual pages.

use super::grammar::{Grammar, Then};

const fn wrapper(name: &'static str, values: &'static str, long: &'static [&'static str]) -> Grammar {
    Grammar {
        name,
        values,
        attached: "",
        ends: "",
        long,
        operands: 0,
        assignments: false,
        text: None,
        then: Then::Program,
    }
}

/// All of them, by name.
pub const WRAPPERS: [Grammar; 50] = [
    Grammar {
        then: Then::Applet,
        ..wrapper("busybox", "", &[])
    },
    wrapper("catchsegv", "", &[]),
    wrapper("ccache", "", &[]),
    Grammar {
        ends: "pm",
        operands: 1,
        ..wrapper("chrt", "TPD", &["sched-runtime", "sched-period", "sched-deadline"])
    },
    Grammar {
        operands: 1,
        ..wrapper("chroot", "", &["userspec", "groups"])
    },
    wrapper("chronic", "", &[]),
    Grammar {
        ends: "p",
        ..wrapper("choom", "n", &["adjust"])
    },
    wrapper("dbus-run-session", "", &["config-file", "dbus-daemon"]),
    wrapper("distcc", "", &[]),
    Grammar {
        ends: "Ls",
        ..wrapper("doas", "Cua", &[])
    },
    Grammar {
        assignments: true,
        ..wrapper("env", "uCSa", &["unset", "chdir", "split-string", "argv0"])
    },
    wrapper("dumb-init", "r", &["rewrite"]),
    wrapper("eatmydata", "", &[]),
    wrapper("fakeroot", "lfisb", &["lib", "faked"]),
    Grammar {
        operands: 1,
        text: Some(("c", "command")),
        ..wrapper("flock", "wE", &["timeout", "wait", "conflict-exit-code"])
    },
    Grammar {
        operands: 1,
        ..wrapper("gosu", "", &[])
    },
    wrapper("i386", "", &[]),
    wrapper("ifne", "", &[]),
    Grammar {
        ends: "pPu",
        ..wrapper("ionice", "cn", &["class", "classdata"])
    },
    wrapper("linux32", "", &[]),
    wrapper("linux64", "", &[]),
    wrapper(
        "ltrace",
        "aADeFlnopsuwx",
        &["align", "config", "indent", "library", "output"],
    ),
    wrapper("nice", "n", &["adjustment"]),
    wrapper("nohup", "", &[]),
    wrapper("numactl", "piwmCN", NUMACTL),
    wrapper("nsenter", "tSG", &["target", "setuid", "setgid"]),
    Grammar {
        then: Then::Words,
        ..wrapper("parallel", "jPNnLaISdEs", PARALLEL)
    },
    wrapper("pkexec", "", &["user"]),
    wrapper("proxychains4", "f", &[]),
    Grammar {
        ends: "p",
        ..wrapper("prlimit", "o", &["output"])
    },
    Grammar {
        text: Some(("c", "command")),
        ..wrapper(
            "runuser",
            "ugGsw",
            &["user", "group", "supp-group", "shell", "whitelist-environment"],
        )
    },
    Grammar {
        text: Some(("c", "command")),
        then: Then::Nothing,
        ..wrapper(
            "script",
            "BEIOmoT",
            &["log-in", "log-out", "log-io", "log-timing", "echo", "output-limit"],
        )
    },
    wrapper("setpriv", "", SETPRIV),
    wrapper("setsid", "", &[]),
    Grammar {
        operands: 1,
        ..wrapper("su-exec", "", &[])
    },
    wrapper("stdbuf", "ioe", &["input", "output", "error"]),
    wrapper("strace", "abeEIoOpPsSuUX", STRACE),
    Grammar {
        text: Some(("c", "command")),
        then: Then::Nothing,
        ..wrapper("su", "gGsw", &["group", "supp-group", "shell", "whitelist-environment"])
    },
    Grammar {
        ends: "elvKVsi",
        assignments: true,
        ..wrapper("sudo", "agChpRrtTuUD", SUDO)
    },
    Grammar {
        ends: "p",
        operands: 1,
        ..wrapper("taskset", "", &[])
    },
    wrapper("time", "fo", &["format", "output"]),
    wrapper("tini", "pe", &[]),
    wrapper("torsocks", "ua", &["user", "pass", "address", "port"]),
    Grammar {
        operands: 1,
        ..wrapper("timeout", "ks", &["kill-after", "signal"])
    },
    Grammar {
        then: Then::Applet,
        ..wrapper("toybox", "", &[])
    },
    wrapper("unbuffer", "", &[]),
    wrapper(
        "unshare",
        "RSGw",
        &["root", "wd", "setuid", "setgid", "propagation", "map-user", "map-group"],
    ),
    wrapper("valgrind", "", &["tool", "log-file"]),
    Grammar {
        then: Then::Words,
        ..wrapper("watch", "nqs", &["interval", "equexit", "shotsdir"])
    },
    Grammar {
        attached: "eil",
        ..wrapper("xargs", "adEILnPs", XARGS)
    },
];

const NUMACTL: &[&str] = &[
    "cpunodebind",
    "interleave",
    "membind",
    "physcpubind",
    "preferred",
    "preferred-many",
    "weighted-interleave",
];

const PARALLEL: &[&str] = &[
    "arg-file",
    "basefile",
    "block",
    "colsep",
    "delay",
    "delimiter",
    "env",
    "halt",
    "jobs",
    "joblog",
    "load",
    "max-args",
    "max-chars",
    "max-lines",
    "max-procs",
    "max-replace-args",
    "memfree",
    "nice",
    "profile",
    "recend",
    "recstart",
    "results",
    "retries",
    "return",
    "rpl",
    "sshlogin",
    "sshloginfile",
    "tagstring",
    "tempdir",
    "timeout",
    "tmpdir",
    "tmux",
    "wd",
    "workdir",
];

const SETPRIV: &[&str] = &[
    "ambient-caps",
    "apparmor-profile",
    "bounding-set",
    "egid",
    "euid",
    "groups",
    "inh-caps",
    "pdeathsig",
    "regid",
    "reuid",
    "rgid",
    "ruid",
    "securebits",
    "selinux-label",
];

const STRACE: &[&str] = &[
    "abbrev",
    "attach",
    "columns",
    "const-print-style",
    "detach-on",
    "env",
    "fault",
    "inject",
    "interruptible",
    "output",
    "raw",
    "read",
    "signal",
    "status",
    "string-limit",
    "summary-columns",
    "summary-sort-by",
    "summary-syscall-overhead",
    "trace",
    "trace-path",
    "user",
    "verbose",
    "write",
];

const SUDO: &[&str] = &[
    "chdir",
    "chroot",
    "close-from",
    "command-timeout",
    "group",
    "host",
    "login-class",
    "other-user",
    "prompt",
    "role",
    "type",
    "user",
];

const XARGS: &[&str] = &[
    "arg-file",
    "delimiter",
    "max-args",
    "max-chars",
    "max-procs",
    "process-slot-var",
];
