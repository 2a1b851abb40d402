//! Kernel interfaces of the file engine that no library wraps.

mod identity;
mod lease;
mod raw;

pub use identity::{
    TaskInfo, file_size_limit, open_descriptor_limit, set_fsgid, set_fsuid, signal_thread, task_info, unshare_fs,
};
pub use lease::{is_leased, lease_against_writers};
pub use raw::{
    FILE_ATTRIBUTES, FILE_GETATTR, INODE_FLAGS, OpenHow, add_watch, check_open_how, file_attributes, name_to_handle,
    peer, set_inode_flags, set_times, stat_bytes, statx_bytes, truncate,
};

use rustix::io::Errno;

fn checked(result: libc::c_long) -> Result<libc::c_long, Errno> {
    if result < 0 {
        Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
    } else {
        Ok(result)
    }
}
