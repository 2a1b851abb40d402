//! A line of the transparency contract: one way to start a shell, and what it needs around it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::shell::{Outcome, Shell, Subject};
use crate::tree::{self, Entry};
use crate::world::processes::wait_until;
use crate::world::{World, people};
use crate::{Result, fail};

/// A named start with its files, whose result must not depend on the subject.
#[derive(Debug, Clone)]
pub struct Case {
    pub name: &'static str,
    pub shell: Shell,
    files: Vec<(&'static str, Vec<u8>, u32)>,
    needs: Vec<&'static str>,
    mask_numbers: bool,
    login_shell: Option<&'static str>,
    links: Vec<(&'static str, &'static str)>,
    settle: Option<&'static str>,
    forget: Vec<&'static str>,
    logical_cwd: bool,
}

/// Everything that a caller can see of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub outcome: Outcome,
    pub files: BTreeMap<PathBuf, Entry>,
}

impl Case {
    pub fn new(name: &'static str, shell: Shell) -> Case {
        Case {
            name,
            shell,
            files: Vec::new(),
            needs: Vec::new(),
            mask_numbers: false,
            login_shell: None,
            links: Vec::new(),
            settle: None,
            forget: Vec::new(),
            logical_cwd: false,
        }
    }

    /// A file that is there before the run; `@bash@` and the like are filled in.
    pub fn file(mut self, path: &'static str, content: impl Into<Vec<u8>>, mode: u32) -> Case {
        self.files.push((path, content.into(), mode));
        self
    }

    /// A symbolic link that is there before the run.
    pub fn link(mut self, path: &'static str, target: &'static str) -> Case {
        self.links.push((path, target));
        self
    }

    /// Something that outlives the shell makes this file: it is waited for before the files are compared.
    pub fn settle(mut self, path: &'static str) -> Case {
        self.settle = Some(path);
        self
    }

    /// A file or folder whose content differs from run to run (times, random names) and is not compared.
    pub fn forget(mut self, path: &'static str) -> Case {
        self.forget.push(path);
        self
    }

    /// `PWD` says how the caller reached its folder, links included.
    pub fn logical_cwd(mut self) -> Case {
        self.logical_cwd = true;
        self
    }

    /// Another way to start it.
    pub fn change(mut self, change: impl FnOnce(Shell) -> Shell) -> Case {
        self.shell = change(self.shell);
        self
    }

    /// Programs without which the case is skipped.
    pub fn needs(mut self, programs: &[&'static str]) -> Case {
        self.needs.extend(programs);
        self
    }

    /// Process ids and the like are part of the output: numbers of three digits and more count as equal.
    pub fn mask_numbers(mut self) -> Case {
        self.mask_numbers = true;
        self
    }

    /// The user's entry in the account file names this shell.
    pub fn login_shell(mut self, shell: &'static str) -> Case {
        self.login_shell = Some(shell);
        self
    }

    /// Whether the machine has what the case needs; otherwise it is reported as skipped.
    pub fn is_possible(&self) -> Result<bool> {
        crate::skips::has_programs(self.name, &self.needs)
    }

    /// The folder in which every case runs, made anew for each run.
    pub fn folder(world: &World) -> PathBuf {
        world.workspace().join("case")
    }

    /// Runs it once with the subject's shells, in a fresh folder.
    pub fn run(&self, world: &World, subject: &Subject) -> Result<Seen> {
        let folder = Case::folder(world);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        world.user().make_folder(&folder)?;
        for (path, content, mode) in &self.files {
            let content = String::from_utf8(content.clone()).map_or(content.clone(), |text| {
                std::os::unix::ffi::OsStringExt::into_vec(subject.fill(text.as_ref()))
            });
            world.user().write_file(&folder.join(path), content, *mode)?;
        }
        for (path, target) in &self.links {
            std::os::unix::fs::symlink(target, folder.join(path))?;
        }
        if let Some(shell) = self.login_shell {
            people::set_login_shell(world.user(), &subject.shell(shell))?;
        }
        let mut shell = self.shell.clone();
        let cwd = shell.cwd.take().map_or(folder.clone(), |inner| folder.join(inner));
        if self.logical_cwd {
            shell = shell.env("PWD", &cwd);
        }
        let shell = shell.cwd(cwd);
        let outcome = shell
            .run_with(world, subject)
            .map_err(|error| fail(format!("{}: {error}", self.name)))?;
        if let Some(late) = self.settle {
            let made = || fs::metadata(folder.join(late)).is_ok_and(|meta| meta.len() > 0);
            if !wait_until(Duration::from_secs(20), made) {
                return Err(fail(format!("{}: {late} was never made", self.name)));
            }
        }
        let mut files = tree::picture(&folder)?;
        files.retain(|path, _| !self.forget.iter().any(|forget| path.starts_with(forget)));
        for entry in files.values_mut() {
            entry.content = self.plain(subject, &entry.content, outcome.pid);
        }
        let outcome = Outcome {
            pid: 0,
            ended: outcome.ended,
            stdout: self.plain(subject, &outcome.stdout, outcome.pid),
            stderr: self.plain(subject, &outcome.stderr, outcome.pid),
            extra: outcome
                .extra
                .iter()
                .map(|(fd, bytes)| (*fd, self.plain(subject, bytes, outcome.pid)))
                .collect(),
        };
        Ok(Seen { outcome, files })
    }

    /// Output without what must differ: the path of the stand-in, the process id of the run.
    fn plain(&self, subject: &Subject, bytes: &[u8], pid: i32) -> Vec<u8> {
        let bytes = subject.plain(bytes);
        let bytes = without_number(&bytes, pid.to_string().as_bytes());
        if self.mask_numbers { mask(&bytes) } else { bytes }
    }
}

/// `PID` where exactly this number stands, not as a part of a hexadecimal one.
fn without_number(bytes: &[u8], number: &[u8]) -> Vec<u8> {
    let runs = bytes.chunk_by(|a, b| a.is_ascii_hexdigit() == b.is_ascii_hexdigit());
    runs.flat_map(|run| if run == number { b"PID" } else { run })
        .copied()
        .collect()
}

/// Every run of three and more digits becomes `#`.
pub fn mask(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for run in bytes.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
        match run.len() >= 3 && run[0].is_ascii_digit() {
            true => out.push(b'#'),
            false => out.extend_from_slice(run),
        }
    }
    out
}
