//! `rename(2)` in all its forms.

use rustix::fs::RenameFlags;
use rustix::io::Errno;

use super::call::{Call, done};
use super::content::{Coming, coming};
use super::permit::{Aside, Permit};
use super::tree::{Below, MOVED};
use crate::files::host::ObjectId;
use crate::files::judge::Verdict;
use crate::files::operation::Operation;
use crate::files::resolve::{Entry, Pin, Place};
use crate::files::trash::{Kept, Loss};
use crate::outcome::Outcome;

#[cfg(target_arch = "x86_64")]
pub fn rename(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let (old, new) = (call.place_here(0)?, call.place_here(1)?);
    Move::new(call, &old, &new, RenameFlags::empty())?.carry_out(call)
}

pub fn renameat(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let (old, new) = (call.place_at(0, 1)?, call.place_at(2, 3)?);
    Move::new(call, &old, &new, RenameFlags::empty())?.carry_out(call)
}

pub fn renameat2(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let flags = RenameFlags::from_bits_retain(call.caller.arg_u32(4));
    let known = RenameFlags::NOREPLACE | RenameFlags::EXCHANGE | RenameFlags::WHITEOUT;
    let exclusive = flags.contains(RenameFlags::EXCHANGE);
    let invalid =
        !known.contains(flags) || exclusive && flags.intersects(RenameFlags::NOREPLACE | RenameFlags::WHITEOUT);
    if invalid {
        return Err(Outcome::Errno(Errno::INVAL));
    }
    let (old, new) = (call.place_at(0, 1)?, call.place_at(2, 3)?);
    Move::new(call, &old, &new, flags)?.carry_out(call)
}

/// What the record says where a file does not stay as it was read.
const CHANGED: &str = "it is not what was judged any more, or has got a second name";

/// What the record says where it cannot be put in a file of which nobody has a page.
const KEPT_OPEN: &str = "what was judged could not be copied, and the file itself may be changed yet";

struct Move {
    old: Entry,
    new: Entry,
    flags: RenameFlags,
}

impl Move {
    fn new(call: &mut Call<'_, '_>, old: &Place, new: &Place, flags: RenameFlags) -> Result<Self, Outcome> {
        call.act(false)?;
        let old = call.entry(old)?;
        // The kernel asks for leave to search the first folder before it looks for the second.
        let new = call.entry(new).map_err(|error| match old.stat() {
            Err(Errno::ACCESS) => Outcome::Errno(Errno::ACCESS),
            _ => error,
        })?;
        Ok(Move { old, new, flags })
    }

    fn work(&self) -> Result<(), Errno> {
        rustix::fs::renameat_with(
            &self.old.parent,
            &self.old.name,
            &self.new.parent,
            &self.new.name,
            self.flags,
        )
    }

    /// What the kernel says before it looks at names: it compares the mounts first.
    fn otherwise(&self, errno: Errno) -> Result<Outcome, Outcome> {
        let mount = |entry: &Entry| ObjectId::of(&entry.parent).map(|id| id.mount());
        let same = mount(&self.old)? == mount(&self.new)?;
        Err(Outcome::Errno(if same { errno } else { Errno::XDEV }))
    }

    fn carry_out(&self, call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
        match (self.old.is_name(), self.new.is_name()) {
            (true, true) => {}
            (true, false) if self.flags.contains(RenameFlags::NOREPLACE) => return self.otherwise(Errno::EXIST),
            _ => return self.otherwise(Errno::BUSY),
        }
        // Where a name is missing the call itself is not made, for it may have appeared by now.
        let source = match self.old.pin() {
            // Leave to search both folders comes before the names in them.
            Err(Errno::NOENT) if self.new.stat().err() == Some(Errno::ACCESS) => {
                return Err(Outcome::Errno(Errno::ACCESS));
            }
            Err(Errno::NOENT) => return self.otherwise(Errno::NOENT),
            result => result?,
        };
        let target = match self.new.pin() {
            Err(Errno::NOENT) => None,
            result => Some(result?),
        };
        let exchange = self.flags.contains(RenameFlags::EXCHANGE);
        match &target {
            None if exchange => return self.otherwise(Errno::NOENT),
            Some(_) if self.flags.contains(RenameFlags::NOREPLACE) => {
                return Err(call.taken(Operation::Rename, &self.new));
            }
            // Two names of one file: the kernel does nothing.
            Some(target) if target.is(&source.stat) => return done(self.work()),
            _ => {}
        }
        self.judged(call, &source, target.as_ref(), exchange)
    }

