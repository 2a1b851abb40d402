//! Configuration that executes is judged by its content when the new version takes its place.

use std::fs;
use std::time::Duration;

use agentsh_tests::{Outcome, Result, Shell, User, World, fail, session};

/// What the shipped packs say, with a denial in the question's place.
const RULES: &str = r#"  - {name: config, paths: ["**/.git/{config,config.worktree}", "**/.git/modules/**/config"], operations: [write, create, rename], content: git-config, decision: deny}
  - {name: config-links, paths: ["**/.git/{config,config.worktree}", "**/.git/modules/**/config"], operations: [link, symlink], decision: deny}
  - {name: links, paths: ["**/.git", "**/.git/{hooks,modules,worktrees}", "**/.git/{modules,worktrees}/**"], operations: [symlink], decision: deny}
  - {name: folders, paths: ["**/.git", "**/.git/{hooks,modules,worktrees}", "**/.git/worktrees/*/commondir", "**/.git/modules/**/commondir"], operations: [write, create, rename], content: git-link, decision: deny}
  - {name: common-folder, paths: ["**/.git/commondir"], operations: [write, create, rename, link, symlink], decision: deny}
  - {name: samples, paths: ["**/.git/hooks/*.sample"], decision: allow}
  - {name: hooks, paths: ["**/.git/hooks/**"], operations: [write, create, delete, rename, link, symlink, chmod], decision: deny}"#;

fn bash(world: &World, session: &str, text: &str) -> Result<Outcome> {
    session::exec(session, &[], &["bash", "-c", text])
        .deadline(Duration::from_secs(120))
        .run(world)
}

#[test]
fn git_at_work_is_not_disturbed() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let session = crate::attempts::session(&world, RULES, "")?;
        let text = "set -e
git config user.name 'A B'; git config core.autocrlf false; git config alias.st status
git remote add origin https://example.invalid/x.git; git remote set-url origin https://example.invalid/y.git
git branch side; git branch -q --set-upstream-to=main side; git worktree add -q /tmp/tree side
git init -q made; git -C made commit -q --allow-empty -m one; git clone -q made cloned; git clone -q --bare made bare.git
mv cloned moved; git -C moved pull -q; mv moved/.git kept; mv kept moved/.git; git -C moved status --short
git -c protocol.file.allow=always submodule --quiet add \"$PWD/made\" sub; git -C sub config user.name C
git -C sub worktree add -q /tmp/below; git -C /tmp/below status --short; git -C sub worktree move /tmp/below /tmp/moved
git -C /tmp/moved log -1 --format=%s > /dev/null; git -C sub worktree remove /tmp/moved; git submodule --quiet deinit -f sub
git init -q two; git -C two commit -q --allow-empty -m one; git -C moved init -q in; git -C moved/in commit -q --allow-empty -m x
git -C moved -c advice.addEmbeddedRepo=false add in; git -C moved config -f .gitmodules submodule.in.path in
git -C moved config -f .gitmodules submodule.in.url ./in; git -C moved submodule absorbgitdirs; test -f moved/in/.git
git config --unset core.autocrlf; git remote remove origin; git worktree remove /tmp/tree; git gc -q; git fsck
git config user.name; git -C moved config remote.origin.url; git st --short > /dev/null";
        let outcome = bash(&world, &session, text)?;
        outcome.expect_success("git")?;
        if !outcome.out().starts_with("A B\n") {
            return Err(fail(format!("{outcome:?}")));
        }
    }
    Ok(())
}

