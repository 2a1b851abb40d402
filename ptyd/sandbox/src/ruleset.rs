//! A hull as a Landlock ruleset (`landlock(7)`): built once, entered by every command.

use std::fs::File;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, PathBeneath, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
    RulesetError,
};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use crate::hull::{Grant, Hull};

/// `statfs(2)`.
const MQUEUE_MAGIC: u64 = 0x1980_0202;

/// Why no ruleset could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RulesetFailure {
    #[error("landlock: {0}")]
    Landlock(#[from] RulesetError),
    #[error("{path}: {source}")]
    Open { path: PathBuf, source: std::io::Error },
    #[error("the kernel has no Landlock")]
    Missing,
}

/// Makes the ruleset. It handles every file right that the kernel's interface knows, so that whatever
/// is not granted is denied. Of TCP ports none is granted: whoever connects or binds for a command does so
/// outside of it, and what the command did itself would have passed by the judge; `connects`: unless something else
/// judges that, and connecting is not handled. Scopes are left alone: one would keep the commands of a session from
/// signalling each other.
pub fn build(hull: &Hull, abi: u32, connects: bool) -> Result<OwnedFd, RulesetFailure> {
    let abi = ABI::from(i32::try_from(abi).unwrap_or(i32::MAX));
    let mut ports = AccessNet::from_all(abi);
    if connects {
        ports.remove(AccessNet::ConnectTcp);
    }
    let mut ruleset = Ruleset::default().handle_access(AccessFs::from_all(abi))?;
    if !ports.is_empty() {
        ruleset = ruleset.handle_access(ports)?;
    }
    let mut ruleset = ruleset.create()?;
    for grant in hull.grants() {
        let access = grant.rights.access(abi, grant.is_folder);
        if access.is_empty() {
            continue;
        }
        match open(grant) {
            Ok(object) => ruleset = ruleset.add_rule(PathBeneath::new(object, access))?,
            // Gone since, or never readable for this user: then there is nothing to grant.
            Err(error) if is_absent(&error) => {}
            Err(source) => {
                return Err(RulesetFailure::Open {
                    path: grant.path.clone(),
                    source,
                });
            }
        }
    }
    if let Some(root) = message_queues() {
        let access = AccessFs::ReadFile | AccessFs::WriteFile;
        ruleset = ruleset.add_rule(PathBeneath::new(root, access))?;
    }
    Option::<OwnedFd>::from(ruleset).ok_or(RulesetFailure::Missing)
}

/// Puts the calling thread behind the walls that a ruleset makes, for good: what it then does for a caller reaches no
/// further than the caller itself.
///
/// # Errors
/// Those of `landlock_restrict_self(2)`.
pub fn enter_thread(ruleset: BorrowedFd<'_>) -> std::io::Result<()> {
    crate::sys::set_no_new_privs()?;
    crate::sys::restrict_self(ruleset)
}

/// The root of the file system in which POSIX message queues live (`mq_overview(7)`). `mq_open(2)` goes there by no path,
/// and is nobody's to judge; but Landlock asks of every file that is opened below which folder it lies. None where
/// neither a mount of it can be made, for want of rights, nor one is where it is by custom.
fn message_queues() -> Option<OwnedFd> {
    let unmounted = || {
        let context = rustix::mount::fsopen("mqueue", FsOpenFlags::FSOPEN_CLOEXEC)?;
        rustix::mount::fsconfig_create(&context)?;
        let nothing_runs = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
        rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, nothing_runs)
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let customary = || rustix::fs::open("/dev/mqueue", flags, Mode::empty());
    let root = unmounted().or_else(|_| customary()).ok()?;
    let kind = rustix::fs::fstatfs(&root).ok()?.f_type;
    (kind as u64 == MQUEUE_MAGIC).then_some(root)
}

fn open(grant: &Grant) -> std::io::Result<File> {
    File::options()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_NOFOLLOW)
        .open(&grant.path)
}

fn is_absent(error: &std::io::Error) -> bool {
    [Errno::NOENT, Errno::ACCESS, Errno::NOTDIR, Errno::LOOP]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