    fn judged(
        &self,
        call: &mut Call<'_, '_>,
        source: &Pin,
        target: Option<&Pin>,
        exchange: bool,
    ) -> Result<Outcome, Outcome> {
        let whiteout = self.flags.contains(RenameFlags::WHITEOUT);
        let from_operations = leaving(source, exchange, whiteout);
        let onto_operations = arriving(target, exchange);
        let (old, new) = (call.path_of_entry(&self.old)?, call.path_of_entry(&self.new)?);
        // Where something only leaves, nothing comes.
        let mut back = match target {
            Some(target) if exchange => coming(call, Operation::Rename, &old, target),
            _ => None,
        };
        let brought = match exchange {
            true => back.as_ref().map(Coming::bytes),
            false => Some(&[][..]),
        };
        let from = call.weighed(from_operations, old, brought)?;
        // What is exchanged leaves one name and comes to the other.
        let from = match target {
            Some(target) if exchange => call.comes_and_goes(from, target, Some(source)),
            _ => from,
        };
        let from = call.ask_if_needed(call.not_denied(from)?)?;
        let content = coming(call, Operation::Rename, &new, source);
        let onto = call.weighed(onto_operations, new, content.as_ref().map(Coming::bytes))?;
        let onto = call.not_denied(call.comes_and_goes(onto, source, target))?;
        // Nobody is kept waiting while a person is asked.
        let (content, asked) = match onto.judgement.verdict {
            Verdict::Approve => (None, content.map(Coming::into_bytes)),
            _ => (content, None),
        };
        let onto = match from.approved {
            // The person was shown one question for both ends.
            Some(true) if onto.judgement.verdict == Verdict::Approve => Permit {
                approved: Some(true),
                ..onto
            },
            _ => call.ask_if_needed(onto)?,
        };
        let mut content = match asked {
            Some(bytes) => Some(as_asked(call, &onto, source, &bytes)?),
            None => content,
        };
        call.not_redirected(&from)?;
        call.not_redirected(&onto)?;
        let (there, back_again) = (
            call.tree_matters(source, &from.path, &onto.path),
            exchange && target.is_some_and(|target| call.tree_matters(target, &onto.path, &from.path)),
        );
        let engine = call.engine;
        // What was read gets no second name meanwhile, by which it could be changed afterwards.
        let read = content.is_some() || back.is_some();
        let (_stay, _move) = match there || back_again || read {
            true => (None, Some(engine.names_move())),
            false => (Some(engine.names_stay()), None),
        };
        if call.path_of_entry(&self.old)? != from.path || call.path_of_entry(&self.new)? != onto.path {
            return Err(Outcome::Errno(Errno::AGAIN));
        }
        call.not_weaker(&from.path, &onto.path, MOVED)?;
        let mut below = Vec::new();
        if there {
            below.extend(call.tree_may_move(source, &from, &onto)?);
        }
        if let (Some(target), true) = (target, exchange) {
            call.not_weaker(&onto.path, &from.path, MOVED)?;
            if back_again {
                below.extend(call.tree_may_move(target, &onto, &from)?);
            }
        }
        self.unchanged(source, target)?;
        let come = content.iter().chain(&back).chain(below.iter().map(Below::coming));
        if !come.into_iter().all(Coming::is_as_read) {
            return Err(call.refuse_because(&onto, Errno::STALE, CHANGED));
        }
        let kept = match target {
            Some(target) if !exchange => self.keep(call, target, &onto)?,
            _ => None,
        };
        // Last, for a copy may have taken longer than a lease holds.
        let ends = [(&mut content, &self.old), (&mut back, &self.new)];
        let renewed = ends
            .into_iter()
            .filter_map(|(coming, entry)| coming.as_mut().map(|coming| (coming, entry)))
            .try_for_each(|(coming, entry)| coming.renew(call, &entry.parent, &entry.name))
            .and_then(|()| below.iter_mut().try_for_each(|one| one.renew(call)));
        if let Err(errno) = renewed {
            call.settle(kept, false);
            return Err(call.refuse_because(&onto, errno, KEPT_OPEN));
        }
        let result = self.work();
        // Whoever may go on when the names stay again knows that they have moved.
        engine.folders.changed();
        let kept = call.settle(kept, result.is_ok());
        drop((_stay, _move, back, content, below));
        let permit = from.with(&onto);
        call.finish(
            &permit,
            result,
            Aside {
                second: Some(&onto.path),
                kept,
                ..Aside::default()
            },
        )
    }

    /// What was judged is what is there.
    fn unchanged(&self, source: &Pin, target: Option<&Pin>) -> Result<(), Errno> {
        let now = match self.new.stat() {
            Err(Errno::NOENT) => None,
            result => Some(result?),
        };
        let same_target = match (target, now) {
            (None, None) => true,
            (Some(target), Some(now)) => target.is(&now),
            _ => false,
        };
        if same_target && source.is(&self.old.stat()?) {
            Ok(())
        } else {
            Err(Errno::AGAIN)
        }
    }

    fn keep(&self, call: &Call<'_, '_>, target: &Pin, onto: &Permit) -> Result<Option<Kept>, Outcome> {
        let Some(by) = call.is_kept(&[Operation::Delete], &onto.path) else {
            return Ok(None);
        };
        match call.keep(&by, Some(&self.new), Some(target), &onto.path, Loss::Replace) {
            // A trash that took the name away would leave a moment in which it is missing.
            Ok(Kept::Moved(_)) => Err(call.refuse(onto, Errno::IO)),
            Ok(kept) => Ok(Some(kept)),
            Err(errno) => Err(call.refuse(onto, errno)),
        }
    }
}

/// What comes to a name after a person was asked about it: nothing else than what was there then.
fn as_asked(call: &Call<'_, '_>, onto: &Permit, source: &Pin, asked: &[u8]) -> Result<Coming, Outcome> {
    coming(call, Operation::Rename, &onto.path, source)
        .filter(|content| content.bytes() == asked)
        .ok_or_else(|| call.refuse_because(onto, Errno::STALE, CHANGED))
}

/// What a rename does at the end that something leaves.
fn leaving(source: &Pin, exchange: bool, whiteout: bool) -> &'static [Operation] {
    match (exchange, source.kind() == libc::S_IFDIR) {
        // A node of its own stays behind.
        (false, _) if whiteout => &[Operation::Rename, Operation::Rmdir, Operation::Delete, Operation::Mknod],
        (true, _) => &[Operation::Rename],
        (false, true) => &[Operation::Rename, Operation::Rmdir],
        (false, false) => &[Operation::Rename, Operation::Delete],
    }
}

/// What a rename does at the end where something arrives.
fn arriving(target: Option<&Pin>, exchange: bool) -> &'static [Operation] {
    match (target, exchange) {
        (_, true) => &[Operation::Rename],
        (Some(_), false) => &[Operation::Rename, Operation::Write],
        (None, false) => &[Operation::Rename, Operation::Create],
    }
}
