use agentsh_audit::read::{self, Filter, Order, Start, Step};
use agentsh_audit::{Event, SessionDir};
use clap::Args;

use super::wanted::Wanted;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::record;
use crate::render;

/// Show a session's last events, and new ones as they come, until the session ends
#[derive(Debug, Args)]
pub struct Tail {
    /// The session: id, unique beginning of it, or name (the newest if none is given)
    session: Option<String>,
    /// How many of the last events to begin with
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 10)]
    lines: usize,
    /// End after those
    #[arg(long)]
    no_follow: bool,
    /// Print JSON, one event a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    wanted: Wanted,
}

impl Tail {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let dir = record::session(context, self.session.as_deref())?;
        let filter = self.wanted.filter()?;
        record::settle(context, std::slice::from_ref(&dir));
        let show = |event: &Event| match self.json {
            true => record::print_json_line(event),
            false => render::print(&(render::event::line(event, context.out) + "\n")),
        };
        // The watch is set before the past is read: what is written in between is read by both, and told apart by `seq`.
        let follow = match self.no_follow {
            true => None,
            false => Some(open(&dir, filter.clone())?),
        };
        let mut past = read::query(std::slice::from_ref(&dir), &filter, Order::NewestFirst, self.lines);
        past.events.reverse();
        record::say_problems(&past.problems);
        past.events.iter().try_for_each(show)?;
        let last = past.events.last().map_or(0, |event| event.seq);
        let Some(mut tail) = follow else { return Ok(Exit::DONE) };
        loop {
            match tail
                .next(None)
                .map_err(|source| Error::file(dir.events_path(), source))?
            {
                Step::Event(event) if event.seq > last => show(&event)?,
                Step::Event(_) | Step::Nothing => {}
                Step::Problem(problem) => record::say_problems(&[problem]),
                Step::Ended => return Ok(Exit::DONE),
            }
        }
    }
}

fn open(dir: &SessionDir, filter: Filter) -> Result<read::Tail, Error> {
    read::Tail::open(dir, filter, Start::End).map_err(|source| Error::file(dir.path(), source))
}
