//! The events of one command, read from the record without reading what was there before it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::PathBuf;

use agentsh_audit::{Event, SessionDir};

use crate::error::Error;

/// A place in a session's record: its end at some time.
#[derive(Debug)]
pub struct Mark {
    path: PathBuf,
    offset: u64,
}

impl Mark {
    /// The end of the record now.
    pub fn set(dir: &SessionDir) -> Mark {
        let path = dir.events_path();
        let offset = std::fs::metadata(&path).map_or(0, |record| record.len());
        Mark { path, offset }
    }

    /// The events of `command` after the mark. Lines that are not whole yet are left for the next look.
    ///
    /// # Errors
    /// The record cannot be read. A line that is no event of this version is passed over (`agentsh audit verify` names it).
    pub fn events_of(&self, command: &str) -> Result<Vec<Event>, Error> {
        self.read(command).map_err(|source| Error::file(&self.path, source))
    }

    fn read(&self, command: &str) -> io::Result<Vec<Event>> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        file.seek(SeekFrom::Start(self.offset))?;
        let mut events = Vec::new();
        let mut line = Vec::new();
        let mut reader = BufReader::with_capacity(64 << 10, file);
        while reader.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            events.extend(
                serde_json::from_slice(&line)
                    .ok()
                    .filter(|event: &Event| event.command_id.as_deref() == Some(command)),
            );
            line.clear();
        }
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lines_after_the_mark_are_read() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("events.jsonl");
        let line = |command: &str| {
            format!(
                r#"{{"schema_version":1,"seq":1,"prev":"","id":"e","ts":"t","type":"process_exec","session_id":"s","count":1,"command_id":"{command}","hash":""}}"#
            )
        };
        let mark = Mark {
            path: path.clone(),
            offset: line("c").len() as u64 + 1,
        };
        assert!(mark.events_of("c")?.is_empty());
        let text = [line("c"), line("c"), "no event".to_owned(), line("d"), line("c")].join("\n");
        std::fs::write(&path, text)?;
        assert_eq!(mark.events_of("c")?.len(), 1);
        Ok(())
    }
}
