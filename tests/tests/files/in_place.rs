//! Configuration that executes, written in place: judged when its writers have closed it, and not in effect before.

use std::fs;
use std::path::Path;
use std::time::Duration;

use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Outcome, Result, Shell, User, World, fail, record, session};

/// What the shipped packs say, with a denial in the question's place.
const RULES: &str = r#"  - {name: config, paths: ["**/.git/{config,config.worktree}"], operations: [write, create, rename], content: git-config, decision: deny}
  - {name: rest-of-git, paths: ["${PROJECT_ROOT}/**"], operations: [delete, truncate], decision: soft_delete}"#;

const PATIENCE: Duration = Duration::from_secs(30);
const EVIL: &str = "[core]\n\thooksPath = /tmp/h\n";

fn bash(world: &World, session: &str, text: &str) -> Result<Outcome> {
    session::exec(session, &[], &["bash", "-c", text])
        .deadline(Duration::from_secs(120))
        .run(world)
}

fn denials(world: &World, path: &Path) -> Result<usize> {
    let path = path.to_string_lossy().into_owned();
    let events = record::events(world)?;
    let denied = events.iter().filter(|event| {
        let config = event.policy.as_ref().is_some_and(|policy| {
            policy.rule.as_deref() == Some("config") && policy.effective.as_deref().unwrap_or("deny") == "deny"
        });
        config && event.path.as_ref().is_some_and(|bytes| bytes.0 == path.as_bytes())
    });
    Ok(denied.count())
}

