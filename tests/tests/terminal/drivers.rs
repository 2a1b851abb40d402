//! pexpect, by which most drivers reach a terminal: with the stand-in it sees what it sees with the real shell.

use std::path::{Path, PathBuf};

use agentsh_tests::shell::Subject;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Ended, Result, Shell, User, World, skips};

use super::support::{SOON, check};

const SCRIPT: &str = include_str!("pexpect.py");

/// Where `docs/setup.sh test` puts packages.
fn packages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .with_file_name("target")
        .join("suite/python")
}

#[test]
fn pexpect_sees_of_a_shell_what_it_sees_of_the_real_one() -> Result {
    if !packages().join("pexpect").exists() {
        return skips::skip("pexpect", "docs/setup.sh test could not install it");
    }
    let world = World::new(User::agent())?;
    let script = world.user().home.join("pexpect.py");
    world.user().write_file(&script, SCRIPT, 0o644)?;
    let run = |subject: &Subject| -> Result<String> {
        let shell = Shell::program("/usr/bin/python3")
            .args(["-S".as_ref(), script.as_os_str()])
            .args(["@bash@".as_ref(), packages().as_os_str()])
            .env("TERM", "xterm");
        let outcome = shell.cwd(world.workspace()).run_with(&world, subject)?;
        outcome.expect_success("pexpect")?;
        Ok(outcome.out())
    };
    let (real, ours) = (run(&Subject::Real)?, run(&Subject::shims())?);
    check(real.lines().count() > 18, "all of it ran", &real)?;
    check(ours == real, "the same is seen", &(ours, real))
}

/// Switches echo off on the terminals of many starts, each at another moment or when somebody else has just set it, and
/// prints how many commands saw it on, and at how many it is seen on from outside.
const AT_ANY_MOMENT: &str = r#"
import fcntl, os, pty, sys, termios, time
def echo(fd):
    return termios.tcgetattr(fd)[3] & termios.ECHO != 0
command = """for i in 1 2 3 4 5 6 7 8 9; do sleep 0.05; stty -a | grep -q -e ' -echo ' && break; done
stty -a | grep -o -e ' -echo ' -e ' echo '; read -r x"""
inside = outside = 0
for turn in range(100):
    child, fd = pty.fork()
    if child == 0:
        os.execv(sys.argv[1], [sys.argv[1], "-c", command])
    began, before = time.monotonic(), termios.tcgetattr(fd)
    if turn % 2:
        time.sleep(turn * 0.0001)
    while turn % 2 == 0 and termios.tcgetattr(fd) == before and time.monotonic() < began + 0.02:
        pass
    settings = termios.tcgetattr(fd)
    settings[3] &= ~termios.ECHO
    termios.tcsetattr(fd, termios.TCSANOW, settings)
    out = b""
    while b"echo" not in out:
        out += os.read(fd, 4096)
    inside += b"-echo" not in out
    outside += echo(fd)
    os.write(fd, b"x\n")
    try:
        while os.read(fd, 4096): pass
    except OSError: pass
    os.close(fd)
    os.waitpid(child, 0)
print("seen on:", inside, outside)
"#;

#[test]
fn what_a_driver_sets_at_any_moment_of_a_start_holds() -> Result {
    let world = World::new(User::agent())?;
    let run = |subject: &Subject| -> Result<String> {
        let shell = Shell::program("/usr/bin/python3").args(["-S", "-c", AT_ANY_MOMENT, "@bash@"]);
        let outcome = shell.cwd(world.workspace()).run_with(&world, subject)?;
        outcome.expect_success("the driver")?;
        Ok(outcome.out())
    };
    check(run(&Subject::Real)? == "seen on: 0 0\n", "with the real shell", &())?;
    let ours = run(&Subject::shims())?;
    check(ours == "seen on: 0 0\n", "with the stand-in", &ours)
}

/// A person at a driver that hands its own terminal on.
#[test]
fn a_person_behind_a_driver_has_the_shell_in_their_hands() -> Result {
    if !packages().join("pexpect").exists() {
        return skips::skip("pexpect", "docs/setup.sh test could not install it");
    }
    let world = World::new(User::agent())?;
    let text = format!(
        "import sys; sys.path.insert(0, {:?}); import pexpect\n\
         child = pexpect.spawn(sys.argv[1], ['--norc', '--noprofile', '-i'])\n\
         child.expect('P> '); child.sendline('echo driven'); child.expect('P> '); print(child.before.split(), flush=True)\n\
         child.interact(); child.sendline('exit 5')\n\
         child.expect(pexpect.EOF); child.close(); sys.exit(child.exitstatus)",
        packages().display().to_string()
    );
    for subject in [Subject::Real, Subject::shims()] {
        let driver = Shell::program("/usr/bin/python3")
            .args(["-S", "-c", &text, "@bash@"])
            .on_terminal()
            .env("PS1", "P> ")
            .env("TERM", "xterm")
            .env("HISTFILE", "/dev/null")
            .cwd(world.workspace());
        let mut terminal = agentsh_tests::pty::Terminal::open(&driver, &world, &subject)?;
        terminal.expect("b'driven'.*\r\n")?;
        // From here on it only hands on.
        let handed = wait_until(SOON, || terminal.echo().is_ok_and(|echo| !echo));
        check(handed, "the driver stands aside", &terminal.text())?;
        terminal.send("echo by ha\x7f\x7fhand\r")?;
        terminal.expect("[\r\n]by hand\r\n")?;
        terminal.at("P> ", "echo rea''dy; cat")?;
        terminal.expect("[\r\n]ready\r\n")?;
        terminal.send("line\r")?;
        terminal.expect("line\r\nline\r\n")?;
        terminal.send([3])?;
        terminal.expect("P> ")?;
        // Out of it.
        terminal.send([0x1d])?;
        let (ended, seen) = terminal.finish()?;
        check(ended == Ended::Exit(5), "its end", &String::from_utf8_lossy(&seen))?;
    }
    Ok(())
}
