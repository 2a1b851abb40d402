//! Diagnostics of the daemons: a file in the state folder, never the terminal of a command.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use agentsh_policy::config::LogFormat;
use tracing_subscriber::EnvFilter;

/// Where broker and supervisors of one user write what happens to them.
pub(crate) fn log_file(state_dir: &Path) -> PathBuf {
    state_dir.join("ptyd.log")
}

/// Sends the diagnostics of this process to the log file. Without a file there are none: a daemon
/// must not fail for want of a log.
pub(crate) fn start(state_dir: &Path, level: &str, format: LogFormat) {
    let _ = fs::DirBuilder::new().recursive(true).mode(0o700).create(state_dir);
    let Ok(file) = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        // A FIFO there would wait for its reader.
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32)
        .open(log_file(state_dir))
    else {
        return;
    };
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Mutex::new(file));
    let _ = match format {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => builder.try_init(),
    };
}
