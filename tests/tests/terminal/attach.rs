//! People on the terminal of a command that another one started.

use agentsh_terminal::cast::Data;
use agentsh_tests::pty::Terminal;
use agentsh_tests::record::await_event;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Ended, Result, User, World};

use super::support::{SOON, agentsh, bash, check, command, interactive, open, output, recording};

fn attach(world: &World, options: &[&str]) -> Result<Terminal> {
    let id = command(world)?;
    agentsh(world, &[&["attach"], options, &[id.as_str()]].concat())
}

/// The rows that a terminal of 80 by 24 shows after these bytes.
fn screen(seen: &str) -> Result<Vec<String>> {
    let mut terminal = avt::Terminal::new(80, 24)?;
    terminal.feed(seen);
    Ok(terminal
        .screen()
        .visible_lines()
        .map(|line| line.text().trim_end().to_owned())
        .collect())
}

#[test]
fn who_comes_in_the_middle_of_an_editor_sees_what_its_caller_sees() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let text: String = (1..100).map(|line| format!("line {line} of the file\n")).collect();
        world.user().write_file(&world.workspace().join("file"), text, 0o644)?;
        let mut caller = open(&bash(), &world)?;
        caller.at("P> $", "vim -u NONE -N file")?;
        caller.expect("99L")?;
        caller.send("20Gzt:set nu\r")?;
        caller.expect("42 .*line 42 ")?;
        let mut person = attach(&world, &["--watch"])?;
        let same = wait_until(SOON, || {
            let _ = (person.settle(), caller.settle());
            screen(&person.text()).ok() == screen(&caller.text()).ok()
        });
        check(same, "the screens", &(screen(&caller.text())?, screen(&person.text())?))?;
        caller.send("ione more\x1b")?;
        person.expect("one more")?;
        person.send([29])?;
        let (ended, _) = person.finish()?;
        check(ended == Ended::Exit(0), "left", &ended)?;
        caller.send(":wq\r")?;
        caller.at("P> $", "exit")?;
        caller.finish()?;
        let saved = std::fs::read_to_string(world.workspace().join("file"))?;
        check(saved.contains("one more"), "the editor wrote", &saved.len())?;
    }
    Ok(())
}

#[test]
fn a_person_types_a_password_that_no_record_has_and_gives_the_terminal_back() -> Result {
    let world = World::new(User::agent())?;
    agentsh_tests::session::with_rules(&world, "record: {input: on}\n")?;
    let script = "read -r -s -p 'Password: ' word; echo; echo \"${#word} letters\"; read -r line; echo \"got $line\"";
    let mut caller = open(&interactive("bash", &["-c", script]), &world)?;
    caller.expect("Password: $")?;
    let mut person = attach(&world, &["--take"])?;
    person.expect("Password: ")?;
    // What its caller types while a person has the terminal is nobody's.
    await_event(&world, "attached", |event| event.kind == "pty_attach")?;
    person.send("by hand\r")?;
    caller.expect("7 letters")?;
    person.expect("7 letters")?;
    person.send([30, 29])?;
    let (ended, _) = person.finish()?;
    check(ended == Ended::Exit(0), "left", &ended)?;
    await_event(&world, "detached", |event| event.kind == "pty_detach")?;
    caller.send("by its caller\r")?;
    caller.expect("got by its caller")?;
    caller.finish()?;
    let recording = recording(&world)?;
    let all = format!("{:?}", recording.events);
    let typed = recording
        .events
        .iter()
        .filter(|event| matches!(&event.data, Data::Marker(label) if label == "[typed by a person]"));
    check(
        typed.count() == 1 && !all.contains("by hand"),
        "the record",
        &recording.events,
    )?;
    check(
        all.contains("Input(\"by its caller"),
        "what the caller typed",
        &recording.events,
    )
}

/// Whoever leaves has keys that are told as before, and can leave while they are told by another protocol.
#[test]
fn how_a_program_has_keys_told_does_not_stay_with_who_leaves() -> Result {
    let world = World::new(User::agent())?;
    let script = "printf '\\033[>1u\\033[?2004h'; read -r line; printf '\\033[>4;2m\\033[?1004hset'; read -r line";
    let mut caller = open(&interactive("bash", &["-c", script]), &world)?;
    caller.expect("2004h")?;
    // Of what was set before they came, and of what is set since.
    let mut person = attach(&world, &[])?;
    person.expect("\x1b\\[>1u")?;
    caller.send("\r")?;
    person.expect("\x1b\\[>4;2m\x1b\\[\\?1004hset")?;
    person.send("\x1b[93;5u")?;
    let (ended, seen) = person.finish()?;
    check(ended == Ended::Exit(0), "left", &ended)?;
    let seen = String::from_utf8_lossy(&seen).into_owned();
    for (set, undone) in [
        ("\x1b[>1u", "\x1b[<16u"),
        ("\x1b[?2004h", "\x1b[?2004l"),
        ("\x1b[>4;2m", "\x1b[>4m"),
        ("\x1b[?1004h", "\x1b[?1004l"),
    ] {
        check(seen.rfind(undone) > seen.rfind(set), undone, &seen)?;
    }
    caller.send("\r")?;
    caller.finish().map(drop)
}

