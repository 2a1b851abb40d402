//! The C entry point: Rust's own would ignore SIGPIPE and open closed standard descriptors.
#![no_main]

use std::ffi::{c_char, c_int};

/// # Safety
/// Called once by the C runtime with the process's own argument and environment vectors.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(_argc: c_int, argv: *const *const c_char, envp: *const *const c_char) -> c_int {
    // SAFETY: the C runtime passes null-terminated vectors of strings that live as long as the process.
    unsafe { agentsh_shell_shim::run_main(argv, envp) }
}
