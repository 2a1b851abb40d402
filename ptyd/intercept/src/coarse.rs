//! A clock that costs next to nothing, for what is believed for a while.

use rustix::time::{ClockId, clock_gettime};

/// Milliseconds of the monotonic clock, as of its last tick.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::MonotonicCoarse);
    // Neither is ever negative.
    time.tv_sec.unsigned_abs() * 1_000 + time.tv_nsec.unsigned_abs() / 1_000_000
}
