use std::io;
use std::path::{Component, Path, PathBuf};

/// The paths under which the trash may know what a person calls `path`. The records have resolved paths, and what was
/// lost is most often not there to be resolved: then the folders above it are. A symbolic link that is there stands for
/// itself as well as for what it leads to.
pub(super) fn known_as(path: &Path) -> io::Result<Vec<PathBuf>> {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    let mut known = vec![resolved(path)?];
    if let Some(name) = path.file_name() {
        let itself = resolved(above.unwrap_or(Path::new(".")))?.join(name);
        if itself != known[0] {
            known.push(itself);
        }
    }
    Ok(known)
}

/// Resolves what is there of a path; from the first name that is missing on it is taken as it is written.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let mut so_far = match path.is_absolute() {
        true => PathBuf::from("/"),
        false => std::env::current_dir()?,
    };
    for component in path.components() {
        match component {
            // Right also behind a link: it is resolved by now.
            Component::ParentDir => drop(so_far.pop()),
            Component::Normal(name) => {
                so_far.push(name);
                if let Ok(real) = so_far.canonicalize() {
                    so_far = real;
                }
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Ok(so_far)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_there_is_found_by_any_of_its_paths() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let top = folder.path().canonicalize()?;
        std::fs::create_dir_all(top.join("real/inner"))?;
        symlink(top.join("real/inner"), top.join("link"))?;
        assert_eq!(known_as(&top.join("real/./inner/../inner"))?, [top.join("real/inner")]);
        assert_eq!(known_as(&top.join("link"))?, [top.join("real/inner"), top.join("link")]);
        assert_eq!(known_as(&top.join("link/.."))?, [top.join("real")]);
        assert_eq!(known_as(Path::new("/"))?, [PathBuf::from("/")]);
        Ok(())
    }

    #[test]
    fn what_is_missing_is_found_by_its_folder() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let top = folder.path().canonicalize()?;
        std::fs::create_dir(top.join("real"))?;
        symlink("real", top.join("link"))?;
        assert_eq!(known_as(&top.join("link/gone/file"))?, [top.join("real/gone/file")]);
        assert_eq!(known_as(&top.join("gone/../link/file"))?, [top.join("real/file")]);
        let here = std::env::current_dir()?.canonicalize()?;
        assert_eq!(known_as(Path::new("./gone/../file"))?, [here.join("file")]);
        assert_eq!(known_as(Path::new("file"))?, [here.join("file")]);
        Ok(())
    }
}
