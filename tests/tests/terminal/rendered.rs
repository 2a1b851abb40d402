//! `shim.output: json`, and the default of `agentsh exec` by a variable.

use agentsh_tests::{Ended, Input, Result, Shell, User, World, session};
use serde_json::Value;

use super::support::{agentsh, check, interactive, open};

fn configured(world: &World) -> Result {
    let path = world.user().home.join(".config/agentsh/config.yaml");
    world.user().write_file(&path, "shim: {output: json}\n", 0o600)
}

#[test]
fn a_shell_without_a_terminal_prints_one_object_if_the_configuration_says_so() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        configured(&world)?;
        let outcome = Shell::named("bash")
            .args(["-c", "cat; echo oops >&2; cat ~/.ssh/id_ed25519; exit 5"])
            .stdin(Input::Bytes(b"given\n".to_vec()))
            .run_shimmed(&world)?;
        outcome.expect_exit(5, "its status")?;
        let told: Value = outcome.json()?;
        check(
            told["stdout"] == "given\n" && told["exit_code"] == 5 && told["truncated"] == false,
            "what it printed",
            &told,
        )?;
        check(
            told["stderr"].as_str().is_some_and(|text| text.starts_with("oops\n")),
            "its errors",
            &told,
        )?;
        check(told["guidance"]["status"] == "blocked", "what was denied", &told)?;
        let long = Shell::named("sh")
            .args(["-c", "seq 300000; kill -TERM $$"])
            .run_shimmed(&world)?;
        let told: Value = long.json()?;
        check(
            told["truncated"] == true && told["stdout_bytes"] == 1_988_895 && told["signal"] == 15,
            "long output",
            &(&told["truncated"], &told["stdout_bytes"], &told["signal"]),
        )?;
        let id = told["command_id"].as_str().unwrap_or_default().to_owned();
        let kept = world.agentsh(["output", &id])?;
        check(
            kept.out().ends_with("299999\n300000\n"),
            "all of it is kept",
            &kept.out().len(),
        )?;
        // On a terminal it stays what it is.
        let mut terminal = open(&interactive("bash", &["-c", "echo plain"]), &world)?;
        terminal.expect("^plain\r\n")?;
        terminal.finish()?;
    }
    Ok(())
}

#[test]
fn a_variable_changes_the_form_of_exec_alone() -> Result {
    let world = World::new(User::agent())?;
    let id = session::create(&world, &[])?.id;
    let exec = |options: &[&str]| {
        session::exec(&id, options, &["echo", "hello"])
            .env("AGENTSH_OUTPUT", "json")
            .run(&world)
    };
    let told: Value = exec(&[])?.json()?;
    check(told["stdout"] == "hello\n", "exec", &told)?;
    check(
        exec(&["--output", "human"])?.out() == "hello\n",
        "an option is stronger",
        &(),
    )?;
    let shim = Shell::named("bash")
        .args(["-c", "echo hello"])
        .env("AGENTSH_OUTPUT", "json");
    let outcome = shim.run_shimmed(&world)?;
    check(
        outcome.out() == "hello\n" && outcome.ended == Ended::Exit(0),
        "a shell",
        &outcome,
    )
}

/// What a command has printed drives nobody's terminal; who wants the bytes has them.
#[test]
fn kept_output_is_written_out_on_a_terminal() -> Result {
    let world = World::new(User::agent())?;
    let id = session::create(&world, &[])?.id;
    let text = "printf 'one\\ttwo\\033]0;title\\007\\033[31mred\\r\\n'; seq 300000";
    let told: Value = session::exec(&id, &["--output", "json"], &["sh", "-c", text])
        .run(&world)?
        .json()?;
    let id = told["command_id"].as_str().unwrap_or_default().to_owned();
    let raw = world.agentsh(["output", &id])?;
    check(
        raw.out().starts_with("one\ttwo\x1b]0;title\x07\x1b[31mred\r\n1\n"),
        "its bytes",
        &raw.out().len(),
    )?;
    let mut terminal = agentsh(&world, &["output", &id])?;
    terminal.expect("300000\r\n")?;
    let (_, seen) = terminal.finish()?;
    let seen = String::from_utf8_lossy(&seen).into_owned();
    check(
        seen.contains("two\\x1b]0;title\\x07\\x1b[31mred\r\n1\r\n") && !seen.contains('\x1b'),
        "on a terminal",
        &seen.len(),
    )
}
