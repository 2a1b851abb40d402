//! Programs that start the shell for somebody.

use agentsh_tests::{Case, Input, Shell};

pub fn cases() -> Vec<Case> {
    let by = |name: &'static str, program: &'static str, args: &[&str]| {
        Case::new(name, Shell::program(program).args(args)).needs(&[program])
    };
    let root = |case: Case| case.change(|shell| shell.inherit(|inherit| inherit.as_root = true));
    vec![
        by("env -i", "env", &["-i", "@bash@", "-c", "echo \"$HOME|$PATH\"; pwd"]),
        by("xargs", "xargs", &["-n", "2", "@sh@", "-c", "echo \"$0 $1\""]).change(|shell| shell.stdin(Input::Bytes(b"a b c d".to_vec()))),
        by("find", "find", &["a", "-type", "f", "-exec", "@sh@", "-c", "echo found \"$1\"", "sh", "{}", ";"]).file("a/b/c", "", 0o644),
        by("setsid -w", "setsid", &["-w", "@bash@", "-c", "ps -o sid=,pgid= -p $$ | tr -s ' ' '\\n' | sort -u | grep -c ."]),
        by("nohup", "nohup", &["@bash@", "-c", "kill -HUP $$; echo survived"]),
        by("timeout ends it", "timeout", &["-s", "KILL", "0.3", "@bash@", "-c", "echo start; exec sleep 60"]),
        by("timeout ends its group", "timeout", &["0.3", "@bash@", "-c", "echo start; sleep 60 & wait; echo unreached"]),
        by("nice", "nice", &["-n", "5", "@bash@", "-c", "nice"]),
        by("script gives it a terminal", "script", &["-qec", "tty | sed 's,[0-9]*$,N,'; echo $0; exit 3", "/dev/null"]).change(|shell| shell.env("SHELL", "@bash@")),
        by("python runs with executable", "python3", &["-c", "import subprocess; r = subprocess.run('echo $0; exit 3', shell=True, executable='@bash@', capture_output=True); print(r)"]),
        by("python calls a pty", "python3", &["-c", "import pty, os; s = pty.spawn(['@bash@', '-c', 'stty size; test -t 0 && echo tty; exit 4']); print(os.waitstatus_to_exitcode(s))"]),
        by("perl opens a pipe", "perl", &["-e", "open(my $f, '-|', '@sh@', '-c', 'echo $0; exit 2') or die; print <$f>; close $f; print $? >> 8, \"\\n\";"]),
        by("node spawns with shell", "node", &["-e", "const r = require('child_process').spawnSync('echo $0; kill -9 $$', {shell: '@bash@'}); console.log(String(r.stdout), r.signal, r.status)"]),
        by("node spawns detached", "node", &["-e", "const c = require('child_process').spawn('@bash@', ['-c', 'echo out; echo err >&2; exit 5'], {detached: true, stdio: ['ignore', 'pipe', 'pipe']}); c.stdout.pipe(process.stdout); c.stderr.pipe(process.stderr); c.on('close', (code, signal) => console.log(code, signal))"]),
        by("npm runs a script", "npm", &["run", "--silent", "--script-shell", "@bash@", "hello", "--", "a b"]).file("package.json", "{\"name\":\"x\",\"scripts\":{\"hello\":\"echo hi $0\"}}", 0o644).forget("../../.npm"),
        by("make with its own shell", "make", &["-s"]).file("Makefile", "SHELL := @bash@\nall:\n\t@echo $$0 $(MAKEFLAGS); [[ a == a ]] && echo bash\n\t@exit 3\n", 0o644),
        by("vim runs a command", "vim", &["-u", "NONE", "-es", "-c", "set shell=@bash@", "-c", "redir! > out", "-c", "silent !echo from $0 > made", "-c", "let x = system('echo sys')", "-c", "silent echo x", "-c", "qa!"]),
        by("git runs an alias", "git", &["-c", "alias.x=!@sh@ -c 'echo alias $0'", "x"]),
        by("a git hook has the shell as interpreter", "git", &["-c", "core.hooksPath=hooks", "commit", "-q", "--allow-empty", "-m", "x"]).file("hooks/pre-commit", "#!@bash@\necho hook $0; exit 1\n", 0o755),
        root(by("su with a shell and a command", "su", &["-s", "@bash@", "-c", "echo $0; id -un", "agent"])),
        root(by("su with a login", "su", &["-s", "@bash@", "-", "agent", "-c", "echo $0; pwd"])),
        root(by("runuser with a login", "runuser", &["-l", "agent", "-s", "@bash@", "-c", "echo $0; pwd; id -un"])),
        root(by("chroot", "chroot", &["/", "@sh@", "-c", "echo in; pwd"])),
        root(by("setpriv", "setpriv", &["--reuid", "4242", "--regid", "4242", "--init-groups", "@bash@", "-c", "id -u; id -G"])),
        by("ssh runs a proxy command", "ssh", &["-F", "none", "-o", "ProxyCommand=sh -c 'echo proxied $1 > made; head -c 1 > /dev/null; exit 3' x $0", "-o", "BatchMode=yes", "host.invalid", "true"]).change(|shell| shell.env("SHELL", "@bash@")),
        by("ssh matches by a command", "ssh", &["-G", "-F", "config", "host.invalid"]).change(|shell| shell.env("SHELL", "@bash@")).file("config", "Match exec \"echo $0 %h > matched\"\n  Port 2222\n", 0o600),
        by("tmux opens a window with a command", "@bash@", &["-c", "tmux -L t$$ -f /dev/null new-session -d -x 80 -y 24 'echo $0 > win; tmux wait-for -S done; sleep 60' && tmux -L t$$ wait-for done; cat win; tmux -L t$$ kill-server"]).needs(&["tmux"]),
        by("busybox is asked for its own shell", "busybox", &["sh", "-c", "@bash@ -c 'echo $0'"]),
        by("links of other names", "dash", &["-c", "ln -s @bash@ one; ln -s one two; mkdir d; ln -s ../two d/three; ln -s @sh@ four; ln -s four bash; for link in ./one ./two d/three ./four ./bash; do $link -c 'echo \"$0 ${BASH_VERSION:+bash}\"; nosuchcommand'; done; cd d; ./three -c 'echo $0'; exec ./three -c 'exit 4'"]),
        by("a script of another shell's name", "dash", &["-c", "./sh a; ./bash b; ./dash; d/zsh c; PATH=. sh d"])
            .file("sh", "#!@bash@\necho \"sh $0 $1 ${BASH_VERSION:+bash} $-\"\n", 0o755)
            .file("bash", "#!@sh@ -u\necho \"bash $0 $1 ${BASH_VERSION:+bash} $-\"\n", 0o755)
            .file("dash", "#!/usr/bin/env -S @bash@ -e\necho \"dash $0 ${BASH_VERSION:+bash} $-\"\n", 0o755)
            .file("d/zsh", "#!@dash@\necho \"zsh $0 $1 ${ZSH_VERSION:+zsh}\"\n", 0o755),
        by("scripts whose interpreter is a link of another name", "dash", &["-c", "ln -s @bash@ mine; ln -s mine ours; ./one a; exec ./bash b"])
            .file("one", "#!./mine -u\necho \"one $0 $1 ${BASH_VERSION:+bash} $-\"\n", 0o755)
            .file("bash", "#!./ours\necho \"bash $0 $1 ${BASH_VERSION:+bash} $-\"\nexit 3\n", 0o755),
        by("a script whose interpreter is the shell with one option", "./run", &["x"]).file("run", "#!@sh@ -e\necho $0 $1\nfalse\necho no\n", 0o755),
    ]
}
