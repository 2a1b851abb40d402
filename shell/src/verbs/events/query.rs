use agentsh_audit::SessionDir;
use agentsh_audit::read::{self, Filter, Order, Summary};
use clap::Args;

use super::wanted::Wanted;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::record;
use crate::render::{self, Table};

/// Search events, the newest first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  agentsh events query --decision deny
  agentsh events query --all --type 'file_*' --path ~/src/project --since 1d --json
  agentsh events query project --command 0199f3 --oldest-first")]
pub struct Query {
    /// The session: id, unique beginning of it, or name (the newest if none is given)
    session: Option<String>,
    /// In all sessions
    #[arg(long, conflicts_with = "session")]
    all: bool,
    #[command(flatten)]
    wanted: Wanted,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    limit: usize,
    /// The oldest first
    #[arg(long)]
    oldest_first: bool,
    /// Only how many there are of each type and decision
    #[arg(long)]
    count: bool,
    /// Print JSON, one event a line
    #[arg(long)]
    json: bool,
    /// Print CSV
    #[arg(long, conflicts_with_all = ["json", "count"])]
    csv: bool,
}

impl Query {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let sessions = match self.all {
            true => record::dirs(&record::store(context))?,
            false => vec![record::session(context, self.session.as_deref())?],
        };
        let filter = self.wanted.filter()?;
        record::settle(context, &sessions);
        if self.count {
            return count(context, &sessions, &filter, self.json);
        }
        let order = if self.oldest_first {
            Order::OldestFirst
        } else {
            Order::NewestFirst
        };
        let found = read::query(&sessions, &filter, order, self.limit);
        record::say_problems(&found.problems);
        match (self.json, self.csv) {
            (true, _) => found.events.iter().try_for_each(record::print_json_line)?,
            (_, true) => record::print_csv(context, &found.events)?,
            _ => {
                let lines = found
                    .events
                    .iter()
                    .map(|event| render::event::line(event, context.out) + "\n");
                render::print(&lines.collect::<String>())?;
            }
        }
        Ok(Exit::ok_if(found.problems.is_empty()))
    }
}

fn count(context: &Context, sessions: &[SessionDir], filter: &Filter, json: bool) -> Result<Exit, Error> {
    let mut all = Summary::default();
    let mut whole = true;
    for dir in sessions {
        let (summary, problems) = read::summarize(dir, filter)?;
        record::say_problems(&problems);
        whole &= problems.is_empty();
        for (kind, decisions) in summary.0 {
            for (decision, count) in decisions {
                *all.0.entry(kind.clone()).or_default().entry(decision).or_default() += count;
            }
        }
    }
    match json {
        true => render::json(context, &all)?,
        false => render::print(&table(&all).render(context.out, context.columns()))?,
    }
    Ok(Exit::ok_if(whole))
}

fn table(summary: &Summary) -> Table {
    let mut table = Table::new(&["TYPE", "DECISION", "COUNT"]);
    for (kind, decisions) in &summary.0 {
        for (decision, count) in decisions {
            table.row(vec![kind.clone(), decision.clone(), count.to_string()]);
        }
    }
    table
}
