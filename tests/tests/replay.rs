//! Replay and search as a person uses them: foreign, broken, compressed and hostile recordings.

use std::path::PathBuf;

use agentsh_tests::pty::Terminal;
use agentsh_tests::session;
use agentsh_tests::shell::Subject;
use agentsh_tests::world::PRODUCT;
use agentsh_tests::{Ended, Outcome, Result, Shell, User, World, fail};
use serde_json::Value;

const V3: &str = concat!(
    "{\"version\":3,\"term\":{\"cols\":40,\"rows\":6},\"command\":\"make\"}\n",
    "[0.1,\"o\",\"$ make\\r\\n\"]\n[0.1,\"m\",\"$ make\"]\n",
    "[0.2,\"o\",\"\\u001b[31mError\\u001b[0m: no rule\\r\\n\"]\n",
    "[9.0,\"m\",\"denied: file_write /etc/x\"]\n[0.1,\"o\",\"the end\\r\\n\"]\n[0.1,\"x\",\"2\"]\n",
);
const V2: &str =
    "{\"version\":2,\"width\":40,\"height\":6}\n[0.5,\"o\",\"first\\r\\n\"]\n[1.5,\"o\",\"second\\r\\n\"]\n";

fn check(yes: bool, what: &str, seen: &impl std::fmt::Debug) -> Result {
    if yes {
        Ok(())
    } else {
        Err(fail(format!("{what}: {seen:?}")))
    }
}

fn file(world: &World, name: &str, text: impl AsRef<[u8]>) -> Result<PathBuf> {
    let path = world.workspace().join(name);
    world.user().write_file(&path, text, 0o644)?;
    Ok(path)
}

fn ok(world: &World, args: &[&str]) -> Result<String> {
    let outcome = world.agentsh(args)?;
    outcome.expect_success(&args.join(" "))?;
    Ok(outcome.out())
}

fn player(world: &World, args: &[&str]) -> Result<Terminal> {
    let shell = Shell::program(format!("{PRODUCT}/agentsh"))
        .args(["replay"])
        .args(args)
        .on_terminal()
        .env("TERM", "xterm-256color");
    Terminal::open(&shell, world, &Subject::Real)
}

#[test]
fn anybodys_recording_is_exported_whole_cut_or_compressed() -> Result {
    let world = World::new(User::agent())?;
    file(&world, "three.cast", V3)?;
    file(&world, "two.cast", V2)?;
    file(&world, "cut.cast", &V3[..V3.len() - 20])?;
    let packed = Shell::program("zstd").args(["-q", "-c", "three.cast"]).run(&world);
    check(
        ok(&world, &["replay", "--text", "three.cast"])? == "$ make\nError: no rule\nthe end\n",
        "text of version 3",
        &(),
    )?;
    check(
        ok(&world, &["replay", "--text", "two.cast"])? == "first\nsecond\n",
        "text of version 2",
        &(),
    )?;
    check(
        ok(&world, &["replay", "--text", "cut.cast"])?.ends_with("no rule\n"),
        "a cut file",
        &(),
    )?;
    match packed {
        Ok(outcome) if outcome.ended == Ended::Exit(0) => {
            file(&world, "packed.cast.zst", &outcome.stdout)?;
            check(
                ok(&world, &["replay", "--text", "packed.cast.zst"])?.contains("no rule"),
                "compressed",
                &(),
            )?;
        }
        _ => eprintln!("skipped: compressed file (no zstd program)"),
    }
    let summary: Value = serde_json::from_str(&ok(&world, &["replay", "--json", "three.cast"])?)?;
    check(
        summary["exit_code"] == 2 && summary["markers"][1]["label"] == "denied: file_write /etc/x",
        "summary",
        &summary,
    )?;
    let two = ok(&world, &["replay", "--cast", "--format", "v2", "three.cast"])?;
    check(
        two.starts_with("{\"version\":2,\"width\":40") && two.contains("[0.400000, \"o\""),
        "version 2",
        &two,
    )?;
    let three = ok(&world, &["replay", "--cast", "two.cast"])?;
    check(
        three.starts_with("{\"version\":3") && three.contains("[1.000, \"o\", \"second"),
        "version 3",
        &three,
    )?;
    let page = ok(&world, &["replay", "--html", "three.cast"])?;
    check(
        page.contains("no rule") && !page.contains("http://") && !page.contains("src="),
        "page",
        &page,
    )?;
    let early = ok(&world, &["replay", "--svg", "--at", "0.25", "three.cast"])?;
    check(
        early.contains("$ make") && !early.contains("no rule"),
        "picture",
        &early,
    )?;
    ok(&world, &["replay", "--svg", "--out", "p.svg", "three.cast"])?;
    let again = world.agentsh(["replay", "--svg", "--out", "p.svg", "three.cast"])?;
    again.expect_exit(1, "an existing file is not written over")?;
    Ok(())
}

