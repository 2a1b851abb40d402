use crate::replay::{Action, Playback};

/// What a key means.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// Something for the playback.
    Do(Action),
    /// Begin to write a text to search for.
    Prompt,
    /// A character of that text.
    Write(char),
    /// Take its last character back.
    Erase,
    /// Search for it.
    Enter,
    /// Forget it.
    Cancel,
    /// Show or hide the keys.
    Help,
    /// Stop this program, as a shell's job control does.
    Suspend,
    /// Stop watching.
    Quit,
}

/// A playback, and what surrounds it on the screen.
pub struct Viewer {
    /// What is watched.
    pub playback: Playback,
    prompt: Option<String>,
    help: bool,
    suspended: bool,
    done: bool,
}

impl Viewer {
    /// A viewer of this playback.
    pub fn new(playback: Playback) -> Viewer {
        Viewer {
            playback,
            prompt: None,
            help: false,
            suspended: false,
            done: false,
        }
    }

    /// Does what was wished for.
    pub fn wish(&mut self, wish: Wish) {
        match wish {
            Wish::Do(action) => self.playback.act(action),
            Wish::Prompt => self.prompt = Some(String::new()),
            Wish::Write(char) => {
                if let Some(prompt) = self.prompt.as_mut().filter(|_| !char.is_control()) {
                    prompt.push(char);
                }
            }
            Wish::Erase => {
                if let Some(prompt) = &mut self.prompt {
                    prompt.pop();
                }
            }
            Wish::Enter => {
                if let Some(text) = self.prompt.take() {
                    self.playback.act(Action::Search(text));
                }
            }
            Wish::Cancel => self.prompt = None,
            Wish::Help => self.help = !self.help,
            Wish::Suspend => self.suspended = true,
            Wish::Quit => self.done = true,
        }
    }

    /// The text that is being written, if one is.
    pub fn prompt(&self) -> Option<&str> {
        self.prompt.as_deref()
    }

    /// Whether the keys are shown.
    pub fn help(&self) -> bool {
        self.help
    }

    /// Whether the program is to be stopped now; asked once.
    pub fn take_suspended(&mut self) -> bool {
        std::mem::take(&mut self.suspended)
    }

    /// Whether the viewer has seen enough.
    pub fn done(&self) -> bool {
        self.done
    }
}
