//! Which texts of a document are said piece by piece, and which must stay as they are.

use serde_json::Value;

use super::json::{Kind, Text};
use super::provider::ProviderKind;

/// What a text of a document is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A piece of a longer text with this name.
    Piece(String),
    /// A text by itself.
    Whole,
    /// A word of the protocol: changed, it would mean another thing, or nothing.
    Word,
}

/// Keys whose values are words of a protocol, or are signed by the provider.
const WORDS: &[&str] = &[
    "id",
    "type",
    "role",
    "model",
    "object",
    "signature",
    "thoughtSignature",
    "thought_signature",
    "encrypted_content",
    "tool_use_id",
    "tool_call_id",
    "call_id",
    "item_id",
    "previous_response_id",
];

/// The role of one text.
pub(super) fn role(kind: ProviderKind, document: &Value, text: &Text) -> Role {
    if text.kind != Kind::Value {
        return Role::Whole;
    }
    if let Some(name) = piece(kind, document, text) {
        return Role::Piece(name);
    }
    match WORDS.contains(&text.key()) && !is_free(kind, &text.path) {
        true => Role::Word,
        false => Role::Whole,
    }
}

/// Whether it stands inside of what a tool is given or has given back, where every key is the tool's own.
fn is_free(kind: ProviderKind, path: &str) -> bool {
    let parts: Vec<&str> = path.split('.').collect();
    let holds = |outer: Option<&str>, key: &str| {
        let found = parts.iter().enumerate().find(|(at, part)| {
            let above = at.checked_sub(1).and_then(|above| parts.get(above).copied());
            **part == key && at + 1 < parts.len() && (outer.is_none() || above == outer)
        });
        found.is_some()
    };
    match kind {
        ProviderKind::Anthropic => holds(None, "input"),
        ProviderKind::Gemini => {
            ["functionCall", "function_call"]
                .iter()
                .any(|call| holds(Some(call), "args"))
                || ["functionResponse", "function_response"]
                    .iter()
                    .any(|call| holds(Some(call), "response"))
        }
        ProviderKind::OpenAi | ProviderKind::Ollama => holds(Some("function"), "arguments"),
    }
}

fn piece(kind: ProviderKind, document: &Value, text: &Text) -> Option<String> {
    let path: Vec<&str> = text.path.split('.').collect();
    let word = document.get("type").and_then(Value::as_str).unwrap_or_default();
    let number = |value: &Value, key: &str| value.get(key).and_then(Value::as_u64);
    let at = |list: &str, place: &str| document.get(list)?.get(place.parse::<usize>().ok()?);
    match (kind, path.as_slice()) {
        (ProviderKind::Anthropic, ["delta", field @ ("text" | "partial_json" | "thinking")])
            if word == "content_block_delta" =>
        {
            Some(format!("{}.{field}", number(document, "index").unwrap_or(0)))
        }
        (ProviderKind::OpenAi, ["delta"]) if word.ends_with(".delta") => {
            let place = |key| number(document, key).unwrap_or(0);
            Some(format!("{word}.{}.{}", place("output_index"), place("content_index")))
        }
        (ProviderKind::OpenAi | ProviderKind::Ollama, ["choices", place, "delta", rest @ ..]) => {
            let choice = at("choices", place)?;
            let index = number(choice, "index").unwrap_or(0);
            match rest {
                ["tool_calls", call, "function", "arguments"] => {
                    let calls = choice.get("delta")?.get("tool_calls")?;
                    let call = calls.get(call.parse::<usize>().ok()?)?;
                    Some(format!("{index}.tool.{}", number(call, "index").unwrap_or(0)))
                }
                [field @ ("content" | "refusal" | "reasoning_content" | "reasoning")] => {
                    Some(format!("{index}.{field}"))
                }
                _ => None,
            }
        }
        (ProviderKind::OpenAi | ProviderKind::Ollama, ["choices", place, "text"]) => {
            Some(format!("{}.text", number(at("choices", place)?, "index").unwrap_or(0)))
        }
        (ProviderKind::Gemini, ["candidates", place, "content", "parts", part, "text"]) => {
            let candidate = at("candidates", place)?;
            let part = candidate
                .get("content")?
                .get("parts")?
                .get(part.parse::<usize>().ok()?)?;
            let thought = part.get("thought").and_then(Value::as_bool).unwrap_or(false);
            Some(format!("{}.{thought}", number(candidate, "index").unwrap_or(0)))
        }
        (ProviderKind::Ollama, ["message", "content" | "thinking"] | ["response" | "thinking"]) => {
            Some(text.path.clone())
        }
        _ => None,
    }
}

/// Which longer texts end with a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ends {
    Nothing,
    /// Those whose names begin so.
    Some(Vec<String>),
    All,
}

/// Which end with this one.
pub(super) fn ends(kind: ProviderKind, document: &Value) -> Ends {
    let word = document.get("type").and_then(Value::as_str).unwrap_or_default();
    let finished = |list: &str, key: &str| -> Vec<String> {
        let all = document.get(list).and_then(Value::as_array).into_iter().flatten();
        let over = all.filter(|one| one.get(key).is_some_and(|reason| !reason.is_null()));
        over.map(|one| format!("{}.", one.get("index").and_then(Value::as_u64).unwrap_or(0)))
            .collect()
    };
    let some = |list: Vec<String>| {
        if list.is_empty() {
            Ends::Nothing
        } else {
            Ends::Some(list)
        }
    };
    match kind {
        ProviderKind::Anthropic if matches!(word, "content_block_delta" | "ping") => Ends::Nothing,
        ProviderKind::Anthropic => Ends::All,
        ProviderKind::OpenAi | ProviderKind::Ollama if document.get("choices").is_some() => {
            some(finished("choices", "finish_reason"))
        }
        ProviderKind::OpenAi if word.ends_with(".delta") => Ends::Nothing,
        ProviderKind::OpenAi => Ends::All,
        ProviderKind::Gemini => some(finished("candidates", "finishReason")),
        ProviderKind::Ollama if document.get("done").and_then(Value::as_bool) == Some(false) => Ends::Nothing,
        ProviderKind::Ollama => Ends::All,
    }
}
