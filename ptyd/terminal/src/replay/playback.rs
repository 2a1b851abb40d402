use std::time::Duration;

use super::{Clock, Film, Mark, Needle, Transcript, marks};
use crate::marker::Marker;
use crate::recording::Recording;
use crate::screen::Screen;

/// The slowest and the fastest speed, as multiples of the recorded one.
pub const MIN_SPEED: f64 = 0.1;
/// See [`MIN_SPEED`].
pub const MAX_SPEED: f64 = 100.0;
/// Steps of speed.
const SPEEDS: [f64; 10] = [0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0];

/// What a viewer asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Play, or pause.
    Toggle,
    /// Pause, and play the next event.
    Step,
    /// Pause, and take the last event back.
    StepBack,
    /// To this time of the film.
    Seek(Duration),
    /// To this time of the recording, of which no pause is cut.
    SeekRecorded(Duration),
    /// So many seconds on, or back.
    Skip(f64),
    /// To the next marker of a command line.
    NextCommand,
    /// To the one before.
    PreviousCommand,
    /// To the next denial.
    NextDenial,
    /// The next faster speed.
    Faster,
    /// The next slower one.
    Slower,
    /// This speed, within [`MIN_SPEED`] and [`MAX_SPEED`].
    Speed(f64),
    /// Cut pauses, or play them as they were.
    ToggleIdle,
    /// Look for a text, from here on; nothing ends the search.
    Search(String),
    /// To the next place where it was printed.
    NextHit,
    /// To the one before.
    PreviousHit,
}

/// A film that is being watched.
pub struct Playback {
    film: Film,
    clock: Clock,
    marks: Vec<Mark>,
    time: Duration,
    playing: bool,
    speed: f64,
    idle: Option<Duration>,
    cut: bool,
    transcript: Option<Transcript>,
    needle: Option<Needle>,
    hits: Vec<usize>,
}

impl Playback {
    /// At the start of a recording, paused, at the recorded speed, with pauses cut to
    /// [`Recording::pause_limit`].
    ///
    /// # Errors
    /// None in practice: sizes are never zero.
    pub fn new(recording: Recording) -> Result<Playback, avt::InvalidSize> {
        let idle = Some(recording.pause_limit());
        Ok(Playback {
            clock: Clock::new(&recording.events, idle),
            marks: marks(&recording.events),
            film: Film::new(recording)?,
            time: Duration::ZERO,
            playing: false,
            speed: 1.0,
            idle,
            cut: true,
            transcript: None,
            needle: None,
            hits: Vec::new(),
        })
    }

    /// Takes snapshots for about `time`; whether there are all now.
    pub fn index(&mut self, time: Duration) -> bool {
        self.film.index(time)
    }

    /// So much time has passed for the viewer.
    pub fn tick(&mut self, passed: Duration) {
        if !self.playing {
            return;
        }
        self.time = (self.time + passed.mul_f64(self.speed)).min(self.clock.length());
        self.film.seek(self.clock.played(self.time));
        if self.film.played() == self.film.len() {
            self.playing = false;
        }
    }

    /// How long until the screen changes, if nothing is asked for.
    pub fn pause(&self) -> Option<Duration> {
        let next = self.clock.time(self.film.played()).filter(|_| self.playing)?;
        Some(next.saturating_sub(self.time).div_f64(self.speed))
    }

    /// Does what the viewer asks for.
    pub fn act(&mut self, action: Action) {
        match action {
            Action::Toggle => {
                if !self.playing && self.film.played() == self.film.len() {
                    self.seek(Duration::ZERO);
                }
                self.playing = !self.playing;
            }
            Action::Step => self.stop_after(self.film.played() + 1),
            Action::StepBack => self.stop_after(self.film.played().saturating_sub(1)),
            Action::Seek(time) => self.seek(time),
            Action::SeekRecorded(time) => self.seek_recorded(time),
            Action::Skip(seconds) => {
                let span = Duration::try_from_secs_f64(seconds.abs()).unwrap_or(Duration::MAX);
                let time = match seconds < 0.0 {
                    true => self.time.saturating_sub(span),
                    false => self.time.saturating_add(span),
                };
                self.seek(time);
            }
            Action::NextCommand => self.mark(true, |marker| matches!(marker, Marker::Command(_))),
            Action::PreviousCommand => self.mark(false, |marker| matches!(marker, Marker::Command(_))),
            Action::NextDenial => self.mark(true, |marker| matches!(marker, Marker::Denied(_))),
            Action::Faster => {
                let faster = SPEEDS.iter().find(|speed| **speed > self.speed).copied();
                self.speed = faster.unwrap_or(MAX_SPEED);
            }
            Action::Slower => {
                let slower = SPEEDS.iter().rev().find(|speed| **speed < self.speed).copied();
                self.speed = slower.unwrap_or(MIN_SPEED);
            }
            Action::Speed(speed) if speed.is_finite() => self.speed = speed.clamp(MIN_SPEED, MAX_SPEED),
            Action::Speed(_) => {}
            Action::ToggleIdle => {
                self.cut = !self.cut;
                let played = self.film.played();
                self.clock = Clock::new(&self.film.recording().events, self.idle.filter(|_| self.cut));
                self.time = played
                    .checked_sub(1)
                    .and_then(|last| self.clock.time(last))
                    .unwrap_or_default();
            }
            Action::Search(text) => self.search(&text),
            Action::NextHit => self.hit(true),
            Action::PreviousHit => self.hit(false),
        }
    }

