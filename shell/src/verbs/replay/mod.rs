//! `agentsh replay`: watch a recording, or export it.

mod export;
pub mod moment;
mod summary;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use agentsh_terminal::player::{self, Viewer};
use agentsh_terminal::replay::{Action, MAX_SPEED, MIN_SPEED, Playback};
use clap::{ArgGroup, Args, ValueEnum};

use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::{record, recordings, render};

/// Watch a recorded terminal, or export it
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("form"), after_help = "\
Examples:
  agentsh replay 0199f3                      a command, or all commands of a session
  agentsh replay --at 1:20 --speed 4 demo.cast
  agentsh replay --html --idle 0.5 --out page.html 0199f3
  agentsh replay --cast --format v2 demo.cast

Times are those of the recording, as --json and `agentsh search` tell them, whatever is cut of its pauses.

Keys: space plays and pauses, . and , step, arrows seek, [ and ] go to commands, d to the next denial, / searches, \
+ and - change the speed, i cuts pauses or not, ? shows all. Whatever a recording holds, it is drawn as cells: it cannot \
reach your terminal's clipboard, title or links.")]
pub struct Replay {
    /// A command or session by a unique beginning of its id, a session by name, or an asciicast file
    #[arg(value_name = "SESSION|COMMAND|FILE")]
    target: OsString,
    /// Write everything that was printed, as text (what full-screen programs drew is not in it)
    #[arg(long, group = "form")]
    text: bool,
    /// Write a page that plays by itself
    #[arg(long, group = "form")]
    html: bool,
    /// Write a picture of the screen at the end, or at --at
    #[arg(long, group = "form")]
    svg: bool,
    /// Write an asciicast file
    #[arg(long, group = "form")]
    cast: bool,
    /// Print what the recording is, with its markers, as JSON
    #[arg(long, group = "form")]
    json: bool,
    /// The version of the asciicast file
    #[arg(long, value_name = "VERSION", value_enum, default_value_t, requires = "cast")]
    format: Version,
    /// Export to this new file instead of stdout
    #[arg(long, short, value_name = "FILE", requires = "form", conflicts_with = "json")]
    out: Option<PathBuf>,
    /// Begin at this time of the recording, or draw it (`90`, `1:30`, `1:02:03.5`)
    #[arg(long, value_name = "TIME", value_parser = moment::parse, conflicts_with_all = ["text", "html", "cast", "json"])]
    at: Option<Duration>,
    /// Play so many times faster, 0.1 to 100
    #[arg(long, value_name = "TIMES", value_parser = speed, default_value = "1", conflicts_with = "form")]
    speed: f64,
    /// Cut pauses of what is played to this time (`2`, `0.5`), also of the page, and name that limit in the asciicast file;
    /// without, to the recording's own limit or 2 seconds
    #[arg(long, value_name = "TIME", value_parser = moment::parse, conflicts_with_all = ["text", "svg", "json"])]
    idle: Option<Duration>,
    /// Look for this text at once
    #[arg(long, value_name = "TEXT", conflicts_with = "form")]
    search: Option<String>,
}

/// Versions of asciicast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Version {
    /// For old players
    V2,
    /// What is recorded
    #[default]
    V3,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text
        .parse()
        .ok()
        .filter(|speed| (MIN_SPEED..=MAX_SPEED).contains(speed));
    speed.ok_or_else(|| format!("expected a number from {MIN_SPEED} to {MAX_SPEED}"))
}

impl Replay {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let (mut recording, paths) = recordings::open(&record::store(context), &self.target)?;
        if let Some(idle) = self.idle {
            recording.header.idle_time_limit = Some(idle.as_secs_f64());
        }
        if self.json {
            render::json(context, &summary::of(&recording, &paths))?;
            return Ok(Exit::DONE);
        }
        if let Some(form) = self.form() {
            export::write(&recording, form, self.out.as_deref(), context)?;
            return Ok(Exit::DONE);
        }
        let mut playback =
            Playback::new(recording).map_err(|error| Error::io("playing", std::io::Error::other(error)))?;
        playback.act(Action::Speed(self.speed));
        if self.search.is_none() {
            playback.act(Action::Toggle);
        }
        if let Some(at) = self.at {
            playback.act(Action::SeekRecorded(at));
        }
        if let Some(text) = self.search {
            playback.act(Action::Search(text));
        }
        player::run(Viewer::new(playback))?;
        Ok(Exit::DONE)
    }

    fn form(&self) -> Option<export::Form> {
        let forms = [
            (self.text, export::Form::Text),
            (self.html, export::Form::Html),
            (self.svg, export::Form::Svg(self.at.unwrap_or(Duration::MAX))),
            (self.cast, export::Form::Cast(self.format)),
        ];
        forms.into_iter().find_map(|(wanted, form)| wanted.then_some(form))
    }
}
