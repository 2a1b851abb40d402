//! Reading what stands in the state folder: whatever somebody put there in the place of a file, no reader waits for it.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// The largest file that is read as a whole: a description, an anchor, a policy. What they hold came in one message,
/// which is no larger.
const WHOLE: u64 = 16 << 20;

/// Opens a plain file for reading.
///
/// # Errors
/// Those of open(2); `InvalidInput` for a FIFO, a device, a folder.
pub fn open_plain(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    // A FIFO would wait for its writer, a terminal become ours.
    options
        .read(true)
        .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32);
    let file = options.open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a plain file")),
    }
}

/// The contents of a plain file of at most 16 MiB.
pub(crate) fn read_plain(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_plain(path)?.take(WHOLE + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > WHOLE {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(bytes),
    }
}
