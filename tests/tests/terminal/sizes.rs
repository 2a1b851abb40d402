//! Whose window a command's terminal follows.

use agentsh_terminal::cast::Data;
use agentsh_tests::pty::Terminal;
use agentsh_tests::record::{Event, await_event};
use agentsh_tests::{Result, User, World};

use super::support::{agentsh, check, command, interactive, open, recording};

/// Tells the size whenever a line is typed.
fn asked(world: &World) -> Result<Terminal> {
    let script = "while read -r line; do stty size; done";
    let mut terminal = open(&interactive("bash", &["-c", script]), world)?;
    terminal.send("\r")?;
    terminal.expect("24 80\r\n")?;
    Ok(terminal)
}

fn is_resize(event: &Event, rows: u64, cols: u64) -> bool {
    let field = |name: &str| event.fields.get(name).and_then(serde_json::Value::as_u64);
    event.kind == "pty_resize" && field("rows") == Some(rows) && field("cols") == Some(cols)
}

fn resized(world: &World, rows: u64, cols: u64) -> Result {
    await_event(world, "a new size", |event| is_resize(event, rows, cols)).map(drop)
}

#[test]
fn a_person_who_asks_for_it_changes_the_size_until_they_leave() -> Result {
    for (rule, (rows, cols)) in [("latest", (10, 100)), ("smallest", (10, 80)), ("largest", (24, 100))] {
        let world = World::new(User::agent())?;
        let mut caller = asked(&world)?;
        let id = command(&world)?;
        let mut person = agentsh(&world, &["attach", "--take", "--size", rule, &id])?;
        person.resize(10, 100)?;
        resized(&world, rows, cols)?;
        person.send("\r")?;
        person.expect(&format!("{rows} {cols}"))?;
        person.send([29])?;
        person.finish()?;
        // Its caller's window again.
        resized(&world, 24, 80)?;
        caller.send("\r")?;
        caller.expect("24 80")?;
        caller.send([4])?;
        caller.finish()?;
    }
    Ok(())
}

#[test]
fn the_configuration_chooses_the_rule_and_who_only_looks_never_counts() -> Result {
    let world = World::new(User::agent())?;
    let path = world.user().home.join(".config/agentsh/config.yaml");
    world.user().write_file(&path, "terminal: {size: largest}\n", 0o600)?;
    let mut caller = asked(&world)?;
    let id = command(&world)?;
    let watcher = agentsh(&world, &["attach", "--watch", &id])?;
    watcher.resize(50, 140)?;
    let mut person = agentsh(&world, &["attach", &id])?;
    person.resize(30, 100)?;
    resized(&world, 30, 100)?;
    caller.send("\r")?;
    person.expect("30 100")?;
    let none = agentsh_tests::record::events(&world)?
        .iter()
        .all(|event| !is_resize(event, 50, 140));
    check(none, "a watcher's window", &person.text())?;
    let outcome = world.agentsh(["attach", "--watch", "--size", "largest", &id])?;
    outcome.expect_exit(2, "a watcher that asks for it")?;
    for terminal in [watcher, person] {
        let mut terminal = terminal;
        terminal.send([29])?;
        terminal.finish()?;
    }
    caller.send([4])?;
    caller.finish().map(drop)
}

#[test]
fn a_change_of_the_callers_window_reaches_program_record_and_recording() -> Result {
    let world = World::new(User::agent())?;
    let mut caller = asked(&world)?;
    caller.resize(33, 111)?;
    resized(&world, 33, 111)?;
    caller.send("\r")?;
    caller.expect("33 111\r\n")?;
    caller.send([4])?;
    caller.finish()?;
    let recording = recording(&world)?;
    let told = recording
        .events
        .iter()
        .any(|event| event.data == Data::Resize { cols: 111, rows: 33 });
    check(told, "the recording", &recording.events)
}

/// Drivers start commands on terminals whose size nobody sets, and programs take those for ones of the usual size.
#[test]
fn a_terminal_without_a_size_is_shown_as_one_of_the_usual_size() -> Result {
    let world = World::new(User::agent())?;
    let script = "until [ \"$(stty size)\" = '0 0' ]; do sleep 0.1; done; echo 'a line of many columns'; read -r line";
    let mut caller = open(&interactive("bash", &["-c", script]), &world)?;
    caller.resize(0, 0)?;
    caller.expect("a line of many columns")?;
    let mut person = agentsh(&world, &["attach", "--watch", &command(&world)?])?;
    person.expect("a line of many columns")?;
    person.send([29])?;
    person.finish()?;
    caller.send("\r")?;
    caller.finish()?;
    let recording = recording(&world)?;
    let changes = recording.events.iter().filter_map(|event| match &event.data {
        Data::Resize { cols, rows } => Some((*cols, *rows)),
        _ => None,
    });
    let mut sizes = vec![(recording.header.cols, recording.header.rows)];
    sizes.extend(changes);
    check(sizes.iter().all(|size| *size == (80, 24)), "the recording's", &sizes)
}
