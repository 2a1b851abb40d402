//! Paths as text.

use std::ffi::CString;

/// A path cut before its last component.
#[derive(Debug, PartialEq, Eq)]
pub struct Split {
    /// Everything before the last component, `.` if there is nothing.
    pub folder: Vec<u8>,
    /// The last component, with one slash behind it if it had any.
    pub name: CString,
}

/// Cuts `path`; `None` if it has no component at all (`/`).
pub fn split(path: &[u8]) -> Option<Split> {
    let end = path.iter().rposition(|byte| *byte != b'/')? + 1;
    let begin = path[..end]
        .iter()
        .rposition(|byte| *byte == b'/')
        .map_or(0, |slash| slash + 1);
    let folder = if begin == 0 {
        b".".to_vec()
    } else {
        path[..begin].to_vec()
    };
    let mut name = path[begin..end].to_vec();
    if end < path.len() {
        name.push(b'/');
    }
    Some(Split {
        folder,
        name: CString::new(name).ok()?,
    })
}

/// The first component of `rest` and what follows it, both without the slashes between; `None` if
/// nothing is left. The flag says whether a slash followed.
pub fn first(rest: &[u8]) -> Option<(&[u8], &[u8], bool)> {
    let begin = rest.iter().position(|byte| *byte != b'/')?;
    let rest = &rest[begin..];
    let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
    let after = &rest[end..];
    let next = after.iter().position(|byte| *byte != b'/').unwrap_or(after.len());
    Some((&rest[..end], &after[next..], !after.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(path: &str) -> Option<(String, String)> {
        let split = split(path.as_bytes())?;
        Some((String::from_utf8(split.folder).ok()?, split.name.into_string().ok()?))
    }

    #[test]
    fn a_path_is_cut_before_its_last_component() {
        let both = |folder: &str, name: &str| Some((folder.to_owned(), name.to_owned()));
        assert_eq!(cut("a"), both(".", "a"));
        assert_eq!(cut("/a"), both("/", "a"));
        assert_eq!(cut("a/b"), both("a/", "b"));
        assert_eq!(cut("a//b///"), both("a//", "b/"));
        assert_eq!(cut("//"), None);
        assert_eq!(cut(""), None);
        assert_eq!(cut("/.."), both("/", ".."));
    }

    #[test]
    fn components_come_one_by_one() {
        assert_eq!(first(b"//a//b/"), Some((&b"a"[..], &b"b/"[..], true)));
        assert_eq!(first(b"b/"), Some((&b"b"[..], &b""[..], true)));
        assert_eq!(first(b"b"), Some((&b"b"[..], &b""[..], false)));
        assert_eq!(first(b"///"), None);
    }
}
