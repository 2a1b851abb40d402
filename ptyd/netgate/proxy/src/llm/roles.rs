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
    match is_word(kind, text) {
        true => Role::Word,
        false => Role::Whole,
    }
}

/// Whether it is a word of the protocol.
pub(super) fn is_word(kind: ProviderKind, text: &Text) -> bool {
    text.kind == Kind::Value && WORDS.contains(&text.key()) && !is_free(kind, &text.path)
}

/// So long is no name; only what a provider has sealed is written without any blank.
const SEALED: usize = 128;

/// Whether a word is what a provider has sealed: in so many letters drawn by lot stands what looks like anything.
pub(super) fn is_sealed(word: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
    word.len() > SEALED && word.bytes().all(letter)
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
        (ProviderKind::OpenAi | ProviderKind::Ollama, ["delta"]) if word.ends_with(".delta") => {
            Some(part(word, document))
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
                // As it was before there were tools.
                ["function_call", "arguments"] => Some(format!("{index}.function")),
                [field @ ("content" | "refusal" | "reasoning_content" | "reasoning")]
                | [field @ "content", _, "text"]
                | ["content", _, field @ "thinking", _, "text"] => Some(format!("{index}.{field}")),
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

/// The name of the text that an event of OpenAI's responses adds to.
fn part(word: &str, document: &Value) -> String {
    let place = |key: &str| document.get(key).and_then(Value::as_u64).unwrap_or(0);
    format!("{word}.{}.{}.", place("output_index"), place("content_index"))
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
    // What is not known to end a text may stand between two pieces of it.
    match kind {
        ProviderKind::Anthropic => match word {
            "content_block_stop" => {
                let index = document.get("index").and_then(Value::as_u64).unwrap_or(0);
                Ends::Some(vec![format!("{index}.")])
            }
            "message_delta" | "message_stop" | "error" => Ends::All,
            _ => Ends::Nothing,
        },
        ProviderKind::Gemini => some(finished("candidates", "finishReason")),
        ProviderKind::OpenAi | ProviderKind::Ollama if document.get("choices").is_some() => {
            some(finished("choices", "finish_reason"))
        }
        ProviderKind::OpenAi | ProviderKind::Ollama => match word {
            "response.completed" | "response.incomplete" | "response.failed" | "error" => Ends::All,
            _ if document.get("error").is_some_and(|error| !error.is_null()) => Ends::All,
            _ if document.get("done").and_then(Value::as_bool) == Some(true) => Ends::All,
            _ => match word.strip_suffix(".done") {
                Some(word) => Ends::Some(vec![part(&format!("{word}.delta"), document)]),
                None => Ends::Nothing,
            },
        },
    }
}
