//! From a file or a text to a checked document, and from there to a policy.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::check;
use crate::error::{LoadError, Source};
use crate::model::PolicyFile;
use crate::policy::{LAYERS, Layer, Links, Policy};
use crate::vars::Variables;
use crate::yaml;

/// A policy's file, read and checked, with its variables still in it.
#[derive(Debug, Clone)]
pub struct Document {
    pub source: Source,
    pub file: PolicyFile,
}

/// Reads a policy from a text; `origin` is the name that errors carry.
///
/// # Errors
/// Everything that `policy-format` does not allow, with its place in the text.
pub fn parse(text: &str, origin: &Path) -> Result<Document, LoadError> {
    let source = Source::new(origin, text);
    let file: PolicyFile = yaml::parse(&source)?;
    check::policy(&source, &file)?;
    let document = Document { source, file };
    // Patterns, variables and expressions are checked by compiling them once for a session of no one.
    let no_one = Variables {
        project_root: Some(b"/workspace".to_vec()),
        git_root: Some(b"/workspace".to_vec()),
        home: b"/home/user".to_vec(),
        user: b"user".to_vec(),
        tmpdir: b"/tmp".to_vec(),
        ..Variables::default()
    };
    Layer::compile(&document, &no_one, Links::default(), 0)?;
    Ok(document)
}

/// Reads a policy from a file.
///
/// # Errors
/// As [`parse`], and files that cannot be read, are no regular files, too large, or no text.
pub fn read(path: &Path) -> Result<Document, LoadError> {
    let text = read_text(path)?;
    parse(&text, path)
}

/// The text of a file of at most [`yaml::MAX_FILE`] bytes.
pub(crate) fn read_text(path: &Path) -> Result<String, LoadError> {
    let failed = |error: std::io::Error| LoadError::unreadable(path, error.to_string());
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(LoadError::unreadable(path, "not a regular file"));
    }
    let mut bytes = Vec::new();
    let limit = yaml::MAX_FILE as u64 + 1;
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(failed)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(&error.as_bytes()[..good]);
            Err(Source::new(path, &text).error(good..good, "not UTF-8 text from here on"))
        }
    }
}

impl Document {
    /// The policy for a session with these variables on this host, of which links are looked up.
    ///
    /// # Errors
    /// Undefined variables; patterns that the values make wrong.
    pub fn resolve(&self, variables: &Variables) -> Result<Policy, LoadError> {
        let links = Links::of_host(&variables.leads);
        Ok(Policy::of(vec![Layer::compile(self, variables, links, 0)?]))
    }
}

impl Policy {
    /// This policy, and another that may only narrow it: of both answers the stricter holds, and where the
    /// other has no rule and no default of its own it says nothing. Only one can.
    ///
    /// # Errors
    /// As [`Document::resolve`]; a policy that is narrowed already.
    pub fn narrowed_by(mut self, document: &Document, variables: &Variables) -> Result<Policy, LoadError> {
        if self.layers.len() >= LAYERS {
            let name = document.file.name.range();
            return Err(document
                .source
                .error(name, "the policy is narrowed by another one already"));
        }
        let layer = Layer::compile(document, variables, Links::of_host(&variables.leads), self.layers.len())?;
        self.layers.push(layer);
        Ok(Policy::of(self.layers))
    }
}
