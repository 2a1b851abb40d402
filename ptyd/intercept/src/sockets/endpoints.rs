//! Which endpoints are the session's own: bound by a socket that one of its processes bound.
//!
//! Names prove nothing: a path can be taken over, an abstract name bound again by somebody else. What is
//! remembered is the socket, and who holds a name now is asked of the kernel.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::Stat;
use rustix::io::Errno;

use super::diag::{self, Bound};

/// Remembered sockets from which on the closed ones among them are looked for.
const PRUNE: usize = 1024;

/// Who is reached at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Sockets that processes of the session bound, and no others.
    Own,
    /// Somebody else's, or somebody else's too.
    Foreign,
    /// No living socket has it.
    Nobody,
}

/// Makes a socket that asks about another network (`sock_diag(7)`).
pub type Elsewhere = dyn Fn() -> io::Result<OwnedFd> + Send + Sync;

/// The sockets that the processes of a session bound.
#[derive(Default)]
pub struct Endpoints {
    own: Mutex<HashSet<u64>>,
    elsewhere: Option<Box<Elsewhere>>,
}

impl Endpoints {
    /// Those of a session on a network of its own: abstract names are there, socket files on every network.
    pub fn elsewhere(network: Box<Elsewhere>) -> Endpoints {
        Endpoints {
            own: Mutex::default(),
            elsewhere: Some(network),
        }
    }

    /// What the kernel lists on the session's own network.
    fn named(&self) -> Result<Vec<Bound>, Errno> {
        let socket = match &self.elsewhere {
            Some(network) => network().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?,
            None => diag::here()?,
        };
        diag::bound(socket)
    }

    /// What it lists on every network that the session can reach.
    fn bound(&self) -> Result<Vec<Bound>, Errno> {
        let mut bound = self.named()?;
        if self.elsewhere.is_some() {
            bound.extend(diag::bound(diag::here()?)?);
        }
        Ok(bound)
    }

    /// A process of the session is about to bind the socket with this sockfs inode.
    pub(crate) fn note(&self, socket: u64) {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.insert(socket);
        if own.len() > PRUNE
            && own.len().is_power_of_two()
            && let Ok(bound) = self.bound()
        {
            let living: HashSet<u64> = bound.iter().map(|bound| bound.socket.into()).collect();
            own.retain(|known| *known == socket || living.contains(known));
        }
    }

    /// Several can answer to one description: sockets of two types have one abstract name, and the kernel's list has half
    /// of an inode's number. Whom the call would reach is not known then.
    fn holder<'b>(&self, candidates: impl Iterator<Item = &'b Bound>) -> Holder {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let mut holder = Holder::Nobody;
        for bound in candidates {
            match own.contains(&bound.socket.into()) {
                true => holder = Holder::Own,
                false => return Holder::Foreign,
            }
        }
        holder
    }

    /// Who has the abstract `name` (without its leading zero byte).
    ///
    /// # Errors
    /// Where the kernel does not tell.
    pub fn of_name(&self, name: &[u8]) -> Result<Holder, Errno> {
        let bound = self.named()?;
        Ok(self.holder(
            bound
                .iter()
                .filter(|bound| bound.name.split_first() == Some((&0, name))),
        ))
    }

    /// The path under which somebody else bound the socket of the file with these attributes, where that is not the
    /// session's own: links, moves and mounts give it others.
    ///
    /// # Errors
    /// Where the kernel does not tell.
    pub fn bound_as(&self, stat: &Stat) -> Result<Option<PathBuf>, Errno> {
        let bound = self.bound()?;
        let mut of_file = bound.iter().filter(|bound| bound.file == Some(file(stat)));
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let foreign = of_file.find(|bound| !own.contains(&bound.socket.into()));
        let name = foreign.map(|bound| bound.name.split(|byte| *byte == 0).next().unwrap_or_default());
        // A relative name was meant in a folder that nobody knows.
        let name = name.filter(|name| name.starts_with(b"/"));
        Ok(name.map(|name| PathBuf::from(OsStr::from_bytes(name))))
    }

    /// Who listens at the socket file with these attributes, known as `path`.
    ///
    /// # Errors
    /// Where the kernel does not tell.
    pub fn of_file(&self, stat: &Stat, path: &Path) -> Result<Holder, Errno> {
        let bound = self.bound()?;
        let (inode, device) = file(stat);
        let exactly = bound.iter().filter(|bound| bound.file == Some((inode, device)));
        match self.holder(exactly) {
            Holder::Nobody => {}
            holder => return Ok(holder),
        }
        // A stacked file system may show another device than it has: then the name must agree as well.
        let similar = bound.iter().filter(|bound| {
            bound.file.is_some_and(|(found, _)| found == inode)
                && bound.name.first() != Some(&0)
                && last(&bound.name) == path.file_name().map_or(b"".as_slice(), |name| name.as_bytes())
        });
        Ok(self.holder(similar))
    }
}

/// A file as the kernel's list names it.
fn file(stat: &Stat) -> (u32, u32) {
    let device = (libc::major(stat.st_dev) << 20) | libc::minor(stat.st_dev);
    (stat.st_ino as u32, device)
}

/// The last component of a bound path, which may end in zero bytes.
fn last(name: &[u8]) -> &[u8] {
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    let name = &name[..end];
    name.iter()
        .rposition(|byte| *byte == b'/')
        .map_or(name, |slash| &name[slash + 1..])
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_file_is_its_sockets_however_it_is_called() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        let own = UnixListener::bind(&one)?;
        let _foreign = UnixListener::bind(&two)?;
        let endpoints = Endpoints::default();
        endpoints.note(rustix::fs::fstat(&own)?.st_ino);
        let moved = folder.path().join("moved");
        std::fs::rename(&one, &moved)?;
        let holder = |path: &Path| endpoints.of_file(&rustix::fs::stat(path)?, path);
        assert_eq!(holder(&moved)?, Holder::Own);
        assert_eq!(holder(&two)?, Holder::Foreign);
        let linked = folder.path().join("linked");
        std::fs::hard_link(&two, &linked)?;
        let bound_as = |path: &Path| endpoints.bound_as(&rustix::fs::stat(path)?);
        assert_eq!((bound_as(&linked)?, bound_as(&moved)?), (Some(two.clone()), None));
        drop(own);
        assert_eq!(holder(&moved)?, Holder::Nobody);
        Ok(())
    }
}
