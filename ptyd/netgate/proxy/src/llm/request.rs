//! A request to a model: read whole, limited, searched, and sent on. What is too large for that passes where nothing has
//! to look into it.

use std::sync::Arc;
use std::time::Instant;

use hyper::body::{Body as _, Incoming};
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderValue, RETRY_AFTER,
};
use hyper::{Method, Request, StatusCode};
use serde_json::Value;

use super::answer::{self, Asked};
use super::json;
use super::provider::{Provider, ProviderKind};
use super::roles::{Role, role};
use crate::Settings;
use crate::dlp::{Counts, Dlp, Mode};
use crate::gate::{Client, Event, LlmRequestEvent};
use crate::http::{Answer, Body, Continued, Shared, Unread, begun, boxed, full, plain_path, refuse, strip_hops};

/// Most bytes of a request that is read before it is sent on: four times what the providers take.
const MAX_REQUEST: usize = 128 << 20;

/// One request to the provider `name`; `rest` is its path there, without the first slash.
pub(crate) async fn request(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    name: &str,
    rest: &str,
    request: Request<Incoming>,
) -> Answer {
    let provider = shared.settings.providers.iter().find(|provider| provider.name == name);
    let Some(provider) = provider.cloned().map(Arc::new) else {
        return refuse(StatusCode::NOT_FOUND, "there is no such provider");
    };
    let turn_away = |status: StatusCode, kind: &str, why: &str| error(&provider, status, kind, why);
    let id = shared.gate.new_id();
    let (head, body) = request.into_parts();
    let unread = |status: StatusCode, kind: &str, why: &str| {
        let event = LlmRequestEvent {
            id: &id,
            provider: &provider.name,
            model: None,
            method: head.method.as_str(),
            path: &format!("/{rest}"),
            stream: false,
            bytes: 0,
            refused: Some(why),
            found: &Counts::default(),
        };
        shared.gate.record(client, Event::LlmRequest(event));
        error(&provider, status, kind, why)
    };
    if plain_path(&format!("/{rest}")).is_none() {
        let why = "a path that could be read in several ways";
        return unread(StatusCode::BAD_REQUEST, "invalid_request_error", why);
    }
    if !shared.settings.dlp.can_read(|| !is_encoded(&head.headers)) {
        let why = "a compressed request cannot be searched";
        return unread(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request_error", why);
    }
    let read = match begun(boxed(body), MAX_REQUEST).await {
        Ok((_, Some(_))) if must_read(&shared.settings) => Err(Unread::TooLarge(MAX_REQUEST)),
        read => read,
    };
    let (body, more) = match read {
        Ok(read) => read,
        Err(problem) => {
            return unread(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", &problem.to_string());
        }
    };
    let length = body.len() as u64 + more.as_ref().map_or(0, |more| more.size_hint().lower());
    let asked = About::of(provider.kind, rest, &body);
    let model = asked.model.as_deref().unwrap_or("unknown");
    let uses = head.method == Method::POST;
    let mut found = Counts::default();
    let record = |refused: Option<&str>, found: &Counts| {
        let event = LlmRequestEvent {
            id: &id,
            provider: &provider.name,
            model: asked.model.as_deref(),
            method: head.method.as_str(),
            path: &format!("/{rest}"),
            stream: asked.stream,
            bytes: length,
            refused,
            found,
        };
        shared.gate.record(client, Event::LlmRequest(event))
    };
    let expected = if uses { asked.expected(length) } else { 0 };
    if uses && let Err(reached) = shared.meter.admit(Instant::now(), &provider.name, model, expected) {
        record(Some(&reached.message), &found);
        let mut answer = turn_away(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", &reached.message);
        let headers = answer.headers_mut();
        match reached.retry {
            Some(after) => headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1))),
            None => headers.insert("x-should-retry", HeaderValue::from_static("false")),
        };
        return answer;
    }
    let expected = Expected(Arc::clone(shared), expected);
    if !shared.settings.dlp.can_read(|| is_plain(&body)) {
        let why = "the request looks like JSON and cannot be read as such, so that it cannot be searched";
        record(Some(why), &found);
        shared.meter.refuse(&provider.name, model, 0);
        return turn_away(StatusCode::BAD_REQUEST, "invalid_request_error", why);
    }
    let searched = search(&shared.settings.dlp, provider.kind, &body, &mut found);
    if shared.settings.dlp.mode == Mode::Block && !found.is_empty() {
        let kinds: Vec<&str> = found.iter().map(|(kind, _)| kind).collect();
        let why = format!("the request holds what may not leave: {}", kinds.join(", "));
        record(Some(&why), &found);
        shared
            .meter
            .refuse(&provider.name, model, found.iter().map(|(_, count)| count).sum());
        return turn_away(StatusCode::FORBIDDEN, "permission_error", &why);
    }
    let sent = match searched {
        Some(other) if shared.settings.dlp.mode == Mode::Redact => other,
        _ => body.clone(),
    };
    if !record(None, &found) {
        return turn_away(StatusCode::BAD_GATEWAY, "api_error", "the request cannot be recorded");
    }
    if shared.settings.store_bodies {
        let (part, kept) = (id.clone(), sent.clone());
        let stored = shared.ask(move |gate| gate.store(&part, "request", &kept)).await;
        drop(stored);
    }
    let length = match &more {
        Some(_) => length,
        None => sent.len() as u64,
    };
    let outgoing = match outgoing(&provider, rest, &head, (sent, more)) {
        Ok(outgoing) => outgoing,
        Err(why) => return turn_away(StatusCode::BAD_REQUEST, "invalid_request_error", why),
    };
    let asked = Asked {
        shared: Arc::clone(shared),
        client: Arc::clone(client),
        provider: Arc::clone(&provider),
        id: id.clone(),
        model: asked.model.clone(),
        request: if uses { length } else { 0 },
        found: found.iter().map(|(_, count)| count).sum(),
        started: Instant::now(),
        told: false,
        _expected: expected,
    };
    match shared.upstreams.send(outgoing).await {
        Ok(response) => answer::pass(asked, response).await,
        Err(problem) => {
            let why = format!("{}: {problem}", provider.name);
            answer::failed(asked, &why);
            turn_away(StatusCode::BAD_GATEWAY, "api_error", &why)
        }
    }
}

