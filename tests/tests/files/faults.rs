//! What fails in the middle: nothing is lost, nothing is half done, nobody else waits.

use std::fs;
use std::path::Path;
use std::time::Duration;

use agentsh_tests::world::mounts::memory_of_size;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Outcome, Result, Shell, User, World, fail, session};
use nix::mount::{MsFlags, mount};
use serde_json::Value;

use crate::attempts::session;

const KEEP: &str =
    r#"  - {name: keep, paths: ["${PROJECT_ROOT}/**"], operations: [delete, rmdir, truncate], decision: soft_delete}"#;

fn bash(world: &World, session: &str, text: &str) -> Result<Outcome> {
    session::run(world, session, &["bash", "-c", text])
}

/// Everything that the trash holds, by the path that it had.
fn kept(world: &World) -> Result<Vec<String>> {
    let listed: Vec<Value> = world.agentsh(["trash", "list", "--json"])?.json()?;
    let original = |entry: &Value| entry["original"].as_str().unwrap_or_default().to_owned();
    Ok(listed.iter().map(original).collect())
}

/// The entry that came last.
fn newest(world: &World) -> Result<String> {
    let listed: Vec<Value> = world.agentsh(["trash", "list", "--json"])?.json()?;
    let ids = listed.iter().filter_map(|entry| entry["id"].as_str());
    Ok(ids.max().unwrap_or_default().to_owned())
}

/// Ways to lose `kept`.
const LOSSES: [&str; 6] = [
    "rm kept",
    "mv -f other kept",
    ": > kept",
    "truncate -s 1 kept",
    "sed -i s/x/y/ kept",
    "dd if=/dev/null of=kept status=none",
];

#[test]
fn a_full_file_system_refuses_what_it_cannot_keep() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let small = world.workspace().join("small");
        world.user().make_folder(&small)?;
        memory_of_size(&small, 0o777, "256k")?;
        world
            .user()
            .write_file(&small.join("kept"), vec![b'x'; 20_000], 0o644)?;
        world.user().write_file(&small.join("other"), "other", 0o644)?;
        let session = session(&world, KEEP, "")?;
        // The trash of this mount comes into being, then the mount is full.
        bash(&world, &session, "cd small; echo > first; rm first")?.expect_success("first")?;
        bash(
            &world,
            &session,
            "cd small; dd if=/dev/zero of=filler bs=1k 2>/dev/null; cat filler > /dev/null",
        )?;
        for loss in LOSSES {
            world.user().write_file(&small.join("other"), "", 0o644)?;
            let outcome = bash(&world, &session, &format!("cd small; {loss}"))?;
            let refused = outcome.expect_success(loss).is_err();
            let entries = kept(&world)?.iter().filter(|path| path.ends_with("/kept")).count();
            // What is moved or linked needs no room of its own: it may be kept all the same.
            match (refused, entries) {
                (true, 0) => {}
                (false, 1) => {
                    let _ = fs::remove_file(small.join("kept"));
                    let id = newest(&world)?;
                    world.agentsh(["trash", "restore", &id])?.expect_success("restore")?;
                }
                _ => return Err(fail(format!("{loss}, {entries} entries: {outcome:?}"))),
            }
            if fs::read(small.join("kept"))? != vec![b'x'; 20_000] {
                return Err(fail(format!("{loss}: {outcome:?}")));
            }
        }
    }
    Ok(())
}

#[test]
fn a_read_only_file_system_loses_nothing() -> Result {
    let world = World::new(User::root())?;
    let small = world.workspace().join("small");
    world.user().make_folder(&small)?;
    memory_of_size(&small, 0o777, "256k")?;
    world.user().write_file(&small.join("kept"), "x", 0o644)?;
    world.user().write_file(&small.join("other"), "other", 0o644)?;
    let session = session(&world, KEEP, "")?;
    mount(
        None::<&str>,
        &small,
        None::<&str>,
        MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY,
        None::<&str>,
    )?;
    for loss in LOSSES {
        let outcome = bash(&world, &session, &format!("cd small; {loss}"))?;
        if !outcome.err().contains("Read-only file system") || fs::read_to_string(small.join("kept"))? != "x" {
            return Err(fail(format!("{loss}: {outcome:?}")));
        }
    }
    match kept(&world)?.is_empty() {
        true => Ok(()),
        false => Err(fail("a refused deletion left an entry")),
    }
}

/// Every file that there was is in its place or in the trash, once.
fn nothing_is_missing(world: &World, count: usize) -> Result<(usize, usize)> {
    let listed = kept(world)?;
    let (mut there, mut gone) = (0, 0);
    for number in 0..count {
        let path = world.workspace().join(format!("many/{number}"));
        let text = path.to_string_lossy().into_owned();
        let copies = listed.iter().filter(|original| **original == text).count();
        match (fs::read_to_string(&path), copies) {
            (Ok(content), 0) if content == number.to_string() => there += 1,
            (Err(_), 1) => gone += 1,
            (found, copies) => return Err(fail(format!("{text}: {found:?}, {copies} in the trash"))),
        }
    }
    Ok((there, gone))
}

