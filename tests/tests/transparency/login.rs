//! The shell as a login shell, and a dash before its name.

use agentsh_tests::{Case, Input, Shell};

use crate::{probing, shell};

pub fn cases() -> Vec<Case> {
    let dashed = |name: &'static str, shell: &str| {
        Case::new(
            name,
            Shell::named(shell)
                .argv0(format!("-{shell}"))
                .stdin(Input::Bytes(b"echo \"$0 $-\"; pwd\nexit 9\n".to_vec())),
        )
    };
    vec![
        dashed("a dash before bash", "bash"),
        dashed("a dash before sh", "sh"),
        dashed("a dash before dash", "dash"),
        dashed("a dash before zsh", "zsh").needs(&["zsh"]),
        Case::new(
            "a dash together with -c",
            Shell::named("bash")
                .argv0("-bash")
                .args(["-c", "echo $0; shopt login_shell"]),
        ),
        Case::new(
            "a dash sees the argument bytes",
            Shell::named("bash")
                .argv0("-bash")
                .args(["-c", &probing("exec -a -x PROBE argv \"$0\" \"$@\""), "n", "a"]),
        ),
        shell("login start files", "bash", &["-lc", "echo $LOGIN_FILE"]),
        Case::new(
            "sshd runs a command",
            Shell::named("bash")
                .args(["-c", "echo $SSH_ORIGINAL_COMMAND; cat"])
                .env("SSH_ORIGINAL_COMMAND", "rsync --server")
                .stdin(Input::Socket(b"bytes\0on a socket".to_vec()))
                .stdout(agentsh_tests::Output::Socket)
                .stderr(agentsh_tests::Output::Socket),
        ),
        Case::new(
            "vscode remote sends a bootstrap script",
            Shell::named("bash").stdin(Input::Bytes(
                b"echo start; uname -s\nfor i in 1 2 3; do echo $i; done\necho \"mark$?mark\"\n".to_vec(),
            )),
        ),
        Case::new(
            "the bootstrap script comes to sh",
            Shell::named("sh").stdin(Input::Bytes(b"echo start\n(exit 3)\necho \"mark$?mark\"\n".to_vec())),
        ),
        shell(
            "git over ssh asks for a pack",
            "bash",
            &[
                "-c",
                "git-upload-pack '../.git' </dev/null >pack; echo $?; head -c 4 pack; rm pack; git -C .. rev-parse --is-bare-repository",
            ],
        ),
        shell(
            "an sftp server starts and ends",
            "bash",
            &["-c", "/usr/lib/openssh/sftp-server </dev/null; echo $?"],
        ),
    ]
}
