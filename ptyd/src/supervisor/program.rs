//! Which program a request means.

use std::path::{Path, PathBuf};

use agentsh_protocol::Bytes;
use agentsh_protocol::launch::{LaunchRequest, Start};

use super::refusal::Refusal;
use super::session::Session;
use super::shells;

/// The program that a request asks for; `cwd` is its caller's.
///
/// # Errors
/// 127 where there is none.
pub(super) fn program(
    session: &Session,
    request: &LaunchRequest,
    pid: i32,
    cwd: Option<&Path>,
) -> Result<PathBuf, Refusal> {
    match &request.start {
        Start::Shell { name } => {
            let stand_in = PathBuf::from(format!("/proc/{pid}/exe"));
            shells::real_shell(name.as_deref(), &session.config.shim, &stand_in).map_err(|error| Refusal {
                status: 127,
                message: error.to_string(),
                policy: None,
            })
        }
        Start::Exec {
            program: Some(program), ..
        } => Ok(PathBuf::from(program.as_os_str())),
        Start::Exec { .. } => {
            let name = request
                .argv
                .first()
                .ok_or_else(|| Refusal::from("no program was given"))?;
            find_program(name, &request.env, cwd).ok_or_else(|| Refusal {
                status: 127,
                message: format!("{}: command not found", name.lossy()),
                policy: None,
            })
        }
    }
}

/// As `execvp(3)` finds it for the caller: a name with a slash as it is, others along the caller's PATH.
fn find_program(name: &Bytes, env: &[Bytes], cwd: Option<&Path>) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let name = Path::new(name.as_os_str());
    if name.as_os_str().as_encoded_bytes().contains(&b'/') {
        return Some(name.to_owned());
    }
    let path = env
        .iter()
        .find_map(|entry| entry.0.strip_prefix(b"PATH="))
        .unwrap_or(b"/usr/local/bin:/usr/bin:/bin");
    path.split(|byte| *byte == b':').find_map(|folder| {
        let folder = Path::new(std::str::from_utf8(folder).ok()?);
        let found = cwd.unwrap_or(Path::new("/")).join(folder).join(name);
        std::fs::metadata(&found)
            .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
            .then_some(found)
    })
}