#[test]
fn a_file_that_is_no_recording_is_a_clear_error_and_no_crash() -> Result {
    let world = World::new(User::agent())?;
    let head = "{\"version\":3,\"term\":{\"cols\":40,\"rows\":6}}\n";
    for (name, text, says) in [
        ("empty.cast", String::new(), "not an asciicast recording"),
        ("text.cast", "hello\n".to_owned(), "not an asciicast recording"),
        ("one.cast", "{\"version\":1}\n".to_owned(), "version 1"),
        ("line.cast", format!("{head}[1.0,\"o\"]\n[1.0,\"o\",\"x\"]\n"), "line 2"),
        (
            "time.cast",
            format!("{head}[-1,\"o\",\"x\"]\n[1.0,\"o\",\"x\"]\n"),
            "line 2",
        ),
    ] {
        file(&world, name, text)?;
        let outcome = world.agentsh(["replay", "--text", name])?;
        outcome.expect_exit(1, name)?;
        check(
            outcome.err().matches(says).count() == 1 && outcome.err().contains(name),
            says,
            &outcome,
        )?;
    }
    for missing in ["gone.cast", "/nowhere/x", ".", "0199ffff"] {
        let outcome = world.agentsh(["replay", "--text", missing])?;
        outcome.expect_exit(1, missing)?;
        check(outcome.err().starts_with("agentsh: "), missing, &outcome)?;
    }
    file(
        &world,
        "huge.cast",
        "{\"version\":3,\"term\":{\"cols\":65535,\"rows\":65535}}\n[0,\"o\",\"big\"]\n[0,\"r\",\"65535x65535\"]\n",
    )?;
    check(
        ok(&world, &["replay", "--text", "huge.cast"])? == "big\n",
        "a huge screen",
        &(),
    )?;
    let outcome = world.agentsh(["replay", "huge.cast"])?;
    outcome.expect_exit(1, "without a terminal")?;
    check(
        outcome.err().contains("--text"),
        "it says what to use instead",
        &outcome,
    )
}

/// Waits until the screen of the player, of so many rows and 80 columns, shows the text.
fn shows(terminal: &mut Terminal, rows: usize, text: &str) -> Result {
    loop {
        let mut screen = avt::Terminal::new(80, rows)?;
        screen.feed(terminal.text().as_str());
        let lines: Vec<String> = screen.screen().visible_lines().map(avt::Line::text).collect();
        if lines.iter().any(|line| line.contains(text)) {
            return Ok(());
        }
        terminal
            .expect("(?s).+")
            .map_err(|_| fail(format!("{text:?} is not shown:\n{}", lines.join("\n"))))?;
    }
}

#[test]
fn a_person_plays_seeks_searches_and_leaves_a_sane_terminal() -> Result {
    let world = World::new(User::agent())?;
    file(&world, "three.cast", V3)?;
    let mut terminal = player(&world, &["three.cast"])?;
    shows(&mut terminal, 24, "the end")?;
    shows(&mut terminal, 24, "‖ 0:02.6 / 0:02.6")?;
    terminal.send("0")?;
    shows(&mut terminal, 24, "‖ 0:00.0 / 0:02.6")?;
    terminal.send(".")?;
    shows(&mut terminal, 24, "$ make")?;
    terminal.send("d")?;
    shows(&mut terminal, 24, "denied: file_write")?;
    terminal.resize(12, 80)?;
    shows(&mut terminal, 12, "denied: file_write")?;
    terminal.send("[")?;
    shows(&mut terminal, 12, "‖ 0:00.2")?;
    terminal.send("+i/rule\r")?;
    shows(&mut terminal, 12, "0:09.6 · 2× · 1 × “rule”")?;
    terminal.send("?")?;
    shows(&mut terminal, 12, "play, pause")?;
    terminal.send("?q")?;
    let (ended, seen) = terminal.finish()?;
    check(ended == Ended::Exit(0), "its end", &ended)?;
    let seen = String::from_utf8_lossy(&seen);
    check(
        seen.contains("\u{1b}[?1049h") && seen.rfind("\u{1b}[?1049l") > seen.rfind("\u{1b}[?1049h"),
        "the main screen is back",
        &seen,
    )
}

