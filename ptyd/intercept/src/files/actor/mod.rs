//! The two roles of a worker thread.
//!
//! As the *reader* it is itself: it may read the caller's memory and take its descriptors. As the
//! *actor* it has the caller's ids, groups, effective capabilities and umask, so that the kernel checks
//! and owns everything as if the caller had made the call. The change is made by raw per-thread calls
//! (libc's would change every thread); a thread that cannot change, or not back, carries nothing out.

mod client;
mod identity;
mod place;

use std::cell::RefCell;

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

pub use client::{Client, Namespace};
pub use identity::Identity;
pub use place::Place;

use super::sys;
use crate::caller::Status;

/// Capabilities that decide about files: an actor that lacks one that its caller has is not its caller.
const FILE_CAPABILITIES: u64 = 1 << 0 // chown
    | 1 << 1 // dac_override
    | 1 << 2 // dac_read_search
    | 1 << 3 // fowner
    | 1 << 4 // fsetid
    | 1 << 9 // linux_immutable
    | 1 << 27 // mknod
    | 1 << 31; // setfcap

thread_local! {
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
}

struct Worker {
    own: Identity,
    sets: CapabilitySets,
    now: Identity,
    umask: u32,
    /// Whether root folder, working directory and umask are this thread's alone.
    alone: bool,
    broken: bool,
}

/// The thread is the actor for as long as this lives, then the reader again.
#[must_use]
pub struct Acting(());

impl Drop for Acting {
    fn drop(&mut self) {
        with(|worker| worker.take(&worker.own.clone())).ok();
    }
}

/// Makes a thread ready to act, which its first act would do else, while a caller waits; and the reader, where the one that
/// started it acted then: who may not carries nothing out.
pub fn begin() {
    if let Err(errno) = with(|_| Ok(())) {
        tracing::error!(%errno, "a worker cannot take its own identity");
    }
}

/// Makes this thread act as `identity`, with `umask` where the call makes something.
///
/// # Errors
/// `EPERM` if the identity cannot be taken; the thread is the reader then, or refuses all further work.
pub fn act_as(identity: &Identity, umask: Option<u32>) -> Result<Acting, Errno> {
    with(|worker| {
        worker.take(identity)?;
        if let Some(mask) = umask
            && mask != worker.umask
        {
            if worker.alone {
                rustix::process::umask(Mode::from_raw_mode(mask));
            }
            worker.umask = mask;
        }
        Ok(())
    })?;
    Ok(Acting(()))
}

/// Makes something with the umask of whoever the thread acts for. Where the umask is every thread's, nobody else has it
/// meanwhile: `make` must not wait for anybody.
pub fn making<T>(make: impl FnOnce() -> T) -> T {
    let shared = with(|worker| Ok((!worker.alone).then_some(worker.umask)));
    let _place = shared.ok().flatten().map(Place::with_umask);
    make()
}

/// As [`act_as`], for looking paths up alone: whoever has the same ids as this thread and may search every
/// folder, as it may itself, finds the same.
///
/// # Errors
/// As [`act_as`].
pub fn look_as(identity: &Identity) -> Result<Option<Acting>, Errno> {
    const DAC_OVERRIDE: u64 = 1 << 1;
    let alike = with(|worker| {
        let ids = |one: &Identity| (one.euid, one.egid, one.fsuid, one.fsgid);
        let own = &worker.own;
        let searches = identity.effective & worker.own.effective & DAC_OVERRIDE != 0;
        Ok(worker.now == *own && ids(own) == ids(identity) && searches)
    })?;
    match alike {
        true => Ok(None),
        false => act_as(identity, None).map(Some),
    }
}

/// Runs `work` as the reader and goes back to whoever the thread was.
///
/// # Errors
/// Those of `work`; `EPERM` if the way back failed.
pub fn as_reader<T>(work: impl FnOnce() -> Result<T, Errno>) -> Result<T, Errno> {
    let before = with(|worker| {
        let before = (worker.now != worker.own).then(|| worker.now.clone());
        worker.take(&worker.own.clone())?;
        Ok(before)
    })?;
    let result = work();
    if let Some(identity) = before {
        with(|worker| worker.take(&identity))?;
    }
    result
}

/// Whether root folder, working directory and umask are this thread's alone (`CLONE_FS`), which some containers refuse.
///
/// # Errors
/// `EPERM` if the thread carries nothing out.
pub fn is_alone() -> Result<bool, Errno> {
    with(|worker| Ok(worker.alone))
}

/// Whether the caller's rights are the worker's own: what it does as itself the kernel checks as the caller's.
pub fn is_itself() -> bool {
    with(|worker| Ok(worker.now == worker.own)).unwrap_or(false)
}

