//! Standard input belongs to the command, byte by byte.

use agentsh_tests::{Case, Input, Shell};

use crate::text;

pub fn cases() -> Vec<Case> {
    let fed =
        |name: &'static str, shell: Shell, bytes: &[u8]| Case::new(name, shell.stdin(Input::Bytes(bytes.to_vec())));
    vec![
        fed(
            "the script is standard input",
            Shell::named("bash"),
            b"echo one\necho two >&2\nexit 6\n",
        ),
        fed(
            "a script on stdin with arguments",
            Shell::named("bash").args(["-s", "--", "a", "b c"]),
            b"echo $# \"$2\" $0\n",
        ),
        fed(
            "a child reads the rest of the script",
            Shell::named("bash"),
            b"echo first; cat\nthis is data, not script\necho 'neither is this'\n",
        ),
        fed(
            "read takes one line of the script",
            Shell::named("sh"),
            b"read x; echo got $x\nthe line\necho end\n",
        ),
        fed(
            "head leaves the rest to the next reader",
            Shell::named("bash").args(["-c", "IFS= read -r a; echo \"1:$a\"; cat | tr a-z A-Z"]),
            b"first\nsecond\nthird\n",
        ),
        fed(
            "binary input",
            Shell::named("bash").args(["-c", "md5sum; wc -c"]),
            &(0..=255)
                .cycle()
                .take(100_000)
                .map(|n: u32| n as u8)
                .collect::<Vec<_>>(),
        ),
        fed("an unfinished last line", Shell::named("bash"), b"echo one\necho two"),
        fed("a nul in the script", Shell::named("bash"), b"echo o\0ne\n"),
        fed("zsh reads its script", Shell::named("zsh"), b"echo one\ncat\nrest\n").needs(&["zsh"]),
        Case::new(
            "a regular file is read no further than the script",
            Shell::named("bash").stdin(Input::File(b"echo one; head -c 3\nabcdef\necho $?\n".to_vec())),
        ),
        Case::new(
            "standard input is a folder",
            Shell::named("bash")
                .args(["-c", "cat; echo $?"])
                .stdin(Input::Folder("/usr".into())),
        ),
        Case::new(
            "standard input is closed",
            Shell::named("bash").args(["-c", "cat; echo $?"]).stdin(Input::Closed),
        ),
        Case::new(
            "an open pipe that nobody writes to is not waited for",
            Shell::named("bash").args(["-c", "echo done"]).stdin(Input::Open),
        ),
        Case::new(
            "a socket as standard input",
            Shell::named("bash")
                .args(["-c", "cat"])
                .stdin(Input::Socket(b"hello\n".to_vec())),
        ),
        text(
            "inner here-document",
            "@bash@ <<'EOF'\necho inner $0\nread x\nvalue\necho $x\nEOF",
        ),
        text("a pipe into a shell", "printf 'echo piped; cat\\nrest\\n' | @bash@"),
        text(
            "process substitution as a script",
            "@bash@ <(echo 'echo substituted $0' ) | sed 's,/dev/fd/.*,FD,'",
        ),
    ]
}
