//! Other mounts, full and read-only file systems: in a mount namespace of the test's own.

mod support;

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use agentsh_keep::checkpoint::Checkpoints;
use agentsh_keep::trash::{How, Limits, Removal, Target, Trash};
use support::{Ground, Tested, cut, discard, exists, folder_name, in_own_mounts, refusal, replaced, run, tmpfs};

const EFBIG: i32 = 27;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;

fn remount(at: &Path, options: &str) {
    assert!(run(
        "mount",
        &["-o", &format!("remount,{options}"), &at.to_string_lossy()]
    ));
}

#[test]
fn another_file_system_has_its_trash_at_its_top() -> Tested {
    if !in_own_mounts("another_file_system_has_its_trash_at_its_top")? {
        return Ok(());
    }
    let ground = Ground::new()?;
    tmpfs(&ground.work(), "size=8m");
    let inner = ground.work().join("deep/er");
    fs::create_dir_all(&inner)?;
    let path = inner.join("a");
    fs::write(&path, "x")?;
    let trash = ground.trash()?;
    let top = ground.work().join(folder_name());
    assert_eq!(trash.prepare(File::open(&inner)?.as_fd())?, top);
    let kept = discard(&trash, &path, Removal::Unlink)?;
    assert_eq!((kept.record.how, &kept.place), (How::Moved, &top));
    assert_eq!(fs::metadata(&top)?.mode() & 0o7777, 0o700);
    assert_eq!(fs::read_to_string(top.join(".gitignore"))?, "*\n");
    // A later process finds it by the note in the state folder.
    let later = ground.trash()?;
    assert_eq!(later.places().len(), 2);
    later.restore(kept.record.id, &Target::Original)?;
    assert!(exists(&path));
    Ok(())
}

#[test]
fn two_mounts_of_one_file_system_have_two_trashes() -> Tested {
    if !in_own_mounts("two_mounts_of_one_file_system_have_two_trashes")? {
        return Ok(());
    }
    let ground = Ground::new()?;
    let seen = ground.state().join("seen");
    fs::create_dir_all(&seen)?;
    let work = ground.work();
    assert!(run(
        "mount",
        &["--bind", &work.to_string_lossy(), &seen.to_string_lossy()]
    ));
    ground.file("a", "x")?;
    ground.file("b", "x")?;
    let trash = ground.trash()?;
    let through_bind = discard(&trash, &seen.join("a"), Removal::Unlink)?;
    let direct = discard(&trash, &work.join("b"), Removal::Unlink)?;
    assert_eq!((through_bind.record.how, direct.record.how), (How::Moved, How::Moved));
    assert_eq!(through_bind.place, seen.join(folder_name()));
    assert_eq!(direct.place, ground.state().join("trash"));
    // From one mount to the other only a copy leads.
    trash.restore(through_bind.record.id, &Target::At(work.join("c")))?;
    assert_eq!(fs::read_to_string(work.join("c"))?, "x");
    Ok(())
}

#[test]
fn a_full_file_system_refuses_the_deletion() -> Tested {
    if !in_own_mounts("a_full_file_system_refuses_the_deletion")? {
        return Ok(());
    }
    let ground = Ground::new()?;
    tmpfs(&ground.work(), "size=2m");
    let trash = ground.trash()?;
    trash.prepare(File::open(ground.work())?.as_fd())?;
    let path = ground.file("a", "x")?;
    let filler = File::create(ground.work().join("filler"))?;
    let mut end = 0;
    while std::os::unix::fs::FileExt::write_at(&filler, &[1; 4096], end).is_ok() {
        end += 4096;
    }
    assert_eq!(refusal(discard(&trash, &path, Removal::Unlink)), ENOSPC);
    assert_eq!(refusal(cut(&trash, &path)), ENOSPC);
    assert_eq!(fs::read_to_string(&path)?, "x");
    assert!(trash.list()?.is_empty());
    filler.set_len(0)?;
    discard(&trash, &path, Removal::Unlink)?;
    Ok(())
}

#[test]
fn a_read_only_file_system_refuses_the_deletion() -> Tested {
    if !in_own_mounts("a_read_only_file_system_refuses_the_deletion")? {
        return Ok(());
    }
    for prepared in [true, false] {
        let ground = Ground::new()?;
        tmpfs(&ground.work(), "size=2m");
        let path = ground.file("a", "x")?;
        if prepared {
            ground.trash()?.prepare(File::open(ground.work())?.as_fd())?;
        }
        remount(&ground.work(), "ro");
        let trash = ground.trash()?;
        assert_eq!(
            refusal(discard(&trash, &path, Removal::Unlink)),
            EROFS,
            "prepared: {prepared}"
        );
        assert!(exists(&path) && trash.list()?.is_empty());
    }
    Ok(())
}