    fn seek(&mut self, time: Duration) {
        self.time = time.min(self.clock.length());
        self.film.seek(self.clock.played(self.time));
    }

    /// Within a pause of which more is cut than is left of it, to the end of the pause.
    fn seek_recorded(&mut self, time: Duration) {
        let recorded = Clock::new(&self.film.recording().events, None);
        let played = recorded.played(time);
        let last = played.checked_sub(1);
        let before = |clock: &Clock| last.and_then(|last| clock.time(last)).unwrap_or_default();
        let since = time.saturating_sub(before(&recorded));
        let next = self.clock.time(played).unwrap_or(self.clock.length());
        self.time = before(&self.clock).saturating_add(since).min(next);
        self.film.seek(played);
    }

    /// Pauses right after the first `played` events.
    fn stop_after(&mut self, played: usize) {
        self.playing = false;
        self.film.seek(played);
        let last = self.film.played().checked_sub(1);
        self.time = last.and_then(|last| self.clock.time(last)).unwrap_or_default();
    }

    fn mark(&mut self, next: bool, wanted: impl Fn(&Marker) -> bool) {
        let played = self.film.played();
        let mut fitting = self
            .marks
            .iter()
            .filter(|mark| wanted(&mark.marker))
            .map(|mark| mark.event + 1);
        let found = match next {
            true => fitting.find(|event| *event > played),
            false => fitting.rfind(|event| *event < played),
        };
        if let Some(event) = found {
            self.go(event);
        }
    }

    fn search(&mut self, text: &str) {
        self.needle = Needle::new(text);
        self.hits.clear();
        let Some(needle) = &self.needle else { return };
        let events = &self.film.recording().events;
        let transcript = self.transcript.get_or_insert_with(|| Transcript::new(events));
        self.hits = transcript.find(needle).map(|(event, _)| event + 1).collect();
        self.hits.dedup();
        self.hit(true);
    }

    fn hit(&mut self, next: bool) {
        let played = self.film.played();
        let found = match next {
            true => self.hits.iter().find(|event| **event > played),
            false => self.hits.iter().rfind(|event| **event < played),
        };
        if let Some(event) = found.copied() {
            self.go(event);
        }
    }

    /// To right after the first `played` events; goes on playing if it did.
    fn go(&mut self, played: usize) {
        let playing = self.playing;
        self.stop_after(played);
        self.playing = playing;
    }

    /// The recording.
    pub fn recording(&self) -> &Recording {
        self.film.recording()
    }

    /// The screen at this moment.
    pub fn screen(&mut self) -> &mut Screen {
        self.film.screen()
    }

    /// Where the film stands.
    pub fn time(&self) -> Duration {
        self.time
    }

    /// How long the film is, with pauses cut as they are now.
    pub fn length(&self) -> Duration {
        self.clock.length()
    }

    /// Whether it plays.
    pub fn playing(&self) -> bool {
        self.playing
    }

    /// How fast, as a multiple of the recorded speed.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// Whether long pauses are cut.
    pub fn cuts_pauses(&self) -> bool {
        self.cut
    }

    /// The time line: each marker with its place in the film.
    pub fn timeline(&self) -> impl Iterator<Item = (Duration, &Marker)> {
        self.marks
            .iter()
            .map(|mark| (self.clock.time(mark.event).unwrap_or_default(), &mark.marker))
    }

    /// The last marker that was passed.
    pub fn chapter(&self) -> Option<&Marker> {
        let passed = self.marks.partition_point(|mark| mark.event < self.film.played());
        passed.checked_sub(1).map(|index| &self.marks[index].marker)
    }

    /// What is searched for, and in how many places it was printed.
    pub fn found(&self) -> Option<(&Needle, usize)> {
        self.needle.as_ref().map(|needle| (needle, self.hits.len()))
    }
}
