//! What is wrong with a policy or a configuration, in the form that the renderer of errors takes.

use agentsh_policy::LoadError;
use miette::{LabeledSpan, NamedSource, SourceCode};

/// A load error with its text. `Display` is the message alone: place and line are drawn beside it.
#[derive(Debug, thiserror::Error)]
#[error("{}", message(error))]
pub struct LoadReport {
    pub error: LoadError,
    source_text: NamedSource<String>,
}

impl LoadReport {
    pub fn new(error: LoadError) -> LoadReport {
        let name = error.file.display().to_string();
        LoadReport {
            source_text: NamedSource::new(name, error.source_text.to_string()),
            error,
        }
    }

    /// The text, unless the file could not be read at all.
    pub fn source(&self) -> Option<&dyn SourceCode> {
        (self.error.line > 0).then_some(&self.source_text)
    }

    /// The place, with what was expected there.
    pub fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let expected = self
            .error
            .expected
            .as_ref()
            .map(|expected| format!("expected: {expected}"));
        let label = LabeledSpan::new_with_span(expected, self.error.span.clone());
        (self.error.line > 0).then(|| Box::new(std::iter::once(label)) as Box<dyn Iterator<Item = LabeledSpan>>)
    }
}

fn message(error: &LoadError) -> String {
    match error.line {
        0 => format!("{}: {}", error.file.display(), error.message),
        _ => error.message.to_string(),
    }
}
