use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::time::{Duration, SystemTime};

use agentsh_audit::Decision;
use agentsh_audit::read::{Filter, PathFilter};
use agentsh_audit::time::parse_rfc3339;
use agentsh_policy::Time;
use clap::Args;

use crate::error::Error;

/// Which events are wanted; without any of these, all.
#[derive(Debug, Args)]
pub struct Wanted {
    /// Of this command: id, or the beginning of it
    #[arg(long, value_name = "COMMAND")]
    command: Option<String>,
    /// Of this type, or of all types that begin so (`file_*`); may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    kinds: Vec<String>,
    /// With this decision (`deny`, `audit` ...); may be repeated
    #[arg(long, value_name = "DECISION")]
    decision: Vec<Decision>,
    /// On this file, on what is below this folder, or on what this glob matches
    #[arg(long, value_name = "PATH|GLOB")]
    path: Option<OsString>,
    /// Not before this time (RFC 3339, or how long ago: `10m`)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<u64>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<u64>,
    /// With this text in a program, argument, path, host, rule, message or field
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
}

impl Wanted {
    /// The filter that these say.
    ///
    /// # Errors
    /// An unknown type, a malformed glob.
    pub fn filter(self) -> Result<Filter, Error> {
        let path = self.path.as_deref().map(absolute).transpose()?;
        let path = path.as_deref().map(PathFilter::new).transpose();
        let mut filter = Filter {
            command: self.command,
            decisions: self.decision,
            path: path
                .map_err(|error| Error::usage(error.to_string(), "globs have `*`, `**`, `?`, `[ab]`, `{a,b}`"))?,
            since: self.since,
            until: self.until,
            text: self.text,
            ..Filter::default()
        };
        for kind in &self.kinds {
            let added = filter.add_kind(kind);
            added.map_err(|error| Error::usage(error.to_string(), "`file_*` stands for all types that begin so"))?;
        }
        Ok(filter)
    }
}

/// The record has whole paths; what is said from here is meant from here. A glob that begins with `**` or
/// with a choice is left as it is.
fn absolute(path: &OsStr) -> Result<OsString, Error> {
    let bytes = path.as_bytes();
    if bytes.starts_with(b"/") || bytes.starts_with(b"{") || bytes.starts_with(b"**") {
        return Ok(path.to_owned());
    }
    let here = std::env::current_dir().map_err(|source| Error::io("the current folder", source))?;
    Ok(below(here.as_os_str(), path))
}

/// `path` from the folder `here` on, by its words alone: what it names may be gone.
fn below(here: &OsStr, path: &OsStr) -> OsString {
    let slash = |byte: &u8| *byte == b'/';
    let here = here.as_bytes().split(slash);
    let mut parts: Vec<&[u8]> = here.filter(|part| !part.is_empty()).collect();
    for part in path.as_bytes().split(slash) {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    OsString::from_vec([b"/".to_vec(), parts.join(&b'/')].concat())
}

/// A time as nanoseconds since 1970: RFC 3339 in UTC, or how long ago.
fn moment(text: &str) -> Result<u64, String> {
    let ago = || {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        let time = now.checked_sub(Time::parse(text)?.0).unwrap_or(Duration::ZERO);
        u64::try_from(time.as_nanos()).ok()
    };
    let moment = parse_rfc3339(text).or_else(ago);
    moment.ok_or_else(|| {
        "expected a time in UTC such as 2026-11-24T16:00:00Z, or how long ago, such as 90s, 10m, 2d".into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_is_meant_from_here() {
        for (path, whole) in [
            ("sub/a", "/w/x/sub/a"),
            ("./sub/*.rs", "/w/x/sub/*.rs"),
            ("../y/", "/w/y"),
            (".", "/w/x"),
            ("../../..", "/"),
        ] {
            assert_eq!(below("/w/x".as_ref(), path.as_ref()), whole);
        }
        let here = OsStr::from_bytes(b"/w/\xff");
        assert_eq!(below(here, "a".as_ref()).as_bytes(), b"/w/\xff/a");
    }

    #[test]
    fn a_moment_is_a_time_or_how_long_ago() -> Result<(), String> {
        assert_eq!(moment("1970-01-01T00:00:02Z")?, 2_000_000_000);
        assert!(moment("1h30m")? < moment("1s")?);
        assert!(moment("yesterday").is_err());
        Ok(())
    }
}
