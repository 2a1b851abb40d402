//! Landlock by effect. Domains hold for the thread that enters them: each probe uses one of its own.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::thread;

use landlock::{Access as _, AccessFs, Ruleset, RulesetAttr as _};

use super::Finding;
use crate::sys;

/// Domains that can be stacked (`LANDLOCK_MAX_NUM_LAYERS`).
const LAYERS: usize = 16;

/// Enters a domain that allows nothing and looks whether a file can still be opened.
pub(super) fn probe(abi: u32) -> Finding {
    if abi == 0 {
        return Finding::Missing("the kernel has no Landlock, or it is switched off".into());
    }
    let tried = on_a_thread(|| {
        let ruleset = ruleset(AccessFs::from_all(landlock::ABI::V1))?;
        sys::set_no_new_privs()?;
        sys::restrict_self(ruleset.as_fd())?;
        Ok(std::fs::File::open("/proc/self/status").is_err())
    });
    match tried {
        Ok(true) => Finding::Works(format!("interface {abi}")),
        Ok(false) => Finding::Missing(format!("interface {abi} is there and does not restrict")),
        Err(error) => Finding::Missing(format!("interface {abi}: {error}")),
    }
}

/// Whether the caller lives in a Landlock domain already: then fewer layers than the kernel's most can
/// be stacked on top of it.
pub fn in_landlock_domain() -> io::Result<bool> {
    if sys::landlock_abi() == 0 {
        return Ok(false);
    }
    on_a_thread(|| {
        let ruleset = ruleset(AccessFs::MakeBlock.into())?;
        sys::set_no_new_privs()?;
        for _ in 0..LAYERS {
            match sys::restrict_self(ruleset.as_fd()) {
                Err(error) if error.raw_os_error() == Some(libc::E2BIG) => return Ok(true),
                other => other?,
            }
        }
        Ok(false)
    })
}

fn on_a_thread<T: Send + 'static>(probe: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    thread::spawn(probe)
        .join()
        .map_err(|_| io::Error::other("the probe's thread panicked"))?
}

fn ruleset(handled: landlock::BitFlags<AccessFs>) -> io::Result<OwnedFd> {
    let created = Ruleset::default()
        .handle_access(handled)
        .and_then(Ruleset::create)
        .map_err(io::Error::other)?;
    Option::<OwnedFd>::from(created).ok_or_else(|| io::Error::other("no ruleset was made"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_seen_from_inside_and_not_from_outside() -> io::Result<()> {
        if sys::landlock_abi() == 0 {
            eprintln!("SKIPPED: no Landlock on this kernel");
            return Ok(());
        }
        let outside = in_landlock_domain()?;
        let inside = on_a_thread(|| {
            sys::set_no_new_privs()?;
            sys::restrict_self(ruleset(AccessFs::MakeBlock.into())?.as_fd())?;
            in_landlock_domain()
        })?;
        assert_eq!((outside, inside), (false, true));
        Ok(())
    }
}
