//! What a request says of itself, looked for without building the document: it may have as many parts as bytes.

use std::collections::HashMap;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::provider::ProviderKind;

/// What a request says of itself.
pub(super) struct About {
    pub model: Option<String>,
    pub stream: bool,
    /// The most tokens that its answer is to have.
    most: Option<u64>,
}

/// So many tokens may an answer have whose request does not say.
const USUAL: u64 = 4_096;

/// Where requests say it.
const MOST: [&[&str]; 6] = [
    &["max_tokens"],
    &["max_completion_tokens"],
    &["max_output_tokens"],
    &["generationConfig", "maxOutputTokens"],
    &["generation_config", "max_output_tokens"],
    &["options", "num_predict"],
];

/// The longest name of a model that is taken for one.
const MAX_MODEL: usize = 128;

impl About {
    pub(super) fn of(kind: ProviderKind, path: &str, body: &[u8]) -> About {
        let value = Said::read(body);
        let text = |key| match value.get(key) {
            Said::Text(text) => Some(text.as_str()),
            _ => None,
        };
        let truth = |key| match value.get(key) {
            Said::Truth(truth) => Some(*truth),
            _ => None,
        };
        let said = text("model");
        let (model, stream) = match kind {
            ProviderKind::Gemini => {
                let last = path.rsplit_once("models/").map(|(_, last)| last);
                let (model, call) = last
                    .and_then(|last| last.split_once(':'))
                    .unwrap_or((last.unwrap_or(""), ""));
                (
                    said.or(Some(model).filter(|model| !model.is_empty())),
                    call.starts_with("stream"),
                )
            }
            // Ollama's own calls stream unless they are asked not to.
            ProviderKind::Ollama if path.starts_with("api/") => (said, truth("stream").unwrap_or(true)),
            _ => (said, truth("stream").unwrap_or(false)),
        };
        let most = MOST
            .iter()
            .find_map(|path| match path.iter().fold(&value, |value, key| value.get(key)) {
                Said::Count(count) => Some(*count),
                _ => None,
            });
        let plain = |name: &&str| name.len() <= MAX_MODEL && !name.chars().any(char::is_control);
        About {
            model: model.filter(plain).map(str::to_owned),
            stream,
            most,
        }
    }

    /// Tokens that it may use, by its length and what it says.
    pub(super) fn expected(&self, length: u64) -> u64 {
        length.div_ceil(4).saturating_add(self.most.unwrap_or(USUAL))
    }
}

/// A part of a document, as far as it matters here.
enum Said {
    Text(String),
    Count(u64),
    Truth(bool),
    Fields(HashMap<String, Said>),
    Other,
}

impl Said {
    fn read(body: &[u8]) -> Said {
        let mut document = serde_json::Deserializer::from_slice(body);
        let said = Look(0).deserialize(&mut document);
        let ended = document.end();
        said.ok().filter(|_| ended.is_ok()).unwrap_or(Said::Other)
    }

    fn get(&self, key: &str) -> &Said {
        match self {
            Said::Fields(fields) => fields.get(key).unwrap_or(&Said::Other),
            _ => &Said::Other,
        }
    }
}

/// Reads a part at this depth; fields that nobody asks about are passed over.
struct Look(usize);

impl Look {
    fn matters(&self, key: &str) -> bool {
        let asked = |path: &&[&str]| path.get(self.0) == Some(&key);
        MOST.iter().any(asked) || (self.0 == 0 && (key == "model" || key == "stream"))
    }
}

impl<'de> DeserializeSeed<'de> for Look {
    type Value = Said;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Said, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look {
    type Value = Said;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Said, E> {
        Ok(Said::Truth(truth))
    }

    fn visit_u64<E: Error>(self, count: u64) -> Result<Said, E> {
        Ok(Said::Count(count))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Said, E> {
        Ok(Said::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Said, E> {
        Ok(Said::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Said, E> {
        Ok(Said::Other)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Said, E> {
        Ok(Said::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Said, A::Error> {
        while parts.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Said::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Said, A::Error> {
        let mut found = HashMap::new();
        while let Some(key) = fields.next_key::<String>()? {
            if self.matters(&key) {
                let said = fields.next_value_seed(Look(self.0 + 1))?;
                found.insert(key, said);
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Said::Fields(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_says_of_itself_is_found_wherever_it_stands() {
        let about = |kind, path, body: &str| {
            let found = About::of(kind, path, body.as_bytes());
            (found.model.clone().unwrap_or_default(), found.stream, found.expected(8))
        };
        let of = |body| about(ProviderKind::OpenAi, "chat/completions", body);
        assert_eq!(
            of(r#"{"max_tokens":7,"stream":true,"x":[{"model":"n"}],"model":"m"}"#),
            ("m".into(), true, 9)
        );
        // The last one counts, as it does for whoever is asked.
        assert_eq!(
            of(r#"{"model":"n","model":"m","max_tokens":[1],"max_completion_tokens":3}"#),
            ("m".into(), false, 5)
        );
        for unknown in [
            "",
            "[1]",
            "{",
            r#"{"model":"m"}x"#,
            r#"{"model":["m"],"max_tokens":-1}"#,
        ] {
            assert_eq!(of(unknown), (String::new(), false, 2 + USUAL), "{unknown}");
        }
        let gemini = about(
            ProviderKind::Gemini,
            "v1/models/g:streamX",
            r#"{"generationConfig":{"a":{},"maxOutputTokens":5}}"#,
        );
        assert_eq!(gemini, ("g".into(), true, 7));
        let ollama = about(
            ProviderKind::Ollama,
            "api/chat",
            r#"{"model":"l","options":{"num_predict":1}}"#,
        );
        assert_eq!(ollama, ("l".into(), true, 3));
    }
}
