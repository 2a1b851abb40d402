//! Every shape of arguments: the stand-in parses none of them.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use agentsh_tests::{Case, Input, Shell};

use crate::{PROBE, probing, shell, text};

pub fn cases() -> Vec<Case> {
    vec![
        shell("an empty text", "bash", &["-c", ""]),
        shell("a text after two dashes", "bash", &["-c", "--", "echo dashed"]),
        shell(
            "options with a plus",
            "bash",
            &["+m", "-o", "pipefail", "-c", "false | true"],
        ),
        shell(
            "tracing to a descriptor",
            "bash",
            &["-xc", "BASH_XTRACEFD=9; echo a 9>./trace; exec 9>./trace; echo b"],
        ),
        shell("privileged mode", "bash", &["-p", "-c", "echo $-"]),
        shell("the version", "bash", &["--version"]),
        shell("the help", "bash", &["--help"]),
        shell("an unknown option", "bash", &["--no-such-option"]),
        shell("an unknown letter", "bash", &["-Z"]),
        shell("an unknown letter of sh", "sh", &["-Z"]),
        shell("-c without a text", "bash", &["-c"]),
        shell(
            "posix mode by option",
            "bash",
            &["--posix", "-c", "set -o | grep posix"],
        ),
        shell("a syntax error", "bash", &["-c", "if then fi"]),
        shell("a syntax error of sh", "sh", &["-c", "if then fi"]),
        shell("a syntax error of dash", "dash", &["-c", "case"]),
        shell("a syntax error of zsh", "zsh", &["-c", "if then fi"]).needs(&["zsh"]),
        shell("a script file with arguments", "bash", &["-e", "./script", "a", "b c"]).file(
            "script",
            "echo $0 $# \"$2\"; false; echo unreached\n",
            0o644,
        ),
        shell("a script that is not there", "bash", &["./missing"]),
        shell("a script that is a folder", "bash", &["/usr"]),
        shell("a binary as a script", "bash", &["/usr/bin/true"]),
        shell("dash by its own name", "dash", &["-c", "echo $0; set -o | head -3"]),
        shell("sh by its own name", "sh", &["-c", "echo $0; local x 2>&1"]),
        shell(
            "zsh by its own name",
            "zsh",
            &["-c", "echo $0 $ZSH_NAME; print -l ${(s: :)${:-a b}}"],
        )
        .needs(&["zsh"]),
        Case::new(
            "arguments that are not utf-8",
            Shell::named("bash").args([
                bytes(b"-c"),
                probing("PROBE argv \"$0\" \"$@\"").into(),
                bytes(b"\xff\xfe name"),
                bytes(b"a\x80\n\tb"),
                bytes(b""),
            ]),
        ),
        Case::new(
            "a text that is not utf-8",
            Shell::named("bash").args([bytes(b"-c"), bytes(b"printf '%s' '\xc3\x28\xff' | od -c")]),
        ),
        Case::new(
            "an environment that is not utf-8",
            Shell::named("bash")
                .args(["-c", &probing("exec PROBE env | tr ',' '\\n' | grep ODD")])
                .env("ODD", bytes(b"\xff=\xfe\n")),
        ),
        Case::new(
            "a huge argument",
            Shell::named("bash")
                .args(["-c", "echo ${#1} $#; printf %s \"$1\" | md5sum", "x"])
                .args(["y".repeat(120_000)]),
        ),
        Case::new(
            "many arguments",
            Shell::named("bash")
                .args(["-c", "echo $#; printf '%s\\n' \"$@\" | md5sum", "x"])
                .args((0..20_000).map(|n| format!("argument {n}"))),
        ),
        Case::new(
            "a huge environment",
            (0..600).fold(
                Shell::named("bash").args(["-c", "env | grep -c ^BIG; env | grep ^BIG | sort | md5sum"]),
                |shell, n| shell.env(&format!("BIG_{n}"), "v".repeat(1000)),
            ),
        ),
        Case::new(
            "an environment with odd names",
            Shell::named("bash")
                .args(["-c", &format!("{PROBE} env | tr ',' '\\n' | grep -c odd")])
                .env("odd-name", "1")
                .env("odd.name", "2")
                .env("odd name", "3"),
        ),
        Case::new(
            "exported functions and start files named by variables",
            Shell::named("bash")
                .args(["-c", "hey; echo $FROM_BASH_ENV"])
                .env("BASH_FUNC_hey%%", "() { echo \"from a function\"; }")
                .env("BASH_ENV", "./start"),
        )
        .file("start", "FROM_BASH_ENV=yes\n", 0o644),
        Case::new(
            "a start file of sh named by a variable",
            Shell::named("sh")
                .args(["-i"])
                .env("ENV", "./start")
                .env("PS1", "")
                .stdin(Input::Bytes(b"echo $X\n".to_vec())),
        )
        .file("start", "X=1\n", 0o644),
        Case::new(
            "shell options by variable",
            Shell::named("bash")
                .args(["-c", "echo $SHELLOPTS $BASHOPTS; false | true; echo $?"])
                .env("SHELLOPTS", "pipefail:noglob")
                .env("BASHOPTS", "dotglob"),
        ),
        Case::new(
            "no environment at all",
            Shell::named("bash")
                .args(["-c", "echo \"$HOME|$USER|$PATH\"; export -p"])
                .env_clear(),
        ),
        Case::new(
            "no environment at all for sh",
            Shell::named("sh")
                .args(["-c", "echo \"$HOME|$USER\"; export -p; /usr/bin/env"])
                .env_clear(),
        ),
        Case::new(
            "another name as argv0",
            Shell::named("bash")
                .argv0("/somewhere/else/bash")
                .args(["-c", "echo $0 $BASH"]),
        ),
        Case::new(
            "a restricted shell by option",
            Shell::named("bash").args(["-r", "-c", "cd /; echo $?"]),
        ),
        text(
            "the shell's own variables",
            "echo $0 $BASH $- $# $SHLVL $BASH_VERSION $EUID ${GROUPS[*]} $PPID $$ $BASHPID $SHELL",
        ),
        text(
            "what ps shows",
            "ps -o args= -p $$; tr '\\0' ' ' < /proc/$$/cmdline; cat /proc/$$/comm; readlink /proc/$$/exe",
        ),
        text("exec under another name", "exec -a renamed @bash@ -c 'echo $0'"),
        text(
            "nested shells through the variable",
            "$SHELL -c '$SHELL -c \"echo deep \\$SHLVL\"'",
        ),
        text("a relative script with the shell as interpreter", "./script a 'b c'").file(
            "script",
            "#!@bash@ -e\necho $0 $# \"$2\"; false; echo unreached\n",
            0o755,
        ),
        text(
            "here-documents and expansions",
            "cat <<EOF\n$((6*7)) $(echo sub) `echo tick` ${HOME##*/}\nEOF\necho {a,b}{1,2} $'\\x41' \"${x:-default}\"",
        ),
        text(
            "a glob and arithmetic",
            "touch b a c; echo *; echo $((2**40)); printf '%q\\n' 'a b'",
        ),
    ]
}

fn bytes(text: &[u8]) -> OsString {
    OsString::from_vec(text.to_vec())
}
