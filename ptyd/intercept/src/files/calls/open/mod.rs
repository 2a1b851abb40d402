//! `open(2)` in all its forms.

use std::path::PathBuf;

use rustix::fs::ResolveFlags;
use rustix::io::Errno;

use super::call::Call;
use super::permit::Permit;
use crate::files::judge::Verdict;
use crate::files::operation::Operation;
use crate::files::resolve::{Found, How, Pin, Place};
use crate::files::sys::{self, OpenHow};
use crate::outcome::Outcome;

mod blocking;
mod copy_up;
mod existing;
mod glance;
mod groups;
mod new;
mod peer;
mod quick;
mod redirected;
mod staged;
mod terminal;

pub use peer::open_peer;
pub use quick::{READ, quick, split};

/// How often a name may appear or vanish between resolution and creation.
const TRIES: usize = 16;

/// `O_*` of one open, as the kernel understands them.
#[derive(Debug, Clone, Copy)]
pub struct Flags(u32);

impl Flags {
    fn has(self, bits: i32) -> bool {
        self.0 & bits as u32 == bits as u32
    }

    fn writes(self) -> bool {
        self.0 & libc::O_ACCMODE as u32 != libc::O_RDONLY as u32
    }

    fn reads(self) -> bool {
        self.0 & libc::O_ACCMODE as u32 != libc::O_WRONLY as u32
    }

    /// Whether it can change nothing: such an open may be continued.
    fn observes(self) -> bool {
        !self.writes() && !self.has(libc::O_CREAT) && !self.has(libc::O_TRUNC) && !self.has(libc::O_TMPFILE)
    }

    /// Whether opening alone changes something.
    fn leaves_a_trace(self) -> bool {
        self.has(libc::O_CREAT) || self.has(libc::O_TRUNC) || self.has(libc::O_TMPFILE)
    }

    fn follows(self) -> bool {
        !self.has(libc::O_NOFOLLOW) && !self.has(libc::O_CREAT | libc::O_EXCL)
    }

    fn without(self, bits: i32) -> rustix::fs::OFlags {
        let ours = (libc::O_CLOEXEC | libc::O_NOCTTY) as u32;
        rustix::fs::OFlags::from_bits_retain(self.0 & !(bits as u32) | ours)
    }

    fn cloexec(self) -> bool {
        self.has(libc::O_CLOEXEC)
    }
}

/// What is to be opened, and how.
#[derive(Debug)]
struct Request {
    place: Place,
    flags: Flags,
    mode: u32,
    resolve: ResolveFlags,
}

#[cfg(target_arch = "x86_64")]
pub fn open(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let (flags, mode) = (call.caller.arg_u32(1), call.caller.arg_u32(2));
    from_registers(call, libc::AT_FDCWD, 0, flags, mode)
}

#[cfg(target_arch = "x86_64")]
pub fn creat(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let flags = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;
    let mode = call.caller.arg_u32(1);
    from_registers(call, libc::AT_FDCWD, 0, flags as u32, mode)
}

pub fn openat(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let (folder, flags, mode) = (call.caller.arg_i32(0), call.caller.arg_u32(2), call.caller.arg_u32(3));
    from_registers(call, folder, 1, flags, mode)
}

pub fn openat2(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let size = call.caller.arg(3);
    let how = read_how(call, size)?;
    sys::check_open_how(&how)?;
    let flags = Flags(u32::try_from(how.flags).map_err(|_| Errno::INVAL)?);
    if flags.has(libc::O_PATH) {
        // Its flags lie in memory, so it cannot be continued; and nobody can hand such a descriptor over.
        return Err(Outcome::Errno(Errno::NOSYS));
    }
    let resolve = ResolveFlags::from_bits_retain(how.resolve);
    if resolve.contains(ResolveFlags::CACHED) {
        return Err(Outcome::Errno(Errno::AGAIN));
    }
    let (folder, path) = (call.caller.arg_i32(0), call.path(1)?);
    let place = match resolve.intersects(ResolveFlags::IN_ROOT) {
        true => call.place_scoped(folder, path)?,
        false => call.place(folder, path)?,
    };
    let mode = how.mode as u32;
    let request = Request {
        place,
        flags,
        mode,
        resolve,
    };
    carry_out(call, request)
}

/// `struct open_how` of any later size: what we do not know must be zero (`openat2(2)`).
fn read_how(call: &Call<'_, '_>, size: u64) -> Result<OpenHow, Errno> {
    const KNOWN: u64 = size_of::<OpenHow>() as u64;
    if size < KNOWN {
        return Err(Errno::INVAL);
    }
    if size > 4096 {
        return Err(Errno::TOOBIG);
    }
    let bytes = call.caller.read_bytes(call.caller.arg(2), size as usize)?;
    if bytes[KNOWN as usize..].iter().any(|byte| *byte != 0) {
        return Err(Errno::TOOBIG);
    }
    let word = |index: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[8 * index..8 * index + 8]);
        u64::from_ne_bytes(word)
    };
    Ok(OpenHow {
        flags: word(0),
        mode: word(1),
        resolve: word(2),
    })
}

