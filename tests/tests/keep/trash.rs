//! `agentsh trash`, and the deletions that fill it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;
use std::time::Duration;

use agentsh_protocol::Bytes;
use agentsh_protocol::api::SessionInfo;
use agentsh_tests::world::mounts::memory;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Outcome, Result, Shell, User, World, fail, record, session};
use serde::Deserialize;

/// What the shell texts lose.
const PRECIOUS: &str = "precious\n";

/// A way to lose the file `kept`, run by bash in the workspace after what it needs was laid out.
const LOSSES: [(&str, &str); 10] = [
    ("rm", "rm kept"),
    ("rm -rf", "rm -rf -- kept"),
    ("mv over it", "mv other kept"),
    ("> file", ": > kept"),
    ("sed -i", "sed -i s/precious/worthless/ kept"),
    ("git clean", "git clean -qfdx"),
    ("git checkout", "git checkout -q -- kept"),
    ("find -delete", "find . -name kept -delete"),
    ("truncate", "truncate -s 0 kept"),
    ("dd", "dd if=/dev/null of=kept status=none"),
];

/// The members of `agentsh trash list --json`: one that is not listed here is an error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "the shape is what is tested")]
struct Entry {
    id: String,
    time: String,
    original: Option<Bytes>,
    session_id: Option<String>,
    command_id: Option<String>,
    rule: Option<String>,
    cause: String,
    how: String,
    kind: String,
    size: u64,
    charge: u64,
    mode: String,
    uid: u32,
    gid: u32,
    mtime: String,
    links: u32,
    file: Option<Bytes>,
}

/// A policy that keeps what is deleted in the workspace, with these settings of the trash.
fn policy(settings: &str) -> String {
    let rule = r#"  - {name: keep, paths: ["${PROJECT_ROOT}/**"], operations: [delete, rmdir, truncate], decision: soft_delete}"#;
    let base = session::BASE.replacen("file_rules:\n", &format!("file_rules:\n{rule}\n"), 1);
    format!("{base}filesystem:\n  trash: {{{settings}}}\n")
}

fn create(world: &World, settings: &str) -> Result<String> {
    let path = session::write_policy(world, "keep", &policy(settings))?;
    Ok(session::create(world, &["--policy", &path.to_string_lossy()])?.id)
}

fn bash(world: &World, session: &str, text: &str) -> Result<Outcome> {
    session::run(world, session, &["bash", "-c", text])
}

/// Where the top of a mount is not the user's to write, what lies in the workspace is seen by whoever looks through it.
#[test]
fn the_trash_of_a_mount_lies_above_the_workspace_where_it_can() -> Result {
    let world = World::new(User::agent())?;
    let mounted = world.user().home.join("mounted");
    world.user().make_folder(&mounted)?;
    memory(&mounted, 0o755)?;
    let (own, work) = (mounted.join("own"), mounted.join("own/projects/work"));
    fs::create_dir(&own)?;
    chown(&own, Some(world.user().uid), Some(world.user().gid))?;
    world.user().make_folder(&work)?;
    world.user().write_file(&work.join("kept"), PRECIOUS, 0o644)?;
    let path = session::write_policy(&world, "keep", &policy(""))?;
    let (there, path) = (work.to_string_lossy(), path.to_string_lossy());
    let created = world.agentsh(["session", "create", "--workspace", &*there, "--policy", &*path])?;
    let session = created.json::<SessionInfo>()?.id;
    let text = format!("cd {there} && rm kept && ls -A && find . && grep -r precious .; echo $?");
    let outcome = bash(&world, &session, &text)?;
    outcome.expect_success("a deletion")?;
    if (outcome.out().as_str(), outcome.err().as_str()) != (".\n1\n", "") {
        return Err(fail(format!("the trash is seen: {outcome:?}")));
    }
    let trash = own.join(format!(".agentsh-trash-{}", world.user().uid));
    if !trash.is_dir() {
        return Err(fail(format!("no {}", trash.display())));
    }
    let entry = entry_of(&world, &format!("{there}/kept"))?;
    world
        .agentsh(["trash", "restore", &entry.id])?
        .expect_success("restore")?;
    if fs::read_to_string(work.join("kept"))? != PRECIOUS {
        return Err(fail("restored, and something else"));
    }
    // It is closed to the session all the same.
    let outcome = bash(&world, &session, &format!("ls -A {}", trash.display()))?;
    match outcome.expect_success("a look") {
        Ok(_) => Err(fail(format!("a session reads the trash: {outcome:?}"))),
        Err(_) => Ok(()),
    }
}

