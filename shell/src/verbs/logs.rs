use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use agentsh_audit::open_plain;
use clap::Args;

use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render;

/// The most that is read of the file's end.
const TAIL: u64 = 4 << 20;
/// How often a followed file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Show what broker and supervisors wrote about themselves (what sessions did is in `events`)
#[derive(Debug, Args)]
pub struct Logs {
    /// How many of the last lines
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 50)]
    lines: usize,
    /// Go on with what is added, until interrupted
    #[arg(long, short)]
    follow: bool,
    /// Print the lines as a JSON list of strings
    #[arg(long, conflicts_with = "follow")]
    json: bool,
}

impl Logs {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let path = file(context);
        let mut file = match open_plain(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                render::say(&format!("{}: nothing was logged yet", path.display()));
                return Ok(Exit::DONE);
            }
            other => other.map_err(|source| Error::file(&path, source))?,
        };
        let text = tail(&mut file, self.lines).map_err(|source| Error::file(&path, source))?;
        let lines: Vec<&str> = text.lines().collect();
        match self.json {
            true => render::json(context, &lines)?,
            false => print(&lines)?,
        }
        if self.follow {
            go_on(&mut file, &path)
        } else {
            Ok(Exit::DONE)
        }
    }
}

/// Prints what is added, until this process is ended.
fn go_on(file: &mut File, path: &Path) -> Result<Exit, Error> {
    loop {
        std::thread::sleep(LOOK_EVERY);
        let mut more = String::new();
        file.read_to_string(&mut more)
            .map_err(|source| Error::file(path, source))?;
        print(&more.lines().collect::<Vec<_>>())?;
    }
}

/// The daemons' log of the caller.
pub fn file(context: &Context) -> PathBuf {
    in_state(&context.account().state_dir())
}

fn in_state(state: &Path) -> PathBuf {
    state.join("ptyd.log")
}

fn print(lines: &[&str]) -> Result<(), Error> {
    let shown: Vec<String> = lines.iter().map(|line| render::visible(line) + "\n").collect();
    render::print(&shown.concat())
}

/// The last `count` lines, and the file positioned at its end.
fn tail(file: &mut File, count: usize) -> io::Result<String> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let skip = text.lines().count().saturating_sub(count);
    Ok(text.lines().skip(skip).map(|line| line.to_owned() + "\n").collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_shown() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = in_state(folder.path());
        std::fs::write(&path, "a\nb\nc\n")?;
        assert_eq!(tail(&mut File::open(&path)?, 2)?, "b\nc\n");
        assert_eq!(tail(&mut File::open(&path)?, 9)?, "a\nb\nc\n");
        Ok(())
    }
}
