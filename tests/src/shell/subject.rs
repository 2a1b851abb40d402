use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::world::SHIMS;

/// Whose shells a description is run with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The machine's: the oracle.
    Real,
    /// Stand-ins, in a folder that has one for each name.
    StandIns(PathBuf),
}

/// Where the machine's shells are.
const REAL: &str = "/usr/bin";

impl Subject {
    /// The product's stand-ins.
    pub fn shims() -> Subject {
        Subject::StandIns(SHIMS.into())
    }

    /// The folder of the shells.
    pub fn folder(&self) -> &Path {
        match self {
            Subject::Real => Path::new(REAL),
            Subject::StandIns(folder) => folder,
        }
    }

    /// The path of the shell `name`.
    pub fn shell(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Puts this subject's paths where `@bash@` and the like stand.
    pub fn fill(&self, text: &OsStr) -> OsString {
        let mut bytes = text.as_bytes().to_vec();
        for shell in ["bash", "sh", "zsh", "dash", "rbash"] {
            let path = self.shell(shell);
            bytes = replace(&bytes, format!("@{shell}@").as_bytes(), path.as_os_str().as_bytes());
        }
        OsString::from_vec(bytes)
    }

    /// Puts the real shells' folder where this subject's stands, so that outputs can be compared.
    pub fn plain(&self, bytes: &[u8]) -> Vec<u8> {
        replace(bytes, self.folder().as_os_str().as_bytes(), REAL.as_bytes())
    }
}

/// `bytes` with every `from` replaced by `to`.
fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    if from.is_empty() || from.len() > bytes.len() {
        return bytes.to_vec();
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at..].starts_with(from) {
            true => {
                out.extend_from_slice(to);
                at += from.len();
            }
            false => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}
