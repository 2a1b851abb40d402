//! Security modes: what a host's layers together can hold.

use std::fmt;
use std::str::FromStr;

use super::Host;

/// A mode, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Mode {
    Full,
    Seccomp,
    Landlock,
    LandlockOnly,
    Minimal,
}

/// A layer that a mode rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layer {
    Landlock,
    Notify,
    Fuse,
    Ebpf,
}

/// The layers that this build has. No mode is claimed that needs another one.
const BUILT: &[Layer] = &[Layer::Landlock, Layer::Notify, Layer::Ebpf];

impl Mode {
    /// All, best first.
    pub const ALL: [Mode; 5] = [
        Mode::Full,
        Mode::Seccomp,
        Mode::Landlock,
        Mode::LandlockOnly,
        Mode::Minimal,
    ];

    /// The name in configuration and output.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Full => "full",
            Mode::Seccomp => "seccomp",
            Mode::Landlock => "landlock",
            Mode::LandlockOnly => "landlock-only",
            Mode::Minimal => "minimal",
        }
    }

    /// How much of the whole it holds, of 100.
    pub fn score(self) -> u32 {
        match self {
            Mode::Full => 100,
            Mode::Seccomp => 95,
            Mode::Landlock => 85,
            Mode::LandlockOnly => 80,
            Mode::Minimal => 50,
        }
    }

    fn needs(self) -> &'static [Layer] {
        match self {
            Mode::Full => &[Layer::Notify, Layer::Landlock, Layer::Ebpf, Layer::Fuse],
            Mode::Seccomp => &[Layer::Notify, Layer::Landlock],
            Mode::Landlock => &[Layer::Landlock, Layer::Fuse],
            Mode::LandlockOnly => &[Layer::Landlock],
            Mode::Minimal => &[],
        }
    }

    /// What keeps this mode from being used here: one line each, none if it can be.
    pub fn obstacles(self, host: &Host) -> Vec<String> {
        let mut found: Vec<String> = self
            .needs()
            .iter()
            .filter_map(|layer| {
                if !BUILT.contains(layer) {
                    return Some(format!("{layer}: not in this build"));
                }
                let finding = layer.finding(host);
                (!finding.works()).then(|| format!("{layer}: {}", finding.detail()))
            })
            .collect();
        if self.needs().contains(&Layer::Notify) {
            if !host.reading.works() {
                found.push(format!("notify: {}", host.reading.detail()));
            }
        } else {
            found.push("commands are started only with notification in this build".into());
        }
        found
    }

    /// The best mode that can be used here.
    pub fn best(host: &Host) -> Option<Mode> {
        Mode::ALL.into_iter().find(|mode| mode.obstacles(host).is_empty())
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Mode, String> {
        Mode::ALL
            .into_iter()
            .find(|mode| mode.name() == text)
            .ok_or_else(|| format!("no mode is called `{text}`"))
    }
}

impl Layer {
    /// What was found of it.
    pub fn finding(self, host: &Host) -> &super::Finding {
        match self {
            Layer::Landlock => &host.landlock,
            Layer::Notify => &host.notify,
            Layer::Fuse => &host.fuse,
            Layer::Ebpf => &host.ebpf,
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layer::Landlock => "landlock",
            Layer::Notify => "notify",
            Layer::Fuse => "fuse",
            Layer::Ebpf => "ebpf",
        })
    }
}
