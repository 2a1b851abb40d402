//! What shells do among themselves: jobs, pipes without names, traps, long texts.

use agentsh_tests::{Case, Input, Shell};

use crate::{shell, text};

/// What programs that go down step by step do there, where no path leads.
const DEEP: &str = r#"python3 -c '
import os
top = os.open(".", os.O_RDONLY)
for _ in range(52):
    os.mkdir("x" * 200, 0o700)
    os.chdir("x" * 200)
here = os.open(".", os.O_RDONLY)
open("file", "w").write("hello")
print(open("file").read())
open("file", "a").write("!")
os.rename("file", "second")
os.link("second", "third")
os.symlink("second", "link")
os.chmod("second", 0o640)
os.utime("second", (1, 2))
os.truncate("third", 2)
print(os.stat("second").st_size, oct(os.stat("second").st_mode), os.stat("second").st_atime, os.readlink("link"))
os.unlink("second")
try: os.mkdir("n" * 300)
except OSError as error: print(error.errno)
os.mkdir("sub")
os.rename("sub", "sub2")
print(sorted(os.listdir(".")), open(os.open("third", os.O_RDONLY, dir_fd=here)).read())
os.close(os.open("fourth", os.O_CREAT | os.O_WRONLY, dir_fd=here))
os.close(os.open("fourth", os.O_WRONLY | os.O_TRUNC, dir_fd=here))
os.rmdir("sub2", dir_fd=here)
os.fchdir(top)
'; cd x*; cd x*; pwd | wc -c; find . | wc -l; cd ../..; rm -r x*; echo $?; ls"#;

