//! A terminal that is another user's: the supervisor cannot open it, so everything goes through the relay.

use agentsh_tests::pty::Terminal;
use agentsh_tests::shell::Subject;
use agentsh_tests::world::PRODUCT;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Result, Shell, User, World};

use super::support::{SOON, check};

#[test]
fn what_the_background_prints_after_the_end_still_appears() -> Result {
    let world = World::new(User::root())?;
    let agent = User::agent();
    agent.make_folder(&agent.home.join("work"))?;
    let outer = Shell::program("/usr/bin/bash")
        .args(["--norc", "--noprofile", "-i"])
        .on_terminal()
        .env("PS1", "P> ")
        .env("HISTFILE", "/dev/null");
    let mut terminal = Terminal::open(&outer.cwd(agent.home.join("work")), &world, &Subject::shims())?;
    // Root's terminal stays root's; who starts the shell is somebody else.
    let script = "(while [ ! -e /tmp/go ]; do sleep 0.05; done; echo it is la\\te) & echo at o\\nce; exit 6";
    terminal.at(
        "P> $",
        &format!(
            "setpriv --reuid=4242 --regid=4242 --clear-groups env HOME={} {PRODUCT}/shims/bash -c '{script}'",
            agent.home.display()
        ),
    )?;
    terminal.expect("at once\r\n")?;
    terminal.at("P> $", "echo status $?; touch /tmp/go")?;
    terminal.expect("status 6\r\n")?;
    terminal.expect("it is late\r\n")?;
    let shims = || {
        let mut all = world.processes().into_iter();
        all.any(|process| process.exe.ends_with("agentsh-shell-shim"))
    };
    check(wait_until(SOON, || !shims()), "nobody stays", &world.processes())?;
    terminal.send("exit\r")?;
    terminal.finish().map(drop)
}
