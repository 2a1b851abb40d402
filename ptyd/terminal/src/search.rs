//! Search in many recordings.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::marker::Marker;
use crate::recording::{OpenError, Recording};
use crate::replay::{Needle, Transcript, marks};

/// A line of a recording in which the text was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The recording.
    pub path: PathBuf,
    /// When the text was printed, from the recording's start.
    pub time: Duration,
    /// The line, without escape sequences and control characters.
    pub line: String,
    /// The command line that ran then, if the recording knows it.
    pub command: Option<String>,
}

/// Every line of one recording that holds the text, or the recording's command line.
///
/// # Errors
/// If the file cannot be read as a recording.
pub fn search(path: &Path, needle: &Needle) -> Result<Vec<Hit>, OpenError> {
    let recording = Recording::open(path)?;
    let transcript = Transcript::new(&recording.events);
    let marks = marks(&recording.events);
    let mut hits: Vec<Hit> = Vec::new();
    for (event, line) in transcript.find(needle) {
        let command = marks.iter().rev().find_map(|mark| match &mark.marker {
            Marker::Command(line) if mark.event < event => Some(line.clone()),
            _ => None,
        });
        let time = recording.events.get(event).map(|event| event.time).unwrap_or_default();
        let line: String = line.chars().filter(|char| !char.is_control()).collect();
        let hit = Hit {
            path: path.to_owned(),
            time,
            line,
            command,
        };
        if hits.last() != Some(&hit) {
            hits.push(hit);
        }
    }
    Ok(hits)
}

/// The recordings below a folder, plain and compressed, in the order of their names.
///
/// # Errors
/// If a folder cannot be read.
pub fn recordings(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && (name.ends_with(".cast") || name.ends_with(".cast.zst")) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cast::{Data, Event, Format, Header, Writer};

    #[test]
    fn a_text_is_found_with_its_time_and_command_in_every_recording() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("s"))?;
        let path = folder.path().join("s/a.cast");
        let mut writer = Writer::new(std::fs::File::create(&path)?, Format::V3, &Header::default())?;
        for (ms, data) in [
            (1, Data::Marker("$ make".into())),
            (2, Data::Output("\u{1b}[31mErr".into())),
            (3, Data::Output("or\u{1b}[m: no rule\r\nfine\r\n".into())),
        ] {
            writer.event(&Event::new(Duration::from_millis(ms), data))?;
        }
        std::fs::write(folder.path().join("s/a.raw"), b"")?;
        assert_eq!(recordings(folder.path())?, std::slice::from_ref(&path));
        let Some(needle) = Needle::new("error") else {
            return Err("no needle".into());
        };
        let hits = search(&path, &needle)?;
        let expected = Hit {
            path,
            time: Duration::from_millis(3),
            line: "Error: no rule".into(),
            command: Some("make".into()),
        };
        assert_eq!(hits, [expected]);
        Ok(())
    }
}
