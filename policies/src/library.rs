//! Where policies are found by name: the operator's folder, the user's, the system's, and the packs that
//! are part of the program.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::error::LoadError;
use crate::load::{Document, read};
use crate::packs::{self, Pack};

/// The system's policies.
pub const SYSTEM: &str = "/etc/agentsh/policies";

/// A policy that can be named.
#[derive(Debug, Clone)]
pub struct Entry {
    pub name: String,
    pub origin: Origin,
}

/// Where a policy's text is.
#[derive(Debug, Clone)]
pub enum Origin {
    File(PathBuf),
    /// Part of the program.
    Pack(&'static Pack),
}

impl Entry {
    /// Reads it.
    ///
    /// # Errors
    /// As [`read`].
    pub fn load(&self) -> Result<Document, LoadError> {
        match &self.origin {
            Origin::File(path) => read(path),
            Origin::Pack(pack) => pack.document(),
        }
    }
}

/// The folders that are looked through, in their order.
pub fn folders(user_dir: &Path, config: &Config) -> Vec<PathBuf> {
    let configured = config.sessions.policies_dir.as_ref().map(PathBuf::from);
    configured
        .into_iter()
        .chain([user_dir.join("policies"), PathBuf::from(SYSTEM)])
        .collect()
}

/// The policy of this name: the first folder that has it, else the pack. Only names are looked up, never paths.
pub fn find(name: &str, folders: &[PathBuf]) -> Option<Entry> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if name.is_empty() || !name.bytes().all(plain) {
        return None;
    }
    let file = folders
        .iter()
        .map(|folder| folder.join(format!("{name}.yaml")))
        .find(|path| path.is_file());
    let origin = match file {
        Some(path) => Origin::File(path),
        None => Origin::Pack(packs::find(name)?),
    };
    Some(Entry {
        name: name.to_owned(),
        origin,
    })
}

/// All policies that can be named, by name.
pub fn list(folders: &[PathBuf]) -> Vec<Entry> {
    let files = folders
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .flatten();
    let named = files.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".yaml").map(str::to_owned));
    let mut names: Vec<String> = named
        .chain(packs::ALL.iter().map(|pack| pack.name.to_owned()))
        .collect();
    names.sort_unstable();
    names.dedup();
    names.iter().filter_map(|name| find(name, folders)).collect()
}
