//! Opens that wait for somebody else.

use std::cell::Cell;

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::coarse;
use crate::files::resolve::Pin;

/// Whether to open it with these flags may wait for somebody.
pub(super) fn may_block(pin: &Pin, flags: OFlags) -> Result<bool, Errno> {
    const MEMORY: u32 = 1;
    const TERMINALS: std::ops::RangeInclusive<u32> = 136..=143;
    match pin.kind() {
        libc::S_IFIFO => Ok(!flags.contains(OFlags::NONBLOCK)),
        libc::S_IFCHR => {
            let major = libc::major(pin.stat.st_rdev);
            Ok(!flags.contains(OFlags::NONBLOCK) && major != MEMORY && !TERMINALS.contains(&major))
        }
        libc::S_IFREG | libc::S_IFDIR => is_far(pin),
        _ => Ok(false),
    }
}

/// Whether it lies on a file system where somebody else answers. Asked once a second for each that was used last: whoever
/// is taken for near and is not is noticed when he blocks.
fn is_far(pin: &Pin) -> Result<bool, Errno> {
    const NFS: i64 = 0x6969;
    const SMB2: i64 = 0xfe53_4d42;
    const CIFS: i64 = 0xff53_4d42;
    const FUSE: i64 = 0x6573_5546;
    const NINE_P: i64 = 0x0102_1997;
    const CEPH: i64 = 0x00c3_6400;
    const TRUST: u64 = 1_000;
    thread_local! {
        static NEAR: Cell<Option<(u64, u64)>> = const { Cell::new(None) };
    }
    let (device, now) = (pin.stat.st_dev, coarse::now());
    let known = |(near, looked): (u64, u64)| near == device && now.saturating_sub(looked) < TRUST;
    if NEAR.get().is_some_and(known) {
        return Ok(false);
    }
    let kind = rustix::fs::fstatfs(&pin.fd)?.f_type & 0xffff_ffff;
    let far = [NFS, SMB2, CIFS, FUSE, NINE_P, CEPH].contains(&kind);
    if !far {
        NEAR.set(Some((device, now)));
    }
    Ok(far)
}
