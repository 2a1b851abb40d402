//! Commands of one session that run at the same time and work together.

use std::time::{Duration, Instant};

use agentsh_tests::child::Child;
use agentsh_tests::shell::Subject;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Ended, Output, Result, Shell, User, World, enforced, fail, skips};

use crate::PROBE;

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn one_command_ends_another_by_kill_and_pkill() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        for how in [
            "kill PID",
            "kill -9 PID",
            "pkill -f '[s]leep 4711'",
            "ps -e -o pid=,args= | awk '/[s]leep 4711/{print $1}' | xargs kill",
        ] {
            let mut child = world.in_background("exec sleep 4711")?;
            let pid = world.await_process("sleep 4711")?.pid;
            world
                .shimmed(&format!("{}; echo $?", how.replace("PID", &pid.to_string())))?
                .expect_out("0\n")?;
            let ended = child.wait(PATIENCE)?;
            if !matches!(
                ended,
                Ended::Signal {
                    number: libc::SIGTERM | libc::SIGKILL,
                    ..
                }
            ) {
                return Err(fail(format!("{how}: {ended:?}")));
            }
        }
    }
    Ok(())
}

#[test]
fn a_port_finds_its_owner_and_ends_it() -> Result {
    for (program, how) in [
        (
            "ss",
            "kill $(ss -ltnpH \"sport = :$(cat port)\" | grep -o 'pid=[0-9]*' | cut -d= -f2)",
        ),
        ("lsof", "lsof -ti tcp:$(cat port) | xargs kill"),
        ("fuser", "fuser -k -TERM $(cat port)/tcp"),
    ] {
        if !skips::has_programs(program, &[program])? {
            continue;
        }
        for user in User::both() {
            let world = World::new(user)?;
            enforced::prove(&world)?;
            let file = world.workspace().join("port");
            let mut child = world.in_background(&format!("exec {PROBE} tcp-serve port"))?;
            if !wait_until(PATIENCE, || file.exists()) {
                return Err(fail("the server does not listen"));
            }
            let outcome = world.shimmed(how)?;
            let ended = child
                .wait(PATIENCE)
                .map_err(|error| fail(format!("{how}: {error}: {outcome:?}")))?;
            if !matches!(
                ended,
                Ended::Signal {
                    number: libc::SIGTERM,
                    ..
                }
            ) {
                return Err(fail(format!("{how}: {ended:?}")));
            }
        }
    }
    Ok(())
}

/// Ways in which nothing of the command's own text says that `lsof` or `fuser` will run.
const UNSAID: [&str; 5] = [
    "./by-script PROGRAM",
    "printf '%s\\n' './by-script PROGRAM' | bash --norc -i 2>/dev/null",
    "p=PROG; p=${p}RAM; python3 -c 'import subprocess, sys; subprocess.run([\"./by-script\", sys.argv[1]])' $p",
    "make -s find",
    "env -i PATH=/usr/bin:/bin sh -c 'exec ./by-script PROGRAM'",
];

#[test]
fn a_port_finds_its_owner_from_a_script_and_an_interactive_shell() -> Result {
    for program in ["lsof", "fuser"] {
        if !skips::has_programs(program, &[program])? {
            continue;
        }
        // Only halves of the name stand in the text.
        let (front, back) = program.split_at(2);
        for user in User::both() {
            let world = World::new(user)?;
            enforced::prove(&world)?;
            let at = |name: &str| world.workspace().join(name);
            let script = "#!/bin/sh\ncase $1 in l*) $1 -ti tcp:$(cat port);; *) $1 $(cat port)/tcp 2>/dev/null | tr -d ' ';; esac\n";
            world.user().write_file(&at("by-script"), script, 0o755)?;
            world
                .user()
                .write_file(&at("Makefile"), format!("find:\n\t@./by-script {program}\n"), 0o644)?;
            let mut child = world.in_background(&format!("exec {PROBE} tcp-serve port"))?;
            if !wait_until(PATIENCE, || at("port").exists()) {
                return Err(fail("the server does not listen"));
            }
            for way in UNSAID {
                let way = way.replace("PROGRAM", &format!("{front}''{back}"));
                let way = way
                    .replace("PROG;", &format!("{front};"))
                    .replace("RAM;", &format!("{back};"));
                let outcome = world.shimmed(&way)?;
                if outcome.out().trim() != child.pid().to_string() {
                    return Err(fail(format!("{way}: {} was not found: {outcome:?}", child.pid())));
                }
            }
            child.signal(libc::SIGKILL)?;
            child.wait(PATIENCE)?;
        }
    }
    Ok(())
}

