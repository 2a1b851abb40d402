use std::io::{self, BufReader, Read as _};
use std::path::PathBuf;

use agentsh_audit::{SessionDir, Stream, open_plain};
use agentsh_protocol::Bytes;
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::record::{self, STREAMS};
use crate::render;

/// Print what `exec --output json` kept of a command whose output was long
#[derive(Debug, Args)]
#[command(
    after_help = "Without --stream its stdout goes to stdout and its stderr to stderr. On a terminal everything that could drive it is written out; elsewhere every byte is as it was."
)]
pub struct Output {
    /// The command: id, or a unique beginning of it
    command: String,
    /// One stream only, to stdout
    #[arg(long, value_enum)]
    stream: Option<Which>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A stream of a command.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    Stdout,
    Stderr,
}

/// What is kept, as JSON; `null` is a stream of which nothing is kept.
#[derive(Debug, Serialize)]
struct Kept {
    command_id: String,
    session_id: String,
    stdout: Option<Bytes>,
    stderr: Option<Bytes>,
}

impl Output {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let (dir, command) = record::kept_output(&record::store(context), &self.command)?;
        let wanted = |stream| match self.stream {
            None => true,
            Some(Which::Stdout) => stream == Stream::Stdout,
            Some(Which::Stderr) => stream == Stream::Stderr,
        };
        if self.json {
            let read = |stream| {
                if wanted(stream) {
                    read(&dir, &command, stream)
                } else {
                    Ok(None)
                }
            };
            let (stdout, stderr) = (read(Stream::Stdout)?, read(Stream::Stderr)?);
            let session_id = dir.id().to_owned();
            render::json(
                context,
                &Kept {
                    command_id: command,
                    session_id,
                    stdout,
                    stderr,
                },
            )?;
            return Ok(Exit::DONE);
        }
        for stream in STREAMS.into_iter().filter(|stream| wanted(*stream)) {
            match stream == Stream::Stderr && self.stream.is_none() {
                true => print(&dir, &command, stream, io::stderr())?,
                false => print(&dir, &command, stream, io::stdout())?,
            }
        }
        Ok(Exit::DONE)
    }
}

/// Where it is: whole, or as it was recorded on its way through a pipe.
fn place(dir: &SessionDir, command: &str, stream: Stream) -> Result<PathBuf, Error> {
    let whole = dir.output_path(command, stream)?;
    match whole.exists() {
        true => Ok(whole),
        false => Ok(dir.piped_path(command, stream)?),
    }
}

fn print(
    dir: &SessionDir,
    command: &str,
    stream: Stream,
    mut to: impl io::Write + io::IsTerminal,
) -> Result<(), Error> {
    let path = place(dir, command, stream)?;
    let printed = match (open_plain(&path), to.is_terminal()) {
        (Err(error), _) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        (Err(error), _) => Err(error),
        (Ok(mut file), false) => io::copy(&mut file, &mut to).map(drop),
        (Ok(file), true) => show(BufReader::new(file), &mut to),
    };
    printed.map_err(|source| Error::file(path, source))
}

/// Line by line: what a command has printed must not drive the terminal of who reads it.
fn show(mut from: impl io::BufRead, to: &mut impl io::Write) -> io::Result<()> {
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(render::output_line(&line).as_bytes())?;
        line.clear();
    }
    to.flush()
}

fn read(dir: &SessionDir, command: &str, stream: Stream) -> Result<Option<Bytes>, Error> {
    let path = place(dir, command, stream)?;
    let read = open_plain(&path).and_then(|mut file| {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map(|_| bytes)
    });
    match read {
        Ok(bytes) => Ok(Some(Bytes(bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::file(path, source)),
    }
}
