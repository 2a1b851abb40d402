//! Deletion, versions, restoring, purging, by effect on a real file system.

mod support;

use std::fs::{self, File, FileTimes};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use agentsh_keep::Kind;
use agentsh_keep::trash::{Cause, Diff, How, Limits, Meta, NotKept, Removal, Selection, Target, TrashError, Version};
use support::{Ground, Tested, as_nobody, cut, discard, exists, refusal, replaced, run, split};

const EACCES: i32 = 13;
const EISDIR: i32 = 21;
const EINVAL: i32 = 22;
const ENOTDIR: i32 = 20;
const ENOTEMPTY: i32 = 39;
const ENOENT: i32 = 2;
const EPERM: i32 = 1;
const EDQUOT: i32 = 122;

#[test]
fn a_deleted_file_comes_back_as_it_was() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let path = ground.file("a", "contents")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640))?;
    File::open(&path)?.set_modified(SystemTime::UNIX_EPOCH + Duration::new(1_000_000, 123_456_789))?;
    let attributes = xattr::set(&path, "user.colour", b"red").is_ok();
    let before = fs::metadata(&path)?;

    let kept = discard(&trash, &path, Removal::Unlink)?;
    assert!(!exists(&path));
    assert_eq!(
        (kept.record.how, kept.record.kind, kept.record.size),
        (How::Moved, Kind::File, 8)
    );
    assert_eq!(trash.restore(kept.record.id, &Target::Original)?, path);

    let after = fs::metadata(&path)?;
    assert_eq!(fs::read(&path)?, b"contents");
    assert_eq!(
        (before.ino(), before.mode(), before.mtime_nsec()),
        (after.ino(), after.mode(), after.mtime_nsec())
    );
    if attributes {
        assert_eq!(xattr::get(&path, "user.colour")?.as_deref(), Some(&b"red"[..]));
    }
    assert_eq!(trash.list()?, []);
    Ok(())
}

#[test]
fn what_was_moved_here_is_known_by_where_it_lies() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let (full, empty) = (ground.file("full", "contents")?, ground.file("empty", "")?);
    let open = [
        File::options().write(true).open(&full)?,
        File::options().write(true).open(&empty)?,
    ];
    let mut found = Vec::new();
    for path in [&full, &empty] {
        let kept = discard(&trash, path, Removal::Unlink)?;
        let place = kept.place.join("files").join(kept.record.id.to_string());
        found.push(trash.moved_here(&place).map(|record| record.original));
        assert_eq!(trash.moved_here(&place.join("in")), None);
        assert_eq!(trash.moved_here(path), None);
    }
    let original = |path: &PathBuf| Some(Some(path.as_os_str().as_bytes().into()));
    assert_eq!(found, [original(&full), original(&empty)]);
    // What was empty when it lost its name is nobody's loss.
    let version = |mut file: &File| -> Tested<Version> {
        std::io::Write::write_all(&mut file, b"written since")?;
        Ok(trash.keep_version(file.as_fd(), &full, &Meta::default())?)
    };
    assert!(matches!(version(&open[0])?, Version::Kept(_)));
    assert_eq!(version(&open[1])?, Version::NotKept { reason: NotKept::Empty });
    Ok(())
}

#[test]
fn the_record_says_who_and_why() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let path = ground.file("a", "x")?;
    let (parent, name) = split(&path)?;
    let meta = Meta {
        session: Some("s1".into()),
        command: Some("c1".into()),
        rule: Some("keep".into()),
    };
    let kept = trash.discard(parent.as_fd(), &name, Removal::Unlink, &path, &meta)?;
    let shown = trash.show(&kept.record.id.to_string()[24..])?;
    assert_eq!((&shown.record.meta, shown.record.cause), (&meta, Cause::Removed));
    assert_eq!(shown.record.original(), Some(path));
    Ok(())
}

#[test]
fn deletions_of_one_name_in_the_same_instant_are_all_kept() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (ground, trash) = (&ground, &trash);
            scope.spawn(move || {
                let folder = ground.work().join(thread.to_string());
                fs::create_dir(&folder).unwrap_or_else(|e| panic!("{e}"));
                for count in 0..25 {
                    fs::write(folder.join("same"), format!("{thread} {count}")).unwrap_or_else(|e| panic!("{e}"));
                    discard(trash, &folder.join("same"), Removal::Unlink).unwrap_or_else(|e| panic!("{e}"));
                }
            });
        }
    });
    let mut contents = trash
        .list()?
        .iter()
        .map(|entry| fs::read_to_string(&entry.file))
        .collect::<Result<Vec<_>, _>>()?;
    contents.sort();
    contents.dedup();
    assert_eq!(contents.len(), 200);
    Ok(())
}

