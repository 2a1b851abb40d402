//! Arguments, depth, paths, and how a denial looks.

use agentsh_tests::{Ended, Result, Shell, User, fail, session};

#[test]
fn a_denial_is_a_plain_errno_and_the_rest_of_the_script_goes_on() -> Result {
    for user in User::both() {
        let (world, _) = crate::world(user)?;
        let outcome = world.shimmed("md5sum --version; echo $?; sha1sum --version | head -n 1; factor 12; echo $?")?;
        let (out, err) = (outcome.out(), outcome.err());
        if !out.starts_with("126\nsha1sum (GNU coreutils)")
            || !out.ends_with("\n126\n")
            || !err.contains("Permission denied")
        {
            return Err(fail(format!("{outcome:?}")));
        }
    }
    Ok(())
}

#[test]
fn the_arguments_are_judged_with_the_program() -> Result {
    let (world, id) = crate::world(User::agent())?;
    let outcome = world.shimmed("seq 3; seq 7; echo $?; seq 77 78; env seq 7 8; echo $?; sh -c 'seq 7'; echo $?")?;
    if outcome.out() != "1\n2\n3\n126\n77\n78\n126\n126\n" {
        return Err(fail(format!("{outcome:?}")));
    }
    session::run(&world, &id, &["seq", "2"])?.expect_success("exec seq 2")?;
    session::run(&world, &id, &["seq", "7"])?.expect_exit(126, "exec seq 7")?;
    Ok(())
}

#[test]
fn depth_tells_a_command_from_what_it_starts() -> Result {
    let (world, id) = crate::world(User::agent())?;
    session::run(&world, &id, &["whoami"])?.expect_success("from above")?;
    let nested = session::run(&world, &id, &["sh", "-c", "whoami; echo $?"])?;
    match nested.out() == "126\n" {
        true => Ok(()),
        false => Err(fail(format!("{nested:?}"))),
    }
}

#[test]
fn a_denied_command_is_one_line_and_126() -> Result {
    let (world, id) = crate::world(User::agent())?;
    let outcome = session::run(&world, &id, &["md5sum", "--version"])?;
    if outcome.ended != Ended::Exit(126) || !outcome.stdout.is_empty() || !outcome.err().contains("banned") {
        return Err(fail(format!("{outcome:?}")));
    }
    Ok(())
}

#[test]
fn a_denied_shell_is_one_line_and_126() -> Result {
    let world = agentsh_tests::World::new(User::agent())?;
    session::with_rules(
        &world,
        "command_rules:\n  - {name: no-dash, commands: [dash], decision: deny, message: \"no dash here\"}\n  - {name: rest, commands: [\"*\"], decision: allow}\n",
    )?;
    let outcome = Shell::named("dash").args(["-c", "echo in"]).run_shimmed(&world)?;
    if outcome.ended != Ended::Exit(126)
        || !outcome.stdout.is_empty()
        || outcome.err().lines().count() != 1
        || !outcome.err().contains("no-dash")
    {
        return Err(fail(format!("{outcome:?}")));
    }
    Shell::named("bash")
        .args(["-c", "true"])
        .run_shimmed(&world)?
        .expect_success("bash")?;
    Ok(())
}

#[test]
fn threads_vforks_and_storms_of_starts_do_not_hang() -> Result {
    let (world, _) = crate::world(User::agent())?;
    let text =
        "for i in 1 2 3 4; do /usr/local/lib/agentsh-tests/probe spawn-storm 200 & done; wait; /usr/bin/python3 -c '
import subprocess, threading
def go():
    for _ in range(20):
        subprocess.run([\"true\"], check=True)
threads = [threading.Thread(target=go) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
print(\"all\")'; seq 200 | xargs -P 8 -n 1 true; echo $?";
    let outcome = world.shimmed(text)?;
    match outcome.out() == "all\n0\n" {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}