fn with<T>(work: impl FnOnce(&mut Worker) -> Result<T, Errno>) -> Result<T, Errno> {
    WORKER.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Some(Worker::start()?);
        }
        let Some(worker) = slot else { return Err(Errno::PERM) };
        if worker.broken {
            return Err(Errno::PERM);
        }
        work(worker)
    })
}

/// That of a thread of ours.
fn identity_of(tid: i32) -> Result<Identity, Errno> {
    Ok(Identity::of(&Status::read(tid)?, false))
}

impl Worker {
    fn start() -> Result<Worker, Errno> {
        let alone = match sys::unshare_fs() {
            Ok(()) => true,
            Err(Errno::PERM) => false,
            Err(errno) => return Err(errno),
        };
        let sets = rustix::thread::capabilities(None)?;
        // The first thread of the process never acts. One that was started by a thread that did is as that one was then.
        let own = identity_of(std::process::id().cast_signed())?;
        let now = identity_of(rustix::thread::gettid().as_raw_nonzero().get())?;
        // Reading the mask means setting it. Where it is every thread's it is this one already.
        if alone {
            rustix::process::umask(place::OWN_UMASK);
        }
        let mut worker = Worker {
            now,
            own: own.clone(),
            sets,
            umask: place::OWN_UMASK.bits(),
            alone,
            broken: false,
        };
        worker.take(&own)?;
        Ok(worker)
    }

    /// Takes `to`; on failure goes back to the own identity, and if that fails too, never works again.
    fn take(&mut self, to: &Identity) -> Result<(), Errno> {
        if self.now == *to {
            return Ok(());
        }
        if self.change(to).is_ok() {
            return Ok(());
        }
        let own = self.own.clone();
        // How far it came is not known: every set is made anew.
        self.now.effective = u64::MAX;
        if self.change(&own).is_err() {
            self.broken = true;
            tracing::error!("a worker cannot take its own identity back; it refuses all further calls");
        }
        if *to == own && !self.broken {
            Ok(())
        } else {
            Err(Errno::PERM)
        }
    }

    fn change(&mut self, to: &Identity) -> Result<(), Errno> {
        let permitted = self.sets.permitted.bits();
        if to.effective & FILE_CAPABILITIES & !permitted != 0 {
            return Err(Errno::PERM);
        }
        let effective = to.effective & permitted;
        let ids =
            (to.euid, to.egid, to.fsuid, to.fsgid) != (self.now.euid, self.now.egid, self.now.fsuid, self.now.fsgid);
        if ids || to.groups != self.now.groups {
            self.capabilities(permitted)?;
            if to.groups != self.now.groups {
                let groups: Vec<Gid> = to.groups.iter().copied().map(Gid::from_raw).collect();
                rustix::thread::set_thread_groups(&groups)?;
                self.now.groups.clone_from(&to.groups);
            }
            self.ids(to)?;
            // The ids were changed with side effects on the effective set, which is set last.
            self.now.effective = !effective;
        }
        if self.now.effective & permitted != effective || ids {
            self.capabilities(effective)?;
        }
        self.now.effective = to.effective;
        Ok(())
    }

    fn ids(&mut self, to: &Identity) -> Result<(), Errno> {
        if to.egid != self.now.egid {
            rustix::thread::set_thread_res_gid(None::<Gid>, Gid::from_raw(to.egid), None::<Gid>)?;
            (self.now.egid, self.now.fsgid) = (to.egid, to.egid);
        }
        if to.fsgid != self.now.fsgid {
            if !sys::set_fsgid(to.fsgid) {
                return Err(Errno::PERM);
            }
            self.now.fsgid = to.fsgid;
        }
        if to.euid != self.now.euid {
            rustix::thread::set_thread_res_uid(None::<Uid>, Uid::from_raw(to.euid), None::<Uid>)?;
            (self.now.euid, self.now.fsuid) = (to.euid, to.euid);
        }
        if to.fsuid != self.now.fsuid {
            // Leaving uid 0 took the capability to set ids out of the effective set.
            self.capabilities(self.sets.permitted.bits())?;
            if !sys::set_fsuid(to.fsuid) {
                return Err(Errno::PERM);
            }
            self.now.fsuid = to.fsuid;
        }
        Ok(())
    }

    fn capabilities(&self, effective: u64) -> Result<(), Errno> {
        let sets = CapabilitySets {
            effective: CapabilitySet::from_bits_retain(effective),
            ..self.sets
        };
        rustix::thread::set_capabilities(None, sets)
    }
}
