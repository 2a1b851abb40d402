use super::keyboard::Keyboard;
use crate::escape::{Csi, Sequence};

/// DEC private modes that a terminal keeps beside what it shows (xterm's ctlseqs): mouse reports and
/// their encodings, focus reports, cursor blinking, alternate scroll, bracketed paste.
const PRIVATE: &[u16] = &[9, 12, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1015, 1016, 2004];
/// More of them, of which a program is not told that they are known: reversed colours, the numeric keypad, margins at the
/// sides, output in whole frames, grapheme clusters, reports of colours and sizes, mintty's and Windows' keys.
const UNTOLD: &[u16] = &[5, 66, 69, 2026, 2027, 2031, 2048, 7727, 9001];

/// What a terminal is set to beside what it shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Modes {
    set: Vec<u16>,
    application_keypad: bool,
    cursor_style: u16,
    title: Option<Vec<u8>>,
    alternate: bool,
    keyboard: Keyboard,
    /// What sets everything back that was ever set: who looks on may have missed that the command did.
    undo: Vec<String>,
    /// The same of colours, which are not kept: who is redrawn still has them.
    colours: Vec<String>,
    pub(super) insert: bool,
    pub(super) margins: bool,
}

impl Modes {
    /// Whether a DEC private mode that is kept here is set; `None` for any other.
    pub fn private(&self, mode: u16) -> Option<bool> {
        PRIVATE.contains(&mode).then(|| self.set.contains(&mode))
    }

    /// The title that the command set last (OSC 0 or 2), without control characters.
    pub fn title(&self) -> Option<String> {
        let text = String::from_utf8_lossy(self.title.as_deref()?).into_owned();
        Some(text.chars().filter(|char| !char.is_control()).collect())
    }

    /// Whether a sequence is surely none that [`Modes::follow`] cares for: most move, colour or erase.
    pub(super) fn ignores(raw: &[u8]) -> bool {
        match raw {
            [0x1b, b'[', rest @ .., last] => {
                let marked = rest.first().is_some_and(|byte| Keyboard::is_marker(*byte));
                !matches!(last, b'h' | b'l' | b'r' | b'q' | b'p') && !marked && !rest.contains(&0x1b)
            }
            [0x1b, b'#' | b'(' | b')', _] => true,
            _ => false,
        }
    }

    pub(super) fn follow(&mut self, sequence: &Sequence) {
        match sequence {
            Sequence::Csi(csi) => self.csi(csi),
            Sequence::Esc {
                intermediate: 0,
                byte: b'=',
            } => {
                self.application_keypad = true;
                note(&mut self.undo, "\x1b>".into());
            }
            Sequence::Esc {
                intermediate: 0,
                byte: b'>',
            } => self.application_keypad = false,
            Sequence::Esc {
                intermediate: 0,
                byte: b'c',
            } => self.reset(),
            Sequence::Osc(text) => match &text[..] {
                [b'0' | b'2', b';', title @ ..] => self.title = Some(title.to_vec()),
                // A question after a colour.
                [.., b';', b'?'] => {}
                // Colours of the palette, the text, the screen, the cursor.
                [b'4', b';', ..] => note(&mut self.colours, "\x1b]104\x07".into()),
                [b'1', which @ b'0'..=b'2', b';', ..] => {
                    note(&mut self.colours, format!("\x1b]11{}\x07", char::from(*which)));
                }
                _ => {}
            },
            _ => {}
        }
    }

    /// What a reset of the terminal leaves (`RIS`).
    fn reset(&mut self) {
        let mut keyboard = std::mem::take(&mut self.keyboard);
        keyboard.reset();
        *self = Modes {
            keyboard,
            undo: std::mem::take(&mut self.undo),
            colours: std::mem::take(&mut self.colours),
            ..Modes::default()
        };
    }

    fn csi(&mut self, csi: &Csi) {
        match (csi.marker, csi.intermediate, csi.action) {
            (b'?', 0, 'h' | 'l') => csi
                .params()
                .iter()
                .for_each(|mode| self.set_private(*mode, csi.action == 'h')),
            (marker, 0, _) if Keyboard::is_marker(marker) => {
                if let Some(undo) = self.keyboard.follow(csi, self.alternate) {
                    note(&mut self.undo, undo);
                }
            }
            (0, 0, 'h' | 'l') if csi.params().contains(&4) => self.insert = csi.action == 'h',
            (0, 0, 'r') => self.margins = csi.params().iter().any(|param| *param != 0),
            (0, b' ', 'q') => {
                self.cursor_style = csi.param(0);
                note(&mut self.undo, "\x1b[0 q".into());
            }
            // Soft reset: what it covers of this.
            (0, b'!', 'p') => {
                self.insert = false;
                self.margins = false;
                self.application_keypad = false;
            }
            _ => {}
        }
    }

    fn set_private(&mut self, mode: u16, on: bool) {
        if matches!(mode, 47 | 1047 | 1049) {
            self.alternate = on;
        }
        self.set.retain(|set| *set != mode);
        if on && (PRIVATE.contains(&mode) || UNTOLD.contains(&mode)) {
            self.set.push(mode);
            note(&mut self.undo, format!("\x1b[?{mode}l"));
        }
    }

    /// Appends what a terminal is told of keys that shows the main screen, before anything else is drawn.
    pub(super) fn enter_main(&self, out: &mut Vec<u8>) {
        self.keyboard.enter(false, out);
    }

    /// Sequences that set these modes on a terminal that has none of them, and shows the command's screen.
    pub(super) fn enter(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.alternate {
            self.keyboard.enter(true, &mut out);
        }
        self.keyboard.enter_options(&mut out);
        for mode in &self.set {
            out.extend_from_slice(format!("\x1b[?{mode}h").as_bytes());
        }
        if self.application_keypad {
            out.extend_from_slice(b"\x1b=");
        }
        if self.cursor_style != 0 {
            out.extend_from_slice(format!("\x1b[{} q", self.cursor_style).as_bytes());
        }
        if let Some(title) = self.title() {
            out.extend_from_slice(format!("\x1b]2;{title}\x07").as_bytes());
        }
        out
    }

    /// Sequences that undo what [`Modes::enter`] does, and what it did before; of keys on the screen that is shown.
    pub(super) fn clear(&self) -> Vec<u8> {
        let mut out = self.undo.concat().into_bytes();
        self.keyboard.leave(&mut out);
        out
    }

    /// Sequences that undo everything.
    pub(super) fn leave(&self) -> Vec<u8> {
        let mut out = self.clear();
        out.extend_from_slice(self.colours.concat().as_bytes());
        out
    }

    /// What else there is to undo once the main screen is shown.
    pub(super) fn leave_main(&self, out: &mut Vec<u8>) {
        self.keyboard.leave(out);
    }
}

fn note(noted: &mut Vec<String>, sequence: String) {
    if !noted.contains(&sequence) {
        noted.push(sequence);
    }
}
