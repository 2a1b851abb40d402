//! The configuration: how this host runs sessions (a policy says what may happen in them).
//!
//! `/etc/agentsh/config.yaml` and the user's `config.yaml` are read strictly; key by key root's wins.

mod model;
mod origin;
mod terminal;

pub use model::{
    Broker, BrokerFailure, BrokerStart, Capabilities, Config, CustomPattern, Dlp, DlpMode, Landlock, LandlockNetwork,
    Listen, Log, LogFormat, MinimumMode, Output, Price, Proxy, ProxyLimits, Retention, Security, SecurityMode,
    Sessions, Shim,
};
pub use origin::Key;
pub use terminal::{SizeRule, Terminal};

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{LoadError, Source};
use crate::yaml;

/// Root's configuration.
pub const SYSTEM: &str = "/etc/agentsh/config.yaml";

/// The name of the file in a user's configuration folder.
pub const FILE: &str = "config.yaml";

/// A configuration with where each of its keys came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    /// Every key with its value and origin, in the order of their names.
    pub keys: Vec<Key>,
    /// The files that exist, strongest first.
    pub files: Vec<PathBuf>,
}

/// The configuration of a user: root's file over the one in `user_dir`; files that do not exist are empty.
///
/// # Errors
/// Files that cannot be read or are not of the form.
pub fn load(user_dir: &Path) -> Result<Config, LoadError> {
    Ok(load_files(&[Path::new(SYSTEM), &user_dir.join(FILE)])?.config)
}

/// A configuration from files, the strongest first; files that do not exist are empty.
///
/// # Errors
/// As [`load`].
pub fn load_files(paths: &[&Path]) -> Result<Loaded, LoadError> {
    let mut files = Vec::new();
    for path in paths {
        match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            _ => files.push((path.to_path_buf(), values(&crate::load::read_text(path)?, path)?)),
        }
    }
    let mut merged = Value::Object(serde_json::Map::new());
    for (_, value) in files.iter().rev() {
        lay_over(&mut merged, value);
    }
    let config: Config = serde_json::from_value(merged)
        .map_err(|error| LoadError::unreadable(paths.first().unwrap_or(&Path::new(FILE)), error.to_string()))?;
    Ok(Loaded {
        keys: origin::keys(&config, &files),
        config,
        files: files.into_iter().map(|(path, _)| path).collect(),
    })
}

/// Reads one configuration from a text.
///
/// # Errors
/// Everything that is not of the form, with its place in the text.
pub fn parse(text: &str, origin: &Path) -> Result<Config, LoadError> {
    let source = Source::new(origin, text);
    if is_empty(text) {
        return Ok(Config::default());
    }
    let config: Config = yaml::parse(&source)?;
    model::check(&source, &config)?;
    Ok(config)
}

fn values(text: &str, origin: &Path) -> Result<Value, LoadError> {
    parse(text, origin)?;
    if is_empty(text) {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    yaml::parse(&Source::new(origin, text))
}

/// Whether there is nothing but comments.
fn is_empty(text: &str) -> bool {
    text.lines()
        .map(str::trim)
        .all(|line| line.is_empty() || line.starts_with('#') || line == "---")
}

/// Puts the keys of `top` over those of `base`; maps are merged, everything else is replaced.
fn lay_over(base: &mut Value, top: &Value) {
    match (base, top) {
        (Value::Object(base), Value::Object(top)) => {
            for (key, value) in top {
                lay_over(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (base, top) => *base = top.clone(),
    }
}

#[cfg(test)]
mod tests;
