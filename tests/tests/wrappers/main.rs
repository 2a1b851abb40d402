//! Wrappers: what they are told to execute is judged with them, and they do not count in the depth.

mod lines;

use std::os::unix::fs::PermissionsExt as _;

use agentsh_tests::{Result, User, World, fail, record, session};

const RULES: &str = r#"transparent_commands: {add: [mywrap]}
command_rules:
  - {name: banned, commands: [md5sum], decision: deny}
  - {name: steered, commands: [sha224sum], decision: redirect, redirect_to: {command: /usr/bin/printf, args: ["%s,"]}}
  - {name: first-hand-only, commands: [whoami], decision: deny, context: [nested]}
  - {name: second-hand-only, commands: [uname], decision: deny, context: [direct]}
  - {name: rest, commands: ["*"], decision: allow}
"#;

/// A wrapper with a place for its payload, which is two words.
const WAYS: [&str; 25] = [
    "env PAYLOAD",
    "env -u X A=1 PAYLOAD",
    "env -S 'PAYLOAD'",
    "nice PAYLOAD",
    "nice -n 3 PAYLOAD",
    "nohup PAYLOAD",
    "timeout 20 PAYLOAD",
    "timeout -k 1 -s TERM 20s PAYLOAD",
    "xargs PAYLOAD < f",
    "xargs -r -n 1 -P 2 PAYLOAD < f",
    "setsid -w PAYLOAD",
    "stdbuf -oL PAYLOAD",
    "stdbuf --output=0 PAYLOAD",
    "ionice -c 3 PAYLOAD",
    "chrt -o 0 PAYLOAD",
    "flock lock PAYLOAD",
    "flock -w 3 lock PAYLOAD",
    "taskset 1 PAYLOAD",
    "/usr/bin/time -o t PAYLOAD",
    "strace -f -o t PAYLOAD",
    "ltrace -o t PAYLOAD",
    "setpriv --no-new-privs PAYLOAD",
    "parallel --will-cite -N0 PAYLOAD ::: 1",
    "env nice -n1 timeout 9 nohup PAYLOAD",
    "chmod +x mywrap; ./mywrap PAYLOAD",
];

fn world(user: User) -> Result<(World, String)> {
    let world = World::new(user)?;
    let id = session::with_rules(&world, RULES)?.id;
    let workspace = world.workspace();
    world.user().write_file(&workspace.join("f"), "f\n", 0o644)?;
    world
        .user()
        .write_file(&workspace.join("mywrap"), "#!/bin/sh\nexec \"$@\"\n", 0o755)?;
    Ok((world, id))
}

#[test]
fn a_payload_that_is_allowed_runs_as_ever() -> Result {
    for user in User::both() {
        let (world, _) = world(user)?;
        for way in WAYS {
            let text = way.replace("PAYLOAD", "sha1sum f");
            let outcome = world.shimmed(&text)?;
            if !outcome
                .expect_success(&text)?
                .out()
                .starts_with("a9fcd54b25e7e863d72cd47c08af46e61b74b561  f\n")
            {
                return Err(fail(format!("{text}: {outcome:?}")));
            }
        }
    }
    Ok(())
}

#[test]
fn a_wrapper_of_what_is_denied_does_not_even_start() -> Result {
    for user in User::both() {
        let (world, _) = world(user)?;
        for way in WAYS {
            let text = way.replace("PAYLOAD", "md5sum f");
            let outcome = world.shimmed(&text)?;
            // The shell's own words about the wrapper, not the wrapper's about its payload.
            let refused = outcome.err().starts_with("bash: ") && outcome.err().ends_with(": Permission denied\n");
            if !outcome.out().is_empty() || !refused || outcome.err().contains("md5sum") {
                return Err(fail(format!("{text}: {outcome:?}")));
            }
        }
        record::await_event(&world, "the denial", |event| {
            event.is("process_exec", "deny", "/usr/bin/md5sum") && event.line() == "md5sum f"
        })?;
    }
    Ok(())
}