#[test]
fn only_what_was_asked_for_is_deleted() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let file = ground.file("file", "")?;
    let full = ground.work().join("full");
    fs::create_dir(&full)?;
    fs::write(full.join("inner"), "")?;
    assert_eq!(refusal(discard(&trash, &full, Removal::Unlink)), EISDIR);
    assert_eq!(refusal(discard(&trash, &full, Removal::Rmdir)), ENOTEMPTY);
    assert_eq!(refusal(discard(&trash, &file, Removal::Rmdir)), ENOTDIR);
    assert_eq!(
        refusal(discard(&trash, &ground.work().join("none"), Removal::Unlink)),
        ENOENT
    );
    let work = File::open(ground.work())?;
    for name in [c"", c".", c"..", c"full/inner"] {
        let result = trash.discard(work.as_fd(), name, Removal::Tree, &full, &Meta::default());
        assert_eq!(refusal(result), EINVAL);
    }
    assert!(exists(&full.join("inner")) && exists(&file));
    assert_eq!(trash.list()?, []);
    Ok(())
}

#[test]
fn an_empty_folder_comes_back_with_mode_times_and_attributes() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let path = ground.work().join("empty");
    fs::create_dir(&path)?;
    let attributes = xattr::set(&path, "user.a", b"1").is_ok();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o2751))?;
    let before = fs::metadata(&path)?;
    let kept = discard(&trash, &path, Removal::Rmdir)?;
    assert!(!exists(&path));
    trash.restore(kept.record.id, &Target::Original)?;
    let after = fs::metadata(&path)?;
    assert_eq!((before.mode(), before.mtime_nsec()), (after.mode(), after.mtime_nsec()));
    assert_eq!(xattr::get(&path, "user.a")?.is_some(), attributes);
    assert_eq!(trash.list()?, []);
    Ok(())
}

#[test]
fn a_whole_tree_is_one_entry() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let tree = ground.work().join("tree");
    fs::create_dir_all(tree.join("a/b"))?;
    fs::write(tree.join("a/b/file"), "deep")?;
    let kept = discard(&trash, &tree, Removal::Tree)?;
    assert!(!exists(&tree) && kept.record.charge > 3 * 4096);
    trash.restore(kept.record.id, &Target::Original)?;
    assert_eq!(fs::read_to_string(tree.join("a/b/file"))?, "deep");
    Ok(())
}

#[test]
fn links_fifos_and_sockets_are_kept_as_what_they_are() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let [link, fifo, socket, twin] = ["link", "fifo", "socket", "twin"].map(|name| ground.work().join(name));
    symlink("/nowhere", &link)?;
    assert!(run("mkfifo", &[&fifo.to_string_lossy()]));
    let _listener = std::os::unix::net::UnixListener::bind(&socket)?;
    let file = ground.file("file", &"shared".repeat(1000))?;
    fs::hard_link(&file, &twin)?;
    for path in [&link, &fifo, &socket, &twin] {
        let kept = discard(&trash, path, Removal::Unlink)?;
        assert!(!exists(path));
        trash.restore(kept.record.id, &Target::Original)?;
    }
    assert_eq!(fs::read_link(&link)?, PathBuf::from("/nowhere"));
    assert!(fs::metadata(&fifo)?.file_type().is_fifo() && fs::metadata(&socket)?.file_type().is_socket());
    assert_eq!(fs::metadata(&file)?.ino(), fs::metadata(&twin)?.ino());
    Ok(())
}

#[test]
fn a_lock_that_is_made_of_names_is_let_go() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let (file, lock) = (ground.file("file", "4711")?, ground.work().join("lock"));
    for _ in 0..3 {
        fs::hard_link(&file, &lock)?;
        assert_eq!(fs::metadata(&file)?.nlink(), 2);
        File::open(&file)?.set_times(FileTimes::new().set_accessed(SystemTime::UNIX_EPOCH))?;
        let kept = discard(&trash, &lock, Removal::Unlink)?;
        let left = fs::metadata(&file)?;
        assert_eq!(
            (exists(&lock), left.nlink(), left.atime()),
            (false, 1, 0),
            "nobody has read it"
        );
        assert_ne!(kept.record.how, How::Moved);
    }
    let last = discard(&trash, &file, Removal::Unlink)?;
    assert_eq!(last.record.how, How::Moved);
    trash.restore(last.record.id, &Target::Original)?;
    assert_eq!(fs::read_to_string(&file)?, "4711");
    let (link, fifo) = (ground.work().join("link"), ground.work().join("fifo"));
    symlink("4711", &link)?;
    assert!(run("mkfifo", &[&fifo.to_string_lossy()]));
    for path in [link, fifo] {
        fs::hard_link(&path, &lock)?;
        discard(&trash, &lock, Removal::Unlink)?;
        assert_eq!(fs::symlink_metadata(&path)?.nlink(), 1);
        fs::hard_link(&path, &lock)?;
        replaced(&trash, &lock)?;
        fs::rename(ground.file("new", "4712")?, &lock)?;
        assert_eq!(fs::symlink_metadata(&path)?.nlink(), 1, "renamed over");
        fs::remove_file(&lock)?;
    }
    Ok(())
}

