use super::filter::Filter;
use super::lines::{Backward, Lines, ReadProblem, line_number, parse};
use crate::event::Event;
use crate::store::SessionDir;

/// In which order, and from which end, events are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    OldestFirst,
    NewestFirst,
}

/// What a query found.
#[derive(Debug, Default)]
pub struct Found {
    pub events: Vec<Event>,
    /// Lines that are no events, and files that cannot be read.
    pub problems: Vec<ReadProblem>,
}

/// The events of `sessions` that `filter` wants: at most `limit`, the first in `order`. Within a session the order is
/// that of the record, between sessions that of time.
pub fn query(sessions: &[SessionDir], filter: &Filter, order: Order, limit: usize) -> Found {
    let mut all = Found::default();
    for session in sessions {
        let mut found = match order {
            Order::OldestFirst => forward(session, filter, limit),
            Order::NewestFirst => backward(session, filter, limit),
        };
        all.events.append(&mut found.events);
        all.problems.append(&mut found.problems);
    }
    if sessions.len() > 1 {
        all.events.sort_by(|left, right| {
            let key = |event: &Event| (event.ts.clone(), event.session_id.clone(), event.seq);
            match order {
                Order::OldestFirst => key(left).cmp(&key(right)),
                Order::NewestFirst => key(right).cmp(&key(left)),
            }
        });
        all.events.truncate(limit);
    }
    all
}

fn forward(session: &SessionDir, filter: &Filter, limit: usize) -> Found {
    let mut found = Found::default();
    let result = for_each(session, filter, |event| {
        match event {
            Ok(event) if found.events.len() < limit => found.events.push(event),
            Ok(_) => return false,
            Err(problem) => found.problems.push(problem),
        }
        true
    });
    found.problems.extend(result.err());
    found
}

/// Calls `visit` with each event that is wanted, and each line that is none, from the beginning, until it says no.
/// A last line without its line feed is being written and passed over.
pub fn for_each(
    session: &SessionDir,
    filter: &Filter,
    mut visit: impl FnMut(Result<Event, ReadProblem>) -> bool,
) -> Result<(), ReadProblem> {
    let path = session.events_path();
    for line in Lines::open(&path).map_err(ReadProblem::io(&path))? {
        let line = line.map_err(ReadProblem::io(&path))?;
        if !line.whole || filter.rejects_line(&line.bytes) {
            continue;
        }
        let event = match parse(&line.bytes) {
            Ok(event) if filter.accepts(&event) => Ok(event),
            Ok(_) => continue,
            Err(problem) => Err(ReadProblem::Malformed {
                path: path.clone(),
                line: line.number,
                problem,
            }),
        };
        if !visit(event) {
            break;
        }
    }
    Ok(())
}

fn backward(session: &SessionDir, filter: &Filter, limit: usize) -> Found {
    let path = session.events_path();
    let mut found = Found::default();
    let result = (|| {
        let mut lines = Backward::open(&path)?;
        while found.events.len() < limit
            && let Some((offset, line)) = lines.previous()?
        {
            if filter.rejects_line(&line) {
                continue;
            }
            match parse(&line) {
                Ok(event) if filter.accepts(&event) => found.events.push(event),
                Ok(_) => {}
                Err(problem) => found.problems.push(ReadProblem::Malformed {
                    path: path.clone(),
                    line: line_number(&path, offset)?,
                    problem,
                }),
            }
        }
        Ok(())
    })();
    found.problems.extend(result.err().map(ReadProblem::io(&path)));
    found
}
