//! Who answers: read from the kernel, before a word is said.

use std::os::unix::net::UnixStream;
use std::path::Path;

use agentsh_protocol::{peer, places};

use super::ClientError;

/// The peer must be the caller or root, and the runtime folder private to the caller. Inside a session the
/// folder may be missing: every connect to such a path is answered by the session's own supervisor.
pub fn check(stream: &UnixStream, socket: &Path, uid: u32) -> Result<(), ClientError> {
    let peer = peer::credentials(stream)
        .map_err(|source| ClientError::Io {
            path: socket.to_owned(),
            source,
        })?
        .uid;
    if peer != uid && peer != 0 {
        return Err(ClientError::Foreign {
            path: socket.to_owned(),
            uid: peer,
        });
    }
    if places::run_dir(uid).exists() {
        places::check_run_dir(uid)?;
    }
    Ok(())
}