#[test]
fn where_no_trash_can_be_made_a_file_is_copied_to_the_home_place() -> Tested {
    if !in_own_mounts("where_no_trash_can_be_made_a_file_is_copied_to_the_home_place")? {
        return Ok(());
    }
    let ground = Ground::new()?;
    let other = ground.without_trash()?;
    let path = other.join("a");
    fs::write(&path, "x")?;
    let before = fs::metadata(&path)?;
    let trash = ground.trash()?;
    let kept = discard(&trash, &path, Removal::Unlink)?;
    assert!(!exists(&path));
    assert_eq!(
        (kept.record.how, kept.place),
        (How::Copied, ground.state().join("trash"))
    );
    trash.restore(kept.record.id, &Target::Original)?;
    let after = fs::metadata(&path)?;
    assert_eq!((before.mode(), before.mtime_nsec()), (after.mode(), after.mtime_nsec()));
    Ok(())
}

#[test]
fn a_folder_of_another_user_is_not_taken_for_ours() -> Tested {
    if !in_own_mounts("a_folder_of_another_user_is_not_taken_for_ours")? {
        return Ok(());
    }
    let ground = Ground::new()?;
    let other = ground.state().join("other");
    fs::create_dir_all(&other)?;
    tmpfs(&other, "size=2m");
    let planted = other.join(folder_name());
    fs::create_dir(&planted)?;
    std::os::unix::fs::chown(&planted, Some(65_534), None)?;
    fs::write(other.join("a"), "x")?;
    let trash = ground.trash()?;
    let kept = discard(&trash, &other.join("a"), Removal::Unlink)?;
    assert_eq!(kept.place, ground.state().join("trash"));
    assert_eq!(fs::read_dir(planted)?.count(), 0);
    Ok(())
}

#[test]
fn where_no_trash_can_be_made_what_has_no_contents_is_kept_and_comes_back() -> Tested {
    if !in_own_mounts("where_no_trash_can_be_made_what_has_no_contents_is_kept_and_comes_back")? {
        return Ok(());
    }
    let ground = Ground::new()?;
    let other = ground.without_trash()?;
    let (fifo, socket, link) = (other.join("fifo"), other.join("socket"), other.join("link"));
    assert!(run("mkfifo", &["-m", "640", &fifo.to_string_lossy()]));
    std::os::unix::fs::chown(&fifo, Some(65_534), None)?;
    drop(std::os::unix::net::UnixListener::bind(&socket)?);
    std::os::unix::fs::symlink("target", &link)?;
    let trash = ground.trash()?;
    for path in [fifo, socket, link] {
        let told = |found: fs::Metadata| (found.mode(), found.uid(), found.mtime_nsec());
        let before = told(fs::symlink_metadata(&path)?);
        let kept = discard(&trash, &path, Removal::Unlink)?;
        assert!(!exists(&path));
        assert_eq!(kept.place, ground.state().join("trash"));
        trash.restore(kept.record.id, &Target::Original)?;
        assert_eq!(told(fs::symlink_metadata(&path)?), before, "{path:?}");
    }
    Ok(())
}

#[test]
fn where_no_trash_can_be_made_a_large_file_is_refused_with_no_advice_to_copy_it() -> Tested {
    if !in_own_mounts("where_no_trash_can_be_made_a_large_file_is_refused_with_no_advice_to_copy_it")? {
        return Ok(());
    }
    let ground = Ground::new()?;
    let other = ground.without_trash()?;
    let path = other.join("large");
    fs::write(&path, "12345")?;
    let trash = ground.trash_with(Limits {
        version_size_limit: 4,
        ..Limits::default()
    })?;
    assert_eq!(refusal(discard(&trash, &path, Removal::Unlink)), EFBIG);
    assert_eq!(refusal(replaced(&trash, &path)), EFBIG);
    assert_eq!(fs::read_to_string(&path)?, "12345");
    Ok(())
}

#[test]
fn what_was_kept_can_be_looked_at_where_nothing_can_be_written() -> Tested {
    if !in_own_mounts("what_was_kept_can_be_looked_at_where_nothing_can_be_written")? {
        return Ok(());
    }
    let ground = Ground::new()?;
    fs::create_dir_all(ground.state())?;
    tmpfs(&ground.state(), "size=8m");
    let path = ground.file("a", "x")?;
    let kept = discard(&ground.trash()?, &path, Removal::Unlink)?.record.id;
    let made = ground.checkpoints()?.create(None)?.header.id;
    remount(&ground.state(), "ro");
    assert!(matches!(ground.trash(), Err(error) if error.errno() == EROFS));
    let trash = Trash::open_to_read(&ground.state(), Some(&ground.work()))?;
    assert!(trash.list()?.iter().any(|entry| entry.record.id == kept));
    let checkpoints = Checkpoints::open(&ground.store(), &ground.work(), trash.into())?;
    assert_eq!(checkpoints.list()?.checkpoints.len(), 1);
    assert_eq!(checkpoints.show(made)?.header.id, made);
    Ok(())
}
