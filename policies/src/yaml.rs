//! YAML in, or an error that a person can use.

use std::cell::Cell;
use std::ops::Range;

use serde::de::DeserializeOwned;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{DeserializeError as Yaml, Location, with_deserializer_from_str_with_options};

use crate::error::{LoadError, Source};
use crate::strict::Strict;

/// The largest file that is read, in bytes.
pub const MAX_FILE: usize = 8 << 20;

/// The most lists and maps that may stand in each other.
const MAX_DEPTH: usize = 32;

/// Reads one document strictly.
///
/// # Errors
/// Anything that is not YAML 1.2 of the expected form, and what exceeds the limits on size, depth, nodes
/// and aliases.
pub fn parse<T: DeserializeOwned>(source: &Source) -> Result<T, LoadError> {
    if source.text.len() > MAX_FILE {
        return Err(source.error(0..0, format!("larger than {MAX_FILE} bytes")));
    }
    let mut options = serde_saphyr::options! { with_snippet: false, strict_booleans: true };
    options.alias_limits.max_total_replayed_events = 20_000;
    options.alias_limits.max_replay_stack_depth = 16;
    if let Some(budget) = &mut options.budget {
        budget.max_depth = MAX_DEPTH;
        budget.max_events = 2_000_000;
        budget.max_nodes = 1_000_000;
        budget.max_documents = 1;
        budget.max_aliases = 1_000;
        budget.max_anchors = 1_000;
        budget.flow_nesting_limit = MAX_DEPTH;
        budget.max_recorded_anchor_events = 20_000;
    }
    let place = Cell::new(None);
    let read = with_deserializer_from_str_with_options(&source.text, options, |deserializer| {
        T::deserialize(Strict(deserializer, &place))
    });
    read.map_err(|error| translate(source, &error, place.get()))
}

/// `place`: of the value that was refused, if that is known better than the reader knows it.
fn translate(source: &Source, error: &Yaml, place: Option<Location>) -> LoadError {
    let mut inner = error;
    while let Yaml::AliasError { error, .. } | Yaml::WithSnippet { error, .. } = inner {
        inner = error;
    }
    let span = place
        .or_else(|| error.location())
        .or_else(|| inner.location())
        .map_or(0..0, |location| bytes(source, location));
    let at = |message: String| source.error(span.clone(), message);
    match inner {
        Yaml::SerdeUnknownField { field, expected, .. } => at(format!("unknown key `{field}`"))
            .expecting(one_of(expected))
            .suggesting_nearest(field, expected.iter().copied()),
        Yaml::SerdeUnknownVariant { variant, expected, .. } => at(format!("unknown word `{variant}`"))
            .expecting(one_of(expected))
            .suggesting_nearest(variant, expected.iter().copied()),
        Yaml::SerdeMissingField { field, .. } => {
            at(format!("the key `{field}` is missing")).suggesting(format!("add `{field}: …` here"))
        }
        Yaml::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("?");
            at(format!("the key `{key}` is given twice")).suggesting("keep one of them")
        }
        Yaml::SerdeInvalidValue {
            unexpected, expected, ..
        }
        | Yaml::SerdeInvalidType {
            unexpected, expected, ..
        } => match wanted(expected) {
            Some((what, wanted)) => unquoted(at(what.to_owned()).expecting(wanted)),
            None => at(format!("{unexpected} does not fit here")).expecting(expected.clone()),
        },
        Yaml::SerdeInvalidLength { expected, .. } => at("wrong number of items".into()).expecting(expected.clone()),
        Yaml::Unexpected { expected, .. } => match *expected {
            "sequence start" => at("a list is needed here".into())
                .expecting("a list")
                .suggesting("write `[value]`, or each value on a line of its own behind `- `"),
            "mapping start" => at("a map is needed here".into()).expecting("keys with values, `key: value`"),
            "string scalar" => at("a text is needed here".into()).expecting("a text"),
            other => at(format!("{other} is needed here")),
        },
        Yaml::NullIntoString { .. } => at("the value is missing".into()).expecting("a text"),
        Yaml::MultipleDocuments { .. } => more_than_one(at),
        Yaml::Budget {
            breach: BudgetBreach::Documents { .. },
            ..
        } => more_than_one(at),
        Yaml::Budget { breach, .. } => at(format!("too large or too deep: {}", excess(breach))),
        other => {
            let text = other.to_string();
            match text.split(" at line ").next().unwrap_or(&text) {
                // The reader's own word for brackets in each other.
                "recursion limit exceeded" => at(format!("too large or too deep: {}", nesting())),
                message => at(message.to_owned()),
            }
        }
    }
}

fn more_than_one(at: impl Fn(String) -> LoadError) -> LoadError {
    at("more than one document".into()).expecting("one document a file")
}

fn nesting() -> String {
    format!("lists and maps are nested deeper than {MAX_DEPTH}")
}

/// What there is too much of.
fn excess(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Depth { .. } => nesting(),
        BudgetBreach::Aliases { .. }
        | BudgetBreach::Anchors { .. }
        | BudgetBreach::AliasAnchorRatio { .. }
        | BudgetBreach::RecordedAnchorEvents { .. } => "aliases stand for too much".to_owned(),
        _ => "too many values".to_owned(),
    }
}

/// What a value is not if the reader expected this, and what would be right.
fn wanted(expected: &str) -> Option<(&'static str, &'static str)> {
    match expected {
        "a boolean" => Some(("not a boolean", "`true` or `false`")),
        "u16" => Some(("no port", "a whole number, 1 to 65535")),
        "u32" | "u64" | "usize" => Some(("not a number that fits here", "a whole number that is not negative")),
        "i32" | "i64" => Some(("not a number that fits here", "a whole number")),
        _ => None,
    }
}

/// Says so where nothing but quotes makes a text of it.
fn unquoted(error: LoadError) -> LoadError {
    let text = error.source_text.get(error.span.clone()).unwrap_or_default();
    let inside = text.trim_matches(['"', '\'']);
    let is_plain = matches!(inside, "true" | "false") || inside.parse::<u64>().is_ok();
    match is_plain && text.starts_with(['"', '\'']) {
        true => {
            let help = format!("write `{inside}` without quotes");
            error.suggesting(help)
        }
        false => error,
    }
}

fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

fn bytes(source: &Source, location: Location) -> Range<usize> {
    let span = location.span();
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    if let (Some(offset), Some(length)) = (span.byte_offset(), span.byte_len()) {
        return size(offset)..size(offset.saturating_add(length));
    }
    let mut starts = source
        .text
        .char_indices()
        .map(|(at, _)| at)
        .chain([source.text.len()])
        .skip(size(span.offset()));
    let start = starts.next().unwrap_or(source.text.len());
    start..starts.next().unwrap_or(start)
}