fn list(world: &World, options: &[&str]) -> Result<Vec<Entry>> {
    world.agentsh(["trash", "list", "--json"].iter().chain(options))?.json()
}

/// The newest entry that was at `path`.
fn entry_of(world: &World, path: &str) -> Result<Entry> {
    let found = list(world, &["--path", path])?.into_iter().next();
    found.ok_or_else(|| fail(format!("nothing of {path} is in the trash")))
}

/// Restores an entry, and reads what came back.
fn restored(world: &World, id: &str, options: &[&str]) -> Result<(PathBuf, String)> {
    let outcome = world.agentsh(["trash", "restore", id].iter().chain(options))?;
    outcome.expect_success("restore")?;
    let path = PathBuf::from(outcome.out().trim_end());
    let text = fs::read_to_string(&path).map_err(|error| fail(format!("{}: {error}", path.display())))?;
    Ok((path, text))
}

#[test]
fn whatever_loses_a_file_leaves_it_in_the_trash() -> Result {
    for user in User::both() {
        for (name, text) in LOSSES {
            let world = World::new(user.clone())?;
            let kept = world.workspace().join("kept");
            if name == "git checkout" {
                world.user().write_file(&kept, "committed\n", 0o640)?;
                world.git(&["add", "kept"])?;
                world.git(&["commit", "-q", "-m", "kept"])?;
            }
            world.user().write_file(&kept, PRECIOUS, 0o640)?;
            world
                .user()
                .write_file(&world.workspace().join("other"), "other\n", 0o644)?;
            let session = create(&world, "")?;
            bash(&world, &session, text)?.expect_success(name)?;
            if fs::read_to_string(&kept).is_ok_and(|now| now == PRECIOUS) {
                return Err(fail(format!("{name}: nothing was lost")));
            }
            let gone = !kept.exists();
            let entry = entry_of(&world, "kept").map_err(|error| fail(format!("{name}: {error}")))?;
            let (path, now) = restored(&world, &entry.id[..entry.id.len() - 2], &["--beside"])?;
            if now != PRECIOUS || gone != (path == kept) {
                return Err(fail(format!("{name}: {} holds {now:?}; {entry:?}", path.display())));
            }
            let by = (entry.session_id.as_deref(), entry.rule.as_deref());
            if by != (Some(&session), Some("keep")) || entry.command_id.is_none() || entry.mode != "0640" {
                return Err(fail(format!("{name}: {entry:?}")));
            }
        }
    }
    Ok(())
}

#[test]
fn a_removed_tree_comes_back_with_its_folders() -> Result {
    let world = World::new(User::agent())?;
    let files = ["tree/a", "tree/b/c", "tree/b/d e", "tree/b/\u{fc}"];
    for file in files {
        world.user().write_file(&world.workspace().join(file), file, 0o644)?;
    }
    let modes = [("tree", 0o710), ("tree/b", 0o2755), ("tree/empty", 0o700)];
    world.user().make_folder(&world.workspace().join("tree/empty"))?;
    for (folder, mode) in modes {
        fs::set_permissions(world.workspace().join(folder), fs::Permissions::from_mode(mode))?;
    }
    let session = create(&world, "")?;
    bash(&world, &session, "rm -rf tree")?.expect_success("rm -rf")?;
    if world.workspace().join("tree").exists() {
        return Err(fail("it was not removed"));
    }
    let ids: Vec<String> = list(&world, &["--path", "tree"])?
        .into_iter()
        .map(|entry| entry.id)
        .collect();
    let all = ["trash", "restore"].into_iter().chain(ids.iter().map(String::as_str));
    world.agentsh(all)?.expect_success("restore")?;
    for file in files {
        if fs::read_to_string(world.workspace().join(file))? != file {
            return Err(fail(file));
        }
    }
    for (folder, mode) in modes {
        let now = fs::metadata(world.workspace().join(folder))?.permissions().mode() & 0o7777;
        if now != mode {
            return Err(fail(format!("{folder}: {now:o}, not {mode:o}")));
        }
    }
    match list(&world, &[])?.is_empty() {
        true => Ok(()),
        false => Err(fail("what was restored is still in the trash")),
    }
}

