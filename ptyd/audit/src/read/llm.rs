//! What a session used of language models, from its record: also that of a session that is over.

use std::collections::{BTreeMap, HashMap};

use agentsh_protocol::api::LlmUse;
use serde_json::Value;

use super::filter::Filter;
use super::lines::ReadProblem;
use super::query::for_each;
use crate::event::{Decision, Event, EventType};
use crate::store::SessionDir;

/// The use of each model, by provider and by the name that was asked for, with the lines that are no events.
pub fn llm_use(session: &SessionDir) -> Result<(Vec<LlmUse>, Vec<ReadProblem>), ReadProblem> {
    let filter = Filter {
        kinds: vec![EventType::LlmRequest, EventType::LlmResponse, EventType::DlpMatch],
        ..Filter::default()
    };
    let (mut sum, mut problems) = (Sum::default(), Vec::new());
    for_each(session, &filter, |event| {
        match event {
            Ok(event) => sum.add(&event),
            Err(problem) => problems.push(problem),
        }
        true
    })?;
    Ok((sum.models.into_values().collect(), problems))
}

type Key = (String, String);

#[derive(Default)]
struct Sum {
    models: BTreeMap<Key, LlmUse>,
    /// Which model a request was for, by its id.
    asked: HashMap<String, Key>,
}

fn text<'e>(event: &'e Event, key: &str) -> &'e str {
    event.fields.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn number(event: &Event, key: &str) -> u64 {
    event.fields.get(key).and_then(Value::as_u64).unwrap_or(0)
}

impl Sum {
    fn add(&mut self, event: &Event) {
        match event.kind {
            EventType::LlmRequest => self.request(event),
            EventType::LlmResponse => self.response(event),
            _ => {
                let found = event.fields.get("found").and_then(Value::as_object);
                let count = found
                    .into_iter()
                    .flat_map(|found| found.values())
                    .filter_map(Value::as_u64);
                if let Some(one) = self.of(event) {
                    one.found += count.sum::<u64>();
                }
            }
        }
    }

    /// The use that an event belongs to; `None`: its request used no model.
    fn of(&mut self, event: &Event) -> Option<&mut LlmUse> {
        self.models.get_mut(self.asked.get(text(event, "request"))?)
    }

    fn request(&mut self, event: &Event) {
        // Lists of models and the like use none.
        if event.operation.as_deref() != Some("POST") {
            return;
        }
        let model = event.fields.get("model").and_then(Value::as_str).unwrap_or("unknown");
        let key = (text(event, "provider").to_owned(), model.to_owned());
        self.asked.insert(text(event, "request").to_owned(), key.clone());
        let one = self.models.entry(key.clone()).or_insert_with(|| LlmUse {
            provider: key.0,
            model: key.1,
            ..LlmUse::default()
        });
        let policy = event.policy.as_ref();
        match policy.is_some_and(|policy| policy.effective == Decision::Deny) {
            true => one.refused += 1,
            false => one.requests += 1,
        }
    }

    fn response(&mut self, event: &Event) {
        let Some(one) = self.of(event) else { return };
        let failed = !(200..300).contains(&number(event, "status")) || event.fields.contains_key("problem");
        let (input, output) = (number(event, "input_tokens"), number(event, "output_tokens"));
        one.errors += u64::from(failed);
        one.input_tokens += input;
        one.output_tokens += output;
        one.cached_tokens += number(event, "cached_tokens");
        let estimated = event.fields.get("estimated").and_then(Value::as_bool).unwrap_or(false);
        one.estimated |= estimated && input + output > 0;
        match event.fields.get("cost_usd").and_then(Value::as_f64) {
            Some(cost) => one.cost_usd = Some(one.cost_usd.unwrap_or(0.0) + cost),
            None => one.unpriced += u64::from(input + output > 0),
        }
    }
}
