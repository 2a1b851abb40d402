use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::filter::Filter;
use super::lines::ReadProblem;
use super::query::for_each;
use crate::event::Event;
use crate::store::SessionDir;

/// How many operations of each type came to what: `{"file_read": {"allow": 12, "deny": 1}}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Summary(pub BTreeMap<String, BTreeMap<String, u64>>);

impl Summary {
    /// Counts an event with all that was folded into it.
    pub fn add(&mut self, event: &Event) {
        let by_decision = self.0.entry(event.kind.as_str().to_owned()).or_default();
        *by_decision.entry(event.effective().to_owned()).or_default() += event.count;
    }

    /// The sum of all counts.
    pub fn total(&self) -> u64 {
        self.0.values().flat_map(BTreeMap::values).sum()
    }
}

impl<'e> FromIterator<&'e Event> for Summary {
    fn from_iter<I: IntoIterator<Item = &'e Event>>(events: I) -> Summary {
        let mut summary = Summary::default();
        for event in events {
            summary.add(event);
        }
        summary
    }
}

/// Counts the events of a session that `filter` wants, with the lines that are no events.
pub fn summarize(session: &SessionDir, filter: &Filter) -> Result<(Summary, Vec<ReadProblem>), ReadProblem> {
    let mut summary = Summary::default();
    let mut problems = Vec::new();
    for_each(session, filter, |event| {
        match event {
            Ok(event) => summary.add(&event),
            Err(problem) => problems.push(problem),
        }
        true
    })?;
    Ok((summary, problems))
}
