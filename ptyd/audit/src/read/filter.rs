use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use agentsh_protocol::Bytes;
use globset::{GlobBuilder, GlobMatcher};

use crate::event::{Decision, Event, EventType};

/// Which events are wanted. An empty filter wants all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The beginning of a command's id.
    pub command: Option<String>,
    /// Any of these types.
    pub kinds: Vec<EventType>,
    /// Any of these words, as what policy decided or as what became of it.
    pub decisions: Vec<Decision>,
    pub path: Option<PathFilter>,
    /// Not before, in nanoseconds since 1970.
    pub since: Option<u64>,
    /// Before, in nanoseconds since 1970.
    pub until: Option<u64>,
    /// A text that stands in a program, argument, path, name, rule, message or field; letters of either case.
    pub text: Option<String>,
}

/// What a path must be like.
#[derive(Debug, Clone)]
pub enum PathFilter {
    /// This file, or what is below this folder.
    Below(Vec<u8>),
    /// What this glob matches, or the file or folder that is called so: `[slug]` is a name, too.
    Glob(GlobMatcher, Vec<u8>),
}

impl PathFilter {
    /// A text with `*`, `?`, `[` or `{` is a glob in which `*` stops at a slash and `**` does not; anything else is a
    /// file or folder.
    pub fn new(pattern: &OsStr) -> Result<PathFilter, globset::Error> {
        let mut name = pattern.as_bytes();
        while let Some(rest) = name.strip_suffix(b"/") {
            name = rest;
        }
        match pattern.to_str() {
            Some(text) if text.contains(['*', '?', '[', '{']) => {
                let glob = GlobBuilder::new(text).literal_separator(true).build()?;
                Ok(PathFilter::Glob(glob.compile_matcher(), name.to_vec()))
            }
            _ => Ok(PathFilter::Below(name.to_vec())),
        }
    }

    fn accepts(&self, path: &Bytes) -> bool {
        match self {
            PathFilter::Below(folder) => is_below(path, folder),
            PathFilter::Glob(glob, name) => glob.is_match(Path::new(path.as_os_str())) || is_below(path, name),
        }
    }
}

fn is_below(path: &Bytes, folder: &[u8]) -> bool {
    let rest = path.0.strip_prefix(folder);
    rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

impl Filter {
    /// What was not done as it was asked: `--events blocked`.
    pub fn blocked() -> Filter {
        Filter {
            decisions: vec![Decision::Deny],
            ..Filter::default()
        }
    }

    /// Adds a type by its name, or all types that begin so: `file_*`.
    pub fn add_kind(&mut self, word: &str) -> Result<(), crate::UnknownType> {
        let Some(start) = word.strip_suffix('*') else {
            self.kinds.push(word.parse()?);
            return Ok(());
        };
        let known = self.kinds.len();
        let all = EventType::ALL.iter().filter(|kind| kind.as_str().starts_with(start));
        self.kinds.extend(all);
        if self.kinds.len() == known {
            return Err(crate::UnknownType(word.to_owned()));
        }
        Ok(())
    }

    /// Whether the event is wanted.
    pub fn accepts(&self, event: &Event) -> bool {
        self.accepts_kind(event.kind)
            && self.command.as_ref().is_none_or(|start| {
                event
                    .command_id
                    .as_ref()
                    .is_some_and(|id| id.starts_with(start.as_str()))
            })
            && (self.decisions.is_empty()
                || event.policy.as_ref().is_some_and(|policy| {
                    // What became of it counts: an approval that was granted is not blocked.
                    self.decisions.contains(&policy.effective)
                        || (self.decisions.contains(&policy.decision) && policy.decision != Decision::Deny)
                }))
            && self.path.as_ref().is_none_or(|filter| {
                [&event.path, &event.path2]
                    .into_iter()
                    .flatten()
                    .any(|path| filter.accepts(path))
            })
            && self.accepts_time(&event.ts)
            && self
                .text
                .as_ref()
                .is_none_or(|text| contains(event, &text.to_lowercase()))
    }

    fn accepts_kind(&self, kind: EventType) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }

    fn accepts_time(&self, ts: &str) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        crate::time::parse_rfc3339(ts).is_some_and(|time| {
            self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
        })
    }

    /// Whether the line's type alone says that it is not wanted: spares parsing it.
    pub(crate) fn rejects_line(&self, line: &[u8]) -> bool {
        const MEMBER: &[u8] = b",\"type\":\"";
        // Our own lines have it here; others are parsed.
        let head = &line[..line.len().min(512)];
        if self.kinds.is_empty() {
            return false;
        }
        let Some(at) = head.windows(MEMBER.len()).position(|window| window == MEMBER) else {
            return false;
        };
        let rest = &head[at + MEMBER.len()..];
        let name = rest.split(|byte| *byte == b'"').next().unwrap_or_default();
        let known = EventType::ALL.iter().find(|kind| kind.as_str().as_bytes() == name);
        known.is_some_and(|kind| !self.accepts_kind(*kind))
    }
}

fn contains(event: &Event, text: &str) -> bool {
    let bytes = [&event.exe, &event.path, &event.path2].into_iter().flatten();
    let arguments = event.argv.iter().flatten();
    let policy = event.policy.as_ref();
    let plain = [
        event.operation.as_ref(),
        event.domain.as_ref(),
        event.remote.as_ref(),
        policy.and_then(|policy| policy.rule.as_ref()),
        policy.and_then(|policy| policy.message.as_ref()),
    ];
    bytes
        .chain(arguments)
        .any(|value| value.lossy().to_lowercase().contains(text))
        || plain
            .into_iter()
            .flatten()
            .any(|value| value.to_lowercase().contains(text))
        || event.fields.values().any(|value| in_value(value, text))
}

fn in_value(value: &serde_json::Value, text: &str) -> bool {
    match value {
        serde_json::Value::String(value) => value.to_lowercase().contains(text),
        serde_json::Value::Array(list) => list.iter().any(|value| in_value(value, text)),
        serde_json::Value::Object(map) => map.values().any(|value| in_value(value, text)),
        other => serde_json::from_str::<serde_json::Value>(text).is_ok_and(|wanted| wanted == *other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_bytes_and_what_looks_like_a_glob_may_be_a_name() -> Result<(), globset::Error> {
        for (pattern, path, fits) in [
            (&b"/w/\xff/"[..], &b"/w/\xff/a"[..], true),
            (b"/w/\xff", b"/w/\xfe", false),
            (b"/w/\xff*", b"/w/\xff*", true),
            (b"/app/[slug]", b"/app/[slug]/page.tsx", true),
            (b"/app/[slug]", b"/app/s", true),
            (b"/app/[slug]", b"/app/x", false),
        ] {
            let filter = PathFilter::new(OsStr::from_bytes(pattern))?;
            assert_eq!(filter.accepts(&Bytes::from(path)), fits, "{}", pattern.escape_ascii());
        }
        Ok(())
    }
}