fn many(world: &World, count: usize) -> Result {
    for number in 0..count {
        let path = world.workspace().join(format!("many/{number}"));
        world.user().write_file(&path, number.to_string(), 0o644)?;
    }
    Ok(())
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

#[test]
fn workers_killed_in_the_middle_leave_every_file_in_its_place_or_in_the_trash() -> Result {
    let world = World::new(User::agent())?;
    let count = 3000;
    many(&world, count)?;
    let session = session(&world, KEEP, "")?;
    let remove = "ls many | xargs -P 4 -n 50 sh -c 'cd many; rm -f \"$@\"' -";
    let child = session::exec(&session, &[], &["bash", "-c", remove]).spawn(&world)?;
    let folder = world.workspace().join("many");
    if !wait_until(Duration::from_secs(30), || entries(&folder) < count - 200) {
        return Err(fail("nothing is removed"));
    }
    for supervisor in world.supervisors() {
        supervisor.signal(libc::SIGKILL);
    }
    child.finish(Duration::from_secs(60))?;
    // A broker that starts repairs.
    world.agentsh(["broker", "stop"])?;
    world.agentsh(["broker", "start"])?.expect_success("start")?;
    let (there, gone) = nothing_is_missing(&world, count)?;
    match there > 0 && gone > 0 {
        true => Ok(()),
        false => Err(fail(format!("{there} there, {gone} gone: it was not in the middle"))),
    }
}

#[test]
fn callers_killed_in_the_middle_leave_nothing_half_done() -> Result {
    let world = World::new(User::agent())?;
    let count = 1000;
    many(&world, count)?;
    let session = session(&world, KEEP, "")?;
    // Each remover is killed at some point of its work; what a new one makes is whole or absent.
    let text = "cd many
for round in $(seq 40); do
    (for file in *; do rm $file; done) & victim=$!
    for turn in $(seq $((round * 40))); do :; done
    kill -9 $victim; wait $victim 2>/dev/null
    (while :; do echo 12345678 > ../made.$round; mv ../made.$round ../whole.$round; rm -f ../whole.$round; done) & victim=$!
    for turn in $(seq $((round * 40))); do :; done
    kill -9 $victim; wait $victim 2>/dev/null
done
ls | wc -l";
    bash(&world, &session, text)?.expect_success("the removers")?;
    let (there, gone) = nothing_is_missing(&world, count)?;
    if there + gone != count || gone == 0 {
        return Err(fail(format!("{there} there, {gone} gone")));
    }
    for entry in fs::read_dir(world.workspace())?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("whole.") && fs::read_to_string(entry.path())? != "12345678\n" {
            return Err(fail(name));
        }
    }
    Ok(())
}

#[test]
fn who_comes_in_while_another_waits_serves_everybody() -> Result {
    let world = World::new(User::root())?;
    // The thread that comes in is started by one that acts for a caller with fewer rights than ours.
    let text = "mkfifo f; (echo line > f) & for n in 1 2 3 4 5 6 7 8; do touch w; done
su nobody -s /bin/sh -c 'id -un'; cat f; wait; su nobody -s /bin/sh -c 'id -un'";
    world.shimmed(text)?.expect_out("nobody\nline\nnobody\n").map(drop)
}

/// The same, where the first that it is asked is about a caller who has changed groups, which is looked up.
#[test]
fn who_comes_in_looks_callers_up_by_rights_of_its_own() -> Result {
    let world = World::new(User::root())?;
    let text = "import os
os.setgroups([])
os.mkfifo('/tmp/queue')
os.chmod('/tmp/queue', 0o666)
if os.fork() == 0:
    os.seteuid(4242)
    open('/tmp/queue').read()
    os._exit(0)
for _ in range(3000): open('/tmp/file', 'w').close()
open('/tmp/queue', 'w').close()
print('over', os.wait()[1])";
    let outcome = Shell::named("bash")
        .args(["-c", "exec python3 -c \"$TEXT\""])
        .env("TEXT", text);
    outcome.run_shimmed(&world)?.expect_out("over 0\n").map(drop)
}

#[test]
fn who_waits_for_a_fifo_keeps_nobody_else() -> Result {
    let world = World::new(User::agent())?;
    let session = session(&world, KEEP, "")?;
    // More waiters than there are workers; then all of them get their other end.
    let text = "mkfifo f
for n in $(seq 150); do (read line < f; echo got $line) & done
echo through > plain; cat plain; rm plain
mkfifo g; (read line < g; echo $line) & reader=$!; echo other > g; wait $reader
exec 3<> f; for n in $(seq 150); do echo $n; done >&3
wait";
    let outcome = session::exec(&session, &[], &["bash", "-c", text])
        .deadline(Duration::from_secs(60))
        .run(&world)?;
    outcome.expect_success("fifo")?;
    let out = outcome.out();
    let got = out.lines().filter(|line| line.starts_with("got")).count();
    match out.starts_with("through\nother\n") && got == 150 {
        true => Ok(()),
        false => Err(fail(format!("{got}: {outcome:?}"))),
    }
}
