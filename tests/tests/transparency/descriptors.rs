//! All descriptors, not three.

use agentsh_tests::{Case, Input, Output, Shell};

use crate::{PROBE, probing};

pub fn cases() -> Vec<Case> {
    let bash = || Shell::named("bash").args(["-c", &probing("exec PROBE fds")]);
    let mut cases = vec![
        Case::new("what a program finds open", bash()),
        Case::new(
            "descriptors above two with their numbers",
            bash()
                .reads(3, Input::Bytes(b"x".to_vec()))
                .reads(17, Input::Folder("/usr".into()))
                .reads(200, Input::File(b"abc".to_vec()))
                .writes(9, Output::Appended)
                .writes(63, Output::Socket),
        ),
        Case::new(
            "through two more shells",
            Shell::named("sh")
                .args(["-c", &probing("@bash@ -c 'exec PROBE fds'")])
                .reads(5, Input::Folder("/".into())),
        ),
        Case::new("standard input closed", bash().stdin(Input::Closed)),
        Case::new(
            "standard output closed",
            Shell::named("bash")
                .args(["-c", &probing("PROBE fds >&2; echo lost; echo $? >&2")])
                .stdout(Output::Closed),
        ),
        Case::new("standard error closed", bash().stderr(Output::Closed)),
        Case::new(
            "all three closed",
            Shell::named("bash")
                .args([
                    "-c",
                    &probing("PROBE fds >./found; echo x; ls /nosuch; echo $? >./status"),
                ])
                .stdin(Input::Closed)
                .stdout(Output::Closed)
                .stderr(Output::Closed),
        ),
        Case::new(
            "input and output closed, a higher one open",
            Shell::named("bash")
                .args(["-c", &probing("PROBE fds >&7")])
                .stdin(Input::Closed)
                .stdout(Output::Closed)
                .writes(7, Output::Pipe),
        ),
        Case::new("one open file for output and error", bash().stderr(Output::LikeStdout)),
        Case::new(
            "an appended file shared by both keeps the order",
            Shell::named("bash")
                .args(["-c", "for i in 1 2 3; do echo out$i; echo err$i >&2; ls nosuch$i; done"])
                .stdout(Output::Appended)
                .stderr(Output::Appended),
        ),
        Case::new(
            "sockets on all three",
            bash()
                .stdin(Input::Socket(Vec::new()))
                .stdout(Output::Socket)
                .stderr(Output::Socket),
        ),
        Case::new(
            "the position of a shared file goes on",
            Shell::named("bash")
                .args(["-c", "read -r -u 3 a; echo $a; head -n 1 <&3 >/dev/null; cat <&3"])
                .reads(3, Input::File(b"1\n2\n3\n".to_vec())),
        ),
        Case::new(
            "a high descriptor is written to by a grandchild",
            Shell::named("bash")
                .args(["-c", "(exec sh -c 'echo deep >&42')"])
                .writes(42, Output::Pipe),
        ),
        Case::new("null everywhere", bash().stdout(Output::Null).stderr(Output::Null)),
        Case::new(
            "a folder descriptor is a path",
            Shell::named("bash")
                .args(["-c", "ls -d /proc/self/fd/5/bin; cat /dev/fd/6"])
                .reads(5, Input::Folder("/usr".into()))
                .reads(6, Input::File(b"by number\n".to_vec())),
        ),
        Case::new(
            "blocking stays blocking",
            Shell::named("bash")
                .args(["-c", &format!("{PROBE} fds; yes | head -c 300000 | md5sum")])
                .stderr(Output::LikeStdout),
        ),
    ];
    for name in ["sh", "dash", "zsh"] {
        let case: &'static str = match name {
            "sh" => "what a program finds open under sh",
            "dash" => "what a program finds open under dash",
            _ => "what a program finds open under zsh",
        };
        cases.push(
            Case::new(
                case,
                Shell::named(name)
                    .args(["-c", &probing("exec PROBE fds")])
                    .reads(4, Input::Folder("/usr".into())),
            )
            .needs(&[name]),
        );
    }
    cases
}
