//! Checkpoints with full stores and other mounts: in a mount namespace of the test's own.

mod support;

use std::fs;

use agentsh_keep::checkpoint::CheckpointError;
use support::snapshot::{differences, snapshot};
use support::{Ground, Tested, exists, in_own_mounts, run, tmpfs};

#[test]
fn a_full_store_leaves_nothing_of_the_checkpoint() -> Tested {
    if !in_own_mounts("a_full_store_leaves_nothing_of_the_checkpoint")? {
        return Ok(());
    }
    let ground = Ground::new()?;
    fs::create_dir_all(ground.store())?;
    tmpfs(&ground.store(), "size=2m");
    fs::write(ground.work().join("fits"), "x")?;
    let checkpoints = ground.checkpoints()?;
    let id = checkpoints.create(None)?.header.id;
    let size = checkpoints.size()?;
    for number in 0..8_u8 {
        fs::write(ground.work().join(number.to_string()), vec![number; 700_000])?;
    }
    let before = snapshot(&ground.work())?;
    for refused in [checkpoints.create(None).err(), checkpoints.rollback(id, false).err()] {
        let full = refused.ok_or("was done")?;
        assert!(
            matches!(
                full,
                CheckpointError::Refused {
                    errno: rustix::io::Errno::NOSPC,
                    ..
                }
            ),
            "{full}"
        );
        assert_eq!((checkpoints.list()?.checkpoints.len(), checkpoints.size()?), (1, size));
    }
    assert_eq!(differences(&before, &snapshot(&ground.work())?), Vec::<String>::new());
    Ok(())
}

#[test]
fn a_full_workspace_refuses_the_rollback() -> Tested {
    if !in_own_mounts("a_full_workspace_refuses_the_rollback")? {
        return Ok(());
    }
    let ground = Ground::new()?;
    tmpfs(&ground.work(), "size=2m");
    let path = ground.work().join("old");
    fs::write(&path, vec![1; 900_000])?;
    let checkpoints = ground.checkpoints()?;
    let id = checkpoints.create(None)?.header.id;
    fs::remove_file(path)?;
    fs::write(ground.work().join("new"), vec![2; 1_500_000])?;
    let full = checkpoints.rollback(id, false).err().ok_or("was done")?;
    assert!(
        matches!(
            full,
            CheckpointError::Refused {
                errno: rustix::io::Errno::NOSPC,
                ..
            }
        ),
        "{full}"
    );
    assert_eq!(fs::read(ground.work().join("new"))?, vec![2; 1_500_000]);
    // What was staged does not go on filling it.
    fs::write(ground.work().join("more"), vec![3; 400_000])?;
    assert!(!exists(&ground.store().join("journal")));
    Ok(())
}

#[test]
fn another_file_system_in_the_workspace_is_told_and_left_alone() -> Tested {
    if !in_own_mounts("another_file_system_in_the_workspace_is_told_and_left_alone")? {
        return Ok(());
    }
    let ground = Ground::new()?;
    ground.file("a", "x")?;
    let checkpoints = ground.checkpoints()?;
    let without = checkpoints.create(None)?.header.id;
    let mounted = ground.work().join("folder/mounted");
    fs::create_dir_all(&mounted)?;
    tmpfs(&mounted, "size=1m");
    fs::write(mounted.join("inner"), "x")?;
    let with = checkpoints.create(None)?.header;
    assert!(
        with.problems.iter().any(|problem| problem.path.0 == b"folder/mounted"),
        "{:?}",
        with.problems
    );
    fs::remove_file(ground.work().join("a"))?;
    for id in [with.id, without] {
        let back = checkpoints.rollback(id, false)?;
        assert!(exists(&ground.work().join("a")) && exists(&mounted.join("inner")));
        assert_eq!(back.problems.is_empty(), id == with.id, "{:?}", back.problems);
    }
    Ok(())
}

#[test]
fn what_was_below_a_mount_is_left_alone_when_the_mount_is_gone() -> Tested {
    if !in_own_mounts("what_was_below_a_mount_is_left_alone_when_the_mount_is_gone")? {
        return Ok(());
    }
    let ground = Ground::new()?;
    let mounted = ground.work().join("mounted");
    fs::create_dir(&mounted)?;
    ground.file("mounted/under", "precious")?;
    tmpfs(&mounted, "size=1m");
    let checkpoints = ground.checkpoints()?;
    let id = checkpoints.create(None)?.header.id;
    assert!(run("umount", &[&mounted.to_string_lossy()]));
    let back = checkpoints.rollback(id, false)?;
    assert!(exists(&mounted.join("under")));
    assert!(back.problems.iter().any(|problem| problem.path.0 == b"mounted"));
    Ok(())
}
