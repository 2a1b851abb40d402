//! Folders that their own user may not read, when the checkpoint is made or when it is gone back to.

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;

use support::{Ground, Tested, as_nobody, exists, set_mode};

#[test]
fn what_a_checkpoint_could_not_read_is_left_alone_and_said() -> Tested {
    if !as_nobody("what_a_checkpoint_could_not_read_is_left_alone_and_said")? {
        return Ok(());
    }
    // Closed altogether; a folder whose names can be read, and nothing else of them.
    for closed in [0o000, 0o600] {
        let ground = Ground::new()?;
        let folder = ground.work().join("priv");
        fs::create_dir_all(folder.join("inner"))?;
        ground.file("priv/key", "precious")?;
        ground.file("priv/inner/key", "precious too")?;
        set_mode(&folder, closed)?;
        let checkpoints = ground.checkpoints()?;
        let id = checkpoints.create(None)?.header.id;
        set_mode(&folder, 0o700)?;
        ground.file("new", "x")?;
        for dry_run in [true, false] {
            let back = checkpoints.rollback(id, dry_run)?;
            let said = |problem: &agentsh_keep::checkpoint::Problem| problem.reason.starts_with("what is there stays");
            assert!(back.problems.iter().any(said), "{closed:o}: {:?}", back.problems);
        }
        assert!(!exists(&ground.work().join("new")));
        assert_eq!(fs::metadata(&folder)?.mode() & 0o777, closed);
        set_mode(&folder, 0o700)?;
        assert_eq!(fs::read_to_string(folder.join("key"))?, "precious", "{closed:o}");
        assert_eq!(
            fs::read_to_string(folder.join("inner/key"))?,
            "precious too",
            "{closed:o}"
        );
    }
    Ok(())
}

#[test]
fn a_rollback_that_left_something_alone_can_be_undone() -> Tested {
    if !as_nobody("a_rollback_that_left_something_alone_can_be_undone")? {
        return Ok(());
    }
    let ground = Ground::new()?;
    let folder = ground.work().join("priv");
    fs::create_dir(&folder)?;
    ground.file("priv/key", "precious")?;
    set_mode(&folder, 0o000)?;
    let checkpoints = ground.checkpoints()?;
    let id = checkpoints.create(None)?.header.id;
    set_mode(&folder, 0o700)?;
    let undo = checkpoints.rollback(id, false)?.undo.ok_or("no undo")?;
    let undone = checkpoints.rollback(undo, false)?;
    assert!(undone.problems.is_empty(), "{:?}", undone.problems);
    assert_eq!(fs::metadata(&folder)?.mode() & 0o777, 0o700);
    assert_eq!(fs::read_to_string(folder.join("key"))?, "precious");
    Ok(())
}

#[test]
fn a_folder_that_was_closed_since_is_opened_and_filled_at_once() -> Tested {
    if !as_nobody("a_folder_that_was_closed_since_is_opened_and_filled_at_once")? {
        return Ok(());
    }
    let ground = Ground::new()?;
    let (above, folder) = (ground.work().join("above"), ground.work().join("above/d"));
    fs::create_dir_all(folder.join("e"))?;
    ground.file("above/d/f", "x")?;
    ground.file("above/d/e/g", "x")?;
    set_mode(&above, 0o555)?;
    let checkpoints = ground.checkpoints()?;
    let id = checkpoints.create(None)?.header.id;
    fs::remove_file(folder.join("f"))?;
    fs::remove_file(folder.join("e/g"))?;
    set_mode(&folder, 0o000)?;
    let back = checkpoints.rollback(id, false)?;
    assert!(back.problems.is_empty(), "{:?}", back.problems);
    assert!(exists(&folder.join("f")) && exists(&folder.join("e/g")));
    assert_eq!(fs::metadata(&above)?.mode() & 0o777, 0o555);
    set_mode(&above, 0o755)?; // so that the test's own folder can be removed
    Ok(())
}
