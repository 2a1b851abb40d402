//! Making checkpoints, comparing with them, going back, purging.

mod support;

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use agentsh_keep::Diff;
use agentsh_keep::checkpoint::{CheckpointError, Checkpoints, Selection, What};
use support::snapshot::{differences, snapshot};
use support::{Ground, Tested, exists, run};

/// A tree with one of everything.
fn furnish(ground: &Ground) -> std::io::Result<()> {
    let work = ground.work();
    fs::create_dir_all(work.join(".git/objects"))?;
    fs::create_dir_all(work.join("empty"))?;
    fs::create_dir_all(work.join("a/b"))?;
    fs::write(work.join(".git/HEAD"), "ref: refs/heads/main\n")?;
    fs::write(work.join(".hidden"), "")?;
    fs::write(work.join("a/b/file"), "contents\n")?;
    fs::write(work.join("a/large"), vec![7; 3 << 20])?;
    fs::write(work.join(std::ffi::OsStr::from_bytes(b"a/\xff\n")), "odd name")?;
    fs::hard_link(work.join("a/b/file"), work.join("twin"))?;
    symlink("/nowhere", work.join("link"))?;
    assert!(run("mkfifo", &[&work.join("fifo").to_string_lossy()]));
    fs::set_permissions(work.join("a/b"), fs::Permissions::from_mode(0o2750))?;
    fs::set_permissions(work.join(".hidden"), fs::Permissions::from_mode(0o4711))?;
    let _ = xattr::set(work.join("a"), "user.a", b"1");
    File::open(work.join("twin"))?.set_modified(SystemTime::UNIX_EPOCH + Duration::new(77, 123_456_789))
}

#[test]
fn everything_comes_back_after_everything_is_lost() -> Tested {
    let ground = Ground::new()?;
    furnish(&ground)?;
    let checkpoints = ground.checkpoints()?;
    let before = snapshot(&ground.work())?;
    let made = checkpoints.create(Some("before"))?;
    assert_eq!(
        (made.header.unstable.len(), made.header.problems.len(), made.walks),
        (0, 0, 1)
    );
    assert_eq!(made.header.entries as usize, before.len());

    for entry in fs::read_dir(ground.work())? {
        let path = entry?.path();
        if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(path)?
        } else {
            fs::remove_file(path)?
        }
    }
    fs::write(ground.work().join("a"), "a file in place of a folder")?;
    fs::create_dir(ground.work().join("twin"))?;
    fs::write(ground.work().join("twin/new"), "x")?;
    let lost = snapshot(&ground.work())?;

    let back = checkpoints.rollback(made.header.id, false)?;
    assert_eq!((back.problems, back.kept), (Vec::new(), Vec::new()));
    assert_eq!(differences(&before, &snapshot(&ground.work())?), Vec::<String>::new());
    let undo = back.undo.ok_or("no undo")?;
    checkpoints.rollback(undo, false)?;
    assert_eq!(differences(&lost, &snapshot(&ground.work())?), Vec::<String>::new());
    Ok(())
}

#[test]
fn a_dry_run_tells_all_and_changes_nothing() -> Tested {
    let ground = Ground::new()?;
    furnish(&ground)?;
    let checkpoints = ground.checkpoints()?;
    let id = checkpoints.create(None)?.header.id;
    fs::write(ground.work().join("new"), "")?;
    fs::remove_file(ground.work().join("link"))?;
    fs::write(ground.work().join(".git/HEAD"), "other")?;
    fs::set_permissions(ground.work().join("empty"), fs::Permissions::from_mode(0o700))?;
    let before = snapshot(&ground.work())?;
    let told = checkpoints.rollback(id, true)?;
    assert_eq!(told.undo, None);
    let changes: Vec<_> = told
        .changes
        .iter()
        .map(|change| (change.path.lossy(), change.what))
        .collect();
    let expected = [
        (String::new(), What::Attributes),
        (".git/HEAD".into(), What::Contents),
        ("empty".into(), What::Attributes),
        ("link".into(), What::Created),
        ("new".into(), What::Removed),
    ];
    assert_eq!(changes, expected);
    assert_eq!(differences(&before, &snapshot(&ground.work())?), Vec::<String>::new());
    assert_eq!(checkpoints.list()?.checkpoints.len(), 1);
    Ok(())
}

