//! The way to a file, as the kernel goes it: path_resolution(7).

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

/// The most links that are followed.
const MAX_LINKS: usize = 40;

/// Goes to the file, and says each name with its folder before it is looked at. Folders are named without links. What is
/// returned is where the file is, if it is there.
pub(super) fn walk(file: &Path, mut look: impl FnMut(&Path, &OsStr)) -> Option<PathBuf> {
    let mut place = PathBuf::from("/");
    let mut left = names(file);
    let mut links = 0;
    while let Some(name) = left.pop() {
        if name == ".." {
            place.pop();
            continue;
        }
        look(&place, &name);
        let next = place.join(&name);
        match next.read_link() {
            Ok(_) if links == MAX_LINKS => return None,
            Ok(target) => {
                links += 1;
                if target.is_absolute() {
                    place = PathBuf::from("/");
                }
                left.extend(names(&target));
            }
            Err(_) if next.is_dir() || left.is_empty() && next.exists() => place = next,
            Err(_) => return None,
        }
    }
    Some(place)
}

/// The links on the way: who turns one of them leads to another file.
pub(super) fn links(file: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(file, |folder, name| {
        let place = folder.join(name);
        if place.is_symlink() {
            found.push(place);
        }
    });
    found
}

/// The names of a path, the last one first; dots that mean nothing are none.
fn names(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn all_links_on_the_way_are_found_and_where_it_ends() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let home = folder.path().canonicalize()?;
        std::fs::create_dir_all(home.join("dots/v1"))?;
        std::fs::write(home.join("dots/v1/p.yaml"), "")?;
        symlink("v1", home.join("dots/current"))?;
        symlink("dots/v1/../current", home.join("config"))?;
        symlink(home.join("config/p.yaml"), home.join("p.yaml"))?;
        let file = home.join("./p.yaml");
        let expected = ["p.yaml", "config", "dots/current"].map(|name| home.join(name));
        assert_eq!(links(&file), expected);
        assert_eq!(walk(&file, |_, _| {}), Some(home.join("dots/v1/p.yaml")));
        assert_eq!(walk(&home.join("config/none/p.yaml"), |_, _| {}), None);
        symlink("circle", home.join("circle"))?;
        assert_eq!(walk(&home.join("circle/p.yaml"), |_, _| {}), None);
        Ok(())
    }
}
