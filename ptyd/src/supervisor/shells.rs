//! The real shell behind a stand-in.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use agentsh_policy::config::Shim;

/// Folders of real shells, in the order of a system's own search path.
const FOLDERS: [&str; 4] = ["/bin", "/usr/bin", "/usr/local/bin", "/run/current-system/sw/bin"];

/// Why there is no shell: a line for the caller, who sees status 127.
#[derive(Debug, thiserror::Error)]
#[error("{0}: no such shell on this machine (agentsh looked in {list})", list = FOLDERS.join(", "))]
pub(crate) struct NoSuchShell(String);

/// Finds the real shell of a name; without a name the configured default, else bash, else sh.
/// `stand_in` is the caller's own program, which is never the answer.
pub(crate) fn real_shell(name: Option<&str>, config: &Shim, stand_in: &Path) -> Result<PathBuf, NoSuchShell> {
    let own = fs::metadata(stand_in).ok().map(|file| (file.dev(), file.ino()));
    let is_real = |path: &Path| {
        fs::metadata(path)
            .is_ok_and(|file| file.is_file() && file.mode() & 0o111 != 0 && Some((file.dev(), file.ino())) != own)
    };
    let find = |name: &str| {
        let configured = config
            .real_shells
            .get(name)
            .map(PathBuf::from)
            .filter(|path| is_real(path));
        let installed = || {
            FOLDERS
                .iter()
                .map(|folder| Path::new(folder).join(name))
                .find(|path| is_real(path))
        };
        configured.or_else(installed)
    };
    let found = match (name, config.default_shell.as_deref()) {
        (Some(name), _) => find(name),
        (None, Some(path)) if path.starts_with('/') => Some(PathBuf::from(path)).filter(|path| is_real(path)),
        (None, Some(name)) => find(name),
        (None, None) => find("bash").or_else(|| find("sh")),
    };
    let wanted = name.or(config.default_shell.as_deref()).unwrap_or("bash");
    found.ok_or_else(|| NoSuchShell(wanted.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stand_in_itself_is_never_the_real_shell() -> Result<(), Box<dyn std::error::Error>> {
        let plain = Shim::default();
        assert_eq!(
            real_shell(Some("sh"), &plain, Path::new("/nonexistent"))?,
            Path::new("/bin/sh")
        );
        assert!(real_shell(Some("sh"), &plain, Path::new("/bin/sh")).is_err());
        Ok(())
    }

    #[test]
    fn an_unknown_name_is_declined() {
        assert!(real_shell(Some("no-such-shell"), &Shim::default(), Path::new("/nonexistent")).is_err());
    }

    #[test]
    fn the_configured_shell_comes_first() -> Result<(), Box<dyn std::error::Error>> {
        let mut config = Shim::default();
        config.real_shells.insert("zsh".into(), "/bin/sh".into());
        assert_eq!(
            real_shell(Some("zsh"), &config, Path::new("/nonexistent"))?,
            Path::new("/bin/sh")
        );
        config.default_shell = Some("/bin/sh".into());
        assert_eq!(
            real_shell(None, &config, Path::new("/nonexistent"))?,
            Path::new("/bin/sh")
        );
        Ok(())
    }
}
