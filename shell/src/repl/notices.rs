use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::termios::{LocalFlags, tcgetattr};
use rustyline::ExternalPrinter;

/// Prints above the line that is edited; whether that can still be done.
type Print = Box<dyn FnMut(String) -> bool + Send>;

/// What is told beside the lines and their output: above the prompt while a line is edited. While a line runs the terminal
/// is that line's: most of it waits for the next prompt.
#[derive(Clone)]
pub struct Notices(Arc<Mutex<State>>);

struct State {
    print: Print,
    /// While a line runs: what waits.
    waiting: Option<Vec<String>>,
}

impl Notices {
    /// Without a printer, on a terminal that nothing can be edited on, it is printed where the cursor is.
    pub fn new(printer: Option<impl ExternalPrinter + Send + 'static>) -> Notices {
        let print: Print = match printer {
            Some(mut printer) => Box::new(move |text| printer.print(text).is_ok()),
            None => Box::new(|text| write(&format!("\n{text}")).is_ok()),
        };
        Notices(Arc::new(Mutex::new(State { print, waiting: None })))
    }

    /// A line begins to run.
    pub fn hold(&self) {
        self.with(|state| {
            state.waiting.get_or_insert_default();
        });
    }

    /// It has ended; what waited is printed.
    pub fn release(&self) {
        self.with(|state| {
            let waiting = state.waiting.take().unwrap_or_default();
            // Nobody edits at this moment: it is a terminal like any.
            let _ = write(&waiting.concat());
        });
    }

    /// Tells it as soon as nothing else is on the terminal; whether there is still somebody to be told.
    pub fn tell(&self, text: String) -> bool {
        self.with(|state| match &mut state.waiting {
            Some(waiting) => {
                waiting.push(text);
                true
            }
            None => (state.print)(text),
        })
    }

    /// Tells it at once, if it is `pressing` or what runs writes lines and draws no screen of its own (it has what is typed
    /// echoed, then); else as [`Notices::tell`].
    pub fn tell_now(&self, text: String, pressing: bool) -> bool {
        self.with(|state| match &mut state.waiting {
            Some(_) if pressing || is_plain() => write(&format!("\r\n{}", text.replace('\n', "\r\n"))).is_ok(),
            Some(waiting) => {
                waiting.push(text);
                true
            }
            None => (state.print)(text),
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether the terminal echoes what is typed: the relay shows there what the line has set.
fn is_plain() -> bool {
    tcgetattr(io::stdin()).is_ok_and(|settings| settings.local_flags.contains(LocalFlags::ECHO))
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what it is given.
    #[derive(Default)]
    struct Kept(Arc<Mutex<Vec<String>>>);

    impl ExternalPrinter for Kept {
        fn print(&mut self, text: String) -> rustyline::Result<()> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text);
            Ok(())
        }
    }

    #[test]
    fn while_a_line_runs_nothing_is_printed_by_the_editor() {
        let kept = Kept::default();
        let printed = Arc::clone(&kept.0);
        let count = || printed.lock().unwrap_or_else(PoisonError::into_inner).len();
        let notices = Notices::new(Some(kept));
        notices.tell("one".to_owned());
        notices.hold();
        notices.tell("two".to_owned());
        assert_eq!(count(), 1);
        notices.release();
        notices.tell_now("three".to_owned(), false);
        assert_eq!(count(), 2);
    }
}
