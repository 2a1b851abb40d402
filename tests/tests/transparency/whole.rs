//! What does not fit into a table: names that are declined, groups that are killed, a gibibyte through a pipe.

use std::os::unix::fs::symlink;
use std::time::Duration;

use agentsh_tests::shell::Subject;
use agentsh_tests::world::PRODUCT;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Ended, Result, Shell, User, World, enforced, fail};

#[test]
fn shells_without_a_stand_in_are_declined_by_name_with_127() -> Result {
    let world = World::new(User::agent())?;
    for (name, args) in [
        ("tcsh", ["-ic", "echo x"]),
        ("pwsh", ["-Login", "-Command"]),
        ("fish", ["-c", "echo x"]),
    ] {
        let path = format!("{PRODUCT}/shims/{name}");
        symlink("../agentsh-shell-shim", &path)?;
        let outcome = Shell::program(path).args(args).run(&world)?;
        let lines = outcome.err().lines().count();
        if outcome.ended != Ended::Exit(127)
            || !outcome.stdout.is_empty()
            || lines != 1
            || !outcome.err().contains(name)
        {
            return Err(fail(format!("{name}: {outcome:?}")));
        }
    }
    Ok(())
}

#[test]
fn killing_the_group_ends_every_process_of_the_command() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        let before = world.strays().len();
        let text = "sleep 1000 & sh -c 'sleep 1000; true' & echo ready > ready; wait";
        let shell = Shell::named("bash")
            .args(["-c", text])
            .inherit(|inherit| inherit.new_group = true);
        let mut child = shell.spawn_with(&world, &Subject::shims())?;
        let ready = world.workspace().join("ready");
        if !wait_until(Duration::from_secs(30), || {
            ready.exists() && world.strays().len() >= before + 4
        }) {
            return Err(fail(format!("not all started: {:#?}", world.strays())));
        }
        child.signal_group(libc::SIGTERM)?;
        let ended = child.wait(Duration::from_secs(30))?;
        if !matches!(
            ended,
            Ended::Signal {
                number: libc::SIGTERM,
                ..
            }
        ) {
            return Err(fail(format!("{ended:?}")));
        }
        if !wait_until(Duration::from_secs(30), || world.strays().len() == before) {
            return Err(fail(format!("left over: {:#?}", world.strays())));
        }
        drop(child);
    }
    Ok(())
}

#[test]
fn a_gibibyte_passes_through_a_pipe_of_the_command() -> Result {
    let world = World::new(User::agent())?;
    let text = "head -c 1073741824 /dev/zero | tee /dev/stderr | wc -c";
    let outcome = Shell::named("bash")
        .args(["-c", &format!("{text} 2>/dev/null")])
        .run_shimmed(&world)?;
    outcome.expect_success("inside")?;
    let out = Shell::named("bash")
        .args(["-c", "head -c 1073741824 /dev/zero"])
        .run_shimmed(&world)?;
    match outcome.out().trim() == "1073741824"
        && out.stdout.len() == 1 << 30
        && out.stdout.iter().all(|byte| *byte == 0)
    {
        true => enforced::prove(&world),
        false => Err(fail(format!("{} inside, {} outside", outcome.out(), out.stdout.len()))),
    }
}

#[test]
fn a_writer_waits_for_a_slow_reader() -> Result {
    let world = World::new(User::agent())?;
    enforced::prove(&world)?;
    let text = "trap '' PIPE; i=0; while [ $i -lt 6000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); [ $((i % 50)) = 0 ] && echo $i > count; done; echo done > count";
    let (read, write) = std::io::pipe()?;
    let path = world.workspace().join("count");
    let mut child = Shell::named("bash")
        .args(["-c", text])
        .spawn_on_pipe(&world, &Subject::shims(), write.into())?;
    let asleep = || {
        std::fs::read_to_string(format!("/proc/{}/wchan", child.pid()))
            .is_ok_and(|place| place.contains("pipe_write") || place == "0")
    };
    let count = || std::fs::read_to_string(&path).unwrap_or_default().trim().to_owned();
    // 64 KiB of pipe are about 1,600 lines: the writer must come to rest there, far from its end.
    let mut last = String::new();
    let resting = wait_until(Duration::from_secs(60), || {
        let now = count();
        let rests = now == last && now.parse().is_ok_and(|lines: u32| lines > 1000) && asleep();
        last = now;
        rests
    });
    if !resting || last.parse().is_ok_and(|lines: u32| lines > 3000) {
        return Err(fail(format!("the writer does not wait: {last}")));
    }
    let bytes = std::io::copy(&mut std::io::BufReader::new(read), &mut std::io::sink())?;
    match child.wait(Duration::from_secs(60))? == Ended::Exit(0) && bytes == 6000 * 41 && count() == "done" {
        true => Ok(()),
        false => Err(fail(format!("{bytes} bytes, {}", count()))),
    }
}

#[test]
fn the_first_start_of_all_leaves_no_signal_behind() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let outcome = Shell::named("dash")
            .args(["-c", "exec grep -E '^(SigPnd|ShdPnd|SigBlk)' /proc/self/status"])
            .inherit(|inherit| inherit.blocked = vec![libc::SIGCHLD])
            .run_shimmed(&world)?;
        let expected = "SigPnd:\t0000000000000000\nShdPnd:\t0000000000000000\nSigBlk:\t0000000000010000\n";
        if world.brokers().len() != 1 || outcome.out() != expected {
            return Err(fail(format!("{outcome:?}")));
        }
    }
    Ok(())
}
