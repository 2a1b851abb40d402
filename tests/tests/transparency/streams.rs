//! Bytes at pipe speed, in order, with back-pressure.

use agentsh_tests::{Case, Output, Shell};

use crate::text;

pub fn cases() -> Vec<Case> {
    vec![
        text("forty megabytes come out whole", "head -c 40000000 /dev/zero | tr '\\0' 'x' | tee >(md5sum > sum) | md5sum; while [ ! -s sum ]; do sleep 0.01; done"),
        text("all byte values", "for i in $(seq 0 255); do printf \"\\\\x$(printf %x $i)\"; done; printf '\\xff\\xfe' >&2"),
        text("interleaved output of a loop", "for i in $(seq 200); do echo $i; done"),
        Case::new("interleaved output and error on one socket", Shell::named("bash").args(["-c", "for i in $(seq 50); do echo o$i; echo e$i >&2; done"]).stdout(Output::Socket).stderr(Output::LikeStdout)),
        text("a pipeline of many", "seq 1000 | sort -rn | head -n 5 | tac | paste -sd+ | bc 2>/dev/null || seq 3"),
        text("a named pipe between two", "mkfifo p; (echo through > p) & cat p; wait"),
        text("a megabyte without a newline", "head -c 1000000 /dev/zero"),
        text("a background job outlives the shell", "(sleep 0.05; echo late > late) >/dev/null 2>&1 & echo early").settle("late"),
        text("nohup and setsid", "nohup setsid sh -c 'sleep 0.05; echo late > late' >/dev/null 2>&1 & disown; echo early").settle("late"),
        text("a double fork", "( ( sleep 0.05; echo late > late ) >/dev/null 2>&1 & ) ; echo early").settle("late"),
        text("files of every kind", "mkdir -p a/b; echo x > a/b/f; ln -s b a/l; ln a/b/f a/h; chmod 640 a/b/f; mkfifo a/p; umask 077; echo y > a/private; mv a/h a/moved; rm a/l"),
        text("a repository", "git init -q r && cd r && git commit -q --allow-empty -m m && git log --format=%s && git status --porcelain").forget("r"),
        text("devices", "echo x > /dev/null; head -c 3 /dev/zero | od -c; head -c 2 /dev/urandom | wc -c; echo to >/dev/stderr; cat < /dev/stdin; test -c /dev/full; echo $?; echo y > /dev/fd/1"),
        text("a lock that is made of names", "echo x > t; for i in 1 2 3; do ln t lock; stat -c %h t; rm lock; stat -c %h t; done"),
        text("a key agent", "eval $(ssh-agent) > /dev/null; echo $?; ssh-keygen -q -t ed25519 -N '' -f k; ssh-add -q k; ssh-add -l | wc -l; kill $SSH_AGENT_PID; echo $?; rm k k.pub").needs(&["ssh-agent"]),
        text("temporary files", "f=$(mktemp) && echo x > $f && cat $f && rm $f; d=$(mktemp -d) && rmdir $d; echo $?"),
    ]
}