/// Whether a request has to be read whole before it is sent on.
fn must_read(settings: &Settings) -> bool {
    settings.dlp.patterns.is_some() || settings.store_bodies || settings.limits.count_tokens()
}

/// Whether a body is compressed.
pub(super) fn is_encoded(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// An error in the provider's own form.
pub(super) fn error(provider: &Provider, status: StatusCode, kind: &str, why: &str) -> Answer {
    let message = format!("agentsh: {why}");
    let mut answer = Answer::new(full(provider.error(status.as_u16(), kind, &message)));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// Tokens that a request on its way may use, as its limits count them until it is dropped.
pub(super) struct Expected(Arc<Shared>, u64);

impl Expected {
    /// Nothing.
    #[cfg(test)]
    pub(super) fn none(shared: &Arc<Shared>) -> Expected {
        Expected(Arc::clone(shared), 0)
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.0.meter.release(self.1);
    }
}

/// What a request says of itself.
struct About {
    model: Option<String>,
    stream: bool,
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
    fn of(kind: ProviderKind, path: &str, body: &[u8]) -> About {
        let value: Option<Value> = serde_json::from_slice(body).ok();
        let get = |key: &str| value.as_ref().and_then(|value| value.get(key));
        let said = get("model").and_then(Value::as_str);
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
            ProviderKind::Ollama if path.starts_with("api/") => {
                (said, get("stream").and_then(Value::as_bool).unwrap_or(true))
            }
            _ => (said, get("stream").and_then(Value::as_bool).unwrap_or(false)),
        };
        let most = MOST.iter().find_map(|path| {
            let start = value.as_ref()?;
            path.iter().try_fold(start, |value, key| value.get(key))?.as_u64()
        });
        let plain = |name: &&str| name.len() <= MAX_MODEL && !name.chars().any(char::is_control);
        About {
            model: model.filter(plain).map(str::to_owned),
            stream,
            most,
        }
    }

    /// Tokens that it may use, by its length and what it says.
    fn expected(&self, length: u64) -> u64 {
        length.div_ceil(4).saturating_add(self.most.unwrap_or(USUAL))
    }
}

/// Whether it is JSON that is read in one way only, or none at all: others are more lenient readers, of halves of
/// characters, marks of byte order and wider characters.
fn is_plain(body: &[u8]) -> bool {
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    let wide = body.iter().take(4).any(|byte| matches!(byte, 0 | 0xfe | 0xff));
    let looks = wide || text.first().is_some_and(|first| b"{[\"".contains(first));
    !looks || (serde_json::from_slice::<Value>(body).is_ok() && json::texts(body).is_some())
}

/// The body with replacements, if something was found.
pub(super) fn search(dlp: &Dlp, kind: ProviderKind, body: &[u8], found: &mut Counts) -> Option<Vec<u8>> {
    let mut searcher = dlp.searcher()?;
    let value: Option<Value> = serde_json::from_slice(body).ok();
    let (Some(value), Some(texts)) = (value, json::texts(body)) else {
        // Forms and files: as they are.
        return searcher.whole(body, found);
    };
    let mut changes = Vec::new();
    for text in texts {
        if role(kind, &value, &text) == Role::Word {
            continue;
        }
        if let Some(said) = text.decode(body)
            && let Some(other) = searcher.whole(said.as_bytes(), found)
        {
            changes.push((text.at, String::from_utf8_lossy(&other).into_owned()));
        }
    }
    (!changes.is_empty()).then(|| json::replace(body, &changes))
}

/// The request as it leaves.
fn outgoing(
    provider: &Provider,
    rest: &str,
    head: &hyper::http::request::Parts,
    (body, more): (Vec<u8>, Option<Body>),
) -> Result<Request<Body>, &'static str> {
    let query = head.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let target = format!("{}/{rest}{query}", provider.base);
    let length = more.is_none().then_some(body.len());
    let mut request = Request::new(match more {
        Some(more) => Continued::body(body, more),
        None => full(body),
    });
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = target.parse().map_err(|_| "the path is malformed")?;
    let mut headers = head.headers.clone();
    if strip_hops(&mut headers) {
        return Err("other protocols than HTTP are not spoken to a provider");
    }
    headers.remove(HOST);
    headers.remove(EXPECT);
    headers.remove(CONTENT_LENGTH);
    // Of what was not read whole its body says it, if it can.
    if let Some(length) = length.filter(|length| *length > 0 || head.method == Method::POST) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    // What is compressed cannot be searched, nor learnt from.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    *request.headers_mut() = headers;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_would_read_as_json_is_read_as_such_or_not_at_all() {
        for plain in ["", "{}", " [1]", "--boundary\r\nx", "a=b&c=%7B"] {
            assert!(is_plain(plain.as_bytes()), "{plain}");
        }
        let wide: Vec<u8> = "{\"a\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for odd in [
            b"{\"a\":\"jo\\u0040example.org\",\"b\":\"\\ud800\"}".as_slice(),
            b"\xef\xbb\xbf{\"a\":1}",
            b"{\"a\":1,}",
            b"{\"a\":NaN}",
            b"{\"a\":\"\xff\"}",
            b"\xff\xfe{\0}\0",
            &wide,
        ] {
            assert!(!is_plain(odd), "{odd:?}");
        }
    }
}
