use clap::Args;

use agentsh_protocol::api::{CommandInfo, ErrorKind, SessionInfo, SessionState};

use crate::attach::{self, Keys, key};
use crate::client::{self, Client, ClientError};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render;

/// Look at a command's terminal while it runs, and type into it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  agentsh attach 0199f3              a command, or the newest one of a session that has a terminal
  agentsh attach --watch 0199f3      look only
  agentsh attach --take 0199f3       type at once, for instance a password that it asks for

Keys: ctrl-] leaves; ctrl-^ takes the terminal, so that what you type goes to the command and what its caller types \
does not, and gives it back. What is typed by hand is never recorded. Your window's size does not change the command's.")]
pub struct Attach {
    /// A command or session by a unique beginning of its id, or a session by name
    #[arg(value_name = "SESSION|COMMAND")]
    target: String,
    /// Look only
    #[arg(long)]
    watch: bool,
    /// Take the terminal at once
    #[arg(long, conflicts_with = "watch")]
    take: bool,
    /// The key that leaves
    #[arg(long, value_name = "KEY", value_parser = key, default_value = "ctrl-]")]
    detach_key: u8,
    /// The key that takes the terminal and gives it back
    #[arg(long, value_name = "KEY", value_parser = key, default_value = "ctrl-^")]
    take_key: u8,
}

impl Attach {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let broker = context.broker()?;
        let command = find(&broker, &self.target)?;
        let what = if self.watch { "watch" } else { "terminal" };
        let path = client::path(&["sessions", &command.session_id, "commands", &command.id, what]);
        let socket = broker.web_socket(&path)?;
        let keys = Keys {
            detach: self.detach_key,
            take: self.take_key,
        };
        attach::run(socket, keys, self.take)?;
        Ok(Exit::DONE)
    }
}

/// The command that is meant: one by its id, or the newest with a terminal of a session.
fn find(broker: &Client, target: &str) -> Result<CommandInfo, Error> {
    let commands = |session: &str| -> Result<Vec<CommandInfo>, Error> {
        Ok(broker.get(&client::path(&["sessions", session, "commands"]))?)
    };
    match broker.get::<SessionInfo>(&client::path(&["sessions", target])) {
        Ok(session) => {
            let mut open = commands(&session.id)?.into_iter().filter(|command| command.terminal);
            return open.next_back().ok_or_else(|| {
                Error::unknown(
                    format!("no command of session {} has an open terminal", render::visible(target)),
                    "`agentsh exec --pty --detach` starts one; a recording of others is shown by `agentsh replay`",
                )
            });
        }
        Err(ClientError::Api(error)) if error.error == ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let sessions: Vec<SessionInfo> = broker.get(&client::path(&["sessions"]))?;
    let mut found = Vec::new();
    for session in sessions.iter().filter(|session| session.state == SessionState::Running) {
        found.extend(
            commands(&session.id)?
                .into_iter()
                .filter(|command| command.id.starts_with(target)),
        );
    }
    match (found.pop(), found.is_empty()) {
        (Some(command), true) => Ok(command),
        (Some(_), false) => Err(Error::unknown(
            format!("several commands begin with {}", render::visible(target)),
            "give more characters of the id",
        )),
        (None, _) => Err(Error::unknown(
            format!(
                "no session and no running command is called {}",
                render::visible(target)
            ),
            "`agentsh session list` and `agentsh session info SESSION` show them",
        )),
    }
}
