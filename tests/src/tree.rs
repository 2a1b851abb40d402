//! What a run left on the file system, as a comparable picture.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::Result;

/// A file, folder or link with everything that a caller could see of it but times and inode numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub mode: u32,
    pub owner: (u32, u32),
    pub links: u64,
    /// A file's bytes, a link's target.
    pub content: Vec<u8>,
}

/// All entries below `folder`, the folder itself included, by their paths relative to it.
pub fn picture(folder: &Path) -> Result<BTreeMap<PathBuf, Entry>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        let Ok(meta) = fs::symlink_metadata(&path) else {
            continue;
        };
        let kind = meta.file_type();
        let content = match (kind.is_file(), kind.is_symlink()) {
            (true, _) => fs::read(&path)?,
            (_, true) => fs::read_link(&path)?.into_os_string().into_encoded_bytes(),
            _ => Vec::new(),
        };
        if kind.is_dir() {
            open.extend(fs::read_dir(&path)?.flatten().map(|entry| entry.path()));
        }
        let links = if kind.is_dir() { 0 } else { meta.nlink() };
        let entry = Entry {
            mode: meta.mode(),
            owner: (meta.uid(), meta.gid()),
            links,
            content,
        };
        found.insert(path.strip_prefix(folder)?.to_owned(), entry);
    }
    Ok(found)
}
