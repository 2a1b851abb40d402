//! A group that the commands of a session share.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::group::{Group, Owner, Price};
use super::hierarchy::{Hierarchies, Version};

/// A v2 group below a caller's own, made once and entered by every command that comes from there.
#[derive(Debug)]
pub struct Enclosure {
    group: Group,
    folder: PathBuf,
    number: u64,
    /// The caller's own group.
    above: PathBuf,
    above_number: u64,
    /// Opened once: what is passed on are duplicates.
    entrance: File,
}

impl Enclosure {
    /// Makes it below the group in which `pid` is.
    ///
    /// # Errors
    /// Where none can be made there, or none that is entered at this price.
    pub fn make(hierarchies: &Hierarchies, pid: i32, owner: Owner<'_>, price: Price) -> io::Result<Enclosure> {
        let above = hierarchies
            .group_of(pid, Version::V2, "")?
            .ok_or_else(|| io::Error::other("no v2 hierarchy is mounted"))?;
        let above_number = fs::metadata(&above)?.ino();
        let group = Group::shared(&above, owner, price)?;
        let opened = group.entrances().and_then(|mut entrances| {
            let folder = group.unified_folder().map(Path::to_owned);
            folder
                .zip(entrances.pop())
                .ok_or_else(|| io::ErrorKind::NotFound.into())
        });
        let numbered = opened.and_then(|(folder, entrance)| Ok((fs::metadata(&folder)?.ino(), folder, entrance)));
        let (number, folder, entrance) = numbered.inspect_err(|_| {
            // Nobody is in it yet.
            let _ = group.remove();
        })?;
        Ok(Enclosure {
            group,
            folder,
            number,
            above,
            above_number,
            entrance,
        })
    }

    /// Whether it lies below the group with this number, and is still the one that was made.
    pub fn serves(&self, above: u64) -> bool {
        self.above_number == above && self.is_there()
    }

    /// Whether nobody has removed it.
    pub fn is_there(&self) -> bool {
        fs::metadata(&self.folder).is_ok_and(|folder| folder.ino() == self.number)
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The kernel's number of it: the inode of its folder.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The group itself.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// The file that says when the last process has left the group above, where that is one that can be removed.
    pub fn notices(&self) -> Option<PathBuf> {
        Some(self.above.join("cgroup.events")).filter(|events| events.exists())
    }

    /// Whether anybody is in the group above or below it.
    pub fn is_in_use(&self) -> bool {
        let Some(notices) = self.notices() else { return true };
        fs::read_to_string(notices).is_ok_and(|text| !text.lines().any(|line| line == "populated 0"))
    }
}

/// Where a process with one thread writes `0` to go in.
impl AsFd for Enclosure {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.entrance.as_fd()
    }
}

/// The number of the v2 group in which `pid` is.
///
/// # Errors
/// It is gone, or no v2 hierarchy shows it.
pub fn number_of(hierarchies: &Hierarchies, pid: i32) -> io::Result<u64> {
    let folder = hierarchies.group_of(pid, Version::V2, "")?;
    let folder = folder.ok_or_else(|| io::Error::other("no v2 hierarchy is mounted"))?;
    Ok(fs::metadata(folder)?.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enclosure_that_somebody_removed_serves_nobody() -> io::Result<()> {
        let hierarchies = Hierarchies::mounted()?;
        let own = std::process::id() as i32;
        let name = format!("enclosure-test-{own}");
        let told = std::cell::RefCell::new(Vec::new());
        let owner = Owner {
            name: &name,
            tell: &|folder| {
                assert!(!folder.exists());
                told.borrow_mut().push(folder.to_owned());
                Ok(())
            },
        };
        let made = match Enclosure::make(&hierarchies, own, owner, Price::Low) {
            Ok(made) => made,
            Err(error) => {
                eprintln!("SKIPPED: {error}");
                return Ok(());
            }
        };
        let above = number_of(&hierarchies, own)?;
        assert!(made.serves(above) && !made.serves(above + 1));
        assert_eq!(*told.borrow(), [made.folder()]);
        fs::remove_dir(made.folder())?;
        assert!(!made.serves(above));
        let again = Enclosure::make(&hierarchies, own, owner, Price::Low)?;
        assert!(again.serves(above) && !made.serves(above));
        again.group().remove()
    }
}
