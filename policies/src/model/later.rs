//! Keys that load, are checked for form, and are held by no layer yet.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::place::At;

/// A list of maps, or a map; its inside is not looked at.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Loose(pub serde_json::Value);

impl Loose {
    /// Whether it has the form of a section: a map, or a list of maps.
    pub fn is_section(&self) -> bool {
        match &self.0 {
            serde_json::Value::Object(_) => true,
            serde_json::Value::Array(items) => items.iter().all(serde_json::Value::is_object),
            _ => false,
        }
    }
}

crate::words::words! {
    /// What is to become of a package that is being installed.
    PackageAction { Allow = "allow", Warn = "warn", Approve = "approve", Block = "block" }
}

/// A rule about packages that get installed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PackageRule {
    #[serde(default)]
    pub name: Option<At<String>>,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(rename = "match")]
    pub matches: PackageMatch,
    pub action: PackageAction,
    #[serde(default)]
    pub reason: Option<String>,
}

/// Which packages.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PackageMatch {
    pub packages: Vec<String>,
    pub name_patterns: Vec<String>,
    pub finding_type: Option<String>,
    pub severity: Option<String>,
    pub reasons: Vec<String>,
    pub license_spdx: Option<Licenses>,
    pub ecosystem: Option<String>,
}

/// Licences by their SPDX names.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Licenses {
    pub allow: Vec<String>,
    pub deny: Vec<String>,
}
