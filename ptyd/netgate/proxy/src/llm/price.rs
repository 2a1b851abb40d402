//! What models cost: US dollars a million tokens, as their providers listed it in autumn 2026 at the latest.
//! A list goes out of date; what it does not know has no price, and is said to have none.

use super::provider::ProviderKind;
use super::usage::Usage;

/// The beginning of a model's name; input, cached input, output. The longest beginning counts.
const PRICES: &[(&str, f64, f64, f64)] = &[
    ("claude-opus-4", 15.0, 1.5, 75.0),
    ("claude-opus-4-5", 5.0, 0.5, 25.0),
    ("claude-sonnet-4", 3.0, 0.3, 15.0),
    ("claude-haiku-4", 1.0, 0.1, 5.0),
    ("claude-3-7-sonnet", 3.0, 0.3, 15.0),
    ("claude-3-5-sonnet", 3.0, 0.3, 15.0),
    ("claude-3-5-haiku", 0.8, 0.08, 4.0),
    ("claude-3-haiku", 0.25, 0.03, 1.25),
    ("gpt-5", 1.25, 0.125, 10.0),
    ("gpt-5-mini", 0.25, 0.025, 2.0),
    ("gpt-5-nano", 0.05, 0.005, 0.4),
    ("gpt-4.1", 2.0, 0.5, 8.0),
    ("gpt-4.1-mini", 0.4, 0.1, 1.6),
    ("gpt-4.1-nano", 0.1, 0.025, 0.4),
    ("gpt-4o", 2.5, 1.25, 10.0),
    ("gpt-4o-mini", 0.15, 0.075, 0.6),
    ("o3", 2.0, 0.5, 8.0),
    ("o4-mini", 1.1, 0.275, 4.4),
    ("text-embedding-3-small", 0.02, 0.02, 0.0),
    ("text-embedding-3-large", 0.13, 0.13, 0.0),
    ("gemini-2.5-pro", 1.25, 0.125, 10.0),
    ("gemini-2.5-flash", 0.3, 0.03, 2.5),
    ("gemini-2.5-flash-lite", 0.1, 0.01, 0.4),
    ("gemini-2.0-flash", 0.1, 0.025, 0.4),
];

/// A price of the operator's.
#[derive(Debug, Clone)]
pub struct Price {
    /// The beginning of the model's name.
    pub model: String,
    /// US dollars a million tokens of the request.
    pub input: f64,
    /// The same for those that were read from a cache.
    pub cached: f64,
    /// The same for the answer.
    pub output: f64,
}

/// The price of a use, by the operator's list before ours. Tokens written to a cache cost a quarter more at Anthropic.
pub(super) fn cost(own: &[Price], kind: ProviderKind, model: &str, usage: &Usage) -> Option<f64> {
    let name = model.rsplit('/').next().unwrap_or(model);
    let own = own.iter().filter(|price| is_of(name, &price.model));
    let own = own.max_by_key(|price| price.model.len());
    let ours = || {
        PRICES
            .iter()
            .filter(|(begin, ..)| is_of(name, begin))
            .max_by_key(|(begin, ..)| begin.len())
    };
    let (input, cached, output) = match own {
        Some(price) => (price.input, price.cached, price.output),
        None if kind == ProviderKind::Ollama => return Some(0.0),
        None => ours().map(|(_, input, cached, output)| (*input, *cached, *output))?,
    };
    let plain = usage.input.saturating_sub(usage.cached + usage.written) as f64;
    let sum = plain * input
        + usage.cached as f64 * cached
        + usage.written as f64 * input * 1.25
        + usage.output as f64 * output;
    Some(sum / 1e6)
}

/// Whether a model is this one or a dated or named version of it.
fn is_of(name: &str, begin: &str) -> bool {
    name.strip_prefix(begin)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '@', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_beginning_counts_and_strangers_have_no_price() {
        let usage = Usage {
            input: 1_000_000,
            output: 1_000_000,
            ..Usage::default()
        };
        let price = |model| cost(&[], ProviderKind::OpenAi, model, &usage);
        assert_eq!(price("gpt-4o-mini-2024-07-18"), Some(0.75));
        assert_eq!(price("openai/gpt-4o"), Some(12.5));
        assert_eq!(price("gpt-4omega"), None);
        assert_eq!(price("o3-2025-04-16"), Some(10.0));
        assert_eq!(cost(&[], ProviderKind::Ollama, "llama3", &usage), Some(0.0));
        let own = ["gpt-4o", "gpt-4o-mini", "llama3"].map(|model| Price {
            model: model.to_owned(),
            input: 1.0,
            cached: 1.0,
            output: model.len() as f64,
        });
        let price = |kind, model| cost(&own, kind, model, &usage);
        assert_eq!(price(ProviderKind::OpenAi, "gpt-4o-mini-2024-07-18"), Some(12.0));
        assert_eq!(price(ProviderKind::OpenAi, "gpt-4o"), Some(7.0));
        assert_eq!(price(ProviderKind::OpenAi, "o3"), Some(10.0));
        assert_eq!(price(ProviderKind::Ollama, "llama3:8b"), Some(7.0));
        let cached = Usage {
            input: 2_000_000,
            cached: 1_000_000,
            written: 1_000_000,
            ..Usage::default()
        };
        let sonnet = cost(&[], ProviderKind::Anthropic, "claude-sonnet-4-5", &cached);
        assert!(sonnet.is_some_and(|sum| (sum - 4.05).abs() < 1e-9));
    }
}
