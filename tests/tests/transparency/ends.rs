//! How a command ends, as its parent sees it.

use agentsh_tests::{Case, Output, Shell};

use crate::{shell, text};

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        text("exit 300 is 44", "exit 300"),
        text("exit with a negative number", "exit -1"),
        text("exit with a word", "exit word"),
        text("not found is 127", "nosuchprogram"),
        text("not executable is 126", "./plain").file("plain", "echo x\n", 0o644),
        text("a folder is 126", "/usr"),
        text("a missing interpreter", "./script").file("script", "#!/no/such/interpreter\n", 0o755),
        text("a script without a first line", "./script; exit $?").file(
            "script",
            "echo plain script; exit 12\n",
            0o755,
        ),
        text("the last status", "false; true; (exit 9)"),
        text("the status of a pipeline", "set -o pipefail; exit 3 | true | exit 5"),
        text("set -e stops", "set -e; echo one; false; echo two"),
        text("an unbound variable", "set -u; echo $nothing; echo two"),
        text(
            "a child that dies by a signal",
            "sh -c 'kill -9 $$'; echo $?; sh -c 'kill -SEGV $$'; echo $?",
        )
        .mask_numbers(),
        text("the exec'd program's status", "exec sh -c 'exit 77'"),
        text("exec of nothing", "exec nosuchprogram; echo unreached"),
        shell("sh: not found", "sh", &["-c", "nosuchprogram; exit $?"]),
        shell("dash: not executable", "dash", &["-c", "./plain"]).file("plain", "x", 0o644),
        shell("zsh: not found", "zsh", &["-c", "nosuchprogram"]).needs(&["zsh"]),
        Case::new(
            "nobody reads the output",
            Shell::named("bash")
                .args(["-c", "trap - PIPE; while echo line; do :; done"])
                .stdout(Output::Broken),
        ),
        Case::new(
            "nobody reads a program's output",
            Shell::named("bash").args(["-c", "exec yes"]).stdout(Output::Broken),
        ),
        Case::new(
            "nobody reads and the signal is ignored",
            Shell::named("bash")
                .args(["-c", "yes; echo $? >&2"])
                .stdout(Output::Broken)
                .inherit(|inherit| inherit.ignored = vec![libc::SIGPIPE]),
        ),
        Case::new(
            "the disk is full",
            Shell::named("bash")
                .args(["-c", "echo x; echo $? >&2"])
                .stdout(Output::Full),
        ),
        text("a pipe breaks inside", "yes | head -n 1; echo ${PIPESTATUS[*]}"),
    ];
    for status in [1, 2, 42, 126, 127, 128, 130, 255] {
        cases.push(Case::new(
            "a status as it is",
            Shell::named("bash").args(["-c", &format!("exit {status}")]),
        ));
    }
    for signal in [
        "HUP", "INT", "QUIT", "ILL", "ABRT", "FPE", "KILL", "USR1", "SEGV", "PIPE", "ALRM", "TERM", "SYS", "RTMIN",
        "RTMAX",
    ] {
        cases.push(Case::new(
            "death by a signal is that signal",
            Shell::named("bash").args(["-c", &format!("ulimit -c 0; kill -{signal} $$")]),
        ));
        cases.push(Case::new(
            "and so for sh",
            Shell::named("sh").args(["-c", &format!("exec sh -c 'ulimit -c 0; kill -{signal} $$'")]),
        ));
    }
    cases
}