fn from_registers(
    call: &mut Call<'_, '_>,
    folder: i32,
    path: usize,
    flags: u32,
    mode: u32,
) -> Result<Outcome, Outcome> {
    let mut flags = Flags(flags & VALID);
    if flags.has(libc::O_PATH) {
        flags.0 &= (libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC) as u32;
    }
    let creates = flags.has(libc::O_CREAT) || flags.has(libc::O_TMPFILE);
    let mode = if creates { mode & 0o7777 } else { 0 };
    if flags.0 & UNUSUAL != 0 || flags.has(libc::O_CREAT | libc::O_DIRECTORY) {
        sys::check_open_how(&OpenHow {
            flags: u64::from(flags.0),
            mode: u64::from(mode),
            resolve: 0,
        })?;
    }
    let text = call.path(path)?;
    let place = call.place(folder, text)?;
    if let Some(outcome) = glance::glance(call, flags, &place) {
        return Ok(outcome);
    }
    let resolve = ResolveFlags::empty();
    let request = Request {
        place,
        flags,
        mode,
        resolve,
    };
    carry_out(call, request)
}

/// `VALID_OPEN_FLAGS`: `open(2)` ignores all others. `O_LARGEFILE` has its kernel value.
const VALID: u32 = (libc::O_ACCMODE
    | libc::O_CREAT
    | libc::O_EXCL
    | libc::O_NOCTTY
    | libc::O_TRUNC
    | libc::O_APPEND
    | libc::O_NONBLOCK
    | libc::O_SYNC
    | libc::O_ASYNC
    | libc::O_DIRECT
    | LARGEFILE
    | libc::O_DIRECTORY
    | libc::O_NOFOLLOW
    | libc::O_NOATIME
    | libc::O_CLOEXEC
    | libc::O_PATH
    | libc::O_TMPFILE) as u32;
#[cfg(target_arch = "x86_64")]
const LARGEFILE: i32 = 0o100_000;
#[cfg(target_arch = "aarch64")]
const LARGEFILE: i32 = 0o400_000;
/// Flags whose combinations the kernel checks.
const UNUSUAL: u32 = (libc::O_TMPFILE & !libc::O_DIRECTORY) as u32;

fn carry_out(call: &mut Call<'_, '_>, request: Request) -> Result<Outcome, Outcome> {
    let creates = request.flags.has(libc::O_CREAT) || request.flags.has(libc::O_TMPFILE);
    call.act(creates)?;
    if request.place.path.is_empty() {
        return Err(Outcome::Errno(Errno::NOENT));
    }
    if request.flags.has(libc::O_CREAT)
        && request.place.path.as_bytes().ends_with(b"/")
        && call.entry(&request.place)?.is_name()
    {
        return Err(Outcome::Errno(Errno::ISDIR));
    }
    for _ in 0..TRIES {
        let how = How {
            follow: request.flags.follows(),
            resolve: request.resolve,
        };
        let found = match request.flags.has(libc::O_CREAT) {
            true => call.resolver().find_or_make(&request.place, how),
            false => call.resolver().find(&request.place, how),
        };
        let result = match found? {
            Found::Object(pin) if request.flags.has(libc::O_TMPFILE) => new::unnamed(call, &request, &pin),
            Found::Object(pin) => existing::open(call, &request, pin),
            Found::Missing(entry) if !request.flags.has(libc::O_CREAT) => new::missing(call, &request, &entry),
            Found::Missing(entry) => new::create(call, &request, &entry),
        };
        // Somebody made the name meanwhile: it is another question then.
        match result {
            Err(Outcome::Errno(Errno::EXIST)) if !request.flags.has(libc::O_EXCL) => {}
            result => return result,
        }
    }
    Err(Outcome::Errno(Errno::AGAIN))
}

/// The operations that an open of an existing object is.
fn operations(flags: Flags, pin: &Pin) -> &'static [Operation] {
    let folder = pin.kind() == libc::S_IFDIR;
    match (flags.writes() || flags.has(libc::O_TRUNC), flags.reads()) {
        (true, true) => &[Operation::Write, Operation::Read],
        (true, false) => &[Operation::Write],
        (false, _) if folder => &[Operation::List],
        (false, _) => &[Operation::Read],
    }
}

/// A verdict that sends the call elsewhere.
fn redirect(permit: &Permit) -> Option<(PathBuf, bool)> {
    match &permit.judgement.verdict {
        Verdict::Redirect { to, if_there } => Some((to.clone(), *if_there)),
        _ => None,
    }
}