#[test]
fn a_restore_overwrites_nothing_and_a_difference_is_shown() -> Result {
    let world = World::new(User::agent())?;
    let kept = world.workspace().join("kept");
    world.user().write_file(&kept, PRECIOUS, 0o644)?;
    let session = create(&world, "")?;
    bash(&world, &session, "rm kept; echo new > kept")?.expect_success("loss")?;
    let id = entry_of(&world, "kept")?.id;
    let refused = world.agentsh(["trash", "restore", &id])?;
    refused.expect_exit(1, "a restore over a file")?;
    if !refused.err().contains("--beside") || fs::read_to_string(&kept)? != "new\n" {
        return Err(fail(format!("{refused:?}")));
    }
    let diff = world.agentsh(["trash", "diff", &id])?.out();
    if !diff.contains("-precious") || !diff.contains("+new") {
        return Err(fail(diff));
    }
    let shown: Entry = world.agentsh(["trash", "show", &id, "--json"])?.json()?;
    if shown.id != id {
        return Err(fail(format!("{shown:?}")));
    }
    let to = world.workspace().join("there/kept");
    let (path, text) = restored(&world, &id, &["--to", "there/kept"])?;
    match path == to && text == PRECIOUS {
        true => Ok(()),
        false => Err(fail(format!("{} {text}", path.display()))),
    }
}

#[test]
fn a_full_trash_refuses_the_deletion() -> Result {
    let world = World::new(User::agent())?;
    let kept = world.workspace().join("kept");
    world.user().write_file(&kept, vec![b'x'; 300 << 10], 0o644)?;
    let session = create(&world, "max_size: 64KiB")?;
    for text in ["rm kept", "mv -f .git/HEAD kept", ": > kept", "truncate -s 1 kept"] {
        let outcome = bash(&world, &session, text)?;
        if outcome.expect_success(text).is_ok() || fs::metadata(&kept)?.len() != 300 << 10 {
            return Err(fail(format!("{text}: {outcome:?}")));
        }
    }
    match list(&world, &[])?.is_empty() {
        true => Ok(()),
        false => Err(fail("a refused deletion left an entry")),
    }
}

#[test]
fn purged_entries_are_gone_and_nothing_is_purged_unasked() -> Result {
    let world = World::new(User::agent())?;
    for file in ["a", "b", "c"] {
        world.user().write_file(&world.workspace().join(file), file, 0o644)?;
    }
    let session = create(&world, "")?;
    bash(&world, &session, "rm a b c")?.expect_success("rm")?;
    world.agentsh(["trash", "purge"])?.expect_exit(2, "no condition")?;
    let id = entry_of(&world, "b")?.id;
    world.agentsh(["trash", "purge", &id])?.expect_success("purge")?;
    world
        .agentsh(["trash", "purge", "--older-than", "1h"])?
        .expect_success("purge")?;
    if list(&world, &["--session", &session])?.len() != 2 || !list(&world, &["--path", "b"])?.is_empty() {
        return Err(fail(format!("{:?}", list(&world, &[])?)));
    }
    world.agentsh(["trash", "purge", "--all"])?.expect_success("purge")?;
    match list(&world, &[])?.is_empty() {
        true => Ok(()),
        false => Err(fail("--all left something")),
    }
}

#[test]
fn inside_a_session_nothing_of_it_can_be_reached() -> Result {
    let world = World::new(User::agent())?;
    world
        .user()
        .write_file(&world.workspace().join("kept"), PRECIOUS, 0o644)?;
    let session = create(&world, "")?;
    bash(&world, &session, "rm kept")?.expect_success("rm")?;
    let program = format!("{}/agentsh", agentsh_tests::world::PRODUCT);
    for verb in [
        "trash list",
        "trash purge --all",
        "checkpoint list --workspace .",
        "checkpoint create --workspace .",
    ] {
        let outcome = bash(&world, &session, &format!("{program} {verb}"))?;
        outcome.expect_exit(1, verb)?;
        if !outcome.err().contains("from inside a session") || !outcome.stdout.is_empty() {
            return Err(fail(format!("{verb}: {outcome:?}")));
        }
    }
    entry_of(&world, "kept")?;
    Ok(())
}

