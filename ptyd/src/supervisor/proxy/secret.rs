//! Where the secrets of services are kept.
//!
//! `ref` is `file:/absolute/path`, or a name: the file of that name in `secrets/` of the user's
//! configuration folder, which no session reaches. A file must belong to root or to the user, be nobody
//! else's to read, and be out of the session's own reach.

use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use agentsh_policy::FileOp;
use agentsh_policy::model::Secret;

use crate::supervisor::session::Session;

/// Most bytes of a secret.
const MOST: u64 = 16 << 10;

/// Reads a secret, without the line end after it.
pub(super) fn read(session: &Session, secret: &Secret) -> Result<String, String> {
    let (path, own) = place(session, &secret.reference)?;
    let refuse = |why: &str| Err(format!("its secret {} {why}", path.display()));
    let resolved = match std::fs::canonicalize(&path) {
        Ok(resolved) => resolved,
        Err(error) => return refuse(&format!("cannot be found: {error}")),
    };
    let rules = session.rules();
    let reach = rules.policy.file(FileOp::Read, resolved.as_os_str().as_encoded_bytes());
    if !own && reach.decision.passes() {
        return refuse("can be read by the session itself: deny that, or put it into the folder for secrets");
    }
    let opened = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK)
        .open(&resolved);
    let (mut text, file) = match opened {
        Ok(file) => (String::new(), file),
        Err(error) => return refuse(&format!("cannot be read: {error}")),
    };
    let about = match file.metadata() {
        Ok(about) if about.is_file() => about,
        _ => return refuse("is no file"),
    };
    if ![0, session.account.uid].contains(&about.uid()) || about.mode() & 0o077 != 0 {
        return refuse("is not its owner's alone (chmod 600)");
    }
    if let Err(error) = file.take(MOST).read_to_string(&mut text) {
        return refuse(&format!("cannot be read: {error}"));
    }
    let text = text.trim_end_matches(['\n', '\r']).to_owned();
    if text.is_empty() || text.chars().any(char::is_control) {
        return refuse("is empty, or has more than one line");
    }
    if let Some(format) = &secret.format
        && !looks_so(&text, format)
    {
        return refuse("does not look as `format` says");
    }
    Ok(text)
}

/// The file, and whether it lies where no session reaches.
fn place(session: &Session, reference: &str) -> Result<(PathBuf, bool), String> {
    if let Some(path) = reference.strip_prefix("file:") {
        let path = Path::new(path);
        return match path.is_absolute() {
            true => Ok((path.to_owned(), false)),
            false => Err("`secret.ref` names no absolute path".to_owned()),
        };
    }
    let plain = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    if reference.starts_with('.') || reference.is_empty() || !reference.chars().all(plain) {
        return Err("`secret.ref` is neither `file:/PATH` nor the name of a file in the folder for secrets".to_owned());
    }
    Ok((session.account.config_dir().join("secrets").join(reference), true))
}

/// Whether a secret looks like its format: text as it stands, and `{rand:N}` for N characters of a token.
fn looks_so(secret: &str, format: &str) -> bool {
    let Some((before, rest)) = format.split_once("{rand:") else {
        return secret == format;
    };
    let Some((count, after)) = rest.split_once('}') else {
        return secret == format;
    };
    let (Some(secret), Ok(count)) = (secret.strip_prefix(before), count.parse::<usize>()) else {
        return false;
    };
    let token = |part: &str| part.bytes().all(|byte| byte.is_ascii_graphic());
    secret
        .split_at_checked(count)
        .is_some_and(|(random, secret)| token(random) && looks_so(secret, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_says_how_a_secret_looks() {
        assert!(looks_so("ghp_abc123", "ghp_{rand:6}"));
        assert!(looks_so("a-xx-b-yyy", "a-{rand:2}-b-{rand:3}"));
        for (secret, format) in [
            ("ghp_abc12", "ghp_{rand:6}"),
            ("gho_abc123", "ghp_{rand:6}"),
            ("ghp_abc1234", "ghp_{rand:6}"),
        ] {
            assert!(!looks_so(secret, format), "{secret} {format}");
        }
    }
}
