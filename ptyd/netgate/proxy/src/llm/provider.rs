//! Who is asked, and how each of them speaks.

/// How a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    /// Anthropic's messages.
    Anthropic,
    /// OpenAI's chat completions, responses and embeddings, and who speaks like it.
    OpenAi,
    /// Google's Gemini.
    Gemini,
    /// Ollama's own calls.
    Ollama,
}

/// A provider.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its name: `/llm/NAME/…` at the proxy.
    pub name: String,
    /// How it speaks.
    pub kind: ProviderKind,
    /// Where it is: `http://…` or `https://…`, without a slash at the end.
    pub base: String,
}

/// Why a provider cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// Its name cannot stand in a path and in a variable's name.
    #[error("provider `{0}`: a name has letters, digits, `-` and `_` only")]
    Name(String),
    /// Its address is none.
    #[error("provider `{0}`: `{1}` is no address such as `https://api.example.org`")]
    Base(String, String),
}

impl Provider {
    /// A provider as the configuration names it: `anthropic`, `openai`, `gemini` (or `google`) and `ollama`
    /// speak as they do, every other as OpenAI.
    ///
    /// # Errors
    /// A name or an address that cannot be used.
    pub fn new(name: &str, base: &str) -> Result<Provider, ProviderError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.is_empty() || !name.bytes().all(fits) {
            return Err(ProviderError::Name(name.to_owned()));
        }
        let wrong = || ProviderError::Base(name.to_owned(), base.to_owned());
        let uri: hyper::Uri = base.parse().map_err(|_| wrong())?;
        let scheme = uri.scheme_str() == Some("http") || uri.scheme_str() == Some("https");
        let host = uri.authority().and_then(|host| crate::Authority::parse(host.as_str()));
        if !scheme || host.is_none() || uri.query().is_some() {
            return Err(wrong());
        }
        Ok(Provider {
            name: name.to_owned(),
            kind: match name.to_ascii_lowercase().as_str() {
                "anthropic" => ProviderKind::Anthropic,
                "gemini" | "google" => ProviderKind::Gemini,
                "ollama" => ProviderKind::Ollama,
                _ => ProviderKind::OpenAi,
            },
            base: base.trim_end_matches('/').to_owned(),
        })
    }

    /// The variables that lead a program to the provider through the proxy at `proxy`
    /// (`http://127.0.0.1:PORT`). The configured address ends where the program's own would.
    pub fn variables(&self, proxy: &str) -> Vec<(String, String)> {
        let to = format!("{proxy}/llm/{}", self.name);
        let upper = self.name.to_ascii_uppercase().replace('-', "_");
        let names: Vec<String> = match self.kind {
            ProviderKind::Gemini => ["GOOGLE_GEMINI_BASE_URL", "GEMINI_BASE_URL"]
                .map(str::to_owned)
                .to_vec(),
            ProviderKind::Ollama => vec!["OLLAMA_HOST".to_owned(), format!("{upper}_BASE_URL")],
            ProviderKind::Anthropic => vec![format!("{upper}_BASE_URL")],
            // Older clients of OpenAI know the second.
            ProviderKind::OpenAi if upper == "OPENAI" => vec!["OPENAI_BASE_URL".into(), "OPENAI_API_BASE".into()],
            ProviderKind::OpenAi => vec![format!("{upper}_BASE_URL")],
        };
        names.into_iter().map(|name| (name, to.clone())).collect()
    }

    /// The path below the provider's address, without its first slash, if it is there, over TLS or in the clear, that
    /// `path` of `host` is.
    pub(crate) fn rest_of<'p>(&self, (host, secure): (&crate::Authority, bool), path: &'p str) -> Option<&'p str> {
        let (at, its) = self.at()?;
        let port = Some(host.port_or(if secure { 443 } else { 80 }));
        let same = at.host == host.host || (!secure && at.is_loopback() && host.is_loopback());
        self.below(path).filter(|_| same && at.port == port && its == secure)
    }

    /// The path below the provider's address, without its first slash.
    pub(crate) fn below<'p>(&self, path: &'p str) -> Option<&'p str> {
        let uri: hyper::Uri = self.base.parse().ok()?;
        path.strip_prefix(uri.path().trim_end_matches('/'))?.strip_prefix('/')
    }

    /// Its host and port, and whether TLS is spoken there.
    pub fn at(&self) -> Option<(crate::Authority, bool)> {
        let uri: hyper::Uri = self.base.parse().ok()?;
        let secure = uri.scheme_str() == Some("https");
        let mut at = crate::Authority::parse(uri.authority()?.as_str())?;
        at.port = Some(at.port_or(if secure { 443 } else { 80 }));
        Some((at, secure))
    }

    /// An error as its clients expect it.
    pub(super) fn error(&self, status: u16, kind: &str, message: &str) -> Vec<u8> {
        let value = match self.kind {
            ProviderKind::Anthropic => {
                serde_json::json!({"type": "error", "error": {"type": kind, "message": message}})
            }
            ProviderKind::OpenAi => {
                serde_json::json!({"error": {"message": message, "type": kind, "param": null, "code": kind}})
            }
            ProviderKind::Gemini => {
                serde_json::json!({"error": {"code": status, "message": message, "status": kind.to_ascii_uppercase()}})
            }
            ProviderKind::Ollama => serde_json::json!({"error": message}),
        };
        value.to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_decide_how_a_provider_speaks_and_what_leads_to_it() -> Result<(), ProviderError> {
        for (name, kind, variable) in [
            ("anthropic", ProviderKind::Anthropic, "ANTHROPIC_BASE_URL"),
            ("openai", ProviderKind::OpenAi, "OPENAI_BASE_URL"),
            ("gemini", ProviderKind::Gemini, "GOOGLE_GEMINI_BASE_URL"),
            ("ollama", ProviderKind::Ollama, "OLLAMA_HOST"),
            ("my-lab", ProviderKind::OpenAi, "MY_LAB_BASE_URL"),
        ] {
            let provider = Provider::new(name, "https://api.example.org/v1/")?;
            assert_eq!(
                (provider.kind, provider.base.as_str()),
                (kind, "https://api.example.org/v1")
            );
            let expected = (variable.to_owned(), format!("http://127.0.0.1:9/llm/{name}"));
            assert_eq!(provider.variables("http://127.0.0.1:9").first(), Some(&expected));
        }
        Ok(())
    }

    #[test]
    fn its_own_traffic_is_known() -> Result<(), ProviderError> {
        let provider = Provider::new("openai", "https://api.example.org/v1")?;
        let rest = |host, path| crate::Authority::parse(host).and_then(|host| provider.rest_of((&host, true), path));
        assert_eq!(
            rest("api.example.org", "/v1/chat/completions"),
            Some("chat/completions")
        );
        assert_eq!(rest("api.example.org", "/v2/chat"), None);
        assert_eq!(rest("api.example.org", "/v10/chat"), None);
        assert_eq!(rest("other.example.org", "/v1/chat"), None);
        let provider = Provider::new("ollama", "http://localhost:11434")?;
        let rest = |host, secure| {
            crate::Authority::parse(host).and_then(|host| provider.rest_of((&host, secure), "/api/chat"))
        };
        assert_eq!(rest("127.0.0.1:11434", false), Some("api/chat"));
        assert_eq!(rest("127.0.0.1:11434", true), None);
        assert_eq!(rest("127.0.0.1", false), None);
        Ok(())
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        assert!(matches!(Provider::new("a/b", "https://x"), Err(ProviderError::Name(_))));
        for base in ["", "x.example", "ftp://x", "https://u@x", "https://x/?a=b", "https://"] {
            assert!(
                matches!(Provider::new("a", base), Err(ProviderError::Base(..))),
                "{base}"
            );
        }
    }
}