#[test]
fn what_changed_is_shown_as_text() -> Tested {
    let ground = Ground::new()?;
    furnish(&ground)?;
    let checkpoints = ground.checkpoints()?;
    let id = checkpoints.create(None)?.header.id;
    fs::write(ground.work().join("a/b/file"), "changed\n")?;
    fs::remove_file(ground.work().join(".git/HEAD"))?;
    let what: Vec<_> = checkpoints
        .diff(id)?
        .iter()
        .map(|change| (change.path.lossy(), change.what))
        .collect();
    assert!(what.contains(&("twin".into(), What::Contents)) && what.contains(&(".git/HEAD".into(), What::Removed)));
    let Diff::Text(text) = checkpoints.diff_path(id, Path::new("a/b/file"))? else {
        panic!("no text")
    };
    assert!(text.contains("-contents\n+changed"), "{text}");
    let Diff::Text(text) = checkpoints.diff_path(id, Path::new(".git/HEAD"))? else {
        panic!("no text")
    };
    assert!(text.contains("-ref: refs/heads/main"), "{text}");
    assert_eq!(checkpoints.diff_path(id, Path::new("link"))?, Diff::Same);
    assert_eq!(checkpoints.diff_path(id, Path::new("a/large"))?, Diff::Same);
    let none = checkpoints.diff_path(id, Path::new("none"));
    assert!(matches!(none, Err(CheckpointError::NotThere(_))));
    Ok(())
}

#[test]
fn names_of_one_object_that_were_parted_are_one_again() -> Tested {
    let ground = Ground::new()?;
    let [one, two] = ["one", "two"].map(|name| ground.work().join(name));
    fs::write(&one, "x")?;
    fs::hard_link(&one, &two)?;
    let checkpoints = ground.checkpoints()?;
    let id = checkpoints.create(None)?.header.id;
    let stamp = fs::metadata(&one)?.modified()?;
    fs::remove_file(&two)?;
    fs::write(&two, "x")?;
    File::options().write(true).open(&two)?.set_modified(stamp)?;
    checkpoints.rollback(id, false)?;
    assert_eq!(fs::metadata(&one)?.ino(), fs::metadata(&two)?.ino());
    Ok(())
}

#[test]
fn a_change_of_the_same_size_and_time_is_seen() -> Tested {
    let ground = Ground::new()?;
    let path = ground.file("a", "one")?;
    let checkpoints = ground.checkpoints()?;
    let first = checkpoints.create(None)?.header.id;
    let stamp = fs::metadata(&path)?.modified()?;
    let file = File::options().write(true).open(&path)?;
    file.write_all_at(b"two", 0)?;
    file.set_modified(stamp)?;
    let second = checkpoints.create(None)?.header.id;
    checkpoints.rollback(first, false)?;
    assert_eq!(fs::read_to_string(&path)?, "one");
    checkpoints.rollback(second, false)?;
    assert_eq!(fs::read_to_string(&path)?, "two");
    Ok(())
}

#[test]
fn another_process_sees_the_same_checkpoints_and_stores_contents_once() -> Tested {
    let ground = Ground::new()?;
    furnish(&ground)?;
    let first = ground.checkpoints()?.create(Some("first"))?;
    let size = ground.checkpoints()?.size()?;
    let later = ground.checkpoints()?;
    fs::copy(ground.work().join("a/large"), ground.work().join("copy"))?;
    later.create(None)?;
    assert!(later.size()? < size + 65_536, "{} after {size}", later.size()?);
    let listed = later.list()?.checkpoints;
    assert_eq!((listed.len(), listed[0].label.as_deref()), (2, Some("first")));
    let text = first.header.id.to_string();
    assert_eq!(later.find(&text[20..])?, first.header.id);
    assert!(matches!(later.find("zzzz"), Err(CheckpointError::Unknown(_))));
    Ok(())
}

#[test]
fn purging_removes_what_nothing_else_needs() -> Tested {
    let ground = Ground::new()?;
    let checkpoints = ground.checkpoints()?;
    let mut ids = Vec::new();
    for round in 0..4_u8 {
        fs::write(ground.work().join("kept"), "the same")?;
        fs::write(ground.work().join("large"), vec![round; 2 << 20])?;
        ids.push(checkpoints.create(None)?.header.id);
    }
    let full = checkpoints.size()?;
    assert_eq!(
        checkpoints.purge(&Selection {
            keep: Some(3),
            ..Selection::default()
        })?,
        [ids[0]]
    );
    assert!(checkpoints.size()? + (2 << 20) <= full);
    assert_eq!(
        checkpoints.purge(&Selection {
            max_size: Some(3 << 20),
            ..Selection::default()
        })?,
        ids[1..3]
    );
    checkpoints.rollback(ids[3], false)?;
    assert_eq!(fs::read(ground.work().join("large"))?, vec![3; 2 << 20]);
    assert!(matches!(checkpoints.show(ids[0]), Err(CheckpointError::Unknown(_))));
    Ok(())
}

