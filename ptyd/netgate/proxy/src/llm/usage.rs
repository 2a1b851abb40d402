//! What an answer says of itself: tokens, model, tools.

use serde_json::Value;

use super::price::{self, Price};
use super::provider::ProviderKind;

/// Tokens, and what they cost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Tokens of the request, those read from a cache included.
    pub input: u64,
    /// Tokens of the answer.
    pub output: u64,
    /// Those of the request that were read from a cache.
    pub cached: u64,
    /// Those of the request that were written to a cache.
    pub written: u64,
    /// Whether the provider did not say and they are counted by length: four bytes a token.
    pub estimated: bool,
    /// Their price in US dollars, where the model's is known.
    pub cost: Option<f64>,
}

impl Usage {
    /// All tokens.
    pub fn total(&self) -> u64 {
        self.input + self.output
    }
}

/// What is learnt from an answer's documents, of a stream one after the other.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    pub usage: Usage,
    pub model: Option<String>,
    pub tools: Vec<String>,
    told: bool,
}

fn number(value: &Value, path: &[&str]) -> Option<u64> {
    path.iter().try_fold(value, |value, key| value.get(key))?.as_u64()
}

fn text(value: &Value, path: &[&str]) -> Option<String> {
    let found = path.iter().try_fold(value, |value, key| value.get(key))?;
    found.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn each<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// Most names of tools that are kept of one answer.
const TOOLS: usize = 256;

impl Learnt {
    /// Takes in one document.
    pub(super) fn take(&mut self, kind: ProviderKind, value: &Value) {
        match kind {
            ProviderKind::Anthropic => self.anthropic(value),
            ProviderKind::OpenAi => self.open_ai(value),
            ProviderKind::Gemini => self.gemini(value),
            // It answers in OpenAI's words too, under /v1.
            ProviderKind::Ollama if value.get("choices").is_some() || value.get("object").is_some() => {
                self.open_ai(value);
            }
            ProviderKind::Ollama => self.ollama(value),
        }
    }

    /// The end: what nobody told is counted by length, and priced. `whole`: whether the answer came to its end.
    pub(super) fn finish(
        &mut self,
        kind: ProviderKind,
        asked: Option<&str>,
        ((request, answer), whole): ((u64, u64), bool),
        own: &[Price],
    ) {
        if !self.told {
            self.usage.input = request.div_ceil(4);
            self.usage.output = answer.div_ceil(4);
            self.usage.estimated = true;
        } else if !whole && self.usage.output < answer.div_ceil(4) {
            self.usage.output = answer.div_ceil(4);
            self.usage.estimated = true;
        }
        if self.model.is_none() {
            self.model = asked.map(str::to_owned);
        }
        let model = self.model.as_deref().unwrap_or_default();
        self.usage.cost = price::cost(own, kind, model, &self.usage);
    }

    fn tool(&mut self, name: Option<String>) {
        if let Some(name) = name
            && self.tools.len() < TOOLS
        {
            self.tools.push(name);
        }
    }

    fn model(&mut self, model: Option<String>) {
        if model.is_some() {
            self.model = model;
        }
    }

    fn anthropic(&mut self, value: &Value) {
        // A message comes whole, or begun (`message_start`) and then told of (`message_delta`).
        let message = value.get("message").unwrap_or(value);
        self.model(text(message, &["model"]));
        if let Some(usage) = message.get("usage").or_else(|| value.get("usage")) {
            self.told = true;
            let cached = number(usage, &["cache_read_input_tokens"]);
            let written = number(usage, &["cache_creation_input_tokens"]);
            if let Some(input) = number(usage, &["input_tokens"]) {
                self.usage.cached = cached.unwrap_or(self.usage.cached);
                self.usage.written = written.unwrap_or(self.usage.written);
                self.usage.input = input + self.usage.cached + self.usage.written;
            }
            self.usage.output = number(usage, &["output_tokens"]).unwrap_or(self.usage.output);
        } else if let Some(input) = number(value, &["input_tokens"]) {
            // Counting tokens is not using them.
            (self.told, self.usage.input) = (true, input * u64::from(value.get("type").is_some()));
        }
        for block in each(message, "content").chain(value.get("content_block")) {
            if matches!(
                block.get("type").and_then(Value::as_str),
                Some("tool_use" | "server_tool_use")
            ) {
                self.tool(text(block, &["name"]));
            }
        }
    }

    fn open_ai(&mut self, value: &Value) {
        let response = value.get("response").unwrap_or(value);
        self.model(text(response, &["model"]));
        if let Some(usage) = response.get("usage").filter(|usage| usage.is_object()) {
            self.told = true;
            let either = |names: [&str; 2]| number(usage, &[names[0]]).or_else(|| number(usage, &[names[1]]));
            self.usage.input = either(["prompt_tokens", "input_tokens"]).unwrap_or(self.usage.input);
            self.usage.output = either(["completion_tokens", "output_tokens"]).unwrap_or(self.usage.output);
            let details = ["prompt_tokens_details", "input_tokens_details"];
            let cached = details.iter().find_map(|name| number(usage, &[name, "cached_tokens"]));
            self.usage.cached = cached.unwrap_or(self.usage.cached);
        }
        for choice in each(value, "choices") {
            for message in [choice.get("message"), choice.get("delta")].into_iter().flatten() {
                for call in each(message, "tool_calls") {
                    self.tool(text(call, &["function", "name"]));
                }
            }
        }
        // Items of a response: in a stream each is added once, and told again when all is done.
        let streamed = value.get("response").is_some();
        let items = each(response, "output").filter(|_| !streamed);
        let added = value
            .get("item")
            .filter(|_| value.get("type").and_then(Value::as_str) == Some("response.output_item.added"));
        for item in items.chain(added) {
            if matches!(
                item.get("type").and_then(Value::as_str),
                Some("function_call" | "custom_tool_call")
            ) {
                self.tool(text(item, &["name"]));
            }
        }
    }

    fn gemini(&mut self, value: &Value) {
        self.model(text(value, &["modelVersion"]));
        if let Some(usage) = value.get("usageMetadata") {
            self.told = true;
            self.usage.input = number(usage, &["promptTokenCount"]).unwrap_or(self.usage.input);
            let output = number(usage, &["candidatesTokenCount"]);
            let thoughts = number(usage, &["thoughtsTokenCount"]);
            if output.is_some() || thoughts.is_some() {
                self.usage.output = output.unwrap_or(0) + thoughts.unwrap_or(0);
            }
            self.usage.cached = number(usage, &["cachedContentTokenCount"]).unwrap_or(self.usage.cached);
        }
        for part in each(value, "candidates")
            .filter_map(|one| one.get("content"))
            .flat_map(|one| each(one, "parts"))
        {
            self.tool(text(part, &["functionCall", "name"]));
        }
    }

    fn ollama(&mut self, value: &Value) {
        self.model(text(value, &["model"]));
        let (input, output) = (number(value, &["prompt_eval_count"]), number(value, &["eval_count"]));
        if input.is_some() || output.is_some() {
            self.told = true;
            self.usage.input = input.unwrap_or(self.usage.input);
            self.usage.output = output.unwrap_or(self.usage.output);
        }
        for call in value
            .get("message")
            .into_iter()
            .flat_map(|message| each(message, "tool_calls"))
        {
            self.tool(text(call, &["function", "name"]));
        }
    }
}
