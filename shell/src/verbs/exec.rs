use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::time::Duration;

use agentsh_policy::Time;
use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{Args, ValueEnum};

use crate::context::Context;
use crate::error::Error;
use crate::exec;
use crate::exit::Exit;

/// Run a command in a session
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  agentsh exec \"$SID\" -- make test
  agentsh exec --output json --events all \"$SID\" -- curl -s https://example.com
  agentsh exec --pty --detach \"$SID\" -- htop
  agentsh exec --timeout 90s --cwd /srv/app --env RUST_LOG=debug project -- cargo test

The command has this process's own streams, and ends as it would end here: its status is ours, and its death by \
a signal too. 124: the time was up. 125: our failure. 126: refused, and stderr says by which rule.")]
pub struct Exec {
    /// How the result is told: the command's own streams, or one JSON object
    #[arg(
        long,
        value_name = "FORM",
        value_enum,
        default_value_t,
        env = "AGENTSH_OUTPUT",
        hide_env_values = true
    )]
    pub output: Output,
    /// Which events the JSON object holds; its counts are always complete
    #[arg(long, value_name = "WHICH", value_enum, default_value_t)]
    pub events: Events,
    /// End the command with all of its processes after this time (`90s`, `5m`, `1h30m`)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Start in this folder instead of the current one
    #[arg(long, value_name = "DIR")]
    pub cwd: Option<PathBuf>,
    /// Set a variable in the command's environment (policy may still remove it)
    #[arg(long, value_name = "NAME=VALUE", value_parser = OsStringValueParser::new().try_map(variable))]
    pub env: Vec<(OsString, OsString)>,
    /// Run on a terminal of its own
    #[arg(long, requires = "detach")]
    pub pty: bool,
    /// Do not wait: print the command's id; `agentsh attach` shows its terminal
    #[arg(long, requires = "pty", conflicts_with = "timeout")]
    pub detach: bool,
    /// The program's file, where ARGV begins with another name for it
    #[arg(long, value_name = "FILE", hide = true)]
    pub program: Option<OsString>,
    /// The session: id, unique beginning of it, or name
    pub session: String,
    /// The program and its arguments
    #[arg(required = true, last = true, value_name = "ARGV")]
    pub argv: Vec<OsString>,
}

/// How `exec` tells the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Output {
    /// The command's output as it comes
    #[default]
    Human,
    /// One object with output, end, resources, policy and events
    Json,
}

/// Which events `exec --output json` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Events {
    /// Every event
    All,
    /// What ran, changed something, reached the network, or was not simply allowed
    #[default]
    Summary,
    /// What was denied
    Blocked,
    /// None
    None,
}

impl Exec {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        exec::run(&self, context)
    }
}

fn variable(entry: OsString) -> Result<(OsString, OsString), &'static str> {
    let entry = entry.into_vec();
    match entry.iter().position(|byte| *byte == b'=') {
        Some(at) if at > 0 => Ok((
            OsString::from_vec(entry[..at].to_vec()),
            OsString::from_vec(entry[at + 1..].to_vec()),
        )),
        _ => Err("expected NAME=VALUE"),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let time = Time::parse(text).filter(|time| !time.0.is_zero());
    time.map(|time| time.0)
        .ok_or_else(|| "expected a time such as 90s, 5m, 1h30m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_bytes_behind_a_name() {
        let given = |bytes: &[u8]| variable(OsString::from_vec(bytes.to_vec()));
        let set = given(b"A=\xff=\x1b");
        assert!(set.is_ok_and(|(name, value)| name == "A" && value.into_vec() == b"\xff=\x1b"));
        assert!(given(b"A=").is_ok_and(|(_, value)| value.is_empty()));
        assert!(given(b"=A").is_err() && given(b"A").is_err());
    }
}
