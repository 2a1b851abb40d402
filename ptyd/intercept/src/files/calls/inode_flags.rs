//! `FS_IOC_SETFLAGS` and its kin, `ioctl_iflags(2)`: attributes of a file that any descriptor of it can change.

use std::os::fd::AsFd;

use super::attributes::change;
use super::call::Call;
use crate::files::operation::Operation;
use crate::files::sys;
use crate::outcome::Outcome;

/// Requests by which the attributes of an inode are set, and how much memory each reads.
pub const SETTING: [(u32, usize); 6] = [
    // FS_IOC_SETFLAGS, FS_IOC_SETVERSION, FS_IOC_FSSETXATTR.
    (0x4008_6602, 4),
    (0x4008_7602, 4),
    (0x401c_5820, 28),
    // EXT4_IOC_SETVERSION, FAT_IOCTL_SET_ATTRIBUTES, BTRFS_IOC_SUBVOL_SETFLAGS.
    (0x4008_6604, 4),
    (0x4004_7211, 4),
    (0x4008_941a, 8),
];

/// `request`, which reads `size` bytes.
pub fn set(call: &mut Call<'_, '_>, request: u32, size: usize) -> Result<Outcome, Outcome> {
    let bytes = call.caller.read_bytes(call.caller.arg(2), size)?;
    let mut value = [0; sys::INODE_FLAGS];
    value[..size].copy_from_slice(&bytes);
    let fd = call.client.fetch_fd(call.caller.arg_i32(0))?;
    let pin = call.descriptor(0)?;
    change(call, &pin, Operation::Xattr, || {
        sys::set_inode_flags(fd.as_fd(), request, &value)
    })
}
