use super::*;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

/// Everything is allowed but what lies at or below the given paths.
struct Except(Vec<PathBuf>);

impl Territory for Except {
    fn tree(&self, _: Right, folder: &Path) -> Outlook {
        if self.0.iter().any(|path| folder.starts_with(path)) {
            Outlook::Nothing
        } else if self.0.iter().any(|path| path.starts_with(folder)) {
            Outlook::Mixed
        } else {
            Outlook::All
        }
    }

    fn object(&self, _: Right, path: &Path) -> bool {
        !self.0.iter().any(|denied| path.starts_with(denied))
    }
}

fn tree() -> io::Result<(tempfile::TempDir, PathBuf)> {
    let dir = tempfile::tempdir()?;
    let home = dir.path().canonicalize()?;
    fs::create_dir_all(home.join(".ssh"))?;
    fs::create_dir_all(home.join("work/deep"))?;
    for file in [".ssh/id_rsa", ".bashrc", "work/deep/file"] {
        fs::write(home.join(file), "x")?;
    }
    Ok((dir, home))
}

/// With a move of the session before each look.
fn holds(hull: &Hull, right: Right, path: &Path) -> bool {
    static MOVES: AtomicU64 = AtomicU64::new(1);
    let moves = MOVES.fetch_add(1, Ordering::Relaxed);
    hull.holds(right, path.as_os_str().as_bytes(), moves)
}

#[test]
fn a_denied_folder_is_left_out_and_its_siblings_are_in() -> io::Result<()> {
    let (_dir, home) = tree()?;
    let hull = Hull::compile(&Except(vec![home.join(".ssh")]));
    assert!(!holds(&hull, Right::ReadFile, &home.join(".ssh/id_rsa")));
    // A single file is granted too, but not another one of its name.
    assert!(holds(&hull, Right::ReadFile, &home.join(".bashrc")));
    fs::write(home.join("new"), "x")?;
    fs::rename(home.join("new"), home.join(".bashrc"))?;
    assert!(!holds(&hull, Right::ReadFile, &home.join(".bashrc")));
    assert!(holds(&hull, Right::ReadFile, &home.join("work/deep/new")));
    assert!(holds(&hull, Right::ReadFile, Path::new("/usr/bin/env")));
    // A name that comes later is not inside a lowered folder.
    assert!(!holds(&hull, Right::ReadFile, &home.join("later")));
    Ok(())
}

#[test]
fn a_new_name_in_a_lowered_folder_makes_the_hull_out_of_date() -> io::Result<()> {
    let (_dir, home) = tree()?;
    let hull = Hull::compile(&Except(vec![home.join(".ssh")]));
    assert!(hull.lowered().any(|folder| folder == home));
    fs::write(home.join("later"), "x")?;
    assert!(!hull.is_current());
    assert!(holds(&hull, Right::ReadFile, &home.join("work/deep/file")));
    // Another folder of the same name is not what was granted.
    fs::rename(home.join("work"), home.join("old"))?;
    fs::create_dir_all(home.join("work/deep"))?;
    assert!(!holds(&hull, Right::ReadFile, &home.join("work/deep/file")));
    Ok(())
}

#[test]
fn the_kernel_enforces_what_the_hull_says() -> Result<(), Box<dyn std::error::Error>> {
    let abi = crate::sys::landlock_abi();
    if abi == 0 {
        eprintln!("SKIPPED: no Landlock on this kernel");
        return Ok(());
    }
    let (_dir, home) = tree()?;
    let ruleset = crate::ruleset::build(&Hull::compile(&Except(vec![home.join(".ssh")])), abi, false)?;
    let inside = std::thread::spawn(move || -> io::Result<(bool, bool, bool)> {
        use std::os::fd::AsFd as _;
        crate::sys::set_no_new_privs()?;
        crate::sys::restrict_self(ruleset.as_fd())?;
        Ok((
            fs::read(home.join(".ssh/id_rsa")).is_ok(),
            fs::read(home.join(".bashrc")).is_ok(),
            fs::write(home.join("work/deep/new"), "x").is_ok(),
        ))
    });
    assert_eq!(inside.join().map_err(|_| "the thread panicked")??, (false, true, true));
    Ok(())
}
