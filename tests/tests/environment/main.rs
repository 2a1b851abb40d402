//! The environment that programs get: at the start of a command and at every exec below it.

mod hostile;
mod packs;
mod race;

use agentsh_tests::{Result, Shell, User, World, fail, record, session};

/// A token in the shape that its issuer gives it.
const TOKEN: &str = "ghp_0123456789abcdefghijABCDEFGHIJ012345";

const RULES: &str = r#"env_policy: {deny: [KEPT_OUT, "SECRET_*"]}
env_inject: {OPERATOR: "on"}
command_rules:
  - {name: own, commands: [printenv], env_allow: [SHOWN, PATH, OPERATOR, "SECRET_*"], env_deny: [NOT_HERE], decision: allow}
  - {name: few, commands: [uptime], env_max_keys: 2, decision: redirect, redirect_to: {command: /usr/bin/env}}
  - {name: small, commands: [users], decision: redirect, redirect_to: {command: /usr/bin/tac}}
  - {name: counted, commands: [tac], env_max_bytes: 30, decision: redirect, redirect_to: {command: /usr/bin/env}}
  - {name: rest, commands: ["*"], decision: allow}
"#;

fn world(user: User) -> Result<World> {
    let world = World::new(user)?;
    session::with_rules(&world, RULES)?;
    Ok(world)
}

/// The names and values that the innermost program of a text sees, sorted.
fn seen(world: &World, text: &str) -> Result<Vec<String>> {
    let outcome = world.shimmed(text)?;
    outcome.expect_success(text)?;
    let mut lines: Vec<String> = outcome.out().lines().map(str::to_owned).collect();
    lines.sort();
    Ok(lines)
}

#[test]
fn what_policy_names_reaches_no_program_however_deep() -> Result {
    for user in User::both() {
        let world = world(user)?;
        for way in [
            "export KEPT_OUT=1 SECRET_A=2 GIVEN=3; env",
            "KEPT_OUT=1 SECRET_A=2 GIVEN=3 env",
            "env KEPT_OUT=1 SECRET_A=2 GIVEN=3 sh -c env",
            "GIVEN=3 python3 -c 'import os, subprocess; subprocess.run([\"env\"], env={**os.environ, \"KEPT_OUT\": \"1\"})'",
            "GIVEN=3 python3 -c 'import os; os.execve(\"/usr/bin/env\", [\"env\"], {**os.environ, \"SECRET_B\": \"1\"})'",
            "GIVEN=3 python3 -c 'import os; os.execve(os.open(\"/usr/bin/env\", os.O_RDONLY), [\"env\"], {**os.environ, \"SECRET_B\": \"1\"})'",
        ] {
            let lines = seen(&world, way)?;
            let has = |name: &str| lines.iter().any(|line| line.starts_with(name));
            if has("KEPT_OUT") || has("SECRET_") || !has("GIVEN=3") || !has("PATH=") {
                return Err(fail(format!("{way}: {lines:?}")));
            }
        }
    }
    Ok(())
}

#[test]
fn what_the_operator_sets_beats_filtering_at_every_program() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        session::with_rules(
            &world,
            "env_policy: {deny: ['OPER*'], max_keys: 1}\nenv_inject: {OPERATOR: 'on'}\ncommand_rules:\n  - {name: all, commands: ['*'], decision: allow}\n",
        )?;
        for way in ["env", "OPERATOR=off OPERA=1 sh -c 'env; :'", "unset OPERATOR; exec env"] {
            let lines = seen(&world, way)?;
            let found: Vec<&String> = lines.iter().filter(|line| line.starts_with("OPER")).collect();
            if found != ["OPERATOR=on"] || lines.iter().filter(|line| !line.starts_with("OPER")).count() > 4 {
                return Err(fail(format!("{way}: {lines:?}")));
            }
        }
    }
    Ok(())
}

#[test]
fn a_commands_start_is_filtered_before_its_first_program() -> Result {
    for user in User::both() {
        let world = world(user)?;
        let outcome = Shell::named("bash")
            .args([
                "-c",
                "echo ${KEPT_OUT-none} ${SECRET_X-none} $OPERATOR ${GIVEN-none}; env",
            ])
            .env("KEPT_OUT", "1")
            .env("SECRET_X", "1")
            .env("OPERATOR", "off")
            .env("GIVEN", "yes")
            .run_shimmed(&world)?;
        if !outcome.out().starts_with("none none on yes\n") || outcome.out().contains("SECRET_X") {
            return Err(fail(format!("{outcome:?}")));
        }
    }
    Ok(())
}

