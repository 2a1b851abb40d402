//! Kernel interfaces of the file engine that no library wraps.

mod identity;
mod raw;

pub use identity::{TaskInfo, open_descriptor_limit, set_fsgid, set_fsuid, task_info, unshare_fs};
pub use raw::{
    OpenHow, STAT_BYTES, STATX_BYTES, check_open_how, name_to_handle, set_times, stat_bytes, statx_bytes,
};

use rustix::io::Errno;

fn checked(result: libc::c_long) -> Result<libc::c_long, Errno> {
    if result < 0 {
        Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
    } else {
        Ok(result)
    }
}
