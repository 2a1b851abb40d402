//! Services under names of their own: judged by method and path, given their secret on the way out.

use std::sync::Arc;

use agentsh_redact::{Patterns, Rule};
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT_CHARSET, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RANGE,
};
use hyper::{HeaderMap, Request, StatusCode, Uri};

use super::body::{Body, Scrubbed};
use super::forward::{finish, prepare};
use super::head::plain_path;
use super::readings::{methods, names_path, strictest};
use super::server::Shared;
use super::upstream::Unreachable;
use super::{Answer, refuse};
use crate::gate::{Client, Event, HttpEvent, Ruling, Service};
use crate::host::Authority;

/// One request to the service `name`; `rest` is its path there, without the first slash.
pub(super) async fn request(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    name: &str,
    rest: &str,
    request: Request<Incoming>,
) -> Answer {
    let word = name.to_owned();
    let service = match shared.ask(move |gate| gate.service(&word)).await {
        Ok(Some(Ok(service))) => service,
        Ok(Some(Err(why))) => return refuse(StatusCode::BAD_GATEWAY, &format!("service {name}: {why}")),
        Ok(None) => return refuse(StatusCode::NOT_FOUND, "there is no such service"),
        Err(error) => return refuse(StatusCode::BAD_GATEWAY, &error.to_string()),
    };
    let Some(upstream) = Upstream::of(&service) else {
        return refuse(
            StatusCode::BAD_GATEWAY,
            &format!("service {name}: its upstream is malformed"),
        );
    };
    let Some(path) = plain_path(&format!("/{rest}")) else {
        return refuse(StatusCode::BAD_REQUEST, "a path that could be read in several ways");
    };
    let method = request.method().to_string();
    let query = request.uri().query().unwrap_or_default();
    let Some(methods) = methods(&method, request.headers(), query) else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "a header or the query names another method that is none",
        );
    };
    if names_path(request.headers()) {
        return refuse(StatusCode::BAD_REQUEST, "a header names another path");
    }
    let (asker, named, judged) = (Arc::clone(client), service.name.clone(), path.clone());
    let ruling = shared
        .ask(move |gate| {
            strictest(&methods, &judged, |method, path| {
                gate.request(&asker, &named, method, path)
            })
        })
        .await
        .unwrap_or_else(|error| Ruling::deny(error.to_string()));
    let record = |status: StatusCode| {
        let event = HttpEvent {
            method: &method,
            host: &upstream.at.host,
            port: upstream.at.port_or(443),
            path: &path,
            service: Some(&service.name),
            ruling: &ruling,
            status: status.as_u16(),
        };
        shared.gate.record(client, Event::Http(event))
    };
    if !ruling.allowed {
        record(StatusCode::FORBIDDEN);
        let why = ruling.message.as_deref().unwrap_or("no rule allows it");
        return refuse(
            StatusCode::FORBIDDEN,
            &format!("{name}: {method} {path}: denied by policy: {why}"),
        );
    }
    let answer = match send(shared, &service, &upstream, rest, request).await {
        Ok(answer) => answer,
        Err(error) => refuse(StatusCode::BAD_GATEWAY, &format!("service {name}: {error}")),
    };
    match record(answer.status()) {
        true => answer,
        false => refuse(StatusCode::BAD_GATEWAY, "the request cannot be recorded"),
    }
}

/// A service's server.
struct Upstream {
    at: Authority,
    /// The path before the request's own, without a slash at its end.
    base: String,
}

