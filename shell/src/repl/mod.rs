//! `agentsh` by hand: a line editor over a real shell that stays, in a session of the current folder.

mod afterwards;
mod ahead;
mod complete;
mod dialect;
mod guard;
mod helper;
mod leave;
mod names;
mod notices;
mod ours;
mod questions;
mod report;
mod session;
mod shell;
mod shown;
mod summary;
mod turns;
mod unfinished;

use std::io::{ErrorKind, IsTerminal, stdin};
use std::path::PathBuf;
use std::time::Instant;

use agentsh_audit::SessionDir;
use agentsh_protocol::api::SessionInfo;
use rustix::termios::{QueueSelector, tcflush};
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{CompletionType, Config, Editor};

use crate::context::Context;
use crate::error::Error;
use crate::exec;
use crate::exit::Exit;
use crate::render;
use crate::verbs::exec::{Events, Exec, Output};
use crate::verbs::shell::Shell as Wanted;
use afterwards::Teller;
use ahead::Ahead;
use helper::Helper;
use notices::Notices;
use ours::Next;
use shell::{After, Shell};

/// Runs the shell until the person leaves it; the status is that of the last command, as with any shell.
///
/// # Errors
/// There is no session to be had, or its shell does not start.
pub fn run(wanted: &Wanted, context: &Context) -> Result<Exit, Error> {
    let session = session::find(wanted, context)?;
    let by_hand = stdin().is_terminal() && context.stdout_is_terminal && context.stderr_is_terminal;
    if !by_hand {
        return plain(wanted, &session, context);
    }
    Repl::start(wanted, session, context)?.run()
}

/// The shell itself, with our streams.
fn plain(wanted: &Wanted, session: &SessionInfo, context: &Context) -> Result<Exit, Error> {
    let exec = Exec {
        pty: false,
        detach: false,
        program: None,
        output: Output::Human,
        events: Events::None,
        timeout: None,
        cwd: None,
        env: Vec::new(),
        session: session.id.clone(),
        argv: vec![dialect::name(wanted.program).into()],
    };
    exec::run(&exec, context)
}

/// Lines that are remembered of each workspace.
const REMEMBERED: usize = 10_000;

struct Repl<'a> {
    context: &'a Context,
    session: SessionInfo,
    shell: Shell,
    notices: Notices,
    teller: Teller,
    editor: Editor<Helper, DefaultHistory>,
    history: Option<PathBuf>,
    ahead: Ahead,
    status: i32,
    /// The shell has just refused to end, for its stopped jobs.
    refused: bool,
}

