//! A machine that has no terminal left to give.

use agentsh_tests::{Ended, Result, User, World};
use nix::mount::{MsFlags, mount};

use super::support::{bash, check, interactive, open};

#[test]
fn who_cannot_have_a_terminal_is_refused_with_the_reason() -> Result {
    let world = World::new(User::root())?;
    // The world's own terminals, of which there is one: the test's.
    mount(
        Some("devpts"),
        "/dev/pts",
        Some("devpts"),
        MsFlags::empty(),
        Some("newinstance,ptmxmode=0666,mode=620,max=1"),
    )?;
    mount(
        Some("/dev/pts/ptmx"),
        "/dev/ptmx",
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )?;
    let mut terminal = open(&interactive("bash", &["-c", "echo never"]), &world)?;
    terminal.expect("^agentsh: cannot open a pseudo-terminal: [^\r\n]*\r\n")?;
    let (ended, seen) = terminal.finish()?;
    check(
        ended == Ended::Exit(126),
        "refused",
        &(ended, String::from_utf8_lossy(&seen)),
    )?;
    mount(
        None::<&str>,
        "/dev/pts",
        None::<&str>,
        MsFlags::MS_REMOUNT,
        Some("ptmxmode=0666,mode=620,max=2"),
    )?;
    let mut terminal = open(&bash(), &world)?;
    terminal.at("P> $", "exit 3")?;
    let (ended, _) = terminal.finish()?;
    check(ended == Ended::Exit(3), "one was free", &ended)
}