#[test]
fn a_killed_player_leaves_a_sane_terminal() -> Result {
    let world = World::new(User::agent())?;
    file(&world, "three.cast", V3)?;
    for signal in [libc::SIGTERM, libc::SIGHUP, libc::SIGINT] {
        let mut terminal = player(&world, &["three.cast"])?;
        shows(&mut terminal, 24, "no rule")?;
        terminal.child().signal(signal)?;
        let (ended, seen) = terminal.finish()?;
        let died = matches!(ended, Ended::Signal { number, .. } if number == signal);
        check(died, "its end", &ended)?;
        let seen = String::from_utf8_lossy(&seen);
        check(
            seen.rfind("\u{1b}[?1049l") > seen.rfind("\u{1b}[?1049h"),
            "the main screen is back",
            &seen,
        )?;
    }
    Ok(())
}

#[test]
fn a_recording_cannot_drive_the_viewers_terminal() -> Result {
    let world = World::new(User::agent())?;
    let evil = "a\\u001b]52;c;RVZJTA==\\u0007\\u001b]0;EVILTITLE\\u0007\\u001b]8;;http://evil\\u0007link\\u001b]8;;\\u0007\\u001b[c\\u001b[6n\\u001bP$q\\u001b\\\\\\u001b[?1003h\\u009b5n done";
    file(
        &world,
        "evil.cast",
        format!(
            "{{\"version\":3,\"term\":{{\"cols\":60,\"rows\":5}},\"title\":\"\\u001b]0;EVILTITLE\\u0007\"}}\n[0,\"o\",\"{evil}\"]\n[0,\"m\",\"denied: \\u001b]0;EVILTITLE\\u0007\"]\n[0,\"i\",\"\\u001b]52;c;RVZJTA==\\u0007\"]\n"
        ),
    )?;
    for args in [
        &["evil.cast"][..],
        &["--text", "evil.cast"],
        &["--svg", "evil.cast"],
        &["--cast", "evil.cast"],
        &["--html", "evil.cast"],
    ] {
        let mut terminal = player(&world, args)?;
        if args.len() == 1 {
            terminal.expect("done")?;
            terminal.send("q")?;
        }
        let (ended, seen) = terminal.finish()?;
        check(ended == Ended::Exit(0), "its end", &ended)?;
        let seen = String::from_utf8_lossy(&seen);
        let driven = [
            "\u{1b}]",
            "\u{1b}P",
            "\u{1b}[c",
            "\u{1b}[6n",
            "\u{1b}[?1003h",
            "\u{9b}",
            "\u{7}",
        ];
        let found = driven.iter().find(|sequence| seen.contains(**sequence));
        check(found.is_none(), "what drives a terminal got out", &(args, found, &seen))?;
    }
    Ok(())
}

/// Puts recordings into the folder of a session's record, as the recorder does.
fn recorded(world: &World) -> Result<(String, [String; 2])> {
    let made = session::create(world, &["--name", "work"])?;
    let commands = [
        "0199aaaa-0000-7000-8000-000000000001",
        "0199bbbb-0000-7000-8000-000000000002",
    ];
    let folder = PathBuf::from(&made.path).join("recordings");
    for (command, text) in commands.iter().zip([V3, V2]) {
        world
            .user()
            .write_file(&folder.join(format!("{command}.cast")), text, 0o600)?;
    }
    world.user().write_file(&folder.join("broken.cast"), "no\n", 0o600)?;
    Ok((made.id, commands.map(str::to_owned)))
}

#[test]
fn a_text_is_found_in_all_recordings_of_the_user() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let (session, [command, _]) = recorded(&world)?;
        let outcome: Outcome = world.agentsh(["search", "--json", "error: no"])?;
        outcome.expect_success("search")?;
        let found: Value = serde_json::from_str(outcome.out().trim())?;
        check(
            found["session_id"] == session.as_str()
                && found["command_id"] == command.as_str()
                && found["time_ms"] == 400
                && found["command"] == "make",
            "the place",
            &found,
        )?;
        check(
            outcome.err().contains("broken.cast"),
            "what cannot be read is named",
            &outcome,
        )?;
        let shown = ok(&world, &["search", "--session", "work", "second"])?;
        check(shown.contains("0:01.5  second"), "for people", &shown)?;
        world.agentsh(["search", "nowhere at all"])?.expect_exit(1, "nothing")?;
        world.agentsh(["search", ""])?.expect_exit(2, "an empty text")?;
        check(
            ok(&world, &["replay", "--text", "0199bb"])?.starts_with("first"),
            "by id",
            &(),
        )?;
        world
            .agentsh(["replay", "--text", "0199"])?
            .expect_exit(1, "ambiguous")?;
        std::fs::remove_file(
            world
                .state_dir()
                .join("sessions")
                .join(&session)
                .join("recordings/broken.cast"),
        )?;
        let whole: Value = serde_json::from_str(&ok(&world, &["replay", "--json", "work"])?)?;
        check(
            whole["paths"].as_array().map(Vec::len) == Some(2),
            "a session is joined",
            &whole,
        )?;
    }
    Ok(())
}