#[test]
fn damage_is_found_before_anything_is_changed() -> Tested {
    let ground = Ground::new()?;
    let path = ground.file("a", "right")?;
    let checkpoints = ground.checkpoints()?;
    let id = checkpoints.create(None)?.header.id;
    fs::write(&path, "new")?;
    for pack in fs::read_dir(ground.store().join("packs"))? {
        fs::write(pack?.path(), "wrong")?;
    }
    assert!(matches!(
        checkpoints.rollback(id, false),
        Err(CheckpointError::Damaged { .. })
    ));
    assert_eq!(fs::read_to_string(&path)?, "new");

    let manifest = ground.store().join(format!("{id}.manifest"));
    let whole = fs::read(&manifest)?;
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        fs::write(&manifest, &whole[..length])?;
        assert!(
            matches!(checkpoints.show(id), Err(CheckpointError::Damaged { .. })),
            "{length}"
        );
    }
    Ok(())
}

#[test]
fn a_manifest_that_leads_out_of_the_workspace_is_refused() -> Tested {
    let ground = Ground::new()?;
    ground.file("a", "x")?;
    let checkpoints = ground.checkpoints()?;
    let id = checkpoints.create(None)?.header.id;
    let manifest = ground.store().join(format!("{id}.manifest"));
    let text = String::from_utf8(zstd::decode_all(File::open(&manifest)?)?)?;
    for path in ["../a", "/a", "x//a", "x/./a"] {
        let forged = text.replace("\"path\":\"a\"", &format!("\"path\":\"{path}\""));
        assert_ne!(forged, text);
        fs::write(&manifest, zstd::encode_all(forged.as_bytes(), 1)?)?;
        assert!(
            matches!(checkpoints.show(id), Err(CheckpointError::Damaged { .. })),
            "{path}"
        );
    }
    let later = text.replacen("\"format\":1", "\"format\":2", 1);
    fs::write(&manifest, zstd::encode_all(later.as_bytes(), 1)?)?;
    assert!(matches!(
        checkpoints.show(id),
        Err(CheckpointError::Format { format: 2, .. })
    ));
    Ok(())
}

#[test]
fn a_file_that_keeps_changing_is_noticed() -> Tested {
    let ground = Ground::new()?;
    let path = ground.work().join("busy");
    fs::write(&path, vec![1; 16 << 20])?;
    let checkpoints = ground.checkpoints()?;
    let stop = AtomicBool::new(false);
    let made = std::thread::scope(|scope| {
        for byte in 0..2 {
            let (path, stop) = (&path, &stop);
            scope.spawn(move || {
                let file = File::options()
                    .write(true)
                    .open(path)
                    .unwrap_or_else(|error| panic!("{error}"));
                while !stop.load(Ordering::Relaxed) {
                    file.write_all_at(&[byte], 9 << 20)
                        .unwrap_or_else(|error| panic!("{error}"));
                }
            });
        }
        let made = checkpoints.create(None);
        stop.store(true, Ordering::Relaxed);
        made
    })?;
    // It was read more than once, and the copies that came of it are not left behind.
    assert!(made.walks > 1, "{made:?}");
    assert!(made.header.unstable.iter().all(|path| path.0 == b"busy"));
    assert_eq!(fs::read_dir(ground.store().join("packs"))?.count(), 1);
    checkpoints.rollback(made.header.id, false)?;
    assert_eq!(fs::metadata(&path)?.len(), 16 << 20);
    Ok(())
}

#[test]
fn our_own_folders_in_a_workspace_are_left_out_and_left_alone() -> Tested {
    let ground = Ground::new()?;
    ground.file("a", "x")?;
    let store = ground.work().join(".checkpoints");
    let checkpoints = Checkpoints::open(&store, &ground.work(), std::sync::Arc::new(ground.trash()?))?;
    let made = checkpoints.create(None)?;
    assert_eq!(made.header.excluded, [".checkpoints".into()]);
    fs::remove_file(ground.work().join("a"))?;
    checkpoints.rollback(made.header.id, false)?;
    assert!(exists(&ground.work().join("a")) && exists(&store.join("lock")));
    Ok(())
}

#[test]
fn a_folder_swapped_for_a_link_leads_nowhere() -> Tested {
    let ground = Ground::new()?;
    let outside = ground.state().join("outside");
    fs::create_dir_all(&outside)?;
    fs::write(outside.join("file"), "outside")?;
    fs::create_dir(ground.work().join("folder"))?;
    fs::write(ground.work().join("folder/file"), "inside")?;
    let checkpoints = ground.checkpoints()?;
    let id = checkpoints.create(None)?.header.id;
    fs::remove_dir_all(ground.work().join("folder"))?;
    symlink(&outside, ground.work().join("folder"))?;
    checkpoints.rollback(id, false)?;
    assert_eq!(fs::read_to_string(outside.join("file"))?, "outside");
    assert_eq!(fs::read_to_string(ground.work().join("folder/file"))?, "inside");
    assert!(!ground.work().join("folder").is_symlink());
    Ok(())
}
