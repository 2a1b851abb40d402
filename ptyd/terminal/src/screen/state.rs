use avt::{ScreenKind, Terminal};

use super::clusters::spell;
use super::flood::{self, Backlog};
use super::overdraw::Reader;
use super::portable::portable;
use super::{Modes, clusters, paint, render, underline};
use crate::cast::Utf8Stream;
use crate::escape::{Token, Tokens, read};

/// Output that waits to be interpreted, at most.
const MAX_BACKLOG: usize = 512 << 10;
/// Cells of a screen with the lines above it, at most: they take some twenty bytes each, and any caller may say that its
/// window is of 65,535 columns and rows.
const MAX_CELLS: usize = 8 << 20;

/// A terminal's size in cells; both are at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

impl Size {
    /// The largest screen of a recording that is emulated, in columns and rows: what a stranger's file claims
    /// must not cost gigabytes.
    const LARGEST: (u16, u16) = (1000, 500);

    /// The size that a recording claims, cut to what is emulated.
    pub fn claimed(cols: u16, rows: u16) -> Self {
        Size::new(cols.min(Self::LARGEST.0), rows.min(Self::LARGEST.1))
    }

    /// What programs take a terminal for whose size nobody has set.
    const USUAL: (u16, u16) = (80, 24);

    /// A size, with the usual one in the place of 0, and no more rows than can be kept.
    pub fn new(cols: u16, rows: u16) -> Self {
        let given = |size: u16, usual| if size == 0 { usual } else { size };
        let (cols, rows) = (given(cols, Self::USUAL.0), given(rows, Self::USUAL.1));
        let most = MAX_CELLS / 2 / usize::from(cols);
        Size {
            cols,
            rows: rows.clamp(1, u16::try_from(most).unwrap_or(u16::MAX)),
        }
    }

    /// How many of so many lines are kept above a screen of this size.
    pub(super) fn lines_above(self, wanted: usize) -> usize {
        let cols = usize::from(self.cols);
        wanted.min(MAX_CELLS / cols - usize::from(self.rows).min(MAX_CELLS / cols))
    }
}

/// The state of a terminal, as far as the output so far determines it.
pub struct Screen {
    terminal: Terminal,
    size: Size,
    /// Lines above the screen that were asked for, and that are kept.
    wanted: usize,
    scrollback: usize,
    text: Utf8Stream,
    tokens: Tokens,
    modes: Modes,
    backlog: Backlog,
    reader: Reader,
    /// Controls of eight bits were seen, after which sequences may begin where [`Tokens`] sees none.
    c1: bool,
}

impl Screen {
    /// A blank terminal that remembers `wanted` lines, or as many as can be kept.
    ///
    /// # Errors
    /// None in practice: [`Size`] is never zero.
    pub fn new(size: Size, wanted: usize) -> Result<Self, avt::InvalidSize> {
        let scrollback = size.lines_above(wanted);
        Ok(Screen {
            terminal: Terminal::with_scrollback(size.cols.into(), size.rows.into(), Some(scrollback))?,
            size,
            wanted,
            scrollback,
            text: Utf8Stream::default(),
            tokens: Tokens::default(),
            modes: Modes::default(),
            backlog: Backlog::default(),
            reader: Reader::default(),
            c1: false,
        })
    }

    /// Takes the next output.
    pub fn push(&mut self, bytes: &[u8]) {
        self.backlog.push(bytes);
        if self.backlog.len() > MAX_BACKLOG {
            let kept = self.settle();
            // What can still be seen of a flood waits on; the rest of it is never interpreted.
            match kept.len() > MAX_BACKLOG / 2 {
                true => self.feed(&kept),
                false => self.backlog.put_back(kept),
            }
        }
    }

    /// The terminal has a new size.
    pub fn resize(&mut self, size: Size) {
        self.catch_up();
        let scrollback = size.lines_above(self.wanted);
        if scrollback != self.scrollback {
            self.forget_lines(scrollback);
        }
        self.size = size;
        self.terminal.resize(size.cols.into(), size.rows.into());
    }

