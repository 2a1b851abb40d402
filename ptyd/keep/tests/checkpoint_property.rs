//! Any tree, any changes: going back gives the tree, and going back from that gives the changes.

mod support;

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use support::Ground;
use support::snapshot::{differences, snapshot};

/// One thing that is done to a tree; names are few, so that things meet.
#[derive(Debug, Clone)]
enum Act {
    Write(PathBuf, Vec<u8>),
    Append(PathBuf, u8),
    Folder(PathBuf),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
    Link(PathBuf, PathBuf),
    Symlink(PathBuf, PathBuf),
    Mode(PathBuf, u32),
    Time(PathBuf, u64, u32),
    Attribute(PathBuf, u8),
    NoAttribute(PathBuf),
    Fifo(PathBuf),
}

fn path() -> impl Strategy<Value = PathBuf> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c.d", "e-f", ".g"]), 1..4).prop_map(PathBuf::from_iter)
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (path(), prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(path, bytes)| Act::Write(path, bytes)),
        1 => (path(), any::<u8>()).prop_map(|(path, byte)| Act::Append(path, byte)),
        3 => path().prop_map(Act::Folder),
        2 => path().prop_map(Act::Remove),
        2 => (path(), path()).prop_map(|(from, to)| Act::Rename(from, to)),
        2 => (path(), path()).prop_map(|(from, to)| Act::Link(from, to)),
        1 => (path(), path()).prop_map(|(from, to)| Act::Symlink(from, to)),
        1 => (path(), prop::sample::select(vec![0o755, 0o700, 0o4755, 0o2770, 0o1777, 0o500, 0])).prop_map(|(path, mode)| Act::Mode(path, mode)),
        1 => (path(), 0..2_000_000_000_u64, 0..1_000_000_000_u32).prop_map(|(path, s, ns)| Act::Time(path, s, ns)),
        1 => (path(), any::<u8>()).prop_map(|(path, byte)| Act::Attribute(path, byte)),
        1 => path().prop_map(Act::NoAttribute),
        1 => path().prop_map(Act::Fifo),
    ]
}

/// What cannot be done is not done: the tree is random either way.
fn perform(root: &Path, act: &Act) {
    let at = |path: &PathBuf| root.join(path);
    let plain = |path: &PathBuf| at(path).symlink_metadata().is_ok_and(|m| m.is_file() || m.is_dir());
    let _ = match act {
        Act::Write(path, bytes) if !at(path).exists() || plain(path) => fs::write(at(path), bytes),
        Act::Append(path, byte) if plain(path) => File::options()
            .append(true)
            .open(at(path))
            .and_then(|mut file| std::io::Write::write_all(&mut file, &[*byte])),
        Act::Folder(path) => fs::create_dir_all(at(path)),
        Act::Remove(path) => fs::remove_file(at(path)).or_else(|_| fs::remove_dir_all(at(path))),
        Act::Rename(from, to) => fs::rename(at(from), at(to)),
        Act::Link(from, to) => fs::hard_link(at(from), at(to)),
        Act::Symlink(from, to) => symlink(from, at(to)),
        // Without root's rights the second opinion could not be had of what nobody may read.
        Act::Mode(path, 0) if plain(path) && !rustix::process::geteuid().is_root() => {
            fs::set_permissions(at(path), fs::Permissions::from_mode(0o500))
        }
        Act::Mode(path, mode) if plain(path) => fs::set_permissions(at(path), fs::Permissions::from_mode(*mode)),
        Act::Time(path, seconds, nanos) if plain(path) => File::open(at(path))
            .and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH + Duration::new(*seconds, *nanos))),
        Act::Attribute(path, byte) if plain(path) => xattr::set(at(path), "user.property", &[*byte]),
        Act::NoAttribute(path) if plain(path) => xattr::remove(at(path), "user.property"),
        Act::Fifo(path) => {
            rustix::fs::mkfifoat(rustix::fs::CWD, at(path), rustix::fs::Mode::RWXU).map_err(std::io::Error::from)
        }
        _ => Ok(()),
    };
}

fn check(first: &[Act], second: &[Act]) -> support::Tested {
    let ground = Ground::new()?;
    let work = ground.work();
    first.iter().for_each(|act| perform(&work, act));
    let checkpoints = ground.checkpoints()?;
    let original = snapshot(&work)?;
    let made = checkpoints.create(None)?;
    assert!(made.header.problems.is_empty(), "{:?}", made.header.problems);
    second.iter().for_each(|act| perform(&work, act));
    let changed = snapshot(&work)?;
    let told = checkpoints.rollback(made.header.id, true)?;
    let back = checkpoints.rollback(made.header.id, false)?;
    assert_eq!((back.problems, back.kept), (vec![], vec![]));
    assert_eq!(back.changes, told.changes);
    assert_eq!(differences(&original, &snapshot(&work)?), Vec::<String>::new());
    assert_eq!(checkpoints.diff(made.header.id)?, []);
    let again = checkpoints.rollback(back.undo.ok_or("no undo")?, false)?;
    assert_eq!(again.problems, []);
    assert_eq!(differences(&changed, &snapshot(&work)?), Vec::<String>::new());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn going_back_is_exact_and_can_be_undone(
        first in prop::collection::vec(act(), 0..40),
        second in prop::collection::vec(act(), 0..40),
    ) {
        let result = std::panic::catch_unwind(|| check(&first, &second).map_err(|error| error.to_string()));
        match result {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(TestCaseError::fail(error)),
            Err(_) => return Err(TestCaseError::fail("see above")),
        }
    }
}
