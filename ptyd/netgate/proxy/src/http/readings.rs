//! What a server may take one request for: servers read more than its method and its path.

use hyper::HeaderMap;

use crate::gate::Ruling;

/// Fields by which a request asks many servers to take it for one of another method.
const METHODS: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// Parts of a query that do the same.
const IN_QUERY: [&str; 2] = ["_method", "$httpmethod"];

/// Fields by which it asks for another path.
const PATHS: [&str; 2] = ["x-original-url", "x-rewrite-url"];

/// A field's name as servers read it that know no difference between hyphens and underscores.
fn plain(name: &str) -> String {
    name.replace('_', "-")
}

/// The methods that a server may take a request for, its own last. `None`: what it asks for is no method.
pub(super) fn methods(own: &str, headers: &HeaderMap, query: &str) -> Option<Vec<String>> {
    let mut methods = Vec::new();
    let mut add = |other: &str| -> Option<()> {
        let other = other.trim().to_ascii_uppercase();
        other.parse::<hyper::Method>().ok()?;
        methods.push(other);
        Some(())
    };
    for (name, value) in headers {
        if METHODS.contains(&plain(name.as_str()).as_str()) {
            add(value.to_str().ok()?)?;
        }
    }
    for part in query.split(['&', ';']) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let name = decoded(name).to_ascii_lowercase();
        if IN_QUERY.contains(&name.as_str()) || METHODS.contains(&plain(&name).as_str()) {
            add(&decoded(value))?;
        }
    }
    methods.push(own.to_owned());
    Some(methods)
}

/// A part of a query without percent signs; what is behind one and no number stays.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().replace('+', " ").into_bytes();
    for part in parts {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(part[2..].replace('+', " ").as_bytes());
            }
            None => bytes.extend_from_slice(format!("%{part}").as_bytes()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a field names another path than the request's own.
pub(super) fn names_path(headers: &HeaderMap) -> bool {
    headers
        .keys()
        .any(|name| PATHS.contains(&plain(name.as_str()).as_str()))
}

/// The first no that is said to a reading of a request, or the yes to all of them: many servers take a path with a
/// slash at its end for the one without.
pub(super) fn strictest(methods: &[String], path: &str, mut ask: impl FnMut(&str, &str) -> Ruling) -> Ruling {
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

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;

    use super::*;

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
            let named = methods("POST", &headers, "").unwrap_or_default();
            assert_eq!(named, ["PATCH", "POST"]);
            assert!(strictest(&named, "/x", deletes).allowed);
            headers.append(name.parse::<HeaderName>()?, "delete".parse()?);
            let named = methods("POST", &headers, "").unwrap_or_default();
            assert!(!strictest(&named, "/x", deletes).allowed, "{name}");
            headers.append(name.parse::<HeaderName>()?, "GET, DELETE".parse()?);
            assert_eq!(methods("POST", &headers, ""), None);
        }
        assert_eq!(methods("GET", &HeaderMap::new(), ""), Some(vec!["GET".to_owned()]));
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

    #[test]
    fn a_query_names_methods_and_a_header_paths() -> Result<(), Box<dyn std::error::Error>> {
        let of = |query| methods("POST", &HeaderMap::new(), query);
        for query in [
            "a=b&_method=delete",
            "%5Fmethod=DELETE",
            "$httpMethod=d%65lete",
            "x;X_HTTP_Method_Override=+Delete",
        ] {
            assert_eq!(of(query), Some(vec!["DELETE".to_owned(), "POST".to_owned()]), "{query}");
        }
        for query in ["", "method=DELETE", "a=_method", "%_method=x", "%zz_method=x"] {
            assert_eq!(of(query), Some(vec!["POST".to_owned()]), "{query}");
        }
        assert_eq!(of("_method=a%20b"), None);
        let named = |name: &str| -> Result<bool, Box<dyn std::error::Error>> {
            let name: HeaderName = name.parse()?;
            Ok(names_path(&HeaderMap::from_iter([(name, "/x".parse()?)])))
        };
        assert!(named("X-Original-URL")? && named("x_rewrite_url")? && !named("x-url")?);
        Ok(())
    }
}
