//! Whoever is killed, the caller's terminal is left as it was, and nothing runs on.

use agentsh_terminal::recording::Recording;
use agentsh_tests::pty::Terminal;
use agentsh_tests::shell::Subject;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Result, Shell, User, World};

use super::support::{SOON, agentsh, check, command, interactive, open, output, recordings, relay_and_monitor};

/// The real bash, in which ours is a job.
fn outer() -> Shell {
    Shell::program("/usr/bin/bash")
        .args(["--norc", "--noprofile", "-i"])
        .on_terminal()
        .env("PS1", "P> ")
        .env("HISTFILE", "/dev/null")
}

/// Runs a command on a terminal, has `kill` kill somebody, and looks at what is left.
fn after(kill: impl Fn(&World) -> Result) -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let mut terminal = Terminal::open(&outer().cwd(world.workspace()), &world, &Subject::shims())?;
        terminal.at("P> $", "stty -a | md5sum")?;
        let before = terminal.expect("[0-9a-f]{32}")?;
        terminal.at("P> $", "$SHELL -c 'echo started; exec sleep 1000'")?;
        terminal.expect("started\r\n")?;
        let path = recordings(&world, 1)?.remove(0);
        let recorded = || Recording::open(&path).is_ok_and(|recording| output(&recording).contains("started\r\n"));
        check(wait_until(SOON, recorded), "the recording", &path)?;
        kill(&world)?;
        let sleeps = || world.processes().iter().any(|process| process.exe.ends_with("sleep"));
        check(
            wait_until(SOON, || !sleeps()),
            "the command is gone",
            &world.processes(),
        )?;
        terminal.at("P> $", "stty -a | md5sum")?;
        let now = terminal.expect("[0-9a-f]{32}")?;
        let sum = |text: &str| text[text.len() - 32..].to_owned();
        check(sum(&before) == sum(&now), "the terminal is as it was", &terminal.text())?;
        terminal.at("P> $", "exit")?;
        terminal.finish()?;
        // Whoever died: what was recorded before can be read.
        check(recorded(), "the recording afterwards", &path)?;
    }
    Ok(())
}

#[test]
fn a_killed_relay() -> Result {
    after(|world| {
        let (relay, _) = relay_and_monitor(world)?;
        check(relay.signal(9), "killed", &relay)
    })
}

#[test]
fn a_killed_monitor() -> Result {
    after(|world| {
        let (_, monitor) = relay_and_monitor(world)?;
        check(monitor.signal(9), "killed", &monitor)
    })
}

#[test]
fn a_killed_supervisor() -> Result {
    after(|world| {
        relay_and_monitor(world)?;
        let supervisors = world.supervisors();
        check(supervisors.iter().all(|one| one.signal(9)), "killed", &supervisors)
    })
}

#[test]
fn relay_and_monitor_at_once() -> Result {
    after(|world| {
        let (relay, monitor) = relay_and_monitor(world)?;
        check(monitor.signal(9) | relay.signal(9), "killed", &relay)
    })
}

/// Whoever looks on has modes of the command's on their terminal, which nobody is left to undo.
#[test]
fn a_watcher_of_a_killed_supervisor() -> Result {
    let world = World::new(User::agent())?;
    let script =
        "printf '\\033[?1049h\\033[>1u\\033[>4;2m\\033[?1000h\\033[?2004h\\033[?25lfull screen'; exec sleep 1000";
    let mut caller = open(&interactive("bash", &["-c", script]), &world)?;
    caller.expect("full screen")?;
    let mut watcher = agentsh(&world, &["attach", "--watch", &command(&world)?])?;
    watcher.expect("full screen")?;
    for supervisor in world.supervisors() {
        check(supervisor.signal(9), "killed", &supervisor)?;
    }
    watcher.await_echo()?;
    let (_, seen) = watcher.finish()?;
    let seen = String::from_utf8_lossy(&seen).into_owned();
    for (set, undone) in [
        ("\x1b[?1047h", "\x1b[?1047l"),
        ("\x1b[?1000h", "\x1b[?1000l"),
        ("\x1b[>1u", "\x1b[<16u"),
        ("\x1b[>4;2m", "\x1b[>4m"),
        ("\x1b[?2004h", "\x1b[?2004l"),
        ("\x1b[?25l", "\x1b[?25h"),
    ] {
        check(seen.rfind(undone) > seen.rfind(set), undone, &seen)?;
    }
    caller.finish().map(drop)
}

/// Types lines into a terminal while a shell starts there, hangs it up, and counts shells that stay.
const HANG_UP: &str = r"
import os, pty, select, sys, time
left = 0
for round in range(4):
    pid, fd = pty.fork()
    if not pid: os.execv(sys.argv[1], ['bash', '-c', 'sleep 0.2'])
    os.set_blocking(fd, False)
    end = time.time() + .4 + .07 * round
    while time.time() < end:
        reads, writes, _ = select.select([fd], [fd], [], .01)
        try:
            if writes: os.write(fd, b'\n' * 64)
            if reads: os.read(fd, 65536)
        except OSError: break
    os.close(fd)
    end = time.time() + 10
    while not (ended := os.waitpid(pid, os.WNOHANG)[0]) and time.time() < end: time.sleep(.01)
    if not ended: left += 1; os.kill(pid, 9); os.waitpid(pid, 0)
print(left)
";

#[test]
fn a_terminal_that_is_hung_up_while_its_shell_starts() -> Result {
    let world = World::new(User::agent())?;
    let shim = Subject::shims().shell("bash").display().to_string();
    let outcome = Shell::program("python3").args(["-c", HANG_UP, &shim]).run(&world)?;
    check(outcome.out() == "0\n", "no shell stays", &outcome)
}