#[test]
fn a_broker_that_starts_removes_what_is_older_than_the_default_policy_keeps_it() -> Result {
    for (age, left) in [("1h", 1), ("0s", 0)] {
        let world = World::new(User::agent())?;
        let kept = world.workspace().join("kept");
        world.user().write_file(&kept, PRECIOUS, 0o644)?;
        let path = session::write_policy(&world, "keep", &policy(&format!("max_age: {age}")))?;
        let config = format!("sessions: {{default_policy: \"{}\"}}\n", path.display());
        let file = world.user().home.join(".config/agentsh/config.yaml");
        world.user().write_file(&file, config, 0o600)?;
        let session = session::create(&world, &[])?.id;
        bash(&world, &session, "rm kept")?.expect_success("rm")?;
        if list(&world, &[])?.len() != 1 {
            return Err(fail("it is not in the trash"));
        }
        world.agentsh(["broker", "stop"])?.expect_success("stop")?;
        world.agentsh(["broker", "start"])?.expect_success("start")?;
        let settled = || list(&world, &[]).is_ok_and(|entries| entries.len() == left);
        if !wait_until(Duration::from_secs(20), settled) {
            return Err(fail(format!("{age}: {:?}", list(&world, &[])?)));
        }
    }
    Ok(())
}

#[test]
fn deletions_of_one_instant_hard_links_and_attributes_all_come_back() -> Result {
    let world = World::new(User::agent())?;
    let session = create(&world, "")?;
    let top = world.workspace();
    let text = "mkdir many; cd many
for n in $(seq 8); do (for i in $(seq 40); do echo $n.$i > same.$n; rm same.$n; echo $n.$i > one.$n.$i; done; rm one.$n.*) & done; wait
cd ..; printf 'linked\n%05000d' 0 > a; ln a b; python3 -c 'import os; os.setxattr(\"a\", \"user.mark\", b\"mark\")'; chmod 4751 a; rm a";
    bash(&world, &session, text)?.expect_success("deletions at once")?;
    let all = list(&world, &[])?;
    let mut contents: Vec<String> = all
        .iter()
        .filter(|entry| {
            entry
                .original
                .as_ref()
                .is_some_and(|path| path.lossy().contains("/many/"))
        })
        .filter_map(|entry| fs::read_to_string(entry.file.as_ref()?.as_os_str()).ok())
        .collect();
    contents.sort();
    let mut expected: Vec<String> = (1..=8)
        .flat_map(|n| (1..=40).flat_map(move |i| [format!("{n}.{i}\n"), format!("{n}.{i}\n")]))
        .collect();
    expected.sort();
    if contents != expected {
        return Err(fail(format!("{} of {} are kept", contents.len(), expected.len())));
    }
    let (path, text) = restored(&world, &entry_of(&world, "a")?.id, &[])?;
    let (a, b) = (fs::metadata(&path)?, fs::metadata(top.join("b"))?);
    let of = |about: &fs::Metadata| (about.ino(), about.nlink(), about.permissions().mode() & 0o7777);
    let mark = "import os; print(os.getxattr('a', 'user.mark').decode())";
    let mark = Shell::program("python3").args(["-c", mark]).run(&world)?.out();
    match text.starts_with("linked\n") && of(&a) == of(&b) && of(&a) == (b.ino(), 2, 0o4751) && mark == "mark\n" {
        true => Ok(()),
        false => Err(fail(format!("{:?} {:?} {mark:?}", of(&a), of(&b)))),
    }
}