#[test]
fn links_of_a_sibling_are_followed_by_programs_that_resolve_names() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        let mut child = world.in_background("exec sleep 4713 < /dev/zero")?;
        let pid = world.await_process("sleep 4713")?.pid;
        let text = format!(
            "readlink -f /proc/{pid}/exe; realpath /proc/{pid}/cwd; stat -L -c %F /proc/{pid}/fd/0; pidof /usr/bin/sleep; readlink -f /proc/self/cwd"
        );
        let (workspace, daemon) = (world.workspace(), world.daemons());
        let workspace = workspace.display();
        world.shimmed(&text)?.expect_out(&format!(
            "/usr/bin/sleep\n{workspace}\ncharacter special file\n{pid}\n{workspace}\n"
        ))?;
        for process in daemon {
            let outcome = world.shimmed(&format!(
                "readlink -f /proc/{0}/exe; stat -L /proc/{0}/fd/0",
                process.pid
            ))?;
            if outcome.ended == Ended::Exit(0) || outcome.out().contains("agentsh-ptyd") {
                return Err(fail(format!("{outcome:?}")));
            }
        }
        child.signal(libc::SIGKILL)?;
        child.wait(PATIENCE)?;
    }
    Ok(())
}

#[test]
fn such_a_program_sees_its_callers_limits() -> Result {
    let seen = "import resource, threading; t = threading.Thread(target=lambda: None); t.start(); t.join(); print(resource.getrlimit(resource.RLIMIT_STACK))";
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        let text = format!(
            "ln -s $(readlink -f $(command -v python3)) lsof; mkdir d; echo 'ulimit -s' > d/lsof; chmod +x d/lsof; ulimit -S -s 9000; ./lsof -c '{seen}'; d/lsof; ulimit -s; chmod -x d/lsof; d/lsof; ulimit -s"
        );
        let outcome = world.shimmed(&text)?;
        if outcome.out() != "(9216000, -1)\n9000\n9000\n9000\n" {
            return Err(fail(format!("{outcome:?}")));
        }
    }
    Ok(())
}

#[test]
fn abstract_sockets_connect_commands_of_one_session() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        let shell = Shell::named("bash").args(["-c", &format!("exec {PROBE} abstract-serve between")]);
        let mut server = shell.stdout(Output::Null).spawn_with(&world, &Subject::shims())?;
        let bound = || std::fs::read_to_string("/proc/net/unix").is_ok_and(|text| text.contains("@between"));
        if !wait_until(PATIENCE, bound) {
            return Err(fail("nobody listens"));
        }
        world
            .shimmed(&format!("{PROBE} abstract-call between"))?
            .expect_out("pong\n")?;
        server.wait(PATIENCE)?;
    }
    Ok(())
}

#[test]
fn what_proc_says_of_a_sibling_can_be_read() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        let mut child = world.in_background("exec sleep 4712 < /dev/zero")?;
        let pid = world.await_process("sleep 4712")?.pid;
        let text = format!(
            "readlink /proc/{pid}/exe /proc/{pid}/cwd /proc/{pid}/fd/0; tr '\\0' ' ' < /proc/{pid}/cmdline; ls /proc/{pid}/fd | head -n 3 | tr '\\n' ' '"
        );
        let workspace = world.workspace();
        world.shimmed(&text)?.expect_out(&format!(
            "/usr/bin/sleep\n{}\n/dev/zero\nsleep 4712 0 1 2 ",
            workspace.display()
        ))?;
        child.signal(libc::SIGKILL)?;
        child.wait(PATIENCE)?;
    }
    Ok(())
}

#[test]
fn what_proc_holds_of_our_daemons_cannot() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        for daemon in world.daemons() {
            let pid = daemon.pid;
            for text in [
                format!("head -c 1 /proc/{pid}/mem"),
                format!("cat /proc/{pid}/environ"),
                format!("readlink /proc/{pid}/fd/0"),
                format!("ls /proc/{pid}/root/"),
                format!("cat /proc/{pid}/maps"),
                format!("gdb -q -batch -p {pid} 2>&1 | grep -v 'not permitted'; false"),
            ] {
                let outcome = world.shimmed(&text)?;
                if outcome.ended == Ended::Exit(0) || !outcome.stdout.is_empty() && !text.starts_with("gdb") {
                    return Err(fail(format!("{} {text}: {outcome:?}", daemon.line)));
                }
            }
            if !daemon.is_alive() || daemon.status("State").is_some_and(|state| state.starts_with('T')) {
                return Err(fail(format!("{daemon:?} was harmed from inside")));
            }
        }
    }
    Ok(())
}