#[test]
fn a_watcher_that_takes_nothing_slows_nobody() -> Result {
    let world = World::new(User::agent())?;
    let mut caller = open(
        &interactive("bash", &["-c", "read x; seq 1500000; echo over; read x"]),
        &world,
    )?;
    let mut stalled = attach(&world, &["--watch"])?;
    await_event(&world, "attached", |event| event.kind == "pty_attach")?;
    stalled.child().signal(libc::SIGSTOP)?;
    let mut other = attach(&world, &["--watch"])?;
    other.send("x")?;
    other.expect("\x07")?;
    caller.send("\r")?;
    caller.expect("1500000\r\nover")?;
    check(caller.text().len() > 10_000_000, "all of it", &caller.text().len())?;
    other.expect("over")?;
    stalled.child().signal(libc::SIGCONT)?;
    stalled.expect("over")?;
    stalled.child().signal(libc::SIGKILL)?;
    caller.send("\r")?;
    let (ended, _) = caller.finish()?;
    check(ended == Ended::Exit(0), "the end", &ended)?;
    let played = output(&recording(&world)?);
    check(
        played.contains("\r\n1499999\r\n1500000\r\nover"),
        "all is recorded",
        &played.len(),
    )
}

#[test]
fn a_watcher_that_dies_is_missed_by_nobody() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let mut caller = open(&bash(), &world)?;
        caller.at("P> $", "stty -a | md5sum")?;
        let before = caller.expect("[0-9a-f]{32}")?;
        let mut watcher = attach(&world, &["--watch"])?;
        watcher.expect("[0-9a-f]{32}")?;
        watcher.child().signal(libc::SIGKILL)?;
        watcher.finish()?;
        await_event(&world, "detached", |event| event.kind == "pty_detach")?;
        caller.at("P> $", "stty -a | md5sum")?;
        let now = caller.expect("[0-9a-f]{32}")?;
        let sum = |text: &str| text[text.len() - 32..].to_owned();
        check(sum(&before) == sum(&now), "the terminal is as it was", &caller.text())?;
        caller.at("P> $", "exit 4")?;
        let (ended, _) = caller.finish()?;
        check(ended == Ended::Exit(4), "its end", &ended)?;
    }
    Ok(())
}

#[test]
fn lines_above_the_screen_come_along_as_many_as_are_kept() -> Result {
    for (config, oldest) in [("", "1"), ("terminal: {scrollback: 40}\n", "238")] {
        let world = World::new(User::agent())?;
        let path = world.user().home.join(".config/agentsh/config.yaml");
        world.user().write_file(&path, config, 0o600)?;
        let script = "for i in $(seq 300); do echo line $i; done; read -r line";
        let mut caller = open(&interactive("bash", &["-c", script]), &world)?;
        caller.expect("line 300\r\n")?;
        let mut person = attach(&world, &[])?;
        person.expect("line 300")?;
        let seen = person.text();
        let first = seen
            .split_once("line ")
            .map(|(_, rest)| rest.split(' ').next().unwrap_or_default());
        check(first == Some(oldest), "the oldest line", &first)?;
        person.send([29])?;
        person.finish()?;
        caller.send("\r")?;
        caller.finish()?;
    }
    Ok(())
}

#[test]
fn a_watchers_window_does_not_change_the_commands() -> Result {
    let world = World::new(User::agent())?;
    let mut caller = open(&interactive("bash", &["-c", "read x; stty size; read x"]), &world)?;
    let mut person = attach(&world, &["--watch"])?;
    person.resize(10, 30)?;
    await_event(&world, "attached", |event| event.kind == "pty_attach")?;
    caller.send("\r")?;
    caller.expect("24 80\r\n")?;
    person.expect("24 80")?;
    person.send([29])?;
    person.finish()?;
    caller.send("\r")?;
    caller.finish().map(drop)
}

#[test]
fn what_cannot_be_attached_to_is_said() -> Result {
    let world = World::new(User::agent())?;
    world.shimmed("true")?;
    let id = command(&world)?;
    for (word, expected) in [(id.as_str(), "no open terminal"), ("nothing", "is called nothing")] {
        let (ended, seen) = agentsh(&world, &["attach", word])?.finish()?;
        let seen = String::from_utf8_lossy(&seen).into_owned();
        check(
            ended == Ended::Exit(1) && seen.contains(expected),
            expected,
            &(ended, seen),
        )?;
    }
    let outcome = world.agentsh(["attach", id.as_str()])?;
    check(outcome.err().contains("terminal"), "without a terminal", &outcome)
}

#[test]
fn a_detached_command_has_a_terminal_and_waits_for_people() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let session = agentsh_tests::session::create(&world, &[])?.id;
        let script = "test -t 0 && test -t 1 && stty size; read -r line; echo \"got $line\"; exit 7";
        let outcome = world.agentsh(["exec", "--pty", "--detach", &session, "--", "bash", "-c", script])?;
        outcome.expect_success("exec --detach")?;
        let id = outcome.out().trim().to_owned();
        let mut person = agentsh(&world, &["attach", &session])?;
        person.expect("24 80")?;
        person.send([29])?;
        let (ended, _) = person.finish()?;
        check(ended == Ended::Exit(0), "left", &ended)?;
        let mut person = agentsh(&world, &["attach", &id])?;
        person.expect("24 80")?;
        person.send("by hand\r")?;
        person.expect("got by hand")?;
        person.expect("has ended: exit status: 7")?;
        person.finish()?;
        let finished = await_event(&world, "its end", |event| event.kind == "command_finished")?;
        let status = finished.fields.get("exit_code").and_then(serde_json::Value::as_i64);
        check(status == Some(7), "its status", &finished)?;
        let played = output(&recording(&world)?);
        check(played.contains("got by hand"), "the recording", &played)?;
        let refused = world.agentsh(["exec", "--pty", "--detach", &session, "--", "no-such-program"])?;
        check(refused.err().contains("command not found"), "refused", &refused)?;
    }
    Ok(())
}
