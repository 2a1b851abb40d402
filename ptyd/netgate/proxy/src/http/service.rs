//! Services under names of their own: judged by method and path, given their secret on the way out.

use std::sync::Arc;

use agentsh_redact::{Patterns, Rule};
use hyper::body::Incoming;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, HeaderValue};
use hyper::{HeaderMap, Request, StatusCode, Uri};

use super::body::{Body, Scrubbed};
use super::forward::{finish, prepare};
use super::head::plain_path;
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
    let Some(methods) = methods(&method, request.headers()) else {
        return refuse(StatusCode::BAD_REQUEST, "a header names another method that is none");
    };
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

/// Fields by which a request asks many servers to take it for one of another method.
const OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// The methods that a server may take a request for, its own last. `None`: what it asks for is no method.
fn methods(own: &str, headers: &HeaderMap) -> Option<Vec<String>> {
    let mut methods = Vec::new();
    for (name, value) in headers {
        // Some servers know no difference between the two.
        if OVERRIDES.contains(&name.as_str().replace('_', "-").as_str()) {
            let other = value.to_str().ok()?.trim().to_ascii_uppercase();
            other.parse::<hyper::Method>().ok()?;
            methods.push(other);
        }
    }
    methods.push(own.to_owned());
    Some(methods)
}

/// The first no that is said to a reading of a request, or the yes to all of them: many servers take a path with a
/// slash at its end for the one without.
fn strictest(methods: &[String], path: &str, mut ask: impl FnMut(&str, &str) -> Ruling) -> Ruling {
    let bare = path.strip_suffix('/').filter(|bare| !bare.is_empty());
    let mut last = Ruling::deny("nobody was asked");
    for method in methods {
        for path in bare.into_iter().chain([path]) {
            last = ask(method, path);
            if !last.allowed {
                return last;
            }
        }
    }
    last
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
        request
            .headers_mut()
            .insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
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
    let mut clean = HeaderMap::with_capacity(answer.headers().len());
    for (name, value) in answer.headers() {
        if !holds(patterns, value.as_bytes()) && name != CONTENT_LENGTH {
            clean.append(name.clone(), value.clone());
        }
    }
    *answer.headers_mut() = clean;
    Ok(answer.map(|body: Body| Scrubbed::body(body, patterns)))
}

fn holds(patterns: &Patterns, text: &[u8]) -> bool {
    let mut found = false;
    let mut take = |piece: agentsh_redact::Piece<'_>| found |= matches!(piece, agentsh_redact::Piece::Found { .. });
    let mut stream = agentsh_redact::Stream::new(patterns.clone());
    stream.push(text, &mut take);
    stream.finish(&mut take);
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
    fn a_request_is_judged_by_each_method_that_it_names() -> Result<(), Box<dyn std::error::Error>> {
        let deletes = |method: &str, _: &str| match method {
            "DELETE" => Ruling::deny("no"),
            _ => Ruling::allow(),
        };
        for name in [
            "X-HTTP-Method-Override",
            "x-http-method",
            "X-Method-Override",
            "X_HTTP_Method_Override",
        ] {
            let mut headers = HeaderMap::new();
            headers.append(name.parse::<HeaderName>()?, "patch".parse()?);
            let named = methods("POST", &headers).unwrap_or_default();
            assert_eq!(named, ["PATCH", "POST"]);
            assert!(strictest(&named, "/x", deletes).allowed);
            headers.append(name.parse::<HeaderName>()?, "delete".parse()?);
            let named = methods("POST", &headers).unwrap_or_default();
            assert!(!strictest(&named, "/x", deletes).allowed, "{name}");
            headers.append(name.parse::<HeaderName>()?, "GET, DELETE".parse()?);
            assert_eq!(methods("POST", &headers), None);
        }
        assert_eq!(methods("GET", &HeaderMap::new()), Some(vec!["GET".to_owned()]));
        Ok(())
    }

    #[test]
    fn a_slash_at_the_end_of_a_path_does_not_loosen_the_verdict() {
        let admin = |_: &str, path: &str| match path {
            "/admin" | "/only/" => Ruling::deny("no"),
            _ => Ruling::allow(),
        };
        let get = ["GET".to_owned()];
        for (path, allowed) in [
            ("/admin", false),
            ("/admin/", false),
            ("/only/", false),
            ("/", true),
            ("/x/", true),
        ] {
            assert_eq!(strictest(&get, path, admin).allowed, allowed, "{path}");
        }
        let mut asked = Vec::new();
        strictest(&get, "/x/", |_, path| {
            asked.push(path.to_owned());
            Ruling::allow()
        });
        assert_eq!(asked, ["/x", "/x/"]);
    }
}
