//! Files that are redirected: writes go elsewhere, and reads see what was written there.

use std::fs;

use agentsh_tests::{Result, User, World, fail, record, session};

const RULES: &str = r#"  - {name: flat, paths: ["${PROJECT_ROOT}/flat/**"], operations: [write, create], decision: redirect, redirect_to: /tmp/flat}
  - {name: tree, paths: ["${PROJECT_ROOT}/tree/**"], operations: [write, create], decision: redirect, redirect_to: /tmp/tree, preserve_tree: true}"#;

#[test]
fn writes_go_elsewhere_reads_see_them_and_the_originals_stay() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let top = world.workspace();
        for file in ["flat/a/f", "tree/a/f", "flat/unwritten", "flat/more"] {
            world.user().write_file(&top.join(file), "original\n", 0o644)?;
        }
        let session = crate::attempts::session(&world, RULES, "")?;
        let text = "cat flat/a/f tree/a/f flat/unwritten
echo written > flat/a/f; echo written > tree/a/f; echo new > tree/a/new; echo more >> tree/a/f; echo more >> flat/more
cat flat/a/f tree/a/f tree/a/new flat/unwritten
python3 -c 'print(open(\"tree/a/new\").read(), end=\"\")'; cd tree/a; cat ./f ../../flat/a/f
ls";
        let outcome = session::run(&world, &session, &["bash", "-c", text])?;
        outcome.expect_success("redirects")?;
        // The listing shows what is there: the new file is not.
        let expected =
            "original\noriginal\noriginal\nwritten\nwritten\nmore\nnew\noriginal\nnew\nwritten\nmore\nwritten\nf\n";
        if outcome.out() != expected {
            return Err(fail(format!("{outcome:?}")));
        }
        let tree = format!("/tmp/tree{}/tree/a", top.display());
        let there = [
            (top.join("flat/a/f"), "original\n"),
            (top.join("tree/a/f"), "original\n"),
            ("/tmp/flat/f".into(), "written\n"),
            (top.join("flat/more"), "original\n"),
            ("/tmp/flat/more".into(), "original\nmore\n"),
            (format!("{tree}/f").into(), "written\nmore\n"),
            (format!("{tree}/new").into(), "new\n"),
        ];
        for (path, text) in there {
            let found = fs::read_to_string(&path).map_err(|error| fail(format!("{}: {error}", path.display())))?;
            if found != text {
                return Err(fail(format!("{}: {found:?}", path.display())));
            }
        }
        if top.join("tree/a/new").exists() {
            return Err(fail("the new file is in its place"));
        }
        let to = format!("{tree}/new");
        record::await_event(&world, "a redirect with both paths", |event| {
            let redirected = event
                .policy
                .as_ref()
                .is_some_and(|policy| policy.decision == "redirect");
            redirected && event.path2.as_ref().is_some_and(|path| path.0 == to.as_bytes())
        })?;
    }
    Ok(())
}

#[test]
fn what_cannot_be_redirected_is_refused_and_links_lead_nowhere() -> Result {
    let world = World::new(User::agent())?;
    let top = world.workspace();
    world.user().write_file(&top.join("flat/f"), "original\n", 0o644)?;
    world.user().write_file(&top.join("aim"), "aim\n", 0o644)?;
    let rules = RULES.replace("[write, create]", "[write, create, delete, rename, chmod]");
    let session = crate::attempts::session(&world, &rules, "")?;
    for text in [
        "rm -f flat/f",
        "chmod 600 flat/f",
        "mv flat/f elsewhere",
        "mv aim flat/aim",
        "mkdir -p /tmp/flat; ln -sf $PWD/aim /tmp/flat/f; echo overwritten > flat/f",
    ] {
        let outcome = session::run(&world, &session, &["bash", "-c", text])?;
        let untouched = |file: &str, text: &str| fs::read_to_string(top.join(file)).is_ok_and(|found| found == text);
        let whole = untouched("flat/f", "original\n") && untouched("aim", "aim\n");
        if outcome.expect_success(text).is_ok() || !whole {
            return Err(fail(format!("{text}: {outcome:?}")));
        }
    }
    Ok(())
}

#[test]
fn looks_see_what_was_redirected_and_listings_do_not() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let top = world.workspace();
        for file in ["tree/a/f", "tree/a/unwritten"] {
            world.user().write_file(&top.join(file), "original\n", 0o644)?;
        }
        let session = crate::attempts::session(&world, RULES, "")?;
        let text = "echo longer than before > tree/a/f; echo new > tree/a/new; chmod 600 /tmp/tree/$PWD/tree/a/new
stat -c '%s' tree/a/f tree/a/unwritten; test -s tree/a/new && test -r tree/a/new && [ tree/a/new -nt tree/a/unwritten ]; echo $?
python3 -c 'import os
print(os.stat(\"tree/a/new\").st_size, oct(os.stat(\"tree/a/new\").st_mode), os.access(\"tree/a/new\", os.X_OK), os.path.isdir(\"tree/a\"))
fd = os.open(\"tree/a/f\", os.O_RDONLY); print(os.fstat(fd).st_size, os.stat(\"tree/a/f\").st_ino == os.fstat(fd).st_ino, os.listxattr(\"tree/a/f\"))
try: os.stat(\"tree/a/nothing\")
except OSError as error: print(error.errno)'
stat tree/a > /dev/null && ls tree/a";
        let outcome = session::run(&world, &session, &["bash", "-c", text])?;
        outcome.expect_success("looks")?;
        let expected = "19\n9\n0\n4 0o100600 False True\n19 True []\n2\nf\nunwritten\n";
        if outcome.out() != expected {
            return Err(fail(format!("{outcome:?}")));
        }
    }
    Ok(())
}