/// Ways to make the user's git execute something, by texts that end well where they are not stopped.
const ATTEMPTS: [&str; 22] = [
    "git config core.hooksPath /tmp/h",
    "git config core.fsmonitor /tmp/x",
    "git config alias.st '!sh'",
    "git config include.path /tmp/evil",
    "git config filter.x.clean sh",
    "git config --add core.sshCommand sh",
    "git clone -q -c core.hooksPath=/tmp/h . other",
    "cp evil .git/config",
    "mv evil .git/config",
    "mv -T --exchange evil .git/config || python3 -c \"$EXCHANGE\"",
    "ln -f evil .git/config",
    "rm .git/config; ln -s ../evil .git/config",
    "rm .git/config; ln evil .git/config",
    "cat evil >> .git/config",
    "tee -a .git/config < evil",
    "dd if=evil of=.git/config conv=notrunc status=none",
    "mkdir g; cp evil g/config; mkdir new; mv g new/.git",
    "mkdir -p new/.git; cp evil new/.git/config",
    "ln .git/config second; cat evil >> second",
    "python3 -c 'import os; f = open(\"lock\", \"w\"); f.write(\"[core]\\n\"); f.flush(); os.rename(\"lock\", \".git/config\"); f.write(open(\"evil\").read())'",
    "python3 -c 'import os; open(\"lock\", \"w\").write(\"[core]\\n\"); os.link(\"lock\", \"l2\"); os.rename(\"lock\", \".git/config\"); open(\"l2\", \"a\").write(open(\"evil\").read())'",
    "echo evil > .git/hooks/pre-commit",
];

const EXCHANGE: &str = "import ctypes; exit(ctypes.CDLL(None).renameat2(-100, b'evil', -100, b'.git/config', 2))";

#[test]
fn what_makes_git_execute_something_does_not_take_its_place() -> Result {
    for text in ATTEMPTS {
        let caught = |caged: bool| -> Result<(bool, Outcome)> {
            let world = World::new(User::agent())?;
            let evil = world.workspace().join("evil");
            world
                .user()
                .write_file(&evil, "[core]\n\thooksPath = /tmp/h\n", 0o644)?;
            let argv = ["bash", "-c", text];
            let shell = match caged {
                true => session::exec(&crate::attempts::session(&world, RULES, "")?, &[], &argv),
                false => Shell::program(argv[0]).args(&argv[1..]),
            };
            let outcome = shell.env("EXCHANGE", EXCHANGE).run(&world)?;
            let evil_in = |path: &str| {
                let text = fs::read_to_string(world.workspace().join(path))
                    .unwrap_or_default()
                    .to_lowercase();
                let marks = [
                    "hookspath",
                    "sshcommand",
                    "fsmonitor = /",
                    "!sh",
                    "[include]",
                    "[filter",
                ];
                marks.iter().any(|mark| text.contains(mark))
            };
            let places = [".git/config", "other/.git/config", "new/.git/config"];
            let hook = world.workspace().join(".git/hooks/pre-commit").exists();
            Ok((places.into_iter().any(evil_in) || hook, outcome))
        };
        let (native, caged) = (caught(false)?, caught(true)?);
        if !native.0 || caged.0 {
            return Err(fail(format!("{text}: natively {native:?}, in a session {caged:?}")));
        }
    }
    Ok(())
}

#[test]
fn a_file_that_changes_while_it_is_judged_does_not_pass() -> Result {
    let world = World::new(User::agent())?;
    let session = crate::attempts::session(&world, RULES, "")?;
    // One thread renames what is harmless, another opens it for writing as long as it has its old name.
    let text = "import os, threading, time
good, evil = '[core]\\n\\tbare = false\\n', '[core]\\n\\thooksPath = /tmp/h\\n'
end, stop, passed, written = time.time() + 5, [], 0, 0
def write():
    global written
    while not stop:
        try: fd = os.open('lock', os.O_WRONLY)
        except OSError: continue
        os.pwrite(fd, evil.encode(), 0); os.close(fd); written += 1
thread = threading.Thread(target=write); thread.start()
while time.time() < end:
    with open('new', 'w') as file: file.write(good)
    os.rename('new', 'lock')
    try: os.rename('lock', '.git/config'); passed += 1
    except OSError: continue
    time.sleep(0.001)
    if 'hooksPath' in open('.git/config').read(): print('LEAK'); break
stop.append(1); thread.join()
print(passed > 0, written > 0)";
    let outcome = session::run(&world, &session, &["python3", "-c", text])?;
    match outcome.out() == "True True\n" {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}