#[test]
fn any_bytes_make_a_name() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let long = [b'x'; 255];
    for name in [&b"new\nline \x1b[31m"[..], b"\xff\xfe", b"%41=", &long] {
        let path = ground.work().join(std::ffi::OsStr::from_bytes(name));
        fs::write(&path, name)?;
        let kept = discard(&trash, &path, Removal::Unlink)?;
        assert_eq!(
            trash.show(&kept.record.id.to_string())?.record.original().as_ref(),
            Some(&path)
        );
        trash.restore(kept.record.id, &Target::Original)?;
        assert_eq!(fs::read(&path)?, name);
    }
    Ok(())
}

#[test]
fn what_is_renamed_over_is_kept_without_a_copy() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let old = ground.file("old", "before")?;
    let new = ground.file("new", "after")?;
    let ino = fs::metadata(&old)?.ino();
    let kept = replaced(&trash, &old)?;
    fs::rename(&new, &old)?;
    assert_eq!((kept.record.how, kept.record.cause), (How::Linked, Cause::Replaced));
    let entry = trash.show(&kept.record.id.to_string())?;
    assert_eq!(
        (
            fs::read_to_string(&entry.file)?.as_str(),
            fs::metadata(&entry.file)?.ino()
        ),
        ("before", ino)
    );
    let Diff::Text(diff) = trash.diff(kept.record.id)? else {
        panic!("no text")
    };
    assert!(diff.contains("-before") && diff.contains("+after"), "{diff}");
    Ok(())
}

#[test]
fn what_was_kept_for_a_failed_rename_is_taken_back() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let path = ground.file("a", "x")?;
    let kept = replaced(&trash, &path)?;
    trash.retract(&kept)?;
    assert!(trash.list()?.is_empty() && exists(&path));
    let moved = discard(&trash, &path, Removal::Unlink)?;
    assert!(matches!(trash.retract(&moved), Err(TrashError::Unknown(_))));
    Ok(())
}

#[test]
fn contents_are_kept_before_they_are_truncated() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let path = ground.file("a", "long contents")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    let writer = File::options().write(true).open(&path)?;
    let Version::Kept(kept) = trash.keep_version(writer.as_fd(), &path, &Meta::default())? else {
        panic!("not kept")
    };
    writer.set_len(0)?;
    let entry = trash.show(&kept.record.id.to_string())?;
    assert_eq!(fs::read_to_string(&entry.file)?, "long contents");
    assert_eq!(fs::metadata(&entry.file)?.mode() & 0o7777, 0o600);
    assert!(matches!(
        trash.restore(kept.record.id, &Target::Original),
        Err(TrashError::Exists(_))
    ));
    Ok(())
}

#[test]
fn a_sparse_file_is_kept_sparse() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let path = ground.file("sparse", "start")?;
    let file = File::options().read(true).write(true).open(&path)?;
    file.set_len(40 << 20)?;
    let Version::Kept(kept) = trash.keep_version(file.as_fd(), &path, &Meta::default())? else {
        panic!("not kept")
    };
    let copy = fs::metadata(trash.show(&kept.record.id.to_string())?.file)?;
    assert_eq!(copy.len(), 40 << 20);
    assert!(copy.blocks() < 100, "{} blocks", copy.blocks());
    Ok(())
}

#[test]
fn a_version_that_is_not_kept_says_why() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash_with(Limits {
        version_size_limit: 4,
        ..Limits::default()
    })?;
    let empty = File::open(ground.file("empty", "")?)?;
    let large = File::open(ground.file("large", "12345")?)?;
    let folder = File::open(ground.work())?;
    let reason = |file: &File| match trash.keep_version(file.as_fd(), &ground.work(), &Meta::default()) {
        Ok(Version::NotKept { reason }) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(&empty), NotKept::Empty);
    assert_eq!(reason(&folder), NotKept::NotRegular);
    let shared_blocks = matches!(
        trash.keep_version(large.as_fd(), &ground.work(), &Meta::default())?,
        Version::Kept(kept) if kept.record.how == How::Reflinked
    );
    if !shared_blocks {
        assert_eq!(reason(&large), NotKept::TooLarge { size: 5, limit: 4 });
        assert!(trash.list()?.is_empty());
    }
    Ok(())
}

