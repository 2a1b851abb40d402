//! What a recording holds.

use agentsh_terminal::cast::Data;
use agentsh_tests::record::{await_event, events};
use agentsh_tests::{Ended, Result, User, World, session};
use asciicast_rs::{Asciicast, V3};

use super::support::{bash, check, command, open, output, recording, recordings};

#[test]
fn a_session_on_a_terminal_is_recorded_and_found_again() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let mut terminal = open(&bash(), &world)?;
        terminal.at(
            "P> $",
            "echo the needle; cat ~/.ssh/id_ed25519; export T=ghp_0123456789abcdefghijABCDEFGHIJ012345",
        )?;
        terminal.at("P> $", "exit 3")?;
        let (ended, seen) = terminal.finish()?;
        check(ended == Ended::Exit(3), "the end", &ended)?;
        let recording = recording(&world)?;
        let played = output(&recording);
        let masked = String::from_utf8_lossy(&seen).contains("ghp_0123456789") && !played.contains("ghp_0123456789");
        check(
            played.contains("the needle\r\n") && masked,
            "output without secrets",
            &played,
        )?;
        let markers: Vec<&str> = recording
            .events
            .iter()
            .filter_map(|event| match &event.data {
                Data::Marker(label) => Some(label.as_str()),
                _ => None,
            })
            .collect();
        check(
            markers[0].starts_with("$ bash --norc")
                && markers.iter().any(|label| label.starts_with("denied: file_read")),
            "markers",
            &markers,
        )?;
        let last = recording.events.last().map(|event| &event.data);
        check(last == Some(&Data::Exit(3)), "its end", &last)?;
        let command = await_event(&world, "the end", |event| event.kind == "command_finished")?;
        let id = command.command_id.unwrap_or_default();
        let text = world.agentsh(["replay", "--text", &id])?;
        check(text.out().contains("the needle"), "replay", &text)?;
        let found = world.agentsh(["search", "needle"])?;
        check(found.out().contains("the needle"), "search", &found)?;
    }
    Ok(())
}

#[test]
fn an_outside_reader_plays_it_to_the_screen_that_was_live() -> Result {
    let world = World::new(User::agent())?;
    let mut terminal = open(&bash(), &world)?;
    terminal.at(
        "P> $",
        "printf 'gr\\303\\274n \\033[31mred\\033[m\\033[5;5Hhere\\033[?1049h\\033[Hfull\\033[?1049l\\033[K'",
    )?;
    terminal.at("P> $", "printf '\\n%s\\n' end; exit")?;
    let (_, seen) = terminal.finish()?;
    let path = recordings(&world, 1)?.remove(0);
    recording(&world)?;
    let mut played = avt::Terminal::new(80, 24)?;
    let foreign = Asciicast::<V3>::from_path(path)?;
    foreign
        .events
        .iter()
        .filter_map(|event| event.as_output())
        .for_each(|text| played.feed(text));
    let mut live = avt::Terminal::new(80, 24)?;
    live.feed(String::from_utf8_lossy(&seen).as_ref());
    let lines = |terminal: &avt::Terminal| -> Vec<String> {
        terminal
            .screen()
            .visible_lines()
            .map(|line| line.text().to_owned())
            .collect()
    };
    check(
        lines(&live) == lines(&played),
        "the screens",
        &(lines(&live), lines(&played)),
    )
}

#[test]
fn input_is_recorded_only_if_asked_for_and_never_a_password() -> Result {
    for (record, expected) in [("", false), ("record: {input: on}\n", true)] {
        let world = World::new(User::agent())?;
        session::with_rules(&world, record)?;
        let mut terminal = open(
            &bash().args(["-c", "read line; read -r -s -p word: word; echo; echo done"]),
            &world,
        )?;
        terminal.send("open text\r")?;
        terminal.expect("word:$")?;
        terminal.send("hidden word\r")?;
        terminal.expect("done")?;
        terminal.finish()?;
        let recording = recording(&world)?;
        let all = format!("{:?}", recording.events);
        let input = recording
            .events
            .iter()
            .any(|event| matches!(&event.data, Data::Input(text) if text.contains("open text")));
        check(
            input == expected && !all.contains("hidden word"),
            "input",
            &recording.events,
        )?;
        check(
            all.contains("[typed by a person]"),
            "the password is noted",
            &recording.events,
        )?;
    }
    Ok(())
}

#[test]
fn a_long_recording_is_compressed_once_it_is_closed_and_loses_nothing() -> Result {
    let world = World::new(User::agent())?;
    let script = "seq 20000; printf 'no \\377 text\\n'; exit 2";
    let (ended, seen) = open(&bash().args(["-c", script]), &world)?.finish()?;
    check(ended == Ended::Exit(2), "its end", &ended)?;
    let recording = recording(&world)?;
    let path = recordings(&world, 1)?.remove(0);
    check(path.to_string_lossy().ends_with(".cast.zst"), "compressed", &path)?;
    let lost = output(&recording).replace('\u{fffd}', "?");
    let whole = String::from_utf8_lossy(&seen).replace('\u{fffd}', "?");
    check(lost == whole, "what it printed", &(lost.len(), whole.len()))?;
    let id = command(&world)?;
    let text = world.agentsh(["replay", "--text", &id])?;
    text.expect_success("replay")?;
    check(text.out().contains("\n19999\n20000\n"), "replay", &text.out().len())?;
    let found = world.agentsh(["search", "19999"])?;
    check(found.out().contains("19999"), "search", &found)
}

#[test]
fn nothing_is_recorded_or_relayed_where_the_policy_says_so() -> Result {
    let world = World::new(User::agent())?;
    session::with_rules(&world, "record: {terminal: off}\n")?;
    let mut terminal = open(&bash(), &world)?;
    terminal.at("P> $", "ps -o comm= -p $PPID; exit")?;
    terminal.finish()?;
    await_event(&world, "the end", |event| event.kind == "command_finished")?;
    let events = events(&world)?;
    check(
        !events.iter().any(|event| event.kind.starts_with("pty_")),
        "no terminal",
        &events,
    )?;
    recordings(&world, 0).map(drop)
}

#[test]
fn a_full_recording_stops_itself_or_the_command() -> Result {
    for (policy, stops) in [("stop_recording", false), ("stop_command", true)] {
        let world = World::new(User::agent())?;
        session::with_rules(&world, &format!("record: {{max_size: 20000, on_full: {policy}}}\n"))?;
        let terminal = open(&bash().args(["-c", "seq 100000; sleep 0.2; echo over; exit 4"]), &world)?;
        let (ended, seen) = terminal.finish()?;
        let whole = String::from_utf8_lossy(&seen).contains("100000\r\nover\r\n");
        check(whole != stops && (ended == Ended::Exit(4)) != stops, policy, &ended)?;
        await_event(&world, "it stopped", |event| event.kind == "recording_stopped")?;
        let recording = recording(&world)?;
        let last = recording
            .events
            .last()
            .map(|event| format!("{:?}", event.data))
            .unwrap_or_default();
        check(last.contains("recording stopped"), "it says why", &last)?;
    }
    Ok(())
}