pub fn cases() -> Vec<Case> {
    vec![
        text("a coprocess", "coproc c { while read -r x; do echo \"got $x\"; done; }; echo a >&${c[1]}; read -r y <&${c[0]}; echo $y; eval \"exec ${c[1]}>&-\"; wait $c_PID; echo $?"),
        text("two coprocesses", "coproc a { cat; }; coproc b { cat; } 2>/dev/null; echo one >&${a[1]}; echo two >&${b[1]}; read -r x <&${a[0]}; read -r y <&${b[0]}; echo $x $y").mask_numbers(),
        text("substitutions of both kinds", "diff <(seq 5) <(seq 2 6); tee >(wc -c > n) >(md5sum > m) <<< text > /dev/null; sleep 0.3; cat n m; cat <(cat <(cat <(echo deep)))"),
        text("a text longer than a pipe", "cat <<EOF | md5sum\n$(head -c 300000 /dev/zero | tr '\\0' x)\nEOF\nwc -c <<< \"$(head -c 200000 /dev/zero | tr '\\0' y)\""),
        shell("a shell whose children end while it starts others", "dash", &["-c", "i=0; while [ $i -lt 300 ]; do echo x | /bin/true | cat > /dev/null; /bin/true & i=$((i+1)); done; wait; echo $i"]),
        shell("a long text for dash", "dash", &["-c", "wc -c <<EOF\n$(head -c 300000 /dev/zero | tr '\\0' x)\nEOF"]),
        text("jobs in a script", "set -m; sleep 0.2 & sleep 60 & jobs | wc -l; kill %2; wait %1; echo $?; wait %2; echo $?; (ps -o pgid= -p $BASHPID; ps -o pgid= -p $$) | tr -d ' ' | sort -u | wc -l"),
        text("the next that ends", "(sleep 0.3; exit 3) & (exit 5) & wait -n; echo $?; wait -n; echo $?; wait -n; echo $?"),
        text("a job is stopped and goes on", "set -m; sh -c 'kill -STOP $$; echo back; exit 4' & while ! jobs -s | grep -q .; do sleep 0.05; done; jobs -s | sed 's/ .*//'; kill -CONT %1; wait %1; echo $?"),
        text("traps at the end", "trap 'echo end $?' EXIT; trap 'echo err $?' ERR; false; (trap 'echo sub' EXIT; exit 3); echo $?; exit 7"),
        text("a trap ends what it is in", "trap 'trap - TERM; kill -TERM $$' TERM; kill -TERM $$; echo unreached"),
        text("traps of sh", "@sh@ -c \"trap 'echo bye' 0; trap 'echo usr' USR1; kill -USR1 \\$\\$; exit 3\"; echo $?"),
        text("a child's trap is its own", "trap 'echo parent' USR1; (kill -USR1 $BASHPID; echo still); kill -USR1 $$; @bash@ -c 'trap'"),
        text("debug and return traps", "f() { return 3; }; set -T; trap 'echo r' RETURN; f; echo $?; trap 'echo d:$BASH_COMMAND' DEBUG; f; :"),
        text("reads that do not wait", "read -t 0; echo $?; read -t 0.1 x < <(sleep 3); echo $?; read -n 3 x <<< abcdef; echo $x; read -d : x <<< a:b; echo $x; read -N 2 -r x <<< 'a\\'; echo \"$x\""),
        text("a pipe breaks in the middle", "set -o pipefail; yes | head -n 1; echo ${PIPESTATUS[*]}; trap '' PIPE; yes 2>/dev/null | head -n 1; echo ${PIPESTATUS[*]}"),
        text("the last of a pipeline is the shell itself", "shopt -s lastpipe; echo a | read -r x; echo $x; printf '1\\n2\\n' | while read -r n; do t=$((t+n)); done; echo $t"),
        text("times", "time true; TIMEFORMAT=%R; time :; times | wc -l").mask_numbers().change(|shell| shell.env("TIMEFORMAT", "real")),
        text("a descriptor that moves", "exec 5<&0 6>&1; echo a >&6; exec {fd}>f; echo b >&$fd; exec {fd}>&-; cat f; exec 6>&1-; echo c >&6; echo d; echo $?"),
        text("files by their descriptors", "echo x > f; exec 7<f; cat /dev/fd/7; cat /proc/self/fd/7; cat /proc/$$/fd/7; echo y > /dev/stdout; echo z > /dev/stderr; echo w | cat /dev/stdin"),
        text("folders deeper than a path can be", DEEP),
        text("no clobbering", "set -C; echo a > f; echo b > f; echo $?; echo c >| f; cat f; : > /dev/null; echo $?; echo d >> f; cat f"),
        text("network names of the shell's own", "exec 3<>/dev/tcp/127.0.0.1/1; echo $?; (exec 3<>/dev/tcp/nosuch.invalid/1) 2>&1 | tail -c 30; echo x > /dev/tcp/127.0.0.1; echo $?"),
        text("patterns of all kinds", "shopt -s extglob globstar nullglob dotglob; mkdir -p a/b/c; touch a/x.c a/b/y.c a/b/c/.z; echo **/*.c; echo a/!(x*); echo a/**; echo nosuch*; shopt -s failglob; echo no*; echo after"),
        text("a hundred subshells", "n=0; for i in $(seq 100); do n=$((n + $(echo $i | (read x; echo $x)))); done; echo $n"),
        text("depth", "f() { if [ $1 -gt 0 ]; then (f $(($1 - 1))); else echo bottom $BASH_SUBSHELL; fi; }; f 20"),
        text("limits that a script sets", "ulimit -S -c 0; ulimit -f 1; (head -c 5000 /dev/zero > f) ; echo $?; ulimit -Sn 12; exec 11</dev/null; echo $?; exec 12</dev/null; echo $?").mask_numbers(),
        text("its own name", "echo $0 ${BASH_SOURCE[0]} ${BASH_ARGV0} $BASH_EXECUTION_STRING; BASH_ARGV0=other; echo $0; echo $LINENO; caller; echo $?"),
        text("who calls whom", "f() { caller 0; g; }; g() { caller 1; echo ${FUNCNAME[*]}; }; f"),
        text("eval, source and command", "echo 'echo sourced $1; return 4; echo no' > s; . ./s arg; echo $?; eval 'echo \"a  b\"'; command -v ls cat nosuch; type -t if ls cd; builtin echo b; enable -n echo; type -t echo"),
        text("errors do not end it", "cd /nosuch; echo $?; nosuch; echo $?; x=$((1/0)); echo $?; echo ${y?missing}; echo unreached"),
        text("arrays and maps", "declare -A m=([a]=1 [b c]=2); for k in \"${!m[@]}\"; do echo $k=${m[$k]}; done | sort; mapfile -t l < <(seq 3); echo ${#l[@]} ${l[-1]}; printf -v v %05d 42; echo $v"),
        text("random numbers that are asked for", "RANDOM=5; echo $RANDOM $RANDOM; [ $SRANDOM -ge 0 ] && [ $EPOCHSECONDS -gt 1 ] && echo ok"),
        text("a lock by descriptor", "exec 9>l; flock 9; (flock -n 9 && echo same); flock -n l true; echo $?; exec 9>&-; flock -n l true; echo $?"),
        text("nohup with nothing", "nohup @bash@ -c 'echo out; trap -p HUP' 2>&1; ls"),
        text("a user's crontab line", "env -i HOME=/ LOGNAME=x SHELL=/bin/sh PATH=/usr/bin:/bin @sh@ -c 'cat; echo $0; env | wc -l' <<< 'text behind a percent sign'"),
        text("find and xargs in parallel", "mkdir d; touch d/{1..40}; find d -type f -print0 | xargs -0 -P 4 -n 3 @sh@ -c 'for f; do echo ${f##*/}; done' x | sort -n | md5sum; find d -name '1*' -exec @bash@ -c 'echo $#' x {} +"),
        text("timeouts of timeouts", "timeout 5 timeout 0.2 sleep 9; echo $?; timeout -s INT 0.2 @bash@ -c 'trap \"trap : INT; echo int; exit 3\" INT; sleep 9 & wait'; echo $?; timeout --foreground 0.2 @sh@ -c 'sleep 5'; echo $?"),
        text("a process of a session of its own", "setsid -w @bash@ -c 'ps -o sid= -p $$ | tr -d \" \" | grep -qx $$ && echo leads; exit 6'; echo $?; setsid @sh@ -c 'sleep 0.1; echo late > late' & wait; while [ ! -s late ]; do sleep 0.02; done; cat late"),
        text("su without a way up", "sudo -n true 2>/dev/null; echo $?; (umask 077; echo x > p; stat -c %a p); mkdir -m 1777 t; stat -c %a t; chmod u+s p; stat -c %a p"),
        text("wide characters", "x='né漢字🙂'; echo ${#x} ${x:1:2}; printf '%s\\n' \"${x^^}\" | od -c | head -2; LC_ALL=C; echo ${#x}"),
        text("a device that is full", "echo x > /dev/full; echo $?; : > /dev/full; echo $?; /bin/echo y > /dev/full; echo $?"),
        shell("zsh: jobs, globs and substitutions", "zsh", &["-c", "setopt monitor; sleep 0.1 & wait %1; echo $?; touch a.c b.c; echo *.c(om[1]) | wc -w; diff =(seq 3) =(seq 4) | tail -1; echo ${(L)x:-Y}; coproc cat; print -p in; read -p y; echo $y"]).needs(&["zsh"]),
        shell("zsh: traps and signals", "zsh", &["-c", "TRAPUSR1() { echo usr }; kill -USR1 $$; trap 'echo end' EXIT; (exit 4); echo $?; zsh -c 'kill -9 $$'; echo $?"]).needs(&["zsh"]),
        shell("dash: traps, jobs and descriptors", "dash", &["-c", "trap 'echo usr' USR1; kill -USR1 $$; sleep 0.1 & wait $!; echo $?; exec 3>f; echo x >&3; cat f; set -m; (exit 3) & wait; jobs; ulimit -n"]),
        Case::new(
            "a script is read as it is run",
            Shell::named("bash").stdin(Input::Bytes(b"echo one\nread -r line\nthe line\necho \"$line\"\nexec 0</dev/null\necho unreached\n".to_vec())),
        ),
        Case::new(
            "a script that changes itself",
            Shell::named("bash").args(["./s"]),
        )
        .file("s", "echo first\necho 'echo added' >> s\nsed -i 's/never/ever/' other 2>/dev/null\n", 0o755),
        Case::new(
            "a script without its last newline, and with carriage returns",
            Shell::named("bash").args(["-c", "@bash@ ./a; @bash@ ./b; @sh@ ./b; echo $?"]),
        )
        .file("a", "echo end", 0o644)
        .file("b", "echo x\r\ny\r\n", 0o644),
        Case::new(
            "a script with a mark at its beginning and a zero in it",
            Shell::named("bash").args(["-c", "@bash@ ./a; echo $?; @bash@ ./b; echo $?"]),
        )
        .file("a", b"\xef\xbb\xbfecho x\n".to_vec(), 0o644)
        .file("b", b"echo a\n\0\0echo b\n".to_vec(), 0o644),
    ]
}
