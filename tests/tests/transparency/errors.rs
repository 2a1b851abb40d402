//! What a shell says when something cannot be done: the words come from the kernel's errno, which must be the same.

use agentsh_tests::{Case, Shell};

use crate::{shell, text};

/// Commands that fail in one way each; `nd` is a folder without rights.
const STARTS: &str = "for one in ./nosuch /no/such/thing ./plain ./d ./plain/x ./loop ./binary ./missing ./unfit ./unfit-missing ./unfit-folder ./empty ./text ./folder ./itself ./returns ./cut ./narrow ./dangling ./unread ./nd/x '' nosuchcommand ./five ./six ./through; do $one 2>&1; echo \"$one $?\"; done; (exec ./unfit-missing); echo $?; (exec ./d); echo $?; (exec ./nosuch); echo $?";

/// Programs that execute for somebody, and say why they cannot.
const OTHERS: &str = "for one in ./nosuch ./plain ./d ./plain/x ./loop ./missing ./unfit-missing ./cut ./nd/x; do env $one; echo $?; timeout 9 $one; echo $?; nice $one; echo $?; xargs $one < /dev/null; echo $?; find . -maxdepth 0 -exec $one \\;; echo $?; done";

const PROCFS: &str = "echo x > /dev/fd/77; echo $?; cat /dev/fd/77; echo $?; TMPDIR=/proc mktemp; mkdir /proc/x; touch /proc/x; touch /proc/self/x; ln -s x /proc/x; mkfifo /proc/x; echo > /proc/self/fd/99; rm /proc/x; echo $?";

const FILES: &str = "mkdir e; rmdir e/; echo $?; mkdir -p e/f g; rm -r e/; echo $?; mv g/ h/; ls; rmdir h//; echo $?; cat nosuch; cat .; cat plain/x; echo > .; echo > nosuch/x; rm nosuch; rm .; rmdir nosuch; rmdir plain; rmdir plain/; mkdir plain; mkdir d; cat loop; echo > loop; ls loop/; cp nosuch y; cp d y; mv nosuch z; mv d d; ln d y; touch plain/; touch nosuch/; rm plain/; rmdir loop; rmdir d; readlink plain; readlink nosuch; chmod 644 nosuch; truncate -s 5 nosuch/x; mkfifo plain; mkfifo nosuch/x; stat nosuch 2>&1; ln -s '' link; mv d/ plain; mv -T plain d; mkdir plain/a/b; mkdir -p plain/a; cp -r d d/inner; test -e loop; echo $?; test -L loop; echo $?; cd nosuch; cd plain; cd loop; . ./nosuch; : > nosuch/; ls nosuch/; unlink d; unlink dangling/; echo $?";

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        with_files(shell("programs that cannot be executed: bash", "bash", &["-c", STARTS])),
        with_files(shell("programs that cannot be executed: sh", "sh", &["-c", STARTS])),
        with_files(shell("programs that cannot be executed: dash", "dash", &["-c", STARTS])),
        with_files(shell(
            "programs that cannot be executed: zsh",
            "zsh",
            &["-c", &format!("setopt shwordsplit; {STARTS}")],
        ))
        .needs(&["zsh"]),
        with_files(text("programs that others cannot execute", OTHERS)),
        text("names in procfs", PROCFS),
        with_files(text("files and folders", FILES)),
        text(
            "a program that is being written",
            "cp /bin/true t; exec 5>>t; ./t; echo $?; exec 5>&-; ./t; echo $?; cp /bin/sleep s; ./s 60 & while [ ! /proc/$!/exe -ef s ]; do sleep 0.01; done; echo x > s; echo $?; cp -f /bin/true s; echo $?; kill $!",
        ),
        text(
            "too many arguments",
            "x=$(head -c 3000000 /dev/zero | tr '\\0' x); /bin/echo $x; echo $?; export x; /bin/true; echo $?",
        ),
        text(
            "a search path with folders and files that do not run",
            "mkdir -p p1/ls p2; echo 'echo p2' > p2/ls; PATH=$PWD/p1:$PWD/p2:/usr/bin; ls; chmod +x p2/ls; hash -r; ls; PATH=; ls; PATH=/nosuch; ls; PATH=.; ls",
        ),
    ];
    for limit in [10, 12] {
        cases.push(Case::new(
            "hardly a descriptor is left",
            Shell::named("bash")
                .args(["-c", "echo x; /bin/echo y; echo z > f; cat f; cat < f; echo $?"])
                .inherit(|inherit| inherit.rlimits = vec![(libc::RLIMIT_NOFILE, limit, limit)]),
        ));
    }
    cases
}

fn with_files(case: Case) -> Case {
    let program = |class: u8| [b"\x7fELF".as_slice(), &[class, 1, 1], &[0; 57]].concat();
    case.file("plain", "echo plain\n", 0o644)
        .file("d/x", "", 0o644)
        .file("binary", b"\0\x01\x02\x03binary\0\n".to_vec(), 0o755)
        .file("missing", "#!/no/such/interpreter\n", 0o755)
        .file("unfit", "#!./plain\n", 0o755)
        .file("unfit-missing", "#!/no/such/interpreter\n", 0o644)
        .file("unfit-folder", "#!/usr\n", 0o644)
        .file("empty", "", 0o755)
        .file("text", "echo text $0\n", 0o755)
        .file("folder", "#!/usr\n", 0o755)
        .file("itself", "#!./itself\n", 0o755)
        .file("returns", "#!/bin/sh\r\necho x\r\n", 0o755)
        .file("cut", program(2), 0o755)
        .file("narrow", program(1), 0o755)
        .file("unread", "#!/bin/sh\necho unread\n", 0o111)
        .file("nd/x", "#!/bin/sh\necho inside\n", 0o600)
        .file("one", "#!/bin/sh\necho one $@\n", 0o755)
        .file("two", "#!./one\n", 0o755)
        .file("three", "#!./two\n", 0o755)
        .file("four", "#!./three\n", 0o755)
        .file("five", "#!./four\n", 0o755)
        .file("six", "#!./five\n", 0o755)
        .file("through", "#!./unfit-missing\n", 0o755)
        .link("loop", "loop")
        .link("dangling", "nowhere")
}