impl Upstream {
    fn of(service: &Service) -> Option<Upstream> {
        let uri: Uri = service.upstream.parse().ok()?;
        if uri.scheme_str() != Some("https") || uri.query().is_some() {
            return None;
        }
        Some(Upstream {
            at: Authority::parse(uri.authority()?.as_str())?,
            base: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

async fn send(
    shared: &Shared,
    service: &Service,
    upstream: &Upstream,
    rest: &str,
    request: Request<Incoming>,
) -> Result<Answer, Unreachable> {
    let malformed = |_| Unreachable("the request cannot be written".to_owned());
    let query = request
        .uri()
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let target = format!("https://{}{}/{rest}{query}", upstream.at, upstream.base);
    let (mut request, switch) = prepare(request, &upstream.at);
    *request.uri_mut() = target.parse().map_err(malformed)?;
    *request.version_mut() = hyper::Version::HTTP_11;
    if let Some((name, value)) = &service.header {
        let name: HeaderName = name
            .parse()
            .map_err(|_| Unreachable("`inject` names no header".to_owned()))?;
        let mut value =
            HeaderValue::from_str(value).map_err(|_| Unreachable("the secret cannot stand in a header".to_owned()))?;
        value.set_sensitive(true);
        request.headers_mut().insert(name, value);
    }
    let scrub = service.scrub.as_deref().map(forms).transpose();
    let scrub = scrub.map_err(|_| Unreachable("the secret cannot be searched for".to_owned()))?;
    if scrub.is_some() {
        let headers = request.headers_mut();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        // A part of the secret is not known as one.
        headers.remove(RANGE);
        headers.remove(ACCEPT_CHARSET);
    }
    let answer = match &switch {
        Some(_) if scrub.is_some() => return Err(Unreachable("answers of another protocol cannot be scrubbed".into())),
        Some(_) => shared.upstreams.send_alone(request).await?,
        None => shared.upstreams.send(request).await?,
    };
    let answer = finish(answer, switch);
    match scrub {
        Some(patterns) => scrubbed(answer, &patterns),
        None => Ok(answer),
    }
}

/// A secret in the forms in which a server may give it back.
fn forms(secret: &str) -> Result<Patterns, agentsh_redact::PatternError> {
    let base64 = (0..3).filter_map(|shift| base64(secret.as_bytes(), shift));
    let mut forms: Vec<String> = std::iter::once(secret.to_owned()).chain(base64).collect();
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.dedup();
    Patterns::compile(
        forms
            .iter()
            .map(|form| Rule::custom("secret", &spelled(form)))
            .collect(),
    )
}

/// A pattern of a text, each byte of which stands as it is, with a percent sign, or as JSON may write it. Letters and
/// digits are escaped by nobody.
fn spelled(text: &str) -> String {
    let spell = |byte: u8| {
        let escape = match byte {
            _ if byte.is_ascii_alphanumeric() => return char::from(byte).to_string(),
            b' ' => r"|\+",
            b'/' | b'"' | b'\\' => &format!(r"|\\\x{byte:02x}"),
            _ => "",
        };
        format!(r"(?:\x{byte:02x}|%(?i:{byte:02x})|\\u00(?i:{byte:02x}){escape})")
    };
    text.bytes().map(spell).collect()
}

/// The part of the base64 form that is the same whatever stands before and after, where `shift` bytes
/// (modulo three) stand before. `None`: too short to be told from chance.
fn base64(bytes: &[u8], shift: usize) -> Option<String> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let skipped = bytes.get((3 - shift) % 3..)?;
    let text: String = skipped
        .chunks_exact(3)
        .flat_map(|three| {
            let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
            [18, 12, 6, 0].map(|at| char::from(DIGITS[(bits >> at & 63) as usize]))
        })
        .collect();
    (text.len() >= 8).then_some(text)
}

/// An answer without the secret; one whose bytes cannot be searched does not pass.
fn scrubbed(mut answer: Answer, patterns: &Patterns) -> Result<Answer, Unreachable> {
    let encoded = answer.headers().get_all(CONTENT_ENCODING).iter();
    if encoded
        .into_iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(Unreachable(
            "the answer is compressed and cannot be scrubbed".to_owned(),
        ));
    }
    if !answer.headers().get_all(CONTENT_TYPE).iter().all(is_ascii) {
        return Err(Unreachable(
            "the answer is in characters that cannot be scrubbed".to_owned(),
        ));
    }
    let mut clean = HeaderMap::with_capacity(answer.headers().len());
    for (name, value) in answer.headers() {
        if !holds(patterns, value.as_bytes()) && name != CONTENT_LENGTH {
            clean.append(name.clone(), value.clone());
        }
    }
    *answer.headers_mut() = clean;
    Ok(answer.map(|body: Body| Scrubbed::body(body, patterns)))
}

/// Sets of characters in which a letter of ASCII is that byte, by how their names begin.
const ASCII: [&str; 11] = [
    "utf-8",
    "utf8",
    "us-ascii",
    "ascii",
    "iso-8859-",
    "windows-",
    "gb",
    "big5",
    "euc-",
    "shift_jis",
    "koi8-",
];

/// Whether the letters of an answer of this type are bytes of ASCII.
fn is_ascii(kind: &HeaderValue) -> bool {
    let kind = String::from_utf8_lossy(kind.as_bytes()).to_ascii_lowercase();
    let named = kind.split("charset").skip(1);
    named.into_iter().all(|rest| {
        let name = rest.trim_start().strip_prefix('=').unwrap_or(rest);
        let name = name.trim_start_matches([' ', '\t', '"', '\'']);
        name.is_empty() || ASCII.iter().any(|begin| name.starts_with(begin))
    })
}

fn holds(patterns: &Patterns, text: &[u8]) -> bool {
    let mut found = false;
    let mut take = |piece: agentsh_redact::Piece<'_>| found |= matches!(piece, agentsh_redact::Piece::Found { .. });
    agentsh_redact::Stream::new(patterns.clone()).whole(text, &mut take);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_in_its_usual_forms() -> Result<(), Box<dyn std::error::Error>> {
        let patterns = forms("s3cr3t/with+odd=bytes")?;
        for text in [
            "x s3cr3t/with+odd=bytes y",
            "s3cr3t%2Fwith%2Bodd%3Dbytes",
            "s3cr3t%2fwith%2Bodd%3dbytes",
            "s3cr3t/with%2bodd=bytes",
            r"s3cr3t\/with\u002bodd\u003Dbytes",
            r#""s3cr3t\/with+odd=bytes""#,
            // base64 of `x:`, `u:` and `ab:` with the secret behind.
            "eDpzM2NyM3Qvd2l0aCtvZGQ9Ynl0ZXM=",
            "OnMzY3IzdC93aXRoK29kZD1ieXRlcw==",
            "YWI6czNjcjN0L3dpdGgrb2RkPWJ5dGVz",
        ] {
            assert!(holds(&patterns, text.as_bytes()), "{text}");
        }
        assert!(!holds(&patterns, b"s3cr3t"));
        let patterns = forms(r#"a b\c"d"#)?;
        for text in [r#"a b\c"d"#, r#"a b\\c\"d"#, "a+b%5cc%22d", r"a b\u005Cc\u0022d"] {
            assert!(holds(&patterns, text.as_bytes()), "{text}");
        }
        assert!(forms(&"a+/-".repeat(512)).is_ok());
        Ok(())
    }

    #[test]
    fn an_answer_is_scrubbed_in_characters_that_can_be_read() -> Result<(), Box<dyn std::error::Error>> {
        for (kind, read) in [
            ("application/json", true),
            ("text/html; Charset=\"UTF-8\"; x=y", true),
            ("text/plain;charset=iso-8859-15", true),
            ("text/plain; charset = utf-16le", false),
            ("text/plain;charset=utf-8;charset='UTF-7'", false),
            ("text/plain; charset=cp037", false),
        ] {
            assert_eq!(is_ascii(&kind.parse()?), read, "{kind}");
        }
        Ok(())
    }
}
