//! Restoring and purging.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::Duration;

use agentsh_keep::trash::{Limits, Removal, Selection, Target, TrashError};
use rustix::fs::{Mode, OFlags};
use support::{Ground, Tested, discard, exists, refusal};

const EEXIST: i32 = 17;
const ELOOP_OR_ENOTDIR: [i32; 2] = [40, 20];

#[test]
fn restoring_overwrites_nothing() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let path = ground.file("a", "old")?;
    let kept = discard(&trash, &path, Removal::Unlink)?;
    let id = kept.record.id;
    ground.file("a", "new")?;
    let taken = trash.restore(id, &Target::Original);
    assert_eq!(refusal(taken), EEXIST);
    let beside = trash.restore(id, &Target::Beside)?;
    assert_eq!(beside, ground.work().join("a.restored-1"));
    assert_eq!(
        (fs::read_to_string(&path)?, fs::read_to_string(&beside)?),
        ("new".into(), "old".into())
    );
    assert!(matches!(
        trash.restore(id, &Target::Beside),
        Err(TrashError::Unknown(_))
    ));
    let again = discard(&trash, &beside, Removal::Unlink)?;
    let other = ground.work().join("new folder/b");
    assert_eq!(trash.restore(again.record.id, &Target::At(other.clone()))?, other);
    assert_eq!(fs::read_to_string(other)?, "old");
    Ok(())
}

#[test]
fn a_tree_removed_piece_by_piece_comes_back_with_its_folders() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let folder = ground.work().join("one/two");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("file"), "x")?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o711))?;
    let pieces = [
        (folder.join("file"), Removal::Unlink),
        (folder.clone(), Removal::Rmdir),
        (ground.work().join("one"), Removal::Rmdir),
    ];
    let mut ids = Vec::new();
    for (path, removal) in &pieces {
        ids.push(discard(&trash, path, *removal)?.record.id);
    }
    // The file alone brings the folders that it needs.
    trash.restore(ids[0], &Target::Original)?;
    assert_eq!(fs::metadata(&folder)?.mode() & 0o7777, 0o711);
    assert!(trash.list()?.is_empty());
    ids.clear();
    for (path, removal) in &pieces {
        ids.push(discard(&trash, path, *removal)?.record.id);
    }
    for (_, restored) in trash.restore_all(&ids) {
        restored?;
    }
    assert_eq!(fs::read_to_string(folder.join("file"))?, "x");
    Ok(())
}

#[test]
fn a_folder_swapped_for_a_link_is_not_restored_through() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let folder = ground.work().join("folder");
    fs::create_dir(&folder)?;
    fs::write(folder.join("file"), "x")?;
    let kept = discard(&trash, &folder.join("file"), Removal::Unlink)?;
    fs::remove_dir(&folder)?;
    let elsewhere = ground.work().join("elsewhere");
    fs::create_dir(&elsewhere)?;
    symlink(&elsewhere, &folder)?;
    assert!(ELOOP_OR_ENOTDIR.contains(&refusal(trash.restore(kept.record.id, &Target::Original))));
    assert!(!exists(&elsewhere.join("file")));
    Ok(())
}

#[test]
fn entries_go_by_age_by_size_and_by_id() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash_with(Limits {
        max_age: Some(Duration::ZERO),
        ..Limits::default()
    })?;
    let mut ids = Vec::new();
    for name in ["a", "b", "c", "d"] {
        ids.push(discard(&trash, &ground.file(name, "x")?, Removal::Unlink)?.record.id);
    }
    let purged = |selection: Selection| -> Result<Vec<_>, TrashError> {
        Ok(trash.purge(&selection)?.into_iter().map(|record| record.id).collect())
    };
    let hour = Duration::from_secs(3600);
    assert_eq!(
        purged(Selection {
            older_than: Some(hour),
            ..Selection::default()
        })?,
        []
    );
    assert_eq!(
        purged(Selection {
            ids: vec![ids[3]],
            ..Selection::default()
        })?,
        [ids[3]]
    );
    assert_eq!(
        purged(Selection {
            shrink_to: Some(20_000),
            ..Selection::default()
        })?,
        [ids[0]]
    );
    assert_eq!(trash.purge_expired()?.len(), 2);
    assert!(trash.list()?.is_empty());
    Ok(())
}

#[test]
fn a_tree_without_permissions_and_of_great_depth_can_be_purged() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    fs::create_dir(ground.work().join("t"))?;
    let mut folder = fs::File::open(ground.work().join("t"))?;
    for _ in 0..1500 {
        rustix::fs::mkdirat(&folder, "dddd", Mode::RWXU)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        folder = rustix::fs::openat(&folder, "dddd", flags, Mode::empty())?.into();
    }
    // Without root's rights a folder that may not be read cannot be measured, and is refused.
    let closed = if rustix::process::geteuid().is_root() {
        Mode::empty()
    } else {
        Mode::RUSR | Mode::XUSR
    };
    rustix::fs::fchmod(&folder, closed)?;
    let kept = discard(&trash, &ground.work().join("t"), Removal::Tree)?;
    assert!(kept.record.charge > 1500 * 4096);
    assert_eq!(
        trash
            .purge(&Selection {
                all: true,
                ..Selection::default()
            })?
            .len(),
        1
    );
    assert_eq!(fs::read_dir(kept.place.join("expunged"))?.count(), 0);
    Ok(())
}
