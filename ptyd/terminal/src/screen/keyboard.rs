//! How a program asks to be told of keys: kitty's keyboard protocol
//! (<https://sw.kovidgoyal.net/kitty/keyboard-protocol>), and xterm's key options (`XTMODKEYS` and `XTFMTKEYS` of its
//! ctlseqs).

use crate::escape::Csi;

/// Levels of flags that are kept of a screen. A terminal may keep as few, and forgets the oldest too.
const LEVELS: usize = 16;

/// xterm's resources have numbers below this.
const RESOURCES: u16 = 16;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Keyboard {
    /// Kitty's flags on the main and on the alternate screen, those in force last.
    levels: [Vec<u16>; 2],
    /// Some were set at some time.
    spoken: bool,
    /// xterm's options: how they are set (`m`, `f`), the resource, its value.
    options: Vec<(char, u16, u16)>,
}

impl Keyboard {
    /// Whether a control sequence with this marker may be one of these.
    pub(super) fn is_marker(byte: u8) -> bool {
        matches!(byte, b'<' | b'=' | b'>')
    }

    /// Follows a sequence; of an option that it sets, what sets it back.
    pub(super) fn follow(&mut self, csi: &Csi, alternate: bool) -> Option<String> {
        let levels = &mut self.levels[usize::from(alternate)];
        match (csi.marker, csi.action) {
            (b'>', 'u') => {
                if levels.len() == LEVELS {
                    levels.remove(0);
                }
                levels.push(csi.param(0));
            }
            (b'<', 'u') => levels.truncate(levels.len().saturating_sub(csi.param(0).max(1).into())),
            (b'=', 'u') => {
                let before = levels.pop().unwrap_or(0);
                levels.push(match csi.param(1) {
                    2 => before | csi.param(0),
                    3 => before & !csi.param(0),
                    _ => csi.param(0),
                });
            }
            (b'>', 'm' | 'f') => return self.set_option(csi),
            (b'>', 'n') => self.forget('m', csi.param(0)),
            _ => {}
        }
        self.spoken |= self.levels.iter().any(|levels| !levels.is_empty());
        None
    }

    fn set_option(&mut self, csi: &Csi) -> Option<String> {
        let (how, resource) = (csi.action, csi.param(0));
        match csi.params() {
            [] | [0] => self.options.retain(|option| option.0 != how),
            [resource, value, ..] if *resource < RESOURCES => {
                self.forget(how, *resource);
                if *value > 0 {
                    self.options.push((how, *resource, *value));
                }
            }
            _ => self.forget(how, resource),
        }
        (resource < RESOURCES).then(|| format!("\x1b[>{resource}{how}"))
    }

    fn forget(&mut self, how: char, resource: u16) {
        self.options.retain(|option| (option.0, option.1) != (how, resource));
    }

    /// A reset of the terminal takes all of it back.
    pub(super) fn reset(&mut self) {
        self.levels = Default::default();
        self.options.clear();
    }

    /// Appends what sets the flags of a screen on a terminal that shows this one.
    pub(super) fn enter(&self, alternate: bool, out: &mut Vec<u8>) {
        self.leave(out);
        for flags in &self.levels[usize::from(alternate)] {
            out.extend_from_slice(format!("\x1b[>{flags}u").as_bytes());
        }
    }

    /// Appends what sets the options on a terminal that has none.
    pub(super) fn enter_options(&self, out: &mut Vec<u8>) {
        for (how, resource, value) in &self.options {
            out.extend_from_slice(format!("\x1b[>{resource};{value}{how}").as_bytes());
        }
    }

    /// Appends what takes all flags of the screen back that a terminal shows. One of which nobody has asked for any is left
    /// alone: it may not know this, or have some of its owner's.
    pub(super) fn leave(&self, out: &mut Vec<u8>) {
        if self.spoken {
            out.extend_from_slice(format!("\x1b[<{LEVELS}u").as_bytes());
        }
    }
}
