use std::time::Duration;

use agentsh_audit::gc::{self, Collected, Retention};
use agentsh_policy::{Size, Time};
use clap::Args;

use super::config;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::record;
use crate::render;

/// Remove the records of sessions that ended long ago, or that take too much room
#[derive(Debug, Args)]
#[command(after_help = "\
Running sessions are never touched. What does not say when it ended (a session that is being made, or whose supervisor was \
killed) stays for ten minutes after its last change, whatever the options say; of what never became a session nothing \
is kept longer.")]
pub struct Gc {
    /// Remove what ended longer ago (else as the configuration's `sessions.retention` says)
    #[arg(long, value_name = "TIME", value_parser = time)]
    max_age: Option<Duration>,
    /// Remove the oldest until all together take no more (else as the configuration says)
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_size: Option<u64>,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Gc {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let configured = config::load(context)?.config.sessions.retention;
        let retention = Retention {
            max_age: self.max_age.unwrap_or(configured.max_age),
            max_bytes: self.max_size.unwrap_or(configured.max_size.0),
        };
        let collected = gc::collect(&record::store(context), &retention, self.dry_run)?;
        match self.json {
            true => render::json(context, &collected)?,
            false => render::print(&text(&collected, self.dry_run))?,
        }
        collected
            .problems
            .iter()
            .for_each(|problem| render::say(&format!("agentsh: {}", render::visible(problem))));
        Ok(Exit::ok_if(collected.problems.is_empty()))
    }
}

fn text(collected: &Collected, dry_run: bool) -> String {
    let verb = if dry_run { "would remove" } else { "removed" };
    let removed = collected.removed.iter().map(|session| {
        format!(
            "{verb} {}  ended {}  {}\n",
            session.session_id,
            render::time(&session.ended),
            render::bytes(session.bytes)
        )
    });
    let kept = format!(
        "{} kept, {}\n",
        render::count(collected.kept, "session"),
        render::bytes(collected.kept_bytes)
    );
    removed.collect::<String>() + &kept
}

/// A length of time as an option says it.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    Time::parse(text)
        .map(|time| time.0)
        .ok_or_else(|| "expected a time such as 90s, 12h, 30d".to_owned())
}

/// A number of bytes as an option says it.
pub(super) fn size(text: &str) -> Result<u64, String> {
    Size::parse(text)
        .map(|size| size.0)
        .ok_or_else(|| "expected a size such as 512MB or 10GiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use agentsh_audit::gc::Removed;

    #[test]
    fn what_was_removed_and_what_is_kept_is_said() {
        let ended = "2026-10-01T00:00:00Z".to_owned();
        let removed = vec![Removed {
            session_id: "0199".to_owned(),
            bytes: 3 << 20,
            ended,
        }];
        let collected = Collected {
            removed,
            freed_bytes: 3 << 20,
            kept: 2,
            kept_bytes: 1536,
            problems: Vec::new(),
        };
        insta::assert_snapshot!(text(&collected, true), @r"
        would remove 0199  ended 2026-10-01 00:00:00Z  3.0 MiB
        2 sessions kept, 1.5 KiB
        ");
    }
}
