//! `agentsh audit`

use agentsh_audit::read::{self, Verdict};
use agentsh_audit::{SessionDir, Store, StoreError};
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::record;
use crate::render::{self, Style};

/// `agentsh audit`
#[derive(Debug, Subcommand)]
pub enum Audit {
    Verify(Verify),
}

/// Check that records are what was written: no line edited, removed, added or cut off
#[derive(Debug, Args)]
pub struct Verify {
    /// The sessions: ids, unique beginnings, or names (all if none is given)
    sessions: Vec<String>,
    /// Print JSON: a list of verdicts
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let Audit::Verify(verify) = self;
        let store = record::store(context);
        let verdicts: Vec<Verdict> = match verify.sessions.is_empty() {
            true => read::verify_all(&store)?,
            false => {
                let dirs = verify.sessions.iter().map(|word| find(&store, word));
                let dirs = dirs.collect::<Result<Vec<_>, Error>>()?;
                dirs.iter().filter_map(read::verify_kept).collect()
            }
        };
        match verify.json {
            true => render::json(context, &verdicts)?,
            false => render::print(
                &verdicts
                    .iter()
                    .map(|verdict| text(verdict, context.out))
                    .collect::<String>(),
            )?,
        }
        Ok(Exit::ok_if(verdicts.iter().all(Verdict::is_good)))
    }
}

/// One of which only the anchor is left is known by its whole id.
fn find(store: &Store, word: &str) -> Result<SessionDir, Error> {
    match (store.find(word), SessionDir::new(store.path(), word)) {
        (Err(StoreError::NotFound(_)), Ok(dir)) if dir.anchor_path().exists() => Ok(dir),
        (found, _) => Ok(found?),
    }
}

fn text(verdict: &Verdict, style: Style) -> String {
    let word = if verdict.is_good() {
        style.green("good")
    } else {
        style.red("BAD ")
    };
    let state = match (verdict.live, verdict.unfinished, verdict.sealed) {
        (true, ..) => "running",
        (false, true, _) => "its supervisor died; what it accepted is written when the broker next starts",
        (false, false, true) => "sealed",
        (false, false, false) => "not sealed",
    };
    let mut text = format!(
        "{word}  {}  {}, {state}\n",
        verdict.session_id,
        render::count(verdict.lines, "event")
    );
    for finding in &verdict.findings {
        text += &format!("      {}\n", render::visible(&finding.to_string()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use agentsh_audit::read::{Finding, FindingKind};

    #[test]
    fn a_verdict_names_line_and_reason() {
        let mut verdict = Verdict {
            session_id: "0199".to_owned(),
            file: "/s/events.jsonl".into(),
            lines: 7,
            seq: 7,
            head: String::new(),
            sealed: true,
            live: false,
            unfinished: false,
            findings: Vec::new(),
        };
        assert_eq!(text(&verdict, Style::new(false)), "good  0199  7 events, sealed\n");
        let (kind, message) = (FindingKind::Edited, "not the bytes that were hashed".to_owned());
        verdict.findings.push(Finding {
            file: verdict.file.clone(),
            line: Some(3),
            kind,
            message,
        });
        insta::assert_snapshot!(text(&verdict, Style::new(false)), @r"
        BAD   0199  7 events, sealed
              /s/events.jsonl:3: not the bytes that were hashed
        ");
    }
}