#[test]
fn a_purge_to_a_size_takes_the_oldest() -> Result {
    let world = World::new(User::agent())?;
    let session = create(&world, "")?;
    let text = "for n in 1 2 3 4; do head -c 300K /dev/zero | tr '\\0' $n > f$n; done; rm f1; rm f2; rm f3; rm f4";
    bash(&world, &session, text)?.expect_success("rm")?;
    world
        .agentsh(["trash", "purge", "--shrink-to", "700KiB"])?
        .expect_success("purge")?;
    let mut left: Vec<String> = list(&world, &[])?
        .iter()
        .filter_map(|entry| Some(entry.original.as_ref()?.lossy().rsplit('/').next()?.to_owned()))
        .collect();
    left.sort();
    match left == ["f3", "f4"] {
        true => Ok(()),
        false => Err(fail(format!("{left:?}"))),
    }
}

#[test]
fn what_a_person_restores_or_purges_is_in_the_record_of_the_session_that_lost_it() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        for file in ["a", "b"] {
            world.user().write_file(&world.workspace().join(file), file, 0o644)?;
        }
        let (other, session) = (create(&world, "")?, create(&world, "")?);
        bash(&world, &session, "rm a b")?.expect_success("rm")?;
        let id = entry_of(&world, "a")?.id;
        world.agentsh(["trash", "restore", &id])?.expect_success("restore")?;
        world.agentsh(["trash", "purge", "--all"])?.expect_success("purge")?;
        let at = world.workspace().join("a");
        let restore = record::await_event(&world, "the restore", |event| event.kind == "file_restore")?;
        let purge = record::await_event(&world, "the purge", |event| event.kind == "trash_purged")?;
        let path = restore.path.as_ref().map(|path| path.0.clone());
        let right = restore.session_id == session && purge.session_id == session && other != session;
        if !right
            || path.as_deref() != Some(at.as_os_str().as_encoded_bytes())
            || restore.fields.get("entry").and_then(|entry| entry.as_str()) != Some(&id)
            || purge.fields.get("entries").and_then(|count| count.as_u64()) != Some(1)
        {
            return Err(fail(format!("{restore:?} {purge:?}")));
        }
        // A session that is over has a record that is closed, and the restore is none the worse.
        bash(&world, &session, "rm a")?.expect_success("rm")?;
        let id = entry_of(&world, "a")?.id;
        world
            .agentsh(["session", "destroy", &session])?
            .expect_success("destroy")?;
        let outcome = world.agentsh(["trash", "restore", &id])?;
        outcome.expect_success("restore")?;
        if !outcome.err().is_empty() {
            return Err(fail(format!("{outcome:?}")));
        }
    }
    Ok(())
}

#[test]
fn a_version_that_is_not_kept_is_told_with_the_reason() -> Result {
    let world = World::new(User::agent())?;
    world
        .user()
        .write_file(&world.workspace().join("big"), vec![b'x'; 300 << 10], 0o644)?;
    let session = create(&world, "version_size_limit: 64KiB")?;
    bash(&world, &session, ": > big")?.expect_success("cut")?;
    let event = record::await_event(&world, "a loss that is not kept", |event| {
        event.fields.get("kept").and_then(|kept| kept.as_bool()) == Some(false)
    })?;
    match event.fields.get("not_kept").and_then(|why| why.as_str()) {
        Some("too_large") => Ok(()),
        _ => Err(fail(format!("{event:?}"))),
    }
}

#[test]
fn a_deletion_that_is_exempt_from_the_trash_is_told_as_such() -> Result {
    let world = World::new(User::agent())?;
    let session = create(&world, "exempt: [\"${PROJECT_ROOT}/out/**\"]")?;
    let text = "mkdir -p out/below; echo x > out/file; rm out/file; rmdir out/below; echo y > kept; rm kept";
    bash(&world, &session, text)?.expect_success("deletions")?;
    for (kind, name, why) in [
        ("file_delete", "out/file", Some("exempt")),
        ("file_rmdir", "out/below", Some("exempt")),
        ("file_delete", "kept", None),
    ] {
        let path = world.workspace().join(name);
        let event = record::await_event(&world, name, |event| {
            event.kind == kind && event.path.as_ref().is_some_and(|it| it.as_os_str() == path)
        })?;
        let kept = event.fields.get("kept").and_then(|kept| kept.as_bool());
        let told = event.fields.get("not_kept").and_then(|why| why.as_str());
        if (kept, told) != (Some(why.is_none()), why) {
            return Err(fail(format!("{event:?}")));
        }
    }
    Ok(())
}
