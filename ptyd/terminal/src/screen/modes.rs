use crate::escape::{Csi, Sequence};

/// DEC private modes that a terminal keeps beside what it shows (xterm's ctlseqs): mouse reports and
/// their encodings, focus reports, cursor blinking, alternate scroll, bracketed paste.
const PRIVATE: &[u16] = &[9, 12, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1015, 1016, 2004];

/// What a terminal is set to beside what it shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Modes {
    set: Vec<u16>,
    application_keypad: bool,
    cursor_style: u16,
    title: Option<Vec<u8>>,
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
            [0x1b, b'[', rest @ .., last] => !matches!(last, b'h' | b'l' | b'r' | b'q' | b'p') && !rest.contains(&0x1b),
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
            } => self.application_keypad = true,
            Sequence::Esc {
                intermediate: 0,
                byte: b'>',
            } => self.application_keypad = false,
            Sequence::Esc {
                intermediate: 0,
                byte: b'c',
            } => *self = Modes::default(),
            Sequence::Osc(text) => {
                if let [b'0' | b'2', b';', title @ ..] = &text[..] {
                    self.title = Some(title.to_vec());
                }
            }
            _ => {}
        }
    }

    fn csi(&mut self, csi: &Csi) {
        match (csi.marker, csi.intermediate, csi.action) {
            (b'?', 0, 'h' | 'l') => {
                for mode in csi.params() {
                    self.set.retain(|set| set != mode);
                    if csi.action == 'h' && PRIVATE.contains(mode) {
                        self.set.push(*mode);
                    }
                }
            }
            (0, 0, 'h' | 'l') if csi.params().contains(&4) => self.insert = csi.action == 'h',
            (0, 0, 'r') => self.margins = csi.params().iter().any(|param| *param != 0),
            (0, b' ', 'q') => self.cursor_style = csi.param(0),
            // Soft reset: what it covers of this.
            (0, b'!', 'p') => {
                self.insert = false;
                self.margins = false;
                self.application_keypad = false;
            }
            _ => {}
        }
    }

    /// Sequences that set these modes on a terminal that has none of them.
    pub(super) fn enter(&self) -> Vec<u8> {
        let mut out = Vec::new();
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

    /// Sequences that undo them.
    pub(super) fn leave(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for mode in &self.set {
            out.extend_from_slice(format!("\x1b[?{mode}l").as_bytes());
        }
        if self.application_keypad {
            out.extend_from_slice(b"\x1b>");
        }
        if self.cursor_style != 0 {
            out.extend_from_slice(b"\x1b[0 q");
        }
        out
    }
}
