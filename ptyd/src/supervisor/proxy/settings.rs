//! The proxy's part of the configuration, as the proxy takes it.

use agentsh_policy::config::{Config, DlpMode};
use agentsh_proxy::{Dlp, Limits, Mode, Price, Provider, ProviderError, Settings};
use agentsh_redact::{Class, PatternError, Patterns, Rule};

/// What of the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error("dlp: {0}")]
    Pattern(#[from] PatternError),
    #[error("dlp.patterns: there is no `{0}`; there are {1}")]
    Unknown(String, String),
}

/// What is not searched for unless it is switched on: strings that look drawn by lot are mostly ids.
const OFF: [Class; 1] = [Class::Entropy];

/// Reads it.
pub(super) fn of(config: &Config) -> Result<Settings, SettingsError> {
    let proxy = &config.proxy;
    let providers = providers(config)?;
    Ok(Settings {
        // Only their traffic is searched.
        dlp: if providers.is_empty() { Dlp::off() } else { dlp(config)? },
        providers,
        limits: Limits {
            requests: proxy.limits.rpm,
            tokens: proxy.limits.tpm,
            budget: proxy.limits.budget,
        },
        prices: proxy.prices.iter().map(price).collect(),
        store_bodies: proxy.store_bodies,
        tls_intercept: proxy.tls_intercept,
    })
}

fn price((model, price): (&String, &agentsh_policy::config::Price)) -> Price {
    Price {
        model: model.clone(),
        input: price.input,
        cached: price.cached.unwrap_or(price.input),
        output: price.output,
    }
}

/// The providers of models.
pub(super) fn providers(config: &Config) -> Result<Vec<Provider>, ProviderError> {
    let named = config.proxy.providers.iter();
    named.map(|(name, base)| Provider::new(name, base)).collect()
}

fn dlp(config: &Config) -> Result<Dlp, SettingsError> {
    let dlp = &config.dlp;
    let known = |name: &str| Class::BUILT_IN.iter().any(|class| class.name() == name);
    if let Some(name) = dlp.patterns.keys().find(|name| !known(name)) {
        let names: Vec<&str> = Class::BUILT_IN.iter().map(|class| class.name()).collect();
        return Err(SettingsError::Unknown(name.clone(), names.join(", ")));
    }
    let mode = match dlp.mode {
        DlpMode::Off => return Ok(Dlp::off()),
        DlpMode::Redact => Mode::Redact,
        DlpMode::Block => Mode::Block,
        DlpMode::Audit => Mode::Audit,
    };
    let custom = dlp
        .custom_patterns
        .iter()
        .map(|custom| Rule::custom(&custom.name, &custom.pattern));
    let is_on = |class: &Class| dlp.patterns.get(class.name()).copied().unwrap_or(!OFF.contains(class));
    let built_in = Class::BUILT_IN.into_iter().filter(is_on).flat_map(Rule::built_in);
    let rules: Vec<Rule> = custom.chain(built_in).collect();
    let patterns = (!rules.is_empty()).then(|| Patterns::compile(rules)).transpose()?;
    Ok(Dlp { mode, patterns })
}

/// The variables by which programs know a proxy. Plain names for curl, capital ones for others; what is on
/// this machine is not for it.
pub(super) fn general(proxy: &str) -> Vec<(String, String)> {
    const PROXY: [&str; 4] = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"];
    const NOT: [&str; 2] = ["no_proxy", "NO_PROXY"];
    let to = |name: &str| (name.to_owned(), proxy.to_owned());
    let not = |name: &str| (name.to_owned(), "localhost,127.0.0.1,::1".to_owned());
    PROXY.into_iter().map(to).chain(NOT.into_iter().map(not)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(text: &str) -> Result<Result<Settings, SettingsError>, Box<dyn std::error::Error>> {
        let config =
            agentsh_policy::config::parse(text, Path::new("config.yaml")).map_err(|error| error.to_string())?;
        Ok(of(&config))
    }

    fn with(text: &str) -> String {
        format!("proxy: {{providers: {{openai: 'https://api.openai.com/v1'}}}}\n{text}")
    }

    #[test]
    fn the_configuration_says_what_is_searched_for() -> Result<(), Box<dyn std::error::Error>> {
        let settings = read("proxy: {providers: {openai: 'https://api.openai.com/v1'}, limits: {rpm: 3}}\n")??;
        assert_eq!((settings.providers.len(), settings.limits.requests), (1, 3));
        assert!(settings.dlp.patterns.is_some() && settings.dlp.mode == Mode::Redact);
        assert!(read(&with("dlp: {mode: off}\n"))??.dlp.patterns.is_none());
        assert!(
            read("dlp: {mode: block}\n")??.dlp.patterns.is_none(),
            "nothing to search"
        );
        let none = "dlp: {mode: block, patterns: {email: false, phone: false, credit_card: false, ssn: false, \
                    api_keys: false, private_keys: false}}\n";
        assert!(read(&with(none))??.dlp.patterns.is_none());
        assert!(
            matches!(read(&with("dlp: {patterns: {emails: true}}\n"))?, Err(SettingsError::Unknown(name, _)) if name == "emails")
        );
        assert!(matches!(
            read("proxy: {providers: {x: 'nowhere'}}\n")?,
            Err(SettingsError::Provider(_))
        ));
        let empty = "dlp: {custom_patterns: [{name: a, pattern: 'a*'}]}\n";
        assert!(matches!(read(&with(empty))?, Err(SettingsError::Pattern(_))));
        Ok(())
    }
}
