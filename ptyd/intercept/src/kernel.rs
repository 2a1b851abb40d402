//! Which kernel this is, for what no call can be asked about.

use std::sync::LazyLock;

static RELEASE: LazyLock<(u32, u32)> = LazyLock::new(|| {
    let uname = rustix::system::uname();
    let mut numbers = uname.release().to_str().unwrap_or("").split(['.', '-']).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        _ => (0, 0),
    }
});

/// Its release, as `(major, minor)`; zeroes if it has an unusual name.
pub fn release() -> (u32, u32) {
    *RELEASE
}
