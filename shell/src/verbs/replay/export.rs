use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use agentsh_terminal::cast::Format;
use agentsh_terminal::export;
use agentsh_terminal::recording::Recording;

use super::Version;
use crate::context::Context;
use crate::error::Error;
use crate::render;

/// What a recording is exported as.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    Text,
    Html,
    /// The screen at this time.
    Svg(Duration),
    Cast(Version),
}

/// Writes the export to `out`, which must not exist, or to stdout.
pub fn write(recording: &Recording, form: Form, out: Option<&Path>, context: &Context) -> Result<(), Error> {
    match out {
        Some(path) => {
            let file = File::create_new(path).map_err(|source| Error::file(path, source))?;
            let mut file = BufWriter::new(file);
            let written = write_to(recording, form, &mut file).and_then(|()| file.flush());
            written.map_err(|source| Error::file(path, source))
        }
        None if context.stdout_is_terminal => {
            let mut tame = Tame::new(io::stdout().lock());
            let written = write_to(recording, form, &mut tame).and_then(|()| tame.end());
            written.map_err(|source| Error::io("writing to stdout", source))
        }
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            let written = write_to(recording, form, &mut out).and_then(|()| out.flush());
            written.map_err(|source| Error::io("writing to stdout", source))
        }
    }
}

fn write_to(recording: &Recording, form: Form, out: &mut impl Write) -> io::Result<()> {
    match form {
        Form::Text => export::text(recording, out),
        Form::Html => export::html(recording, out),
        Form::Svg(time) => {
            let picture = export::svg(recording, time).map_err(io::Error::other)?;
            out.write_all(picture.as_bytes())
        }
        Form::Cast(Version::V2) => export::cast(recording, Format::V2, out),
        Form::Cast(Version::V3) => export::cast(recording, Format::V3, out),
    }
}

/// Lines on their way to a person's terminal, made visible: no export may drive it.
struct Tame<W> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> Tame<W> {
    fn new(out: W) -> Tame<W> {
        Tame { out, line: Vec::new() }
    }

    /// The last line, if it has no end.
    fn end(mut self) -> io::Result<()> {
        let line = render::visible(&String::from_utf8_lossy(&self.line));
        self.out.write_all(line.as_bytes())?;
        self.out.flush()
    }
}

impl<W: Write> Write for Tame<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.line.extend_from_slice(&rest[..end]);
            let line = render::visible(&String::from_utf8_lossy(&self.line));
            self.line.clear();
            writeln!(self.out, "{line}")?;
            rest = &rest[end + 1..];
        }
        self.line.extend_from_slice(rest);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_to_a_terminal_cannot_drive_it() -> io::Result<()> {
        let mut shown = Vec::new();
        let mut tame = Tame::new(&mut shown);
        tame.write_all("a\u{9b}31m\nb\u{202e}".as_bytes())?;
        tame.end()?;
        assert_eq!(String::from_utf8_lossy(&shown), "a\\x9b31m\nb\\u{202e}");
        Ok(())
    }
}