/// Each line leaves the next a file that it can go on with.
const WORK: &str = "set -e; umask 027
git init -q made; git -C made commit -q --allow-empty -m one
cp -a made copied; tar cf - made | (mkdir out; tar xf - -C out); cp -r made/. third
git -C copied status --short; git -C out/made log --oneline | wc -l
printf '[user]\\n\\tname = A\\n' >> .git/config; git config user.name; printf '\\temail = b@c\\n' >> .git/config; git config user.email
exec 5>> .git/config; echo '# late' >&5; echo '# again' >> .git/config; exec 5>&-
sed -i 's/name = A/name = B/' .git/config; git config user.name
python3 -c 'import os
f = open(\".git/config\", \"r+\"); old = f.read(); f.seek(0); f.write(\"; first\\n\" + old); f.close()
print(open(\".git/config\").read().startswith(\"; first\"), oct(os.stat(\".git/config\").st_mode))'
mkdir -p bare/.git; python3 -c 'import os
fd = os.open(\"bare/.git/config\", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o444); os.write(fd, b\"[a]\\n\"); os.lseek(fd, 0, 0)
print(os.read(fd, 9), os.fstat(fd).st_nlink >= 0); os.fchmod(fd, 0o640); os.utime(fd, (1, 2)); os.close(fd)
os.chmod(\"bare/.git/config\", 0o600)
print(oct(os.stat(\"bare/.git/config\").st_mode), os.stat(\"bare/.git/config\").st_mtime, open(\"bare/.git/config\").read())'
touch -d @5 bare/.git/config; : > third/.git/config; stat -c '%a %s %Y' bare/.git/config third/.git/config | sed 's/ [0-9]\\{9,\\}$//'
ls -A .git bare/.git | grep -v -e sample -e index -e COMMIT -e logs | sort | uniq";

/// The files that it writes.
const WRITTEN: [&str; 5] = [
    ".git/config",
    "copied/.git/config",
    "out/made/.git/config",
    "third/.git/config",
    "bare/.git/config",
];

#[test]
fn ordinary_versions_pass_whoever_writes_them() -> Result {
    type Done = (String, Vec<String>, usize);
    fn done(user: User, caged: bool) -> Result<Done> {
        let world = World::new(user)?;
        let outcome = match caged {
            true => bash(&world, &crate::attempts::session(&world, RULES, "")?, WORK)?,
            false => Shell::program("bash").args(["-c", WORK]).run(&world)?,
        };
        outcome.expect_success("ordinary work")?;
        let path = |path: &&str| fs::read_to_string(world.workspace().join(path)).unwrap_or_default();
        let denied = if caged {
            denials(&world, &world.workspace().join(".git/config"))?
        } else {
            0
        };
        Ok((outcome.out(), WRITTEN.iter().map(path).collect(), denied))
    }
    for (one, other) in User::both().into_iter().zip(User::both()) {
        let (native, caged) = (done(one, false)?, done(other, true)?);
        if native != caged {
            return Err(fail(format!("in a session {caged:#?}, natively {native:#?}")));
        }
    }
    Ok(())
}

#[test]
fn a_version_that_executes_never_takes_its_place_and_is_on_record() -> Result {
    for (text, path) in [
        ("cat evil >> .git/config", ".git/config"),
        ("cp evil .git/config", ".git/config"),
        ("dd if=evil of=.git/config conv=notrunc status=none", ".git/config"),
        ("mkdir -p new/.git; cp evil new/.git/config", "new/.git/config"),
        (
            "python3 -c 'import mmap, os\nf = open(\".git/config\", \"r+b\"); e = open(\"evil\", \"rb\").read(); f.truncate(4096)\nm = mmap.mmap(f.fileno(), 4096); f.close(); m[:] = e + b\"\\n\" * (4096 - len(e)); m.close()'",
            ".git/config",
        ),
        (
            "python3 -c 'import os\nf = os.open(\".git/config\", os.O_WRONLY); r = os.fork()\nif r == 0: os.write(f, open(\"evil\", \"rb\").read())\nos._exit(0)'",
            ".git/config",
        ),
        (
            "python3 -c 'import os\nf = os.open(\".git/config\", os.O_RDWR)\nos.sendfile(f, os.open(\"evil\", os.O_RDONLY), 0, 99)'",
            ".git/config",
        ),
        (
            "python3 -c 'import os\nf = os.open(\".git/config\", os.O_RDWR)\nos.copy_file_range(os.open(\"evil\", os.O_RDONLY), f, 99)'",
            ".git/config",
        ),
        (
            "python3 -c 'import os\nf = os.open(\".git/config\", os.O_WRONLY)\ng = os.open(\"/proc/self/fd/%d\" % f, os.O_WRONLY); os.close(f); os.write(g, open(\"evil\", \"rb\").read())'",
            ".git/config",
        ),
        (
            "python3 -c 'import os\nf = os.open(\".git/config\", os.O_WRONLY)\ntry: os.link(\"/proc/self/fd/%d\" % f, \"second\", follow_symlinks=True)\nexcept OSError: pass\nos.close(f)\ng = open(\"second\", \"a\"); g.write(open(\"evil\").read()); g.close(); open(\".git/config\").read()' ; test -e second",
            "second",
        ),
        (
            "python3 -c 'f = open(\".git/config\", \"a\"); f.write(\"#\" * (1 << 20) + \"\\n\" + open(\"evil\").read())'",
            ".git/config",
        ),
    ] {
        let world = World::new(User::agent())?;
        world.user().write_file(&world.workspace().join("evil"), EVIL, 0o644)?;
        let session = crate::attempts::session(&world, RULES, "")?;
        let before = fs::read_to_string(world.workspace().join(".git/config"))?;
        let outcome = bash(&world, &session, text)?;
        let at = world.workspace().join(path);
        let is_second = path == "second";
        let told = || is_second || denials(&world, &at).is_ok_and(|count| count > 0);
        if !wait_until(PATIENCE, told) {
            return Err(fail(format!("{text}: no denial is on record: {outcome:?}")));
        }
        let evil = |path: &str| {
            let text = fs::read_to_string(world.workspace().join(path)).unwrap_or_default();
            text.contains("hooksPath")
        };
        let old = fs::read_to_string(world.workspace().join(".git/config"))?;
        if evil(".git/config") || evil("new/.git/config") || old != before {
            return Err(fail(format!("{text}: {old:?} {outcome:?}")));
        }
    }
    Ok(())
}

#[test]
fn until_its_writer_closes_it_everybody_has_the_old_version() -> Result {
    let world = World::new(User::agent())?;
    let session = crate::attempts::session(&world, RULES, "")?;
    let text = "exec 5> .git/config; echo '[core]' >&5; echo '  fsmonitor = sh' >&5
git config core.fsmonitor; echo one $?; grep -c fsmonitor .git/config
echo '[core]' > /proc/self/fd/5; echo '# fine' >&5; exec 5>&-; cat .git/config
exec 5>> .git/config; rm .git/config; echo gone >&5; exec 5>&-; ls .git/config";
    let outcome = bash(&world, &session, text)?;
    if !outcome.out().starts_with("one 1\n0\n") {
        return Err(fail(format!("{outcome:?}")));
    }
    // Whoever writes to a name that is gone writes to nobody.
    match world.workspace().join(".git/config").exists() {
        false => Ok(()),
        true => Err(fail(format!("{outcome:?}"))),
    }
}

#[test]
fn what_a_new_version_replaces_is_kept_and_its_end_is_seen_by_the_next_call() -> Result {
    let world = World::new(User::agent())?;
    let session = crate::attempts::session(&world, RULES, "")?;
    let before = fs::read_to_string(world.workspace().join(".git/config"))?;
    let text = "for i in $(seq 200); do echo \"[a] b = $i\" > .git/config; read -r line < .git/config
[ \"$line\" = \"[a] b = $i\" ] || { echo \"$i: $line\"; exit 1; }; done";
    bash(&world, &session, text)?.expect_success("two hundred versions, each read back")?;
    let listed: Vec<serde_json::Value> = world.agentsh(["trash", "list", "--json"])?.json()?;
    let path = world.workspace().join(".git/config");
    let kept = |entry: &&serde_json::Value| entry["original"] == path.to_string_lossy().as_ref();
    let texts: Vec<String> = listed
        .iter()
        .filter(kept)
        .filter_map(|entry| fs::read_to_string(entry["file"].as_str()?).ok())
        .collect();
    match texts.contains(&before) && texts.len() == 200 {
        true => Ok(()),
        false => Err(fail(format!("{} versions are kept", texts.len()))),
    }
}

#[test]
fn a_person_is_asked_about_it_and_the_old_version_stays_until_the_yes() -> Result {
    let world = World::new(User::agent())?;
    let rules = RULES.replace(
        "content: git-config, decision: deny",
        "content: git-config, decision: approve",
    );
    let session = crate::attempts::session(&world, &rules, "")?;
    world.user().write_file(&world.workspace().join("evil"), EVIL, 0o644)?;
    let _watcher = Shell::program(format!("{}/agentsh", agentsh_tests::world::PRODUCT))
        .args(["approve", "--watch", "--json"])
        .stdout(agentsh_tests::Output::Null)
        .deadline(Duration::from_secs(120))
        .spawn(&world)?;
    let listens = || {
        world
            .agentsh(["session", "info", "--json", &session])
            .is_ok_and(|outcome| !outcome.out().contains("nobody can be asked"))
    };
    if !wait_until(PATIENCE, listens) {
        return Err(fail("nobody listens"));
    }
    for (answer, comes) in [("deny", false), ("allow", true)] {
        bash(&world, &session, "cat evil >> .git/config")?.expect_success("the writer is not kept")?;
        let mut asked: Vec<serde_json::Value> = Vec::new();
        let question = || {
            asked = world
                .agentsh(["approve", "list", "--json"])
                .and_then(|outcome| outcome.json())
                .unwrap_or_default();
            asked.len() == 1
        };
        if !wait_until(PATIENCE, question) {
            return Err(fail(format!("{asked:?}")));
        }
        let evil =
            || fs::read_to_string(world.workspace().join(".git/config")).is_ok_and(|text| text.contains("hooksPath"));
        if evil() {
            return Err(fail("it is in its place before the answer"));
        }
        let id = asked[0]["id"].as_str().unwrap_or_default().to_owned();
        world.agentsh(["approve", answer, &id])?.expect_success(answer)?;
        match comes {
            true if !wait_until(PATIENCE, evil) => return Err(fail("it does not come after the yes")),
            true => {}
            false => {
                let at = world.workspace().join(".git/config");
                if !wait_until(PATIENCE, || denials(&world, &at).is_ok_and(|count| count > 0)) || evil() {
                    return Err(fail("a no"));
                }
            }
        }
    }
    Ok(())
}