impl<'a> Repl<'a> {
    fn start(wanted: &Wanted, session: SessionInfo, context: &'a Context) -> Result<Repl<'a>, Error> {
        let (shell, typed) = Shell::start(wanted.program, &session.id)?;
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .history_ignore_space(true)
            .max_history_size(REMEMBERED)
            .map_err(edit)?
            .build();
        let mut editor = Editor::with_config(config).map_err(edit)?;
        editor.set_helper(Some(Helper::new(context.out)));
        let dir = SessionDir::new(&context.account().state_dir(), &session.id)?;
        let notices = Notices::new(editor.create_external_printer().ok());
        let own = shell.command().to_owned();
        let teller = Teller::start(dir, own.clone(), context.out, notices.clone());
        questions::show(&context.broker()?, &session.id, own, context.out, notices.clone());
        let history = session::history(&session, context);
        if let Some(path) = &history {
            // The first time there is none.
            let _ = editor.load_history(path);
        }
        render::say(&format!(
            "session {} · policy {} · mode {} · :help",
            context.err.bold(&session::label(&session)),
            render::visible(&session.policy),
            render::visible(&session.mode)
        ));
        let mut repl = Repl {
            context,
            session,
            shell,
            notices,
            teller,
            editor,
            history,
            ahead: Ahead::default(),
            status: 0,
            refused: false,
        };
        repl.ahead.push(&typed);
        repl.know_names();
        Ok(repl)
    }

    fn run(mut self) -> Result<Exit, Error> {
        loop {
            match self.read() {
                Ok(line) if line.trim().is_empty() => {}
                Ok(line) => {
                    self.remember(&line);
                    let ended = match ours::said(&line) {
                        Some(ours) => self.ours(ours),
                        None => self.command(&line)?,
                    };
                    if let Some(exit) = ended {
                        return Ok(exit);
                    }
                }
                Err(ReadlineError::Interrupted) => self.status = 130,
                Err(ReadlineError::Io(error)) if error.kind() == ErrorKind::InvalidData => {
                    // With what came behind it: the rest of a paste would be other commands than were meant.
                    let _ = tcflush(stdin(), QueueSelector::IFlush);
                    render::say("agentsh: what was typed is not UTF-8, and was left out");
                }
                Err(ReadlineError::Eof) if self.shell.stopped() == 0 => return self.shell.leave(),
                // It tells of stopped jobs and goes on, the first time.
                Err(ReadlineError::Eof) => {
                    let status = self.status.to_string();
                    let after = self.shell.ask_to_leave(&status, b"", self.refused)?;
                    if let Some(exit) = self.came_back(after)? {
                        return Ok(exit);
                    }
                    self.refused = true;
                }
                Err(error) => return Err(edit(error)),
            }
        }
    }

    /// The next line, from before or from now.
    fn read(&mut self) -> Result<String, ReadlineError> {
        let prompt = self.prompt();
        match self.ahead.take() {
            ahead::Next::Line(line) => {
                // As it stands there when it is typed now.
                let _ = render::print(&format!("{}{}\n", prompt.1, render::visible(&line)));
                Ok(line)
            }
            ahead::Next::Begun(begun) => self.editor.readline_with_initial(&prompt, (&begun, "")),
        }
    }

    fn prompt(&self) -> (String, String) {
        let home = self.context.account().home;
        session::prompt(&self.session, self.status, &home, self.context.out)
    }

    fn remember(&mut self, line: &str) {
        let added = self.editor.add_history_entry(line).unwrap_or(false);
        if let (true, Some(path)) = (added, &self.history) {
            // A history that cannot be kept is no reason to stop working.
            let _ = self.editor.append_history(path);
        }
    }

    /// A line for the shell; its end if the shell ended.
    fn command(&mut self, line: &str) -> Result<Option<Exit>, Error> {
        let start = Instant::now();
        let (prompt, _) = self.prompt();
        self.notices.hold();
        let shown = shown::line(&prompt, line);
        let leaves = leave::status(line);
        let after = match leaves.filter(|_| self.refused && self.shell.stopped() > 0) {
            Some(status) => self.shell.ask_to_leave(status, &shown, true)?,
            None => self.shell.run(line, &shown)?,
        };
        if let Some(exit) = self.came_back(after)? {
            return Ok(Some(exit));
        }
        self.refused = leaves.is_some();
        if let Some(text) = summary::end(self.status, start.elapsed(), self.context.err) {
            render::say(&text);
        }
        self.notices.release();
        self.teller.line_ended();
        Ok(None)
    }

    /// The shell's turn is over; its end if it ended.
    fn came_back(&mut self, after: After) -> Result<Option<Exit>, Error> {
        let After::Ready(status, ahead) = after else {
            return self.ended().map(Some);
        };
        self.ahead.push(&ahead);
        self.status = status;
        self.know_names();
        Ok(None)
    }

    /// The shell has ended: by itself, or with its session.
    fn ended(&mut self) -> Result<Exit, Error> {
        let exit = self.shell.leave()?;
        if session::lives(&self.session, self.context) {
            return Ok(exit);
        }
        render::say("agentsh: the session has ended; `agentsh logs` may say why");
        Ok(Exit::Status(crate::exit::OURS))
    }

    fn know_names(&mut self) {
        if let Some(helper) = self.editor.helper_mut() {
            helper.names = self.shell.names().clone();
        }
    }

    /// A line for us.
    fn ours(&mut self, line: &str) -> Option<Exit> {
        self.notices.hold();
        let next = ours::run(line, &self.session, self.shell.command(), self.context);
        self.notices.release();
        match next {
            Next::Leave => self.shell.leave().map_or_else(
                |error| {
                    render::error(&error, self.context);
                    Some(Exit::Status(crate::exit::OURS))
                },
                Some,
            ),
            Next::Status(status) => {
                self.status = i32::from(status);
                None
            }
        }
    }
}

fn edit(error: ReadlineError) -> Error {
    Error::io("the line editor", std::io::Error::other(error.to_string()))
}
