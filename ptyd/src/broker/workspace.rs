//! Which session a command belongs to.

use std::ffi::OsStr;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

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
    let cwd = nearest(cwd);
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

/// The folder itself, or the nearest above it that is there. What was put in the place of a deleted one may be a link
/// to anywhere, and does not count.
fn nearest(cwd: &Path) -> &Path {
    let is_there = |dir: &&Path| match fs::canonicalize(dir) {
        Ok(real) => real == *dir,
        // One that may not be searched hides what is below it.
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    };
    cwd.ancestors().find(is_there).unwrap_or(cwd)
}

/// Where a process stands: where its folder was, if that is deleted, and the nearest folder above it whose path the
/// kernel tells, if its own is too long. `None` if that is not below our root.
pub(super) fn cwd_of(pid: i32) -> Option<PathBuf> {
    let link = format!("/proc/{pid}/cwd");
    match place(&link) {
        Err(error) if is_too_long(&error) => above(&link),
        found => found.ok()?,
    }
}

/// Where the nearest folder above is whose path can be told. Each step goes to a parent, whatever has which name.
fn above(link: &str) -> Option<PathBuf> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut folder = rustix::fs::open(link, flags, Mode::empty()).ok()?;
    for _ in 0..MOST_STEPS {
        folder = rustix::fs::openat(&folder, "..", flags | OFlags::NOFOLLOW, Mode::empty()).ok()?;
        match place(&format!("/proc/self/fd/{}", folder.as_raw_fd())) {
            Err(error) if is_too_long(&error) => {}
            found => return found.ok()?,
        }
    }
    None
}

/// Where the folder is, or was, that a link of procfs leads to.
fn place(link: &str) -> io::Result<Option<PathBuf>> {
    let path = fs::read_link(link)?;
    let bytes = path.as_os_str().as_bytes();
    // A folder below one that may not be searched is where the kernel says all the same.
    if !bytes.starts_with(b"/") {
        return Ok(None);
    }
    let Some(before) = bytes.strip_suffix(DELETED) else {
        return Ok(Some(path));
    };
    // A name may really end so: then it leads to this folder.
    let folder = fs::metadata(link)?;
    if folder.nlink() == 0 {
        return Ok(Some(PathBuf::from(OsStr::from_bytes(before))));
    }
    let is_named = fs::metadata(&path).is_ok_and(|named| (named.dev(), named.ino()) == (folder.dev(), folder.ino()));
    Ok(is_named.then_some(path))
}

/// The kernel tells no path over `PATH_MAX`.
fn is_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::NAMETOOLONG.raw_os_error())
}

/// As far as is gone up from a folder, in which the broker serves nobody else.
const MOST_STEPS: usize = 16 << 10;

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

    /// A process that stands in a folder.
    fn standing(dir: &Path) -> io::Result<std::process::Child> {
        let mut child = std::process::Command::new("sleep");
        child.arg("300").current_dir(dir).spawn()
    }

    #[test]
    fn a_deleted_folder_was_where_it_was() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let outer = dir.path().canonicalize()?.join("outer");
        let named = outer.join("x (deleted)");
        fs::create_dir_all(outer.join("a/b"))?;
        fs::create_dir(&named)?;
        let mut children = [standing(&outer.join("a/b"))?, standing(&named)?];
        let [gone, there] = [0, 1].map(|index| cwd_of(children[index].id() as i32));
        assert_eq!((gone, there), (Some(outer.join("a/b")), Some(named)));
        fs::remove_dir_all(outer.join("a"))?;
        std::os::unix::fs::symlink("/usr", outer.join("a"))?;
        let gone = cwd_of(children[0].id() as i32);
        for child in &mut children {
            child.kill()?;
            child.wait()?;
        }
        assert_eq!(gone, Some(outer.join("a/b")));
        // A link that stands there now leads nobody to another workspace.
        assert_eq!(around(&outer.join("a/b"), Path::new("/home/x")), Some(outer.clone()));
        assert_eq!(around(&outer.join("a/bin"), Path::new("/home/x")), Some(outer));
        Ok(())
    }

    #[test]
    fn a_folder_whose_path_is_too_long_is_below_one_whose_path_is_not() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let outer = dir.path().canonicalize()?;
        let text = "n=$(printf %0200d 0); for i in $(seq 30); do mkdir $n; cd -P $n; done; echo; exec sleep 300";
        let mut child = std::process::Command::new("sh")
            .args(["-c", text])
            .current_dir(&outer)
            .stdout(std::process::Stdio::piped())
            .spawn()?;
        let mut ready = [0];
        if let Some(stdout) = &mut child.stdout {
            io::Read::read_exact(stdout, &mut ready)?;
        }
        let found = cwd_of(child.id() as i32);
        child.kill()?;
        child.wait()?;
        assert!(found.is_some_and(|found| found.starts_with(&outer) && found != outer));
        Ok(())
    }
}