    /// Goes on with what is on the screen alone, and remembers so many lines from now on.
    fn forget_lines(&mut self, scrollback: usize) {
        let (cols, rows) = (self.size.cols.into(), self.size.rows.into());
        if let Ok(mut terminal) = Terminal::with_scrollback(cols, rows, Some(scrollback)) {
            terminal.feed(self.terminal.dump().as_str());
            (self.terminal, self.scrollback) = (terminal, scrollback);
        }
    }

    /// The size.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The modes after all output so far.
    pub fn modes(&mut self) -> &Modes {
        self.catch_up();
        &self.modes
    }

    /// Column and row of the cursor, from 0.
    pub fn cursor(&mut self) -> (usize, usize) {
        self.catch_up();
        let cursor = self.terminal.cursor();
        (cursor.col.min(usize::from(self.size.cols) - 1), cursor.row)
    }

    /// The rows that are visible, without trailing blanks.
    pub fn text(&mut self) -> Vec<String> {
        self.catch_up();
        self.terminal
            .screen()
            .visible_lines()
            .map(|line| spell(&line.text()).trim_end().to_owned())
            .collect()
    }

    /// Bytes that bring a terminal *of the same size*, whatever it showed before, to this state:
    /// scrollback, both screens, cursor, modes, title; what is under way aside. It asks the terminal nothing.
    pub fn redraw(&mut self) -> Vec<u8> {
        self.catch_up();
        let mut out = self.modes.clear();
        // Off the alternate screen, no margins, no origin or insert mode, wrap on, default pen and charset.
        out.extend_from_slice(b"\x1b[?1047l\x1b[r\x1b[?6l\x1b[4l\x1b[?7h\x1b[?25h\x1b[m\x1b(B\x0f\x1b[H\x1b[2J");
        self.modes.enter_main(&mut out);
        let rows = usize::from(self.size.rows);
        let history: Vec<&avt::Line> = {
            let primary = self.terminal.primary_screen();
            let count = primary.all_lines().count().saturating_sub(rows);
            primary.all_lines().take(count).collect()
        };
        for line in &history {
            render::row(line, self.size.cols.into(), &mut out);
            if !line.is_wrapped() {
                out.extend_from_slice(b"\r\n");
            }
        }
        if !history.is_empty() {
            out.extend_from_slice(b"\r\n".repeat(rows - 1).as_slice());
            out.extend_from_slice(b"\x1b[H\x1b[2J");
        }
        out.extend_from_slice(spell(&portable(&self.terminal.dump())).as_bytes());
        out.extend_from_slice(&self.modes.enter());
        out
    }

    /// The beginning of a sequence or character of which the rest is still to come: for a terminal that was
    /// [redrawn](Screen::redraw), and gets all output from here on.
    pub fn under_way(&mut self) -> Vec<u8> {
        self.catch_up();
        [self.tokens.beginning(), self.text.tail()].concat()
    }

    /// Bytes that give a terminal that was [redrawn](Screen::redraw) back to somebody else: main
    /// screen, cursor shown, modes off, on a fresh line.
    pub fn leave(&mut self) -> Vec<u8> {
        self.catch_up();
        let mut out = self.modes.leave();
        if self.terminal.active_screen_kind() == ScreenKind::Alternate {
            out.extend_from_slice(b"\x1b[?1049l");
            self.modes.leave_main(&mut out);
        }
        out.extend_from_slice(b"\x1b[r\x1b[?6l\x1b[4l\x1b[?1l\x1b[?7h\x1b[?25h\x1b[m\x1b(B\x0f");
        out.extend_from_slice(format!("\x1b[{};1H\r\n", self.size.rows).as_bytes());
        out
    }

