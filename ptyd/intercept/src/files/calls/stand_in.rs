//! Looks at what was redirected before: what an earlier write put elsewhere stands in for its original.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::ResolveFlags;
use rustix::io::Errno;

use super::call::Call;
use super::permit::Permit;
use crate::files::judge::Verdict;
use crate::files::operation::Operation;
use crate::files::resolve::{Found, How, Pin, Place, Root, guard};
use crate::outcome::Outcome;

/// What may be looked at.
pub struct Seen {
    /// The object, or what stands in for it.
    pub pin: Pin,
    /// None: there is nothing to be asked about it.
    pub permit: Option<Permit>,
}

impl Call<'_, '_> {
    /// Leave to look at what is at `place`. `None`: continued and answered.
    pub fn seen(&mut self, place: &Place, flags: i32, how: How, operation: Operation) -> Result<Option<Seen>, Outcome> {
        match self.looked_up(place, flags, how, operation)? {
            // What was reached by way of procfs is looked at for the caller: to the kernel another command's process
            // is behind other walls.
            Seen {
                permit: Some(permit),
                pin,
            } if permit.judgement.verdict == Verdict::Continue && !pin.procfs => {
                let _ = self.observed(&permit, Outcome::Continue)?;
                Ok(None)
            }
            seen => Ok(Some(seen)),
        }
    }

    /// [`Call::seen`], where the call is carried out in any case.
    pub fn looked_up(&self, place: &Place, flags: i32, how: How, operation: Operation) -> Result<Seen, Outcome> {
        let pin = match operation {
            Operation::Stat | Operation::Access => self.pinned(place, flags, how),
            _ => self.object_or_empty(place, flags, how),
        };
        let seen = match pin {
            Err(Outcome::Errno(Errno::NOENT)) => return self.missing(place, operation),
            pin => self.looked_at(pin?, operation)?,
        };
        match seen.permit.as_ref().map(|permit| &permit.judgement.verdict) {
            // A descriptor is what it is.
            Some(Verdict::Redirect { .. }) if place.path.is_empty() => Ok(Seen { permit: None, ..seen }),
            Some(Verdict::Redirect { to, .. }) => {
                let to = to.clone();
                self.in_place_of(seen, &to)
            }
            _ => Ok(seen),
        }
    }

    /// Leave to look at this very object.
    pub fn looked_at(&self, pin: Pin, operation: Operation) -> Result<Seen, Outcome> {
        let Some(path) = self.path_of(&pin)?.path().map(PathBuf::from) else {
            return Ok(Seen { pin, permit: None });
        };
        let permit = self.strictest(&[operation], path)?;
        let permit = Some(self.ask_if_needed(permit)?);
        Ok(Seen { pin, permit })
    }

    /// Nothing is there, except where an earlier write went elsewhere.
    fn missing(&self, place: &Place, operation: Operation) -> Result<Seen, Outcome> {
        let nothing = Outcome::Errno(Errno::NOENT);
        if !self.engine.parts.judge.redirects() || place.path.is_empty() {
            return Err(nothing);
        }
        let path = self.path_of_entry(&self.entry(place)?)?;
        let judgement = self.judge(operation, &path);
        let Verdict::Redirect { to, .. } = &judgement.verdict else {
            return Err(nothing);
        };
        let pin = self.stand_in(to)?.ok_or(nothing)?;
        let permit = Permit {
            operation,
            path,
            judgement,
            approved: None,
        };
        Ok(Seen {
            pin,
            permit: Some(permit),
        })
    }

    /// Folders and links are never redirected: what is written through them is.
    fn in_place_of(&self, seen: Seen, to: &Path) -> Result<Seen, Outcome> {
        let own = matches!(seen.pin.kind(), libc::S_IFDIR | libc::S_IFLNK);
        match if own { None } else { self.stand_in(to)? } {
            Some(pin) => Ok(Seen { pin, ..seen }),
            None => Ok(Seen { permit: None, ..seen }),
        }
    }

    /// The file at `to`, where an earlier write went, if there was one. As in `open/redirected.rs` no link is followed.
    fn stand_in(&self, to: &Path) -> Result<Option<Pin>, Outcome> {
        let path = CString::new(to.as_os_str().as_bytes()).map_err(|_| Errno::INVAL)?;
        let place = Place {
            path,
            start: None,
            at: None,
            root: Root::Host,
        };
        let how = How {
            follow: false,
            resolve: ResolveFlags::NO_SYMLINKS,
        };
        match self.resolver().find(&place, how) {
            Ok(Found::Object(pin)) if pin.kind() == libc::S_IFREG => {
                guard(&self.resolver(), &pin)?;
                Ok(Some(pin))
            }
            Ok(_) | Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(Outcome::Errno(errno)),
        }
    }
}
