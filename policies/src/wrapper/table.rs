//! The wrappers that are known, by their manual pages.

use super::grammar::{Grammar, Then};

const fn wrapper(name: &'static str, values: &'static str, long: &'static [&'static str]) -> Grammar {
    Grammar {
        name,
        values,
        attached: "",
        next: "",
        ends: "",
        long,
        plain: &[],
        options: true,
        permutes: false,
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
    wrapper("fakeroot", "lfisb", &["lib", "faked", "fd-base"]),
    Grammar {
        operands: 1,
        text: Some(("c", &["command"])),
        ..wrapper("flock", "wE", &["timeout", "wait", "conflict-exit-code"])
    },
    Grammar {
        options: false,
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
        &["align", "config", "debug", "indent", "library", "output"],
    ),
    wrapper("nice", "n", &["adjustment"]),
    wrapper("nohup", "", &[]),
    wrapper("numactl", "cCfiILmMNopPSw", NUMACTL),
    wrapper("nsenter", "tSG", &["target", "setuid", "setgid"]),
    Grammar {
        plain: &["transfer"],
        then: Then::Words,
        ..wrapper("parallel", "aBCdDeEHiIjJlLnNPsSUW", PARALLEL)
    },
    wrapper("pkexec", "", &["user"]),
    Grammar {
        next: "f",
        ..wrapper("proxychains4", "", &[])
    },
    wrapper("prlimit", "op", &["output", "pid"]),
    Grammar {
        permutes: true,
        text: Some(("c", &["command", "session-command"])),
        ..wrapper(
            "runuser",
            "ugGsw",
            &["user", "group", "supp-group", "shell", "whitelist-environment"],
        )
    },
    Grammar {
        permutes: true,
        text: Some(("c", &["command"])),
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
        options: false,
        operands: 1,
        ..wrapper("su-exec", "", &[])
    },
    wrapper("stdbuf", "ioe", &["input", "output", "error"]),
    Grammar {
        plain: &["summary"],
        ..wrapper("strace", "abeEIoOpPsSuUX", STRACE)
    },
    Grammar {
        permutes: true,
        text: Some(("c", &["command", "session-command"])),
        then: Then::Nothing,
        ..wrapper("su", "gGsw", &["group", "supp-group", "shell", "whitelist-environment"])
    },
    Grammar {
        ends: "elvKV",
        plain: &["login"],
        assignments: true,
        ..wrapper("sudo", "agChpRrtTuUD", SUDO)
    },
    Grammar {
        ends: "p",
        operands: 1,
        ..wrapper("taskset", "", &[])
    },
    wrapper("time", "fo", &["format", "output"]),
    Grammar {
        permutes: true,
        ..wrapper("tini", "pe", &[])
    },
    wrapper("torsocks", "uapP", &["user", "pass", "address", "port"]),
    Grammar {
        operands: 1,
        ..wrapper("timeout", "ks", &["kill-after", "signal"])
    },
    Grammar {
        then: Then::Applet,
        ..wrapper("toybox", "", &[])
    },
    // Its options are those of Expect's `spawn`.
    Grammar {
        next: "i",
        ..wrapper("unbuffer", "", &[])
    },
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
    "cpubind",
    "cpunodebind",
    "file",
    "interleave",
    "length",
    "membind",
    "offset",
    "physcpubind",
    "preferred",
    "preferred-many",
    "shm",
    "shmid",
    "shmmode",
    "weighted-interleave",
];

const PARALLEL: &[&str] = &[
    "arg-file",
    "arg-file-sep",
    "arg-sep",
    "argfile",
    "argfilesep",
    "argsep",
    "basefile",
    "basenameextensionreplace",
    "basenamereplace",
    "bf",
    "block",
    "bner",
    "bnr",
    "col-sep",
    "colsep",
    "compressprogram",
    "ctag-string",
    "ctagstring",
    "debug",
    "decompressprogram",
    "delay",
    "delimiter",
    "dirnamereplace",
    "dnr",
    "env",
    "eof",
    "er",
    "extensionreplace",
    "halt",
    "jl",
    "joblog",
    "jobs",
    "linkinputsource",
    "load",
    "max-args",
    "max-chars",
    "max-lines",
    "max-procs",
    "max-replace-args",
    "maxargs",
    "maxchars",
    "maxlines",
    "maxprocs",
    "maxreplaceargs",
    "memfree",
    "memsuspend",
    "nice",
    "parens",
    "process-slot-var",
    "processslotvar",
    "profile",
    "recend",
    "recstart",
    "replace",
    "res",
    "result",
    "results",
    "retries",
    "return",
    "rpl",
    "rsync-opts",
    "rsyncopts",
    "seqreplace",
    "slf",
    "slotreplace",
    "sql",
    "sql-and-worker",
    "sql-master",
    "sql-worker",
    "sqlandworker",
    "sqlmaster",
    "sqlworker",
    "ssh",
    "ssh-delay",
    "sshdelay",
    "sshlogin",
    "sshloginfile",
    "tag-string",
    "tagstring",
    "tempdir",
    "template",
    "term-seq",
    "termseq",
    "tf",
    "timeout",
    "tmpdir",
    "tmpl",
    "tmux",
    "total",
    "total-jobs",
    "totaljobs",
    "transfer-file",
    "transfer-files",
    "transferfile",
    "transferfiles",
    "trc",
    "usecompressprogram",
    "usedecompressprogram",
    "wd",
    "work-dir",
    "workdir",
    "xapplyinputsource",
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
