//! GNU screen inside of a session: it opens the terminals of its windows by their paths, and expects them to be the
//! windows' own.

use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Ended, Result, User, World, skips};

use super::support::{SOON, bash, check, open};

/// What the window runs: a shell whose prompt is told from the one around it.
const WINDOW: &str = "ps -o pid=,pgid=,sid=,tpgid= -p $$ | tr -s ' ' '\\n' | grep . | sort -u | wc -l > ids
tty > name
exec env PS1='W> ' bash --norc --noprofile -i
";

fn windows(user: User) -> Result {
    if !skips::has_programs("screen", &["screen"])? {
        return Ok(());
    }
    let world = World::new(user)?;
    let folder = world.workspace();
    world.user().write_file(&folder.join("window.sh"), WINDOW, 0o644)?;
    let shell = bash().env("SCREENDIR", folder.join("sockets")).env("SHELL", "/bin/sh");
    let mut terminal = open(&shell, &world)?;
    terminal.at("P> $", "mkdir -m 700 sockets; screen -c /dev/null sh window.sh")?;
    terminal.at("W> $", "sh -c 'echo up; exec sleep 1000'")?;
    terminal.expect("up\r\n")?;
    terminal.send([26])?;
    terminal.expect("Stopped(?s:.*)W> $")?;
    terminal.send("fg\r")?;
    // In the window, which is not the terminal here.
    let in_front = || {
        let mut all = world.processes().into_iter();
        all.any(|one| one.exe.ends_with("sleep") && one.is_in_front())
    };
    check(wait_until(SOON, in_front), "the job is in front", &terminal.text())?;
    terminal.send([3])?;
    terminal.at("W> $", "echo status $?")?;
    terminal.expect("status 130\r\n")?;
    terminal.at("W> $", "exit")?;
    terminal.at("P> $", "cat ids; tty | cmp -s - name; echo same $?; exit 4")?;
    terminal.expect("1\r\nsame 1\r\n")?;
    let (ended, _) = terminal.finish()?;
    check(ended == Ended::Exit(4), "the end", &ended)
}

#[test]
fn its_windows_have_job_control_for_a_user() -> Result {
    windows(User::agent())
}

#[test]
fn its_windows_have_job_control_for_root() -> Result {
    windows(User::root())
}
