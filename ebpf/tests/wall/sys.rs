//! Sockets of kinds that no wrapper knows.

/// `socket(2)` and the end of what it made; the error's number if it made nothing.
pub fn socket(family: i32, kind: i32, protocol: i32) -> Option<i32> {
    // SAFETY: takes integers.
    let fd = unsafe { libc::socket(family, kind, protocol) };
    if fd < 0 {
        return std::io::Error::last_os_error().raw_os_error();
    }
    // SAFETY: the descriptor was made just now and nobody else has it.
    unsafe { libc::close(fd) };
    None
}