    /// The visible rows as escape sequences, cut to `size`, one entry for each of its rows, and the
    /// sequence that places the cursor: for a terminal of another size.
    pub fn frame(&mut self, size: Size) -> (Vec<Vec<u8>>, Vec<u8>) {
        self.catch_up();
        let rows = usize::from(size.rows);
        let mut frame: Vec<Vec<u8>> = Vec::with_capacity(rows);
        for line in self.terminal.screen().visible_lines().take(rows) {
            let mut out = Vec::new();
            render::row(line, size.cols.into(), &mut out);
            frame.push(out);
        }
        frame.resize(rows, Vec::new());
        let cursor = self.terminal.cursor();
        let place = match cursor.visible && cursor.row < rows && cursor.col < usize::from(size.cols) {
            true => format!("\x1b[{};{}H\x1b[?25h", cursor.row + 1, cursor.col + 1),
            false => "\x1b[?25l".to_owned(),
        };
        (frame, place.into_bytes())
    }

    /// The visible rows.
    pub fn rows(&mut self) -> impl ExactSizeIterator<Item = &avt::Line> {
        self.catch_up();
        self.terminal.screen().visible_lines()
    }

    /// Whether the cursor is shown.
    pub fn cursor_shown(&mut self) -> bool {
        self.catch_up();
        self.terminal.cursor().visible
    }

    /// Text which [`Screen::restore`] makes the same picture of, scrollback and titles aside.
    pub fn snapshot(&mut self) -> String {
        self.catch_up();
        spell(&self.terminal.dump()).into_owned() + &String::from_utf8_lossy(self.tokens.held())
    }

    /// The picture of a snapshot that was taken at this size.
    ///
    /// # Errors
    /// None in practice: [`Size`] is never zero.
    pub fn restore(size: Size, snapshot: &str) -> Result<Self, avt::InvalidSize> {
        let mut screen = Screen::new(size, 0)?;
        screen.push(snapshot.as_bytes());
        Ok(screen)
    }

    fn catch_up(&mut self) {
        if self.backlog.len() > 0 {
            let kept = self.settle();
            self.feed(&kept);
        }
    }

    /// Takes the backlog and interprets it as far as the plain text at its end, of which that part is
    /// returned which can still be seen.
    fn settle(&mut self) -> Vec<u8> {
        let (mut bytes, plain) = self.backlog.take();
        self.feed(&bytes[..plain]);
        let lines = usize::from(self.size.rows) + self.scrollback;
        let cut = if self.may_cut() {
            flood::cut(&bytes[plain..], lines)
        } else {
            None
        };
        let dropped = plain + cut.unwrap_or(0);
        self.feed(&flood::pen(&bytes[plain..dropped]));
        bytes.split_off(dropped)
    }

    /// Whether a line that is scrolled away leaves no trace: not in insert mode or with margins, where
    /// old text survives, and not in the middle of a sequence or character.
    fn may_cut(&self) -> bool {
        let whole = self.tokens.held().is_empty() && self.text.is_whole();
        whole && !self.c1 && !self.modes.insert && !self.modes.margins
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.c1 |= memchr::memchr_iter(0xc2, bytes).any(|at| bytes.get(at + 1).is_none_or(|next| *next < 0xa0));
        let text = self.text.push_text(bytes);
        let (modes, mut told) = (&mut self.modes, String::with_capacity(text.len()));
        self.tokens.feed(text.as_bytes(), |token| {
            let (Token::Text(raw) | Token::Sequence(raw) | Token::Part(raw)) = token;
            let text = String::from_utf8_lossy(raw);
            match token {
                Token::Text(_) => clusters::join(&text, &mut told),
                Token::Part(_) => told.push_str(&text),
                Token::Sequence(_) => {
                    if !Modes::ignores(raw) {
                        read(raw).iter().for_each(|sequence| modes.follow(sequence));
                    }
                    told.push_str(underline::plain(&text).as_deref().unwrap_or(&text));
                }
            }
        });
        paint::feed(&mut self.terminal, &mut self.reader, &told);
    }
}
