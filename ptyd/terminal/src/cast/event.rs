use std::time::Duration;

/// One entry of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Since the start of the recording.
    pub time: Duration,
    /// What happened.
    pub data: Data,
}

/// What an [`Event`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// The terminal printed this (code `o`).
    Output(String),
    /// This was typed (code `i`).
    Input(String),
    /// A named moment (code `m`).
    Marker(String),
    /// The terminal has this size from now on (code `r`), in cells.
    Resize { cols: u16, rows: u16 },
    /// The command ended with this status (code `x`, version 3 only).
    Exit(i32),
    /// A code that no version we know defines, kept as it is.
    Other(char, String),
}

impl Event {
    /// An event at `time`.
    pub fn new(time: Duration, data: Data) -> Self {
        Event { time, data }
    }

    /// The text if this is output.
    pub fn output(&self) -> Option<&str> {
        match &self.data {
            Data::Output(text) => Some(text),
            _ => None,
        }
    }
}

impl Data {
    /// The code and the data string of the file formats.
    pub(super) fn encode(&self) -> (char, std::borrow::Cow<'_, str>) {
        match self {
            Data::Output(text) => ('o', text.into()),
            Data::Input(text) => ('i', text.into()),
            Data::Marker(text) => ('m', text.into()),
            Data::Resize { cols, rows } => ('r', format!("{cols}x{rows}").into()),
            Data::Exit(status) => ('x', status.to_string().into()),
            Data::Other(code, text) => (*code, text.into()),
        }
    }

    /// The reverse of [`Data::encode`]; `None` if the data string does not fit the code.
    pub(super) fn decode(code: char, text: String) -> Option<Data> {
        Some(match code {
            'o' => Data::Output(text),
            'i' => Data::Input(text),
            'm' => Data::Marker(text),
            'r' => {
                let (cols, rows) = text.split_once('x')?;
                Data::Resize {
                    cols: cols.parse().ok()?,
                    rows: rows.parse().ok()?,
                }
            }
            'x' => Data::Exit(text.parse().ok()?),
            other => Data::Other(other, text),
        })
    }
}
