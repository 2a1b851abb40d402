//! The mounts of a world: `/run`, `/tmp`, the homes and the helper folders are fresh memory file systems; `/etc`,
//! `/var/lib` and `/usr/local/lib` are the machine's with a private writable layer (`overlayfs`, kernel documentation).

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nix::mount::{MsFlags, mount};

use crate::{Result, fail};

/// Where the layers are kept: inside the world, closed to everybody but root.
const LAYERS: &str = "/mnt";

/// Moves the calling thread into a mount namespace of its own and lays the mounts out. Returns the namespace's inode.
pub fn enter() -> Result<u64> {
    crate::sys::unshare_mounts()
        .map_err(|error| fail(format!("a private mount namespace needs root (CAP_SYS_ADMIN): {error}")))?;
    mount(
        None::<&str>,
        "/",
        None::<&str>,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        None::<&str>,
    )?;
    memory(LAYERS, 0o700)?;
    for lower in ["/etc", "/var/lib", "/usr/local/lib"] {
        layer(lower)?;
    }
    // An installation of the machine's own is not part of the world.
    for own in ["/etc/agentsh", "/var/lib/agentsh"] {
        if Path::new(own).exists() {
            fs::remove_dir_all(own)?;
        }
    }
    memory("/run", 0o755)?;
    memory("/tmp", 0o1777)?;
    memory("/root", 0o700)?;
    memory("/home", 0o755)?;
    fs::create_dir("/run/agentsh")?;
    fs::set_permissions("/run/agentsh", fs::Permissions::from_mode(0o1777))?;
    fs::create_dir("/run/sshd")?;
    Ok(fs::metadata("/proc/thread-self/ns/mnt")?.ino())
}

/// A fresh memory file system over `path`.
pub fn memory(path: impl AsRef<Path>, mode: u32) -> Result {
    memory_of_size(path, mode, "50%")
}

/// A fresh memory file system over `path` with room for `size` (`tmpfs(5)`), in the world of the calling thread.
pub fn memory_of_size(path: impl AsRef<Path>, mode: u32, size: &str) -> Result {
    let options = format!("mode={mode:o},size={size}");
    mount(
        Some("tmpfs"),
        path.as_ref(),
        Some("tmpfs"),
        MsFlags::MS_NOSUID,
        Some(options.as_str()),
    )?;
    Ok(())
}

fn layer(lower: &str) -> Result {
    let own = Path::new(LAYERS).join(lower.trim_start_matches('/').replace('/', "-"));
    let (upper, work) = (own.join("upper"), own.join("work"));
    fs::create_dir_all(&upper)?;
    fs::create_dir_all(&work)?;
    fs::set_permissions(&upper, fs::Permissions::from_mode(0o755))?;
    let options = format!(
        "lowerdir={lower},upperdir={},workdir={}",
        upper.display(),
        work.display()
    );
    mount(
        Some("overlay"),
        lower,
        Some("overlay"),
        MsFlags::empty(),
        Some(options.as_str()),
    )?;
    Ok(())
}

/// A folder of the machine that a world would hide, to be shown elsewhere in it.
pub struct Tree(std::os::fd::OwnedFd);

impl Tree {
    /// The tree at `path`, before the world is entered.
    pub fn of(path: &Path) -> Result<Tree> {
        let tree = crate::sys::clone_tree(path);
        Ok(Tree(
            tree.map_err(|error| fail(format!("{}: {error}", path.display())))?,
        ))
    }

    /// Shows it at `path`, which is made, in the world of the calling thread.
    pub fn attach(self, path: &Path) -> Result {
        fs::create_dir_all(path)?;
        crate::sys::attach_tree(&self.0, path).map_err(|error| fail(format!("{}: {error}", path.display())))?;
        Ok(())
    }
}