#[test]
fn a_daemon_that_is_killed_from_inside_takes_the_killer_with_it() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::control(&world)?;
        enforced::prove(&world)?;
        let supervisors = world.supervisors();
        let [supervisor] = supervisors.as_slice() else {
            return Err(fail(format!("{supervisors:#?}")));
        };
        let text = format!(
            "kill -9 {}; sleep 0.2; cat ~/.ssh/id_ed25519; echo x >> ~/.bashrc; while :; do sleep 1; done",
            supervisor.pid
        );
        let mut child = world.in_background(&text)?;
        let refused = || supervisor.is_alive() && world.strays().iter().any(|process| process.line == "sleep 1");
        // Refused is best; else the session dies with its supervisor, this command first.
        if wait_until(PATIENCE, || refused() || child.wait(Duration::ZERO).is_ok()) && refused() {
            child.signal(libc::SIGKILL)?;
        }
        child.wait(PATIENCE)?;
        enforced::prove(&world)?;
    }
    Ok(())
}

#[test]
fn many_commands_run_in_parallel() -> Result {
    let world = World::new(User::agent())?;
    let children: Vec<Child> = (0..24)
        .map(|n| {
            world.in_background(&format!(
                "touch at-{n}; while [ $(ls at-* | wc -l) -lt 24 ]; do sleep 0.02; done"
            ))
        })
        .collect::<Result<_>>()?;
    for mut child in children {
        let ended = child.wait(Duration::from_secs(120))?;
        if ended != Ended::Exit(0) {
            return Err(fail(format!("{ended:?}")));
        }
    }
    Ok(())
}

#[test]
fn who_is_about_to_enter_cannot_be_traced_from_inside() -> Result {
    let text = r#"
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
tried, got = 0, []
while tried < 20:
    # Only the youngest are of interest, and they do not wait to be looked at.
    last = int(open('/proc/loadavg').read().split()[-1])
    for pid in range(last - 3, last + 3):
        try: line = open('/proc/%d/cmdline' % pid, 'rb').read()
        except OSError: continue
        if b'entering-mark' not in line: continue
        tried += 1
        for request in (0x4206, 16):
            if libc.ptrace(request, pid, 0, 0) == 0: got.append(('ptrace', request, line))
        try: os.close(os.open('/proc/%d/mem' % pid, os.O_RDWR)); got.append('mem')
        except OSError: pass
        # What the program itself is given may be seen, and what was kept from it may not.
        try: b'kept-from-it' in open('/proc/%d/environ' % pid, 'rb').read() and got.append('environ')
        except OSError: pass
        try:
            held = os.pidfd_open(pid)
            if libc.syscall(438, held, 3, 0) >= 0: got.append('pidfd_getfd')
            os.close(held)
        except OSError: pass
open('enough', 'w')
print(tried, got)
"#;
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        world
            .user()
            .write_file(&world.workspace().join("trace.py"), text, 0o644)?;
        let shell = Shell::named("bash").args(["-c", "exec python3 trace.py"]);
        let tracer = shell.spawn_with(&world, &Subject::shims())?;
        let begun = Instant::now();
        while !world.workspace().join("enough").exists() {
            if begun.elapsed() > PATIENCE {
                return Err(fail("nobody was seen on the way in"));
            }
            let outcome = Shell::named("bash")
                .args(["-c", "exec sleep 0.01; : entering-mark"])
                .env("AWS_SECRET_ACCESS_KEY", "kept-from-it")
                .run_with(&world, &Subject::shims())?;
            if outcome.ended != Ended::Exit(0) {
                return Err(fail(format!("it was disturbed: {outcome:?}")));
            }
        }
        let outcome = tracer.finish(PATIENCE)?;
        if !outcome.out().ends_with(" []\n") {
            return Err(fail(format!("{outcome:?}")));
        }
    }
    Ok(())
}
