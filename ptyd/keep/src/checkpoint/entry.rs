use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use agentsh_protocol::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::fs::{Attributes, Kind, Stat, Time};

/// The BLAKE3 hash of a file's contents; hexadecimal in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Digest(pub [u8; 32]);

impl Digest {
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(*blake3::hash(bytes).as_bytes())
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<str>>::deserialize(deserializer)?;
        let hash = blake3::Hash::from_hex(text.as_bytes()).map_err(de::Error::custom)?;
        Ok(Digest(*hash.as_bytes()))
    }
}

/// Where contents are: the number of the pack in the manifest's list, and the offset in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Location(pub u32, pub u64);

/// Contents that are in the store; only hashed if there is no location.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contents {
    pub hash: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Location>,
}

/// One name in a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Relative to the workspace; empty for the workspace itself.
    pub path: Bytes,
    pub kind: Kind,
    pub(crate) attr: Attributes,
    /// With `ctime` and the times in `attr`: whether the file is still the one that was read.
    pub(crate) ino: u64,
    pub(crate) ctime: Time,
    /// Bytes.
    pub size: u64,
    /// Names that the object had, in the workspace or outside.
    pub links: u32,
    /// Names with the same number here are one object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) contents: Option<Contents>,
    /// What a symbolic link says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Bytes>,
    /// Major and minor number of a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<(u32, u32)>,
    /// Another file system is mounted here, which is not part of the checkpoint.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mounted: bool,
    #[serde(skip)]
    pub(crate) dev: (u32, u32),
}

impl Entry {
    pub(crate) fn new(path: &[u8], stat: &Stat, attr: Attributes) -> Entry {
        Entry {
            path: Bytes::from(path),
            kind: stat.kind,
            attr,
            ino: stat.ino,
            ctime: stat.ctime,
            size: if stat.kind == Kind::Dir { 0 } else { stat.size },
            links: stat.nlink,
            group: None,
            contents: None,
            target: None,
            device: matches!(stat.kind, Kind::CharDevice | Kind::BlockDevice).then_some(stat.rdev),
            mounted: false,
            dev: stat.dev,
        }
    }

    /// The path as one of the system.
    pub fn path(&self) -> PathBuf {
        Path::new(OsStr::from_bytes(&self.path.0)).to_owned()
    }

    /// Permission bits.
    pub fn mode(&self) -> u32 {
        self.attr.mode
    }

    /// The time of the last change of the contents.
    pub fn modified(&self) -> Time {
        self.attr.mtime
    }

    /// Whether the object is the one that was recorded, unchanged: nothing that changes contents or
    /// attributes leaves the status change time alone, which no call can set back.
    pub(crate) fn is_still(&self, stat: &Stat) -> bool {
        let size = self.kind == Kind::Dir || self.size == stat.size;
        size && (self.kind, self.ino, self.ctime, self.attr.mtime) == (stat.kind, stat.ino, stat.ctime, stat.mtime)
    }

    /// Whether contents and kind are the same; how they came to be is not asked.
    pub(crate) fn same_contents(&self, other: &Entry) -> bool {
        let hash = |entry: &Entry| entry.contents.map(|contents| contents.hash);
        self.kind == other.kind
            && hash(self) == hash(other)
            && self.target == other.target
            && self.device == other.device
    }

    /// A file whose contents could not be read.
    pub(crate) fn is_blank(&self) -> bool {
        self.kind == Kind::File && self.contents.is_none()
    }
}
