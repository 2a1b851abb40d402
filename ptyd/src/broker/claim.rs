//! Being the one broker of a user: the runtime folder, the lock, the sockets.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use agentsh_protocol::places::{self, PlaceError};
use listenfd::ListenFd;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// The name of the lock in the runtime folder.
const LOCK: &str = "broker.lock";

/// How long to wait for another broker that holds the lock and does not listen yet.
const OTHER_STARTS: Duration = Duration::from_secs(15);

/// Why this process cannot be the user's broker.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClaimError {
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{0} is not there: root makes it, by an installation or by `install -d -m 1777 {0}`")]
    NoBase(&'static str),
    #[error("{0}: another broker holds the lock and does not answer")]
    Stuck(PathBuf),
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ClaimError {
    let path = path.to_owned();
    move |source| ClaimError::Io { path, source }
}

/// The sockets, and the lock that is held as long as they are served.
pub(super) struct Sockets {
    pub launch: UnixListener,
    pub api: UnixListener,
    pub lock: File,
}

/// Who serves this user.
pub(super) enum Claim {
    Ours(Sockets),
    AlreadyServed,
}

/// Becomes the user's broker, or finds that there is one.
pub(super) fn claim(uid: u32) -> Result<Claim, ClaimError> {
    let dir = make_run_dir(uid)?;
    let lock_path = dir.join(LOCK);
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
        .open(&lock_path)
        .map_err(at(&lock_path))?;
    let launch_path = places::launch_socket(uid);
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return wait_for_other(&launch_path),
        Err(errno) => return Err(at(&lock_path)(errno.into())),
    }
    let (launch, api) = match activated() {
        Some(sockets) => sockets,
        None => (bind(&launch_path)?, bind(&places::api_socket(uid))?),
    };
    for listener in [&launch, &api] {
        listener.set_nonblocking(true).map_err(at(&launch_path))?;
    }
    Ok(Claim::Ours(Sockets { launch, api, lock }))
}

/// The service manager's sockets: first the launch socket, then the API's (`sd_listen_fds(3)`).
fn activated() -> Option<(UnixListener, UnixListener)> {
    let mut passed = ListenFd::from_env();
    let launch = passed.take_unix_listener(0).ok().flatten()?;
    let api = passed.take_unix_listener(1).ok().flatten()?;
    Some((launch, api))
}

/// Binds in our own folder; whoever holds the lock may remove what an earlier broker left behind.
fn bind(path: &Path) -> Result<UnixListener, ClaimError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(path)(error)),
        _ => {}
    }
    UnixListener::bind(path).map_err(at(path))
}

fn wait_for_other(launch: &Path) -> Result<Claim, ClaimError> {
    let limit = Instant::now() + OTHER_STARTS;
    while Instant::now() < limit {
        if UnixStream::connect(launch).is_ok() {
            return Ok(Claim::AlreadyServed);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err(ClaimError::Stuck(launch.to_owned()))
}

/// Whether whoever looks for the user's broker finds the one that holds `lock`. The runtime folder may be gone, as a login
/// manager removes its own at the end of the last login, or be another one since: they start a broker there.
pub(super) fn is_found(uid: u32, lock: &File) -> bool {
    leads_to(&places::run_dir(uid).join(LOCK), lock)
}

fn leads_to(path: &Path, lock: &File) -> bool {
    match (fs::symlink_metadata(path), lock.metadata()) {
        (Ok(there), Ok(ours)) => (there.dev(), there.ino()) == (ours.dev(), ours.ino()),
        (Err(error), _) => error.kind() != io::ErrorKind::NotFound,
        (_, Err(_)) => true,
    }
}

/// Makes the user's runtime folder; root's broker makes the folder above it, for everybody.
fn make_run_dir(uid: u32) -> Result<PathBuf, ClaimError> {
    let base = Path::new(places::RUN_BASE);
    if uid == 0 {
        match DirBuilder::new().mode(0o1777).create(base) {
            // The umask was in the way of the mode.
            Ok(()) => fs::set_permissions(base, Permissions::from_mode(0o1777)).map_err(at(base))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(at(base)(error)),
        }
    }
    let dir = places::run_dir(uid);
    match DirBuilder::new().mode(0o700).create(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ClaimError::NoBase(places::RUN_BASE)),
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(at(&dir)(error)),
        _ => Ok(places::check_run_dir(uid)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_whose_folder_is_gone_or_another_one_is_not_found() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let (dir, path) = (folder.path().join("run"), folder.path().join("run/broker.lock"));
        fs::create_dir(&dir)?;
        let lock = File::create(&path)?;
        assert!(leads_to(&path, &lock));
        fs::remove_dir_all(&dir)?;
        assert!(!leads_to(&path, &lock));
        fs::create_dir(&dir)?;
        let other = File::create(&path)?;
        assert!(!leads_to(&path, &lock) && leads_to(&path, &other));
        Ok(())
    }
}
