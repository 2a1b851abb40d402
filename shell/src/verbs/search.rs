use std::path::PathBuf;

use agentsh_terminal::replay::Needle;
use agentsh_terminal::search::{self, Hit};
use clap::Args;
use serde::Serialize;

use super::replay::moment;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::recordings::{self, Kept};
use crate::{record, render};

/// Look for a text in all recordings
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  agentsh search 'error['               small letters find capitals too, a capital finds itself only
  agentsh search --session work denied
  agentsh search --json TODO | jq -r .command_id

The exit status is 1 if nothing is found. `agentsh replay --search TEXT COMMAND` goes to the places of one recording.")]
pub struct Search {
    /// Plain text, as it was shown (colours and cursor movements do not matter)
    #[arg(value_name = "TEXT")]
    text: String,
    /// Only in this session: id, unique beginning of it, or name
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
    /// Stop after so many places
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    limit: usize,
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Found<'a> {
    session_id: &'a str,
    command_id: &'a str,
    path: &'a PathBuf,
    time_ms: u64,
    line: &'a str,
    /// The command line that ran then, if the recording knows it.
    command: Option<&'a str>,
}

impl Search {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let needle = Needle::new(&self.text)
            .ok_or_else(|| Error::usage("an empty text is everywhere", "give a text to look for"))?;
        let store = record::store(context);
        let only = self.session.as_deref().map(|word| store.find(word)).transpose()?;
        let kept = recordings::all(&store, |id| only.as_ref().is_none_or(|dir| dir.id() == id))?;
        let mut left = self.limit;
        // The newest first: it is the likeliest one.
        for kept in kept.iter().rev() {
            if left == 0 {
                render::say(&format!(
                    "agentsh: more than {} places; `--limit` shows more",
                    self.limit
                ));
                break;
            }
            match search::search(&kept.path, &needle) {
                Ok(mut hits) => {
                    hits.truncate(left);
                    left -= hits.len();
                    self.show(kept, &hits, context)?;
                }
                Err(error) => render::say(&format!("agentsh: {}", render::visible(&error.to_string()))),
            }
        }
        Ok(Exit::ok_if(left < self.limit))
    }

    fn show(&self, kept: &Kept, hits: &[Hit], context: &Context) -> Result<(), Error> {
        let mut text = String::new();
        if !self.json && !hits.is_empty() {
            text = format!("{}  session {}\n", context.out.bold(&kept.command), kept.session);
        }
        for hit in hits {
            if self.json {
                let found = Found {
                    session_id: &kept.session,
                    command_id: &kept.command,
                    path: &hit.path,
                    time_ms: u64::try_from(hit.time.as_millis()).unwrap_or(u64::MAX),
                    line: &hit.line,
                    command: hit.command.as_deref(),
                };
                text += &render::json_line(&found)?;
                text.push('\n');
                continue;
            }
            let command = hit.command.as_deref().map(render::visible);
            let command = command
                .map(|line| context.out.dim(&format!("  ({line})")))
                .unwrap_or_default();
            text += &format!(
                "  {:>9}  {}{command}\n",
                moment::text(hit.time),
                render::visible(&hit.line)
            );
        }
        render::print(&text)
    }
}
