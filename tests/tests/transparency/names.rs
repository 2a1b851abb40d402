//! Odd argument vectors and environments, as only `execve(2)` itself can make them.

use agentsh_tests::{Case, Input, Shell};

use crate::{shell, text};

/// What the shell was started with, as the kernel has it.
const RAW: &str =
    "tr '\\0' '\\n' < /proc/$$/environ | grep -v '^PWD=\\|^SHELL=' | cat -A; tr '\\0' '|' < /proc/$$/cmdline";

pub fn cases() -> Vec<Case> {
    vec![
        raw("no argument at all", "[]", "[b'A=1']")
            .change(|shell| shell.stdin(Input::Bytes(b"echo \"[$0] $#\"\n".to_vec()))),
        raw(
            "what the C library changes in its own environment",
            &with_text(
                "b'bash'",
                "/bin/true; echo $?; (exec sh -c 'cat -A /proc/self/environ'); echo $?",
            ),
            "[b'A=1', b'GLIBC_TUNABLES=glibc.malloc.check=1:glibc.malloc.perturb=165:glibc.none.such=1:', b'PATH=/usr/bin']",
        ),
        raw(
            "an empty name",
            &with_text("b''", "echo \"[$0] $BASH $#\""),
            "[b'A=1', b'PATH=/usr/bin']",
        ),
        raw(
            "a name of one dash",
            &with_text("b'-'", "shopt -q login_shell && echo login; echo \"[$0]\""),
            "[b'HOME=/nosuch']",
        ),
        raw(
            "a name of two dashes",
            &with_text("b'--'", "shopt -q login_shell && echo login; echo \"[$0]\""),
            "[b'HOME=/nosuch']",
        ),
        raw(
            "a dash and a path",
            &with_text("b'-/bin/bash'", "shopt -q login_shell && echo login; echo \"[$0]\""),
            "[b'HOME=/nosuch']",
        ),
        raw(
            "a name with a newline and bytes",
            &with_text("b'a\\n\\xff b'", "echo \"[$0]\""),
            "[]",
        ),
        raw(
            "a name of 4,000 characters",
            &with_text("b'n' * 4000", "echo ${#0}"),
            "[]",
        ),
        raw(
            "a name that ends with a slash",
            &with_text("b'bash/'", "echo \"[$0]\""),
            "[]",
        ),
        raw(
            "another shell's name",
            &with_text("b'zsh'", "echo \"[$0] $BASH_VERSION\""),
            "[]",
        ),
        raw(
            "a name that shells do not have",
            &with_text("b'python3'", "echo \"[$0] $BASH_VERSION\""),
            "[]",
        ),
        raw(
            "the restricted shell's name",
            &with_text("b'rbash'", "echo $-; cd /; echo x > y"),
            "[b'PATH=/usr/bin']",
        ),
        raw(
            "bash under the name of sh",
            &with_text("b'sh'", "shopt -o posix; echo \"[$0]\""),
            "[]",
        ),
        raw(
            "entries that are there twice",
            &with_text("b'bash'", RAW),
            "[b'PATH=/usr/bin', b'A=1', b'A=2', b'PATH=/bin', b'B=']",
        ),
        raw(
            "entries that are no variables",
            &with_text("b'bash'", RAW),
            "[b'PATH=/usr/bin', b'novalue', b'', b'=x', b'==', b'A B=1', b'\\xff=\\xfe', b'X=a\\nb']",
        ),
        raw(
            "an entry of a hundred thousand bytes",
            &with_text("b'bash'", "echo ${#BIG}; /usr/bin/env | /usr/bin/wc -c"),
            "[b'BIG=' + b'v' * 100000]",
        ),
        raw(
            "ten thousand entries",
            &with_text("b'bash'", "/usr/bin/env | /usr/bin/grep -c ^V"),
            "[b'V%d=%d' % (n, n) for n in range(10000)]",
        ),
        raw(
            "a hundred thousand arguments",
            "[b'bash', b'-c', b'echo $#', b'x'] + [b'a'] * 100000",
            "[]",
        ),
        raw(
            "empty arguments",
            "[b'bash', b'-c', b'echo $#; printf \"<%s>\" \"$@\"', b'', b'', b'', b'x', b'']",
            "[]",
        ),
        raw(
            "variables that shells set themselves",
            &with_text(
                "b'bash'",
                "echo $SHLVL $PPID_SET $UID_SET; readonly -p | grep -c UID; echo $_ $OLDPWD $IFS",
            ),
            "[b'PATH=/usr/bin', b'SHLVL=abc', b'UID=77', b'PPID=1', b'IFS=x', b'OLDPWD=/nosuch', b'_=what', b'EUID=4']",
        ),
        raw(
            "a level that is too high",
            &with_text("b'bash'", "echo $SHLVL"),
            "[b'SHLVL=998']",
        ),
        raw(
            "a folder that is a lie",
            &with_text("b'bash'", "pwd | sed 's,.*/,,'; cd .; echo $?; dirs | sed 's,.*/,,'"),
            "[b'PATH=/usr/bin', b'PWD=/nosuch/place']",
        ),
        raw(
            "no home",
            &with_text("b'bash'", "echo ~ | sed 's,.*/,,'; cd; echo $?; echo \"[$HOME]\""),
            "[b'PATH=/usr/bin']",
        ),
        raw(
            "a home that is a file",
            &with_text("b'-bash'", "echo ~; cd; echo $?"),
            "[b'PATH=/usr/bin', b'HOME=/etc/passwd']",
        ),
        raw(
            "options that cannot be",
            &with_text("b'bash'", "echo $?; echo $SHELLOPTS"),
            "[b'PATH=/usr/bin', b'SHELLOPTS=nosuch:braceexpand', b'BASHOPTS=nosuch', b'BASH_COMPAT=9.9', b'POSIXLY_CORRECT=y']",
        ),
        raw(
            "start files that are not there",
            &with_text("b'bash'", "echo in"),
            "[b'BASH_ENV=/nosuch/file', b'ENV=/nosuch', b'PROMPT_COMMAND=echo no', b'PS4=+$(echo no)']",
        ),
        raw(
            "functions that are no functions",
            &with_text("b'bash'", "f; type g; echo $?"),
            "[b'BASH_FUNC_f%%=() {  echo f; }', b'BASH_FUNC_g%%=() { echo g; }; echo vulnerable', b'BASH_FUNC_h()=() { :; }']",
        ),
        raw(
            "temporary files have no place",
            &with_text("b'bash'", "cat <<< word; cat <<EOF | wc -c\n$(printf %90000s x)\nEOF"),
            "[b'PATH=/usr/bin:/bin', b'TMPDIR=/nosuch']",
        ),
        raw(
            "a locale that is not there",
            &with_text("b'bash'", "printf '%s\\n' \\u00e9 | od -c; echo ${#x}"),
            "[b'PATH=/usr/bin', b'LC_ALL=xx_YY.UTF-9', b'LANG=nosuch', b'TZ=:/nosuch', b'x=\\xc3\\xa9']",
        ),
        raw(
            "our own variables mean nothing",
            &with_text("b'bash'", RAW),
            "[b'PATH=/usr/bin', b'AGENTSH_SESSION_ID=../../x', b'AGENTSH_INSIDE=1', b'AGENTSH_BYPASS=1', b'AGENTSH_POLICY=none']",
        ),
        text(
            "exec without a name, and as a login shell",
            "(exec -a '' @bash@ -c 'echo \"[$0]\"'); (exec -l @bash@ -c 'echo \"[$0]\" | sed s,/.*/,,'); (exec -c @bash@ -c 'export -p | grep -v PWD'); exec -cl @sh@ -c 'echo \"$0\" | sed s,/.*/,,'",
        ),
        shell("a dash alone", "bash", &["-", "script", "a"]).file("script", "echo $0 $1 $-\n", 0o644),
        shell("two dashes alone", "bash", &["--", "./script", "-c"]).file("script", "echo $0 $1\n", 0o755),
        stdin(
            "arguments for a script on stdin",
            "sh",
            &["-s", "a", "b c"],
            "echo $# \"$2\" $0\n",
        ),
        stdin(
            "arguments that look like options",
            "bash",
            &["-s", "--", "-x", "--norc"],
            "echo $# $* $-\n",
        ),
        stdin("one command and no more", "bash", &["-t"], "echo one\necho two\n"),
        stdin("a dash and then stdin", "dash", &["-"], "echo $0 $-\n"),
        stdin(
            "zsh reads stdin with arguments",
            "zsh",
            &["-s", "a", "b"],
            "echo $# $2 $0\n",
        )
        .needs(&["zsh"]),
        stdin("sh reads what -i would ask for", "sh", &["-i"], "echo in $-\nexit 7\n")
            .change(|shell| shell.env("PS1", "").env("ENV", "")),
        shell(
            "a resource file in the place of one's own",
            "bash",
            &["--rcfile", "rc", "-i", "-c", "echo $RC"],
        )
        .file("rc", "RC=yes\n", 0o644),
        shell(
            "a login shell with no start files",
            "bash",
            &["--noprofile", "--login", "-c", "shopt login_shell; echo $-"],
        ),
        shell(
            "posix by its long name",
            "bash",
            &["--posix", "-c", "set -o | grep posix; echo $-"],
        ),
        shell("all options are listed", "bash", &["-o"]),
        shell("all shell options are listed", "bash", &["+O"]),
        shell("a letter that needs a word", "bash", &["-o", "nosuch", "-c", "echo x"]),
        shell("texts to translate", "bash", &["-D", "script"]).file("script", "echo $\"hello\"\n", 0o644),
        shell(
            "keywords anywhere",
            "bash",
            &["-k", "-c", "PROBE=1; env A=2 | grep ^A; f() { echo $B; }; f B=3"],
        ),
        shell("verbose", "bash", &["-v", "-c", "echo a\necho b"]),
        shell("a script of one's own name", "bash", &["bash"]).file("bash", "echo $0\n", 0o644),
        shell("a script along the search path", "bash", &["onpath"])
            .file("onpath", "echo $0\n", 0o755)
            .change(|shell| shell.env("PATH", ".:/usr/bin:/bin")),
        shell("a script that is a device", "bash", &["/dev/stdin", "a"])
            .change(|shell| shell.stdin(Input::Bytes(b"echo $0 $1\n".to_vec()))),
        shell("the same word twice", "bash", &["-c", "-c", "echo $0"]),
        shell(
            "dash with an unknown long option",
            "dash",
            &["--nosuch", "-c", "echo x"],
        ),
        shell(
            "zsh emulates sh",
            "zsh",
            &["--emulate", "sh", "-c", "echo $0; emulate; setopt | head -3"],
        )
        .needs(&["zsh"]),
    ]
}

/// Python calls `execve(2)` itself with these vectors.
fn raw(name: &'static str, argv: &str, env: &str) -> Case {
    let program = format!(
        "import ctypes, os, sys\ndef vector(words): return (ctypes.c_char_p * (len(words) + 1))(*words, None)\nctypes.CDLL(None).execve(os.fsencode(sys.argv[1]), vector({argv}), vector({env}))\nraise SystemExit('not executed')"
    );
    Case::new(name, Shell::program("python3").args(["-c", &program, "@bash@"])).needs(&["python3"])
}

fn with_text(name: &str, text: &str) -> String {
    let text: String = text.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
    format!("[{name}, b'-c', b'{text}']")
}

fn stdin(name: &'static str, program: &str, args: &[&str], text: &str) -> Case {
    shell(name, program, args).change(|shell| shell.stdin(Input::Bytes(text.as_bytes().to_vec())))
}
