//! The trash is removed while a session lives.

mod support;

use std::fs;
use std::path::Path;

use agentsh_keep::trash::{Removal, Target, Trash, TrashError, Version};
use support::{Ground, Tested, cut, discard, exists, refusal, replaced};

const EIO: i32 = 5;
const ENOENT: i32 = 2;

/// Loses three files and a folder, each in its way, and says how many entries the trash has now.
fn lose(trash: &Trash, ground: &Ground) -> Tested<usize> {
    let deleted = ground.file("deleted", "x")?;
    discard(trash, &deleted, Removal::Unlink)?;
    assert!(!exists(&deleted));
    replaced(trash, &ground.file("replaced", "x")?)?;
    let version = cut(trash, &ground.file("truncated", "x")?)?;
    assert!(matches!(version, Version::Kept(_)));
    let folder = ground.work().join("folder");
    fs::create_dir(&folder)?;
    discard(trash, &folder, Removal::Rmdir)?;
    Ok(ground.trash()?.list()?.len())
}

/// How many objects are left where a part of the trash was removed. To open it would make that again.
fn left_in(ground: &Ground) -> usize {
    fs::read_dir(ground.state().join("trash/files")).map_or(0, Iterator::count)
}

#[test]
fn a_trash_that_was_removed_is_made_again() -> Tested {
    for removed in ["", "files", "info", "incoming"] {
        let ground = Ground::new()?;
        let trash = ground.trash()?;
        lose(&trash, &ground)?;
        fs::remove_dir_all(ground.state().join("trash").join(removed))?;
        let before = left_in(&ground);
        assert_eq!(lose(&trash, &ground)?, before + 4, "{removed:?} was removed");
    }
    Ok(())
}

#[test]
fn records_are_given_their_files_where_only_those_were_removed() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    lose(&trash, &ground)?;
    let info = ground.state().join("trash/info");
    fs::remove_dir_all(&info)?;
    trash.settle()?;
    assert_eq!(fs::read_dir(info)?.count(), 4);
    Ok(())
}

#[test]
fn each_way_to_lose_a_file_finds_the_trash_made_again() -> Tested {
    type Lose = fn(&Trash, &Path) -> Result<(), TrashError>;
    let ways: [Lose; 3] = [
        |trash, path| discard(trash, path, Removal::Unlink).map(|_| ()),
        |trash, path| replaced(trash, path).map(|_| ()),
        |trash, path| cut(trash, path).map(|_| ()),
    ];
    for way in ways {
        let ground = Ground::new()?;
        let trash = ground.trash()?;
        fs::remove_dir_all(ground.state())?;
        let path = ground.file("a", "x")?;
        way(&trash, &path)?;
        let id = trash.list()?.first().ok_or("not kept")?.record.id;
        trash.restore(id, &Target::At(ground.work().join("back")))?;
        assert_eq!(fs::read_to_string(ground.work().join("back"))?, "x");
    }
    Ok(())
}

#[test]
fn a_trash_that_cannot_be_made_again_refuses_and_does_not_say_that_the_file_is_missing() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    fs::remove_dir_all(ground.state())?;
    fs::write(ground.state(), "in the way")?;
    let path = ground.file("a", "x")?;
    assert_eq!(refusal(discard(&trash, &path, Removal::Unlink)), EIO);
    assert_eq!(refusal(cut(&trash, &path)), EIO);
    assert_eq!(fs::read_to_string(&path)?, "x");
    Ok(())
}

#[test]
fn a_file_that_is_missing_is_said_to_be() -> Tested {
    let ground = Ground::new()?;
    let trash = ground.trash()?;
    let missing = ground.work().join("missing");
    assert_eq!(refusal(discard(&trash, &missing, Removal::Unlink)), ENOENT);
    Ok(())
}
