//! Measures checkpoints and the trash against the alternatives, in a folder that is given (default:
//! the temporary folder). `cargo run --release -p agentsh-keep --example measure -- [FOLDER] [FILES]`

use std::ffi::CString;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use agentsh_keep::checkpoint::Checkpoints;
use agentsh_keep::trash::{Limits, Meta, Removal, Trash};

type Done = Result<(), Box<dyn std::error::Error>>;

fn timed(what: &str, act: impl FnOnce() -> Done) -> Done {
    let start = Instant::now();
    act()?;
    println!("{:>8.1} ms  {what}", start.elapsed().as_secs_f64() * 1000.0);
    Ok(())
}

fn main() -> Done {
    let base = std::env::args()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from)
        .join("keep-measure");
    let files: usize = std::env::args()
        .nth(2)
        .and_then(|text| text.parse().ok())
        .unwrap_or(100_000);
    let _ = fs::remove_dir_all(&base);
    let work = base.join("work");
    for folder in 0..files.div_ceil(100) {
        let folder = work.join(format!("{}/{}", folder % 10, folder));
        fs::create_dir_all(&folder)?;
        for number in 0..100 {
            let line = format!("{} {number}\n", folder.display());
            fs::write(folder.join(number.to_string()), line.repeat(2048 / line.len()))?;
        }
    }
    let copy = |name: &str, flags: &str| -> Done {
        let done = Command::new("cp")
            .arg(flags)
            .arg(&work)
            .arg(base.join(name))
            .status()?
            .success();
        if done { Ok(()) } else { Err("cp failed".into()) }
    };
    timed("cp -a", || copy("copy", "-a"))?;
    timed("cp -al (hard links into the live tree)", || copy("links", "-al"))?;
    timed("one object a file, 2 threads", || objects(&work, &base.join("objects")))?;

    let open = || -> Result<Checkpoints, Box<dyn std::error::Error>> {
        let trash = Arc::new(Trash::open(&base.join("state"), Some(&work), Limits::default())?);
        Ok(Checkpoints::open(&base.join("state/checkpoints"), &work, trash)?)
    };
    let checkpoints = open()?;
    timed("first checkpoint", || {
        checkpoints.create(None).map(drop).map_err(Into::into)
    })?;
    timed("next one, nothing changed", || {
        checkpoints.create(None).map(drop).map_err(Into::into)
    })?;
    let later = open()?;
    timed("the same by another process", || {
        later.create(None).map(drop).map_err(Into::into)
    })?;
    let first = checkpoints.list()?.checkpoints[0].id;
    for number in 0..1000 {
        fs::write(work.join(format!("{}/{number}/7", number % 10)), "changed")?;
    }
    timed("next one, 1,000 files changed", || {
        checkpoints.create(None).map(drop).map_err(Into::into)
    })?;
    timed("diff with the first", || {
        checkpoints.diff(first).map(drop).map_err(Into::into)
    })?;
    timed("rollback of 1,000 files", || {
        checkpoints.rollback(first, false).map(drop).map_err(Into::into)
    })?;
    println!("{:>8.1} MB  store", checkpoints.size()? as f64 / 1e6);
    deletions(&base)?;
    fs::remove_dir_all(&base)?;
    Ok(())
}

fn objects(work: &Path, store: &Path) -> Done {
    fs::create_dir_all(store)?;
    let folders: Vec<PathBuf> = (0..10).map(|number| work.join(number.to_string())).collect();
    std::thread::scope(|scope| -> Done {
        let threads: Vec<_> = folders
            .chunks(5)
            .map(|folders| {
                scope.spawn(move || -> std::io::Result<()> {
                    for folder in folders.iter().flat_map(fs::read_dir).flatten().flatten() {
                        for file in fs::read_dir(folder.path())?.flatten() {
                            let bytes = fs::read(file.path())?;
                            let hash = blake3::hash(&bytes).to_hex();
                            let unfinished = store.join(format!("{hash}.new"));
                            File::create(&unfinished)?.write_all(&bytes)?;
                            fs::rename(unfinished, store.join(hash.as_str()))?;
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        for thread in threads {
            thread.join().map_err(|_| "thread")??;
        }
        Ok(())
    })
}

fn deletions(base: &Path) -> Done {
    let folder = base.join("deletions");
    fs::create_dir_all(&folder)?;
    let names: Vec<String> = (0..2000).map(|number| number.to_string()).collect();
    timed("create and delete 2,000 files", || {
        names.iter().try_for_each(|name| fs::write(folder.join(name), "x"))?;
        names
            .iter()
            .try_for_each(|name| fs::remove_file(folder.join(name)))
            .map_err(Into::into)
    })?;
    let trash = Trash::open(
        &base.join("state"),
        None,
        Limits {
            max_size: Some(1 << 40),
            ..Limits::default()
        },
    )?;
    let parent = File::open(&folder)?;
    timed("the same, into the trash", || {
        names.iter().try_for_each(|name| fs::write(folder.join(name), "x"))?;
        for name in &names {
            let path = folder.join(name);
            trash.discard(
                parent.as_fd(),
                &CString::new(name.as_str())?,
                Removal::Unlink,
                &path,
                &Meta::default(),
            )?;
        }
        Ok(())
    })
}
