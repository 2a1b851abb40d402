//! Getting a thread of ours out of a blocking call.

use std::sync::Once;

/// The signal that ends a blocking call of a worker with `EINTR`; it does nothing else.
pub const WAKE_SIGNAL: libc::c_int = libc::SIGURG;

extern "C" fn nothing(_signal: libc::c_int) {}

/// Gives [`WAKE_SIGNAL`] a handler that does nothing and does not restart calls; done once.
pub fn install_wake_handler() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        // SAFETY: sigaction is plain data for which zero is valid; the handler touches nothing.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
            libc::sigaction(WAKE_SIGNAL, &raw const action, std::ptr::null_mut());
        }
    });
}

/// Interrupts the thread `tid` of this process.
pub fn wake_thread(tid: i32) {
    // SAFETY: no memory is involved; the thread is one of ours.
    unsafe {
        libc::syscall(libc::SYS_tgkill, libc::getpid(), tid, WAKE_SIGNAL);
    }
}
