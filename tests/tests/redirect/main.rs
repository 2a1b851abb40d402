//! Another program runs in the place of the one that was asked for: whoever asked, however it was named, and with
//! everything that the caller gave it.

mod caller;
mod loops;

use agentsh_tests::{Result, User, World, fail, record, session};

/// The rules of this suite: `md5sum` becomes `sha1sum --tag`, `factor` tells about itself.
const RULES: &str = r#"command_rules:
  - name: hashes
    commands: [md5sum]
    decision: redirect
    redirect_to: {command: /usr/bin/sha1sum, args_append: ["--tag"]}
    message: "md5 is broken: {{.Args}}"
  - name: tells
    commands: [factor]
    decision: redirect
    redirect_to:
      command: python3
      args:
        - "-c"
        - "import os, sys; print('told', sys.argv[1:], os.environ.get('GIVEN'), os.environ.get('OWN'), os.getcwd(), [n for n in (0, 1, 2, 4, 5, 6, 7) if os.path.exists(f'/proc/self/fd/{n}')], os.getpgrp() == os.getpid(), sys.stdin.read())"
      args_append: [last]
      environment: {OWN: "from the rule"}
  - {name: to-denied, commands: [sha224sum], decision: redirect, redirect_to: {command: /usr/bin/sha512sum}}
  - {name: denied, commands: [sha512sum], decision: deny}
  - {name: rest, commands: ["*"], decision: allow}
"#;

/// The SHA-1 of `x`.
const DIGEST: &str = "11f6ad8ec52a2984abaafd7c3b516503785c2072";

/// A world with a session under [`RULES`] and a file `f` that holds `x`.
fn world(user: User) -> Result<(World, String)> {
    let world = World::new(user)?;
    let id = session::with_rules(&world, RULES)?.id;
    world.user().write_file(&world.workspace().join("f"), "x", 0o644)?;
    Ok((world, id))
}

#[test]
fn however_it_is_named_the_target_runs() -> Result {
    for user in User::both() {
        let (world, _) = world(user)?;
        let line = format!("SHA1 (f) = {DIGEST}\n");
        for way in [
            "md5sum f",
            "/usr/bin/md5sum f",
            "/usr/bin/../bin//md5sum f",
            "ln -sf /usr/bin/md5sum m; ./m f",
            "ln -sf /usr/bin/md5sum m; PATH=.:$PATH; m f",
            "d=$PWD; cd /usr/bin; exec 5<.; cd \"$d\"; /proc/self/fd/5/md5sum f",
            "exec 6</usr/bin/md5sum; /dev/fd/6 f",
            "exec md5sum f",
            "md5sum f | cat",
            "(md5sum f) & wait",
            "sh -c 'env md5sum f'",
            "echo f | xargs md5sum",
            "/lib64/ld-linux-x86-64.so.2 /usr/bin/md5sum f",
        ] {
            let outcome = world.shimmed(way)?;
            if outcome.out() != line || !outcome.err().is_empty() {
                return Err(fail(format!("{way}: {outcome:?}")));
            }
        }
    }
    Ok(())
}

#[test]
fn the_commands_own_program_is_redirected_too() -> Result {
    for user in User::both() {
        let (world, id) = world(user)?;
        let outcome = session::run(&world, &id, &["md5sum", "f"])?;
        if outcome.expect_success("md5sum")?.out() != format!("SHA1 (f) = {DIGEST}\n") {
            return Err(fail(format!("{outcome:?}")));
        }
    }
    Ok(())
}

#[test]
fn arguments_environment_folder_descriptors_and_input_are_the_callers() -> Result {
    for user in User::both() {
        let (world, _) = world(user)?;
        world.user().make_folder(&world.workspace().join("sub"))?;
        let sub = world.workspace().join("sub");
        let text = "cd sub; exec 7</dev/null; set -m; echo -n in | GIVEN=g factor 'a b' ''";
        let outcome = world.shimmed(text)?;
        let expected = format!(
            "told ['a b', '', 'last'] g from the rule {} [0, 1, 2, 7] ",
            sub.display()
        );
        if !outcome.out().starts_with(&expected) || !outcome.out().ends_with(" in\n") {
            return Err(fail(format!("{expected}\n{outcome:?}")));
        }
        // With job control a command alone leads a group of its own, and still does.
        let outcome = world.shimmed("set -m; factor </dev/null")?;
        if !outcome.out().contains(" True ") {
            return Err(fail(format!("{outcome:?}")));
        }
    }
    Ok(())
}

#[test]
fn a_target_is_judged_itself() -> Result {
    let (world, id) = world(User::agent())?;
    let outcome = world.shimmed("sha224sum f; echo $?")?;
    if outcome.out() != "126\n" || !outcome.err().contains("Permission denied") {
        return Err(fail(format!("{outcome:?}")));
    }
    session::run(&world, &id, &["sha224sum", "f"])?.expect_exit(126, "sha224sum")?;
    Ok(())
}

#[test]
fn the_record_tells_what_was_asked_for_and_what_ran() -> Result {
    let (world, _) = world(User::agent())?;
    world.shimmed("md5sum f")?.expect_success("md5sum")?;
    let asked = record::await_event(&world, "the redirect", |event| {
        event.is("process_exec", "redirect", "/usr/bin/md5sum")
    })?;
    let policy = asked.policy.as_ref().ok_or_else(|| fail("no policy"))?;
    let to = policy.redirect.as_ref().and_then(|to| to.as_str());
    if policy.rule.as_deref() != Some("hashes")
        || to != Some("/usr/bin/sha1sum")
        || policy.message.as_deref() != Some("md5 is broken: f")
        || asked.line() != "md5sum f"
    {
        return Err(fail(format!("{asked:?}")));
    }
    let ran = record::await_event(&world, "the target", |event| {
        event.is("process_exec", "allow", "/usr/bin/sha1sum")
    })?;
    match ran.line() == "/usr/bin/sha1sum f --tag" {
        true => Ok(()),
        false => Err(fail(format!("{ran:?}"))),
    }
}