#[test]
fn the_caller_keeps_what_its_child_does_not_get() -> Result {
    let world = world(User::agent())?;
    let text = r#"python3 -c '
import os, subprocess
os.environ["KEPT_OUT"] = "mine"
for _ in range(3):
    print(subprocess.run(["printenv", "KEPT_OUT"], capture_output=True, text=True, close_fds=False).stdout or "gone", os.environ["KEPT_OUT"])
print(os.popen("echo ${KEPT_OUT-gone}").read(), end="")
'"#;
    let outcome = world.shimmed(text)?;
    match outcome.out() == "gone mine\n".repeat(3) + "gone\n" {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}

#[test]
fn a_value_that_looks_like_a_credential_is_removed_whatever_its_name() -> Result {
    let world = world(User::agent())?;
    let lines = seen(&world, &format!("INNOCENT={TOKEN} SHOWN={TOKEN} PLAIN=ghp_short env"))?;
    let has = |name: &str| lines.iter().any(|line| line.starts_with(name));
    if has("INNOCENT") || has("SHOWN") || !has("PLAIN=ghp_short") {
        return Err(fail(format!("{lines:?}")));
    }
    // A rule that names it lets it pass.
    let lines = seen(
        &world,
        &format!("SHOWN={TOKEN} SECRET_Z={TOKEN} NOT_HERE=1 OTHER=1 printenv"),
    )?;
    match lines.iter().map(|line| line.split('=').next()).collect::<Vec<_>>()
        == [Some("OPERATOR"), Some("PATH"), Some("SHOWN")]
    {
        true => Ok(()),
        false => Err(fail(format!("{lines:?}"))),
    }
}

#[test]
fn limits_cut_the_environment() -> Result {
    let world = world(User::agent())?;
    let lines = seen(&world, "env -i A=1 B=2 C=3 D=4 uptime")?;
    // The operator's own comes on top.
    if lines != ["A=1", "B=2", "OPERATOR=on"] {
        return Err(fail(format!("{lines:?}")));
    }
    // The bytes are counted by the rule of whoever stands in on the way.
    let lines = seen(&world, "env -i A=0123456789 B=0123456789 C=0123456789 users")?;
    match lines == ["A=0123456789", "B=0123456789", "OPERATOR=on"] {
        true => Ok(()),
        false => Err(fail(format!("{lines:?}"))),
    }
}

#[test]
fn what_the_operator_sets_holds_at_every_exec() -> Result {
    let world = world(User::agent())?;
    for way in [
        "env",
        "OPERATOR=off env",
        "env -i /usr/bin/env",
        "env -u OPERATOR sh -c env",
    ] {
        let lines = seen(&world, way)?;
        let own: Vec<_> = lines.iter().filter(|line| line.starts_with("OPERATOR=")).collect();
        if own != ["OPERATOR=on"] {
            return Err(fail(format!("{way}: {lines:?}")));
        }
    }
    Ok(())
}

#[test]
fn the_record_has_names_and_never_values() -> Result {
    let world = world(User::agent())?;
    seen(&world, &format!("KEPT_OUT=the-value-1 INNOCENT={TOKEN} env"))?;
    let event = record::await_event(&world, "env_filtered", |event| {
        event.kind == "env_filtered"
            && event
                .fields
                .get("names")
                .is_some_and(|names| names.to_string().contains("KEPT_OUT"))
    })?;
    if event.fields["names"] != serde_json::json!(["INNOCENT", "KEPT_OUT"]) || event.command_id.is_none() {
        return Err(fail(format!("{event:?}")));
    }
    for session in record::sessions(&world)? {
        let text = std::fs::read_to_string(session.join("events.jsonl"))?;
        // The shell's own text is an argument and is on record; what only the environment held is not.
        let leaks = text
            .lines()
            .filter(|line| line.contains("env_filtered") && (line.contains("the-value-1") || line.contains(TOKEN)));
        if let Some(line) = leaks.into_iter().next() {
            return Err(fail(line.to_owned()));
        }
    }
    Ok(())
}

#[test]
fn code_is_not_brought_into_a_program_under_a_stricter_rule() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        session::with_rules(
            &world,
            "command_rules:\n  - {name: stand-in, commands: [uptime], decision: redirect, redirect_to: {command: /usr/bin/env}}\n  - {name: rest, commands: ['*'], decision: allow}\n",
        )?;
        let set = "LD_LIBRARY_PATH=/x LD_PRELOAD=/nothing.so PYTHONPATH=/x NODE_OPTIONS=-x BASH_ENV=/x GIT_CONFIG_COUNT=0 GIVEN=1";
        let names = |lines: &[String]| {
            let name = |line: &String| line.split('=').next().unwrap_or_default().to_owned();
            lines.iter().map(name).collect::<Vec<_>>()
        };
        // By a plain rule it is the caller's own business.
        let plain = names(&seen(&world, &format!("{set} env 2>/dev/null"))?);
        for name in [
            "LD_LIBRARY_PATH",
            "LD_PRELOAD",
            "PYTHONPATH",
            "NODE_OPTIONS",
            "BASH_ENV",
        ] {
            if !plain.contains(&name.to_owned()) {
                return Err(fail(format!("{name}: {plain:?}")));
            }
        }
        let strict = names(&seen(&world, &format!("{set} uptime"))?);
        let left = |name: &&str| strict.contains(&(**name).to_owned());
        let injecting = [
            "LD_LIBRARY_PATH",
            "LD_PRELOAD",
            "PYTHONPATH",
            "NODE_OPTIONS",
            "BASH_ENV",
            "GIT_CONFIG_COUNT",
        ];
        if injecting.iter().any(left) || !left(&"GIVEN") || !left(&"PATH") {
            return Err(fail(format!("{strict:?}")));
        }
    }
    Ok(())
}
