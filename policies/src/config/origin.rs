//! Where each key came from.

use std::path::PathBuf;

use serde_json::Value;

use super::Config;

/// A key of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Dotted, such as `sessions.idle_end`.
    pub name: String,
    pub value: Value,
    /// The file that says so; `None`: the default.
    pub origin: Option<PathBuf>,
}

/// All keys of the configuration, each with the first file that gives it.
pub(super) fn keys(config: &Config, files: &[(PathBuf, Value)]) -> Vec<Key> {
    let mut found = Vec::new();
    if let Ok(value) = serde_json::to_value(config) {
        walk(&value, &mut Vec::new(), files, &mut found);
    }
    found
}

fn walk(value: &Value, path: &mut Vec<String>, files: &[(PathBuf, Value)], found: &mut Vec<Key>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                path.push(key.clone());
                walk(value, path, files, found);
                path.pop();
            }
        }
        _ => {
            let gives = |file: &Value| path.iter().try_fold(file, |value, key| value.get(key)).is_some();
            let origin = files.iter().find(|(_, file)| gives(file)).map(|(path, _)| path.clone());
            found.push(Key {
                name: path.join("."),
                value: value.clone(),
                origin,
            });
        }
    }
}
