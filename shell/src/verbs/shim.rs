//! `agentsh shim`

use std::path::{Path, PathBuf};

use agentsh_protocol::places;
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::client::beside_us;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{self, Table};

/// The shells that are installed as stand-ins.
const SHELLS: [&str; 4] = ["bash", "sh", "zsh", "dash"];

/// `agentsh shim`
#[derive(Debug, Subcommand)]
pub enum Shim {
    Status(Status),
}

/// Show which shells have a stand-in, and whether shims are switched off
#[derive(Debug, Args)]
pub struct Status {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Shim {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let Shim::Status(status) = self;
        let found = Installed::look();
        match status.json {
            true => render::json(context, &found)?,
            false => render::print(&found.text(context))?,
        }
        Ok(Exit::ok_if(
            found.shims.iter().any(|shim| shim.state == State::Ready) && !found.disabled,
        ))
    }
}

/// What is installed.
#[derive(Debug, Serialize)]
pub struct Installed {
    /// Whether root has switched all shims off with a file.
    pub disabled: bool,
    pub folder: PathBuf,
    pub shims: Vec<Stand>,
}

/// One stand-in.
#[derive(Debug, Serialize)]
pub struct Stand {
    pub shell: &'static str,
    pub path: PathBuf,
    pub state: State,
    /// The real shell, where one of that name is installed.
    pub real: Option<PathBuf>,
}

/// Whether a stand-in works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ready,
    Missing,
    /// There is a file, and it is not the shim of this installation.
    Other,
    /// The shim is there, and no real shell of that name.
    NoShell,
}

impl Installed {
    /// Looks beside this installation's programs, and below its prefix.
    pub fn look() -> Installed {
        let program = beside_us(places::SHIM_PROGRAM).unwrap_or_default();
        let [beside, below] = places::stand_ins(program.parent().unwrap_or(Path::new("/usr/bin")));
        let folder = if beside.is_dir() { beside } else { below };
        Installed {
            disabled: Path::new(places::DISABLED).exists(),
            shims: SHELLS
                .iter()
                .map(|shell| Stand::look(shell, &folder, &program))
                .collect(),
            folder,
        }
    }

    fn text(&self, context: &Context) -> String {
        let mut table = Table::new(&["SHELL", "STATE", "STAND-IN", "REAL SHELL"]);
        for shim in &self.shims {
            table.row(vec![
                shim.shell.to_owned(),
                shim.state.word().to_owned(),
                shim.path.display().to_string(),
                shim.real
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), |path| path.display().to_string()),
            ]);
        }
        let mut text = table.render(context.out, context.columns());
        if self.disabled {
            text += &context.out.red(&format!(
                "\nswitched off by {}: shims start the real shell\n",
                places::DISABLED
            ));
        }
        text
    }
}

impl Stand {
    fn look(shell: &'static str, folder: &Path, program: &Path) -> Stand {
        let path = folder.join(shell);
        let real = ["/bin", "/usr/bin", "/usr/local/bin"].map(|folder| Path::new(folder).join(shell));
        let real = real.into_iter().find(|path| path.exists() && !is_same(path, program));
        let state = match (path.exists(), is_same(&path, program), real.is_some()) {
            (false, ..) => State::Missing,
            (true, false, _) => State::Other,
            (true, true, false) => State::NoShell,
            (true, true, true) => State::Ready,
        };
        Stand {
            shell,
            path,
            state,
            real,
        }
    }
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Ready => "ready",
            State::Missing => "missing",
            State::Other => "another program",
            State::NoShell => "no such shell here",
        }
    }
}

/// Whether both are one file, or files of the same contents (a copy is a stand-in too).
fn is_same(path: &Path, program: &Path) -> bool {
    match (path.canonicalize(), program.canonicalize()) {
        (Ok(a), Ok(b)) => a == b || same_contents(&a, &b).unwrap_or(false),
        _ => false,
    }
}

fn same_contents(a: &Path, b: &Path) -> std::io::Result<bool> {
    Ok(std::fs::metadata(a)?.len() == std::fs::metadata(b)?.len() && std::fs::read(a)? == std::fs::read(b)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_is_the_shim_by_link_or_by_copy() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let program = folder.path().join(places::SHIM_PROGRAM);
        std::fs::write(&program, "shim")?;
        std::fs::write(folder.path().join("bash"), "shim")?;
        std::fs::write(folder.path().join("zsh"), "real")?;
        std::os::unix::fs::symlink(&program, folder.path().join("sh"))?;
        let state = |shell| Stand::look(shell, folder.path(), &program).state;
        assert_eq!((state("sh"), state("dash")), (State::Ready, State::Missing));
        assert!(matches!(state("bash"), State::Ready | State::NoShell));
        assert_eq!(state("zsh"), State::Other);
        Ok(())
    }
}
