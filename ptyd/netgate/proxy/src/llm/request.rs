//! A request to a model: read whole, limited, searched, and sent on. What is too large for that passes where nothing has
//! to look into it.

use std::sync::Arc;
use std::time::Instant;

use hyper::body::{Body as _, Incoming};
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderValue, RETRY_AFTER,
};
use hyper::{Method, Request, StatusCode};

use super::about::About;
use super::answer::{self, Asked};
use super::provider::Provider;
use super::room::Room;
use super::search::{By, Searched, apart, is_plain, search};
use crate::Settings;
use crate::dlp::{Counts, Mode};
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
    let most = body.size_hint().upper().and_then(|most| usize::try_from(most).ok());
    let mut room = Room::wait(most.map_or(MAX_REQUEST, |most| most.min(MAX_REQUEST))).await;
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
    room.shrink(body.len());
    let unlooked = || unread(StatusCode::BAD_GATEWAY, "api_error", "the request cannot be looked at");
    let (kind, path) = (provider.kind, rest.to_owned());
    let Some((body, asked)) = apart(body, move |body| About::of(kind, &path, body)).await else {
        return unlooked();
    };
    let model = asked.model.as_deref().unwrap_or("unknown");
    let uses = head.method == Method::POST;
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
        record(Some(&reached.message), &Counts::default());
        let mut answer = turn_away(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", &reached.message);
        let headers = answer.headers_mut();
        match reached.retry {
            Some(after) => headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1))),
            None => headers.insert("x-should-retry", HeaderValue::from_static("false")),
        };
        return answer;
    }
    let expected = Expected(Arc::clone(shared), expected);
    let dlp = shared.settings.dlp.clone();
    let look = move |body: &[u8]| {
        let plain = dlp.can_read(|| is_plain(body));
        plain.then(|| search(&dlp, (kind, By::Caller), body))
    };
    let Some((body, searched)) = apart(body, look).await else {
        return unlooked();
    };
    let Some(Searched { other, found }) = searched else {
        let why = "the request looks like JSON and cannot be read as such, so that it cannot be searched";
        record(Some(why), &Counts::default());
        shared.meter.refuse(&provider.name, model, 0);
        return turn_away(StatusCode::BAD_REQUEST, "invalid_request_error", why);
    };
    if shared.settings.dlp.mode == Mode::Block && !found.is_empty() {
        let kinds: Vec<&str> = found.iter().map(|(kind, _)| kind).collect();
        let why = format!("the request holds what may not leave: {}", kinds.join(", "));
        record(Some(&why), &found);
        shared
            .meter
            .refuse(&provider.name, model, found.iter().map(|(_, count)| count).sum());
        return turn_away(StatusCode::FORBIDDEN, "permission_error", &why);
    }
    let sent = match other {
        Some(other) if shared.settings.dlp.mode == Mode::Redact => other,
        _ => body,
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
    let sent = shared.upstreams.send(outgoing).await;
    drop(room);
    match sent {
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