#[test]
fn a_payload_that_is_redirected_is_so_when_it_starts() -> Result {
    let (world, _) = world(User::agent())?;
    let outcome = world.shimmed("nice env sha224sum a b; echo c | xargs sha224sum")?;
    match outcome.out() == "a,b,c," {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}

#[test]
fn wrappers_do_not_count_in_the_depth() -> Result {
    let (world, id) = world(User::agent())?;
    session::run(&world, &id, &["whoami"])?.expect_success("whoami")?;
    session::run(&world, &id, &["env", "nice", "-n", "1", "whoami"])?.expect_success("env nice whoami")?;
    session::run(&world, &id, &["nice", "uname"])?.expect_exit(126, "nice uname")?;
    let outcome = world.shimmed("env whoami; echo $?; nice env uname; uname >&2")?;
    match outcome.out() == "126\nLinux\n" {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}

#[test]
fn a_program_inside_of_a_box_is_judged_by_its_own_name() -> Result {
    for user in User::both() {
        let (world, _) = world(user)?;
        let text =
            "busybox sha1sum f; busybox md5sum f; echo $?; ln -s $(command -v busybox) md5sum; ./md5sum f; echo $?
busybox env busybox md5sum f; echo $?; busybox sha224sum in the box; busybox timeout 9 ./md5sum f; echo $?";
        let outcome = world.shimmed(text)?;
        let expected = "a9fcd54b25e7e863d72cd47c08af46e61b74b561  f\n126\n126\n126\nin,the,box,126\n";
        if outcome.out() != expected {
            return Err(fail(format!("{outcome:?}")));
        }
    }
    Ok(())
}

#[test]
fn a_box_is_what_it_is_called_and_its_shell_hides_nothing() -> Result {
    for user in User::both() {
        let (world, _) = world(user)?;
        for (text, out) in [
            ("exec -a md5sum busybox f", ""),
            ("exec -a -md5sum busybox f", ""),
            ("exec -a /x/md5sum busybox f", ""),
            ("exec -a busybox busybox md5sum f", ""),
            ("busybox busybox md5sum f", ""),
            ("busybox env A=1 md5sum f", ""),
            ("busybox $(yes busybox | head -n 8) md5sum f", ""),
            ("busybox $(yes 'env nice' | head -n 40) md5sum f", ""),
            ("busybox timeout 9 busybox md5sum f", ""),
            ("echo f | busybox xargs md5sum", ""),
            // What such a shell runs by itself no rule would see.
            ("busybox sh -c 'md5sum f'", ""),
            ("busybox ash -c 'md5sum f'", ""),
            ("echo 'md5sum f' | busybox sh", ""),
            ("exec -a sh busybox -c 'md5sum f'", ""),
            ("busybox find f -exec md5sum {} +", ""),
            (
                "printf '#!/usr/bin/busybox sh\nmd5sum f\n' > script; chmod +x script; ./script",
                "",
            ),
            // Everything else in the box is as free as ever.
            (
                "busybox env A=1 busybox sha1sum f",
                "a9fcd54b25e7e863d72cd47c08af46e61b74b561  f\n",
            ),
            (
                "busybox xargs sha1sum < names",
                "a9fcd54b25e7e863d72cd47c08af46e61b74b561  f\n",
            ),
            (
                "exec -a sha1sum busybox f",
                "a9fcd54b25e7e863d72cd47c08af46e61b74b561  f\n",
            ),
        ] {
            world
                .user()
                .write_file(&world.workspace().join("names"), "f\n", 0o644)?;
            let outcome = world.shimmed(text)?;
            if outcome.out() != out || out.is_empty() && outcome.err().is_empty() {
                return Err(fail(format!("{text}: {outcome:?}")));
            }
        }
        let event = record::await_event(&world, "why", |event| {
            event.kind == "process_exec"
                && event
                    .policy
                    .as_ref()
                    .and_then(|policy| policy.message.as_deref())
                    .is_some_and(|text| text.contains("would run `md5sum`"))
        })?;
        if event.policy.as_ref().and_then(|policy| policy.rule.as_deref()) != Some("banned") {
            return Err(fail(format!("{event:?}")));
        }
    }
    Ok(())
}

#[test]
fn the_shell_of_a_box_runs_where_policy_stops_nothing_that_is_in_it() -> Result {
    let world = World::new(User::agent())?;
    session::with_rules(
        &world,
        "command_rules:\n  - {name: no-npm, commands: [npm], decision: deny}\n  - {name: rest, commands: ['*'], decision: allow}\n",
    )?;
    let outcome = world
        .shimmed("busybox sh -c 'echo x | sha1sum | cut -c1-4'; busybox wget --help 2>&1 | head -n 1 | cut -c1-7")?;
    match outcome.out() == "6fcf\nBusyBox\n" {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}

#[test]
fn what_a_wrapper_is_told_in_ways_that_nobody_understands_is_judged_when_it_runs() -> Result {
    let (world, _) = world(User::agent())?;
    for text in [
        "env -S 'sh -c \"md5sum f\"'",
        "flock lock -c 'md5sum f'",
        "sh -c 'exec env -- $(printf md5sum) f'",
        "find f -exec md5sum {} ';'",
        "python3 -c 'import os; os.execvp(\"env\", [\"nice\", \"md5sum\", \"f\"])'",
        "PATH=/nowhere /usr/bin/env PATH=/usr/bin md5sum f",
    ] {
        let outcome = world.shimmed(text)?;
        if !outcome.out().is_empty() || outcome.err().is_empty() {
            return Err(fail(format!("{text}: {outcome:?}")));
        }
    }
    Ok(())
}

/// Puts a program that always fails in the place of sudo.
fn sudo(world: &World) -> Result {
    let path = world.workspace().join("bin/sudo");
    world.user().make_folder(&world.workspace().join("bin"))?;
    std::fs::copy("/bin/false", &path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o4755))?;
    Ok(())
}

#[test]
fn root_needs_no_sudo() -> Result {
    let (world, _) = world(User::root())?;
    sudo(&world)?;
    let text = "PATH=$PWD/bin:$PATH; sudo -n id -u; sudo -E GIVEN='a b' -- printenv GIVEN; sudo -u root sudo echo twice
sudo md5sum f; echo $?; sudo -u nobody id -u; echo $?; echo in | sudo cat; command sudo sha224sum x";
    let outcome = world.shimmed(text)?;
    // For another user sudo runs itself, and here it fails.
    if outcome.out() != "0\na b\ntwice\n126\n1\nin\nx," {
        return Err(fail(format!("{outcome:?}")));
    }
    record::await_event(&world, "what became of sudo", |event| {
        event.kind == "process_exec"
            && event.policy.as_ref().is_some_and(|policy| policy.redirect.is_some())
            && event.line() == "sudo -n id -u"
    })?;
    Ok(())
}

#[test]
fn nobody_else_gets_anything_by_sudo() -> Result {
    let (world, _) = world(User::agent())?;
    sudo(&world)?;
    std::os::unix::fs::chown(world.workspace().join("bin/sudo"), Some(0), Some(0))?;
    std::fs::set_permissions(
        world.workspace().join("bin/sudo"),
        std::fs::Permissions::from_mode(0o4755),
    )?;
    let outcome = world.shimmed("PATH=$PWD/bin:$PATH; sudo id -u; echo $?")?;
    match outcome.out() == "1\n" {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}
