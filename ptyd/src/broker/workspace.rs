//! Which session a command belongs to.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Folders around which no session is made by itself: the whole machine, a home, everybody's scratch.
fn is_common(path: &Path, home: &Path) -> bool {
    path == Path::new("/")
        || path == home
        || ["/tmp", "/var/tmp", "/root", "/home"]
            .iter()
            .any(|dir| path == Path::new(dir))
}

/// The workspace that a command in `cwd` gets if no session contains it: the outermost git work tree
/// around it, else `cwd` itself; none where that is `/`, a home or `/tmp`.
pub(super) fn around(cwd: &Path, home: &Path) -> Option<PathBuf> {
    let tree = cwd
        .ancestors()
        .filter(|dir| !is_common(dir, home) && is_work_tree(dir))
        .last();
    match tree {
        Some(tree) => Some(tree.to_owned()),
        None if is_common(cwd, home) || !cwd.is_dir() => None,
        None => Some(cwd.to_owned()),
    }
}

/// A work tree has `.git`: a folder, or the file of a linked work tree or submodule.
fn is_work_tree(dir: &Path) -> bool {
    fs::symlink_metadata(dir.join(".git")).is_ok_and(|metadata| metadata.is_dir() || metadata.is_file())
}

/// Where a process stands; `None` if its folder was deleted or is not below our root.
pub(super) fn cwd_of(pid: i32) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    let link = format!("/proc/{pid}/cwd");
    let cwd = fs::read_link(&link).ok()?;
    let bytes = cwd.as_os_str().as_bytes();
    if !bytes.ends_with(DELETED) {
        // A folder below one that may not be searched is where the kernel says all the same.
        return bytes.starts_with(b"/").then_some(cwd);
    }
    // A name may really end so: then it leads to this folder.
    let identity = |path: &Path| fs::metadata(path).map(|stat| (stat.dev(), stat.ino()));
    match (identity(&cwd), identity(Path::new(&link))) {
        (Ok(named), Ok(real)) if named == real => Some(cwd),
        _ => None,
    }
}

/// What the kernel puts behind the path of a folder without a name, `proc_pid_cwd(5)`.
const DELETED: &[u8] = b" (deleted)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_work_tree_is_the_workspace() -> std::io::Result<()> {
        let dir = tempfile::tempdir()?;
        let outer = dir.path().join("outer");
        let inner = outer.join("vendor/inner/src");
        fs::create_dir_all(&inner)?;
        fs::create_dir(outer.join(".git"))?;
        fs::write(outer.join("vendor/inner/.git"), "gitdir: elsewhere")?;
        assert_eq!(around(&inner, Path::new("/home/x")), Some(outer.clone()));
        assert_eq!(around(&outer, Path::new("/home/x")), Some(outer));
        Ok(())
    }

    #[test]
    fn common_folders_are_no_workspaces() {
        for dir in ["/", "/tmp", "/home/x", "/root", "/home"] {
            assert_eq!(around(Path::new(dir), Path::new("/home/x")), None, "{dir}");
        }
    }

    #[test]
    fn a_home_that_is_a_work_tree_does_not_become_one() -> std::io::Result<()> {
        let home = tempfile::tempdir()?;
        fs::create_dir(home.path().join(".git"))?;
        let below = home.path().join("notes");
        fs::create_dir(&below)?;
        assert_eq!(around(&below, home.path()), Some(below.clone()));
        Ok(())
    }
}
