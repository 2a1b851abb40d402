//! How two versions of a file differ.

use agentsh_keep::{Diff, Digest, Kind};
use agentsh_protocol::Bytes;
use serde::Serialize;

use super::{bytes, json, print, visible};
use crate::context::Context;
use crate::error::Error;

/// The JSON of a comparison.
#[derive(Debug, Serialize)]
struct Report<'a> {
    same: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<Side>,
    #[serde(skip_serializing_if = "Option::is_none")]
    present: Option<Side>,
}

/// A version that is not shown as text.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
enum Side {
    Absent,
    File { size: u64, blake3: String },
    Symlink { target: Bytes },
    Other { kind: Kind },
}

impl Side {
    fn of(digest: &Digest) -> Side {
        match digest {
            Digest::Absent => Side::Absent,
            Digest::File { size, hash } => Side::File {
                size: *size,
                blake3: hash.clone(),
            },
            Digest::Symlink { target } => Side::Symlink {
                target: Bytes::from(target.as_slice()),
            },
            Digest::Other(kind) => Side::Other { kind: *kind },
        }
    }

    fn text(&self) -> String {
        match self {
            Side::Absent => "nothing".to_owned(),
            Side::File { size, blake3 } => format!("a file of {}, BLAKE3 {blake3}", bytes(*size)),
            Side::Symlink { target } => format!("a link to {}", visible(&target.lossy())),
            Side::Other { kind } => super::kind(*kind).to_owned(),
        }
    }
}

/// Prints a comparison. The bytes of a text go to a pipe as they are, to a terminal made visible.
///
/// # Errors
/// stdout cannot be written.
pub fn difference(context: &Context, diff: &Diff, as_json: bool) -> Result<(), Error> {
    let (kept, present) = match diff {
        Diff::Binary { kept, present } => (Some(Side::of(kept)), Some(Side::of(present))),
        _ => (None, None),
    };
    let text = match diff {
        Diff::Text(text) => Some(text.as_str()),
        _ => None,
    };
    if as_json {
        let same = *diff == Diff::Same;
        return json(
            context,
            &Report {
                same,
                text,
                kept,
                present,
            },
        );
    }
    match (text, kept, present) {
        (Some(text), ..) if context.stdout_is_terminal => {
            let lines = text.lines().map(|line| visible(line) + "\n");
            print(&lines.collect::<String>())
        }
        (Some(text), ..) => print(text),
        (None, Some(kept), Some(present)) => print(&format!("kept     {}\npresent  {}\n", kept.text(), present.text())),
        _ => print("no difference\n"),
    }
}
