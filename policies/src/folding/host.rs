//! Which mounts of this host have such names, `proc_pid_mountinfo(5)`.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

/// Names of one folder that are looked at.
const LOOKED_AT: usize = 64;

/// What a file system makes of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Folds {
    /// Another spelling is another name.
    Never,
    /// Another spelling is the same name.
    Always,
    /// A few of its kind do, or single folders of it: where somebody works is looked at.
    Somewhere,
    /// It depends on what is behind it: where somebody works is looked at; elsewhere it counts as one that does.
    Perhaps,
}

impl Folds {
    /// By its type and its options.
    fn of(kind: &str, options: &str) -> Folds {
        let has = |wanted: &str| {
            options
                .split(',')
                .any(|option| option.split('=').next() == Some(wanted))
        };
        match kind {
            "zfs" if has("casesensitive") => Folds::Never,
            "tmpfs" if has("casefold") => Folds::Always,
            "vfat" | "msdos" | "exfat" | "ntfs" | "ntfs3" | "hfs" | "hfsplus" | "apfs" | "cifs" | "smb3" | "smbfs" => {
                Folds::Always
            }
            "bcachefs" | "ext4" | "f2fs" | "nfs" | "nfs4" | "overlay" | "xfs" => Folds::Somewhere,
            "aufs" | "autofs" | "binfmt_misc" | "bpf" | "btrfs" | "ceph" | "cgroup" | "cgroup2" | "configfs"
            | "cpuset" | "cramfs" | "debugfs" | "devpts" | "devtmpfs" | "ecryptfs" | "erofs" | "ext2" | "ext3"
            | "fusectl" | "gfs2" | "hugetlbfs" | "mqueue" | "nilfs2" | "nsfs" | "ocfs2" | "pipefs" | "proc"
            | "pstore" | "ramfs" | "romfs" | "rootfs" | "rpc_pipefs" | "securityfs" | "selinuxfs" | "sockfs"
            | "squashfs" | "sysfs" | "tmpfs" | "tracefs" => Folds::Never,
            _ => Folds::Perhaps,
        }
    }
}

/// The mount points on this host below which names that differ in case or form may be one name, for
/// [`crate::Variables::folding`]. `places` are where sessions work: what cannot be told by its type is looked at there, and
/// nowhere else, for the server behind a mount may be long gone.
pub fn host_folding(places: &[&Path]) -> Vec<Vec<u8>> {
    match std::fs::read("/proc/self/mountinfo") {
        Ok(mounts) => folding(&mounts, places, other_spellings_lead_there),
        // What cannot be known may be so everywhere.
        Err(_) => vec![b"/".to_vec()],
    }
}

fn folding(mountinfo: &[u8], places: &[&Path], look: impl Fn(&Path) -> Option<bool>) -> Vec<Vec<u8>> {
    let mut mounts: Vec<(Vec<u8>, Folds)> = Vec::new();
    for (point, folds) in mountinfo.split(|byte| *byte == b'\n').filter_map(mount) {
        // Who is mounted over another hides it.
        mounts.retain(|(other, _)| *other != point);
        mounts.push((point, folds));
    }
    let lies_on = |place: &Path| {
        let above = mounts
            .iter()
            .filter(|(point, _)| place.starts_with(OsStr::from_bytes(point)));
        above.map(|(point, _)| point).max_by_key(|point| point.len())
    };
    let seen = |point: &Vec<u8>| {
        let here = places.iter().filter(|place| lies_on(place) == Some(point));
        here.filter_map(|place| look(place)).reduce(|one, other| one || other)
    };
    let folds = |(point, folds): &&(Vec<u8>, Folds)| match folds {
        Folds::Never => false,
        Folds::Always => true,
        Folds::Somewhere => seen(point) == Some(true),
        Folds::Perhaps => seen(point) != Some(false),
    };
    mounts.iter().filter(folds).map(|(point, _)| point.clone()).collect()
}

/// Mount point and file system of one line.
fn mount(line: &[u8]) -> Option<(Vec<u8>, Folds)> {
    let mut fields = line.split(|byte| *byte == b' ');
    let point = unescaped(fields.nth(4)?);
    let mut behind = fields.skip_while(|field| *field != b"-").skip(1);
    let (kind, options) = (behind.next()?, behind.nth(1)?);
    Some((
        point,
        Folds::of(&String::from_utf8_lossy(kind), &String::from_utf8_lossy(options)),
    ))
}

/// Blanks, line ends and backslashes stand there as three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut pieces = field.split(|byte| *byte == b'\\');
    let mut text = pieces.next().unwrap_or_default().to_vec();
    for piece in pieces {
        let digits = piece.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => text.extend([&[byte], &piece[3..]].concat()),
            None => text.extend([b"\\", piece].concat()),
        }
    }
    text
}