#[test]
fn what_may_be_written_and_not_read_is_not_lost() -> Tested {
    if !as_nobody("what_may_be_written_and_not_read_is_not_lost")? {
        return Ok(());
    }
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let path = ground.file("a", "x")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o200))?;
    let open = File::options().write(true).open(&path)?;
    assert_eq!(
        refusal(trash.keep_version(open.as_fd(), &path, &Meta::default())),
        EACCES
    );
    // Empty there is nothing to lose.
    open.set_len(0)?;
    let version = trash.keep_version(open.as_fd(), &path, &Meta::default())?;
    assert_eq!(version, Version::NotKept { reason: NotKept::Empty });
    Ok(())
}

#[test]
fn a_full_trash_refuses_the_deletion_until_it_is_purged() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash_with(Limits {
        max_size: Some(20_000),
        ..Limits::default()
    })?;
    let first = ground.file("first", "x")?;
    let second = ground.file("second", &"x".repeat(9000))?;
    discard(&trash, &first, Removal::Unlink)?;
    assert_eq!(refusal(discard(&trash, &second, Removal::Unlink)), EDQUOT);
    assert_eq!(refusal(cut(&trash, &second)), EDQUOT);
    assert!(exists(&second));
    assert_eq!(
        trash
            .purge(&Selection {
                all: true,
                ..Selection::default()
            })?
            .len(),
        1
    );
    discard(&trash, &second, Removal::Unlink)?;
    assert!(!exists(&second));
    Ok(())
}

#[test]
fn an_immutable_file_is_refused_and_stays() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let path = ground.file("a", "x")?;
    let text = path.to_string_lossy().into_owned();
    if !run("chattr", &["+i", &text]) {
        eprintln!("SKIPPED: this file system or user has no immutable files");
        return Ok(());
    }
    let result = discard(&trash, &path, Removal::Unlink);
    let undone = run("chattr", &["-i", &text]);
    assert_eq!(refusal(result), EPERM);
    assert!(undone && exists(&path) && trash.list()?.is_empty());
    Ok(())
}

#[test]
fn the_folder_is_closed_to_others_and_told_to_the_caller() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let places = trash.places();
    assert_eq!(places, [fs::canonicalize(ground.state().join("trash"))?]);
    assert_eq!(fs::metadata(&places[0])?.mode() & 0o7777, 0o700);
    fs::set_permissions(&places[0], fs::Permissions::from_mode(0o755))?;
    assert_eq!(refusal(ground.trash()), EPERM);
    Ok(())
}

#[test]
fn roots_trash_takes_in_the_files_of_a_command_that_runs_under_another_uid() -> Tested {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root's commands change their uid");
        return Ok(());
    }
    let ground = Ground::new()?;
    let trash = ground.trash_with(Limits {
        max_size: Some(1 << 30),
        ..Limits::default()
    })?;
    let nobody = rustix::process::Uid::from_raw(65_534);
    let home = ground.work().join("home");
    fs::create_dir(&home)?;
    std::os::unix::fs::chown(&home, Some(65_534), None)?;
    let parent = File::open(&home)?;
    let removed = std::thread::scope(|scope| {
        let (trash, home, parent) = (&trash, &home, &parent);
        let actor = scope.spawn(move || -> Result<_, TrashError> {
            // This thread alone, as a worker that acts for a caller does.
            rustix::thread::set_thread_uid(nobody).unwrap_or_else(|error| panic!("{error}"));
            let create = |name: &str| {
                let flags = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::RDWR;
                rustix::fs::openat(parent, name, flags, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)
                    .unwrap_or_else(|error| panic!("{error}"))
            };
            let meta = Meta::default();
            let file = create("file");
            rustix::io::write(&file, b"x").unwrap_or_else(|error| panic!("{error}"));
            let version = trash.keep_version(file.as_fd(), &home.join("file"), &meta)?;
            assert!(matches!(version, Version::Kept(_)), "{version:?}");
            trash.keep_replaced(parent.as_fd(), c"file", &home.join("file"), &meta)?;
            let file = trash.discard(parent.as_fd(), c"file", Removal::Unlink, &home.join("file"), &meta)?;
            rustix::fs::mkdirat(parent, c"dir", rustix::fs::Mode::RWXU).unwrap_or_else(|error| panic!("{error}"));
            trash.discard(parent.as_fd(), c"dir", Removal::Rmdir, &home.join("dir"), &meta)?;
            Ok(file)
        });
        actor
            .join()
            .unwrap_or_else(|_| panic!("the worker's thread ended badly"))
    })?;
    assert_eq!(trash.list()?.len(), 4);
    trash.restore(removed.record.id, &Target::Original)?;
    assert_eq!(fs::metadata(home.join("file"))?.uid(), 65_534);
    Ok(())
}