/// Whether what has a name in this folder is found under another spelling of it; none where nothing can tell. Somebody may
/// take names away meanwhile, so that all are asked for, and one that is gone says nothing.
fn other_spellings_lead_there(folder: &Path) -> Option<bool> {
    let entries = std::fs::read_dir(folder).ok()?.flatten().take(LOOKED_AT);
    let names: HashSet<Vec<u8>> = entries.map(|entry| entry.file_name().into_vec()).collect();
    let look = |name: &[u8]| match std::fs::symlink_metadata(folder.join(OsStr::from_bytes(name))) {
        Ok(_) => Some(true),
        Err(error) => (error.kind() == std::io::ErrorKind::NotFound).then_some(false),
    };
    let leads_there = |name: &Vec<u8>| {
        let swap = |byte: &u8| if byte.is_ascii_alphabetic() { byte ^ 0x20 } else { *byte };
        let other: Vec<u8> = name.iter().map(swap).collect();
        let found = if names.contains(&other) { None } else { look(&other) };
        found.filter(|found| *found || look(name) == Some(true))
    };
    names.iter().filter_map(leads_there).reduce(|one, other| one || other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] = b"21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
        22 21 0:20 / /proc rw - proc proc rw\n\
        23 21 8:2 / /boot/efi rw shared:3 master:1 - vfat /dev/sda2 rw,fmask=0077\n\
        24 21 0:40 / /mnt/c\\040d rw - 9p C:\\134 rw,dirsync,aname=drvfs\n\
        25 21 0:41 / /hidden rw - vfat none rw\n\
        26 21 0:42 / /hidden rw - tmpfs none rw\n\
        27 21 0:43 / /games rw - tmpfs none rw,casefold=utf8-12.1.0\n\
        28 21 0:44 / /share rw - fuse.sshfs host: rw,user_id=0\n\
        29 21 0:45 / /pool rw - zfs tank rw,xattr,casesensitive\n\
        30 21 0:46 / /new rw - otherfs none rw\n";

    fn found(places: &[&str], look: impl Fn(&Path) -> Option<bool>) -> Vec<String> {
        let places: Vec<&Path> = places.iter().map(Path::new).collect();
        let found = folding(MOUNTS, &places, look);
        found
            .iter()
            .map(|point| String::from_utf8_lossy(point).into_owned())
            .collect()
    }

    #[test]
    fn what_a_type_does_not_tell_is_looked_at_where_somebody_works_and_counts_elsewhere() {
        let unasked = |_: &Path| unreachable!("nobody works there");
        let all = ["/boot/efi", "/mnt/c d", "/games", "/share", "/new"];
        assert_eq!(found(&[], unasked), all);
        assert_eq!(found(&["/share/w"], |_| Some(true)), all);
        assert_eq!(found(&["/share/w"], |_| None), all);
        let but_share = ["/boot/efi", "/mnt/c d", "/games", "/new"];
        assert_eq!(found(&["/share/w"], |_| Some(false)), but_share);
        assert_eq!(
            found(&["/share/w", "/share/v"], |place| Some(place.ends_with("v"))),
            all
        );
        // One whose folders may, where that cannot be told, is taken as it is almost everywhere.
        assert_eq!(found(&["/home/u"], |_| None), all);
        assert_eq!(found(&["/home/u"], |_| Some(true))[0], "/");
    }

    #[test]
    fn this_file_system_tells_spellings_apart() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        assert_eq!(other_spellings_lead_there(folder.path()), None);
        std::fs::write(folder.path().join("12"), "")?;
        std::fs::write(folder.path().join("ab"), "")?;
        std::fs::write(folder.path().join("AB"), "")?;
        assert_eq!(other_spellings_lead_there(folder.path()), None, "both are there");
        std::fs::write(folder.path().join("Cd"), "")?;
        assert_eq!(other_spellings_lead_there(folder.path()), Some(false));
        assert_eq!(other_spellings_lead_there(&folder.path().join("Cd")), None, "no folder");
        Ok(())
    }

    #[test]
    fn a_line_that_is_cut_short_is_none() {
        for line in [
            &b""[..],
            b"1 2 3",
            b"1 2 3 4 5",
            b"1 2 3 4 /x rw -",
            b"1 2 3 4 /x rw - vfat",
        ] {
            assert_eq!(mount(line), None);
        }
        assert_eq!(unescaped(b"a\\040b\\"), b"a b\\");
        assert_eq!(unescaped(b"\\1\\777"), b"\\1\\777");
    }
}
