use clap::{Args, ValueEnum};

use agentsh_protocol::api::{CommandInfo, ErrorKind, SessionInfo};
use agentsh_protocol::terminal::SizeRule;

use crate::attach::{self, Keys, key};
use crate::client::{self, Client, ClientError};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::{render, running};

/// Look at a command's terminal while it runs, and type into it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  agentsh attach 0199f3              a command, or the newest one of a session that has a terminal
  agentsh attach --watch 0199f3      look only
  agentsh attach --size latest 0199f3
  agentsh attach --take 0199f3       type at once, for instance a password that it asks for

Keys: ctrl-] leaves; ctrl-^ takes the terminal, so that what you type goes to the command and what its caller types \
does not, and gives it back. What is typed by hand is never recorded. Your window's size does not change the command's \
unless `--size` says so.")]
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
    /// Whose window the command's terminal follows while this one is attached
    #[arg(long, value_name = "RULE", value_enum, conflicts_with = "watch")]
    size: Option<Size>,
    /// A command that is not meant, for who is on its terminal already
    #[arg(long, value_name = "COMMAND", hide = true)]
    except: Option<String>,
    /// The key that leaves
    #[arg(long, value_name = "KEY", value_parser = key, default_value = "ctrl-]")]
    detach_key: u8,
    /// The key that takes the terminal and gives it back
    #[arg(long, value_name = "KEY", value_parser = key, default_value = "ctrl-^")]
    take_key: u8,
}

/// Whose window the terminal follows. Those who only look never count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Size {
    /// Its caller's, as without anybody attached
    Fixed,
    /// That of whoever typed or resized last
    Latest,
    /// The least columns and rows of all
    Smallest,
    /// The most columns and rows of all
    Largest,
}

impl From<Size> for SizeRule {
    fn from(size: Size) -> SizeRule {
        match size {
            Size::Fixed => SizeRule::Fixed,
            Size::Latest => SizeRule::Latest,
            Size::Smallest => SizeRule::Smallest,
            Size::Largest => SizeRule::Largest,
        }
    }
}

impl Attach {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let broker = context.broker()?;
        let command = find(&broker, &self.target, self.except.as_deref())?;
        let what = if self.watch { "watch" } else { "terminal" };
        let path = client::path(&["sessions", &command.session_id, "commands", &command.id, what]);
        let socket = broker.web_socket(&path)?;
        let keys = Keys {
            detach: self.detach_key,
            take: self.take_key,
        };
        attach::run(socket, keys, self.take, self.size.map(SizeRule::from))?;
        Ok(Exit::DONE)
    }
}

/// The command that is meant: one by its id, or the newest with a terminal of a session.
fn find(broker: &Client, target: &str, except: Option<&str>) -> Result<CommandInfo, Error> {
    let commands = |session: &str| -> Result<Vec<CommandInfo>, Error> {
        Ok(broker.get(&client::path(&["sessions", session, "commands"]))?)
    };
    match broker.get::<SessionInfo>(&client::path(&["sessions", target])) {
        Ok(session) => {
            let open = commands(&session.id)?.into_iter().filter(|command| command.terminal);
            let mut meant = open.filter(|command| Some(command.id.as_str()) != except);
            return meant.next_back().ok_or_else(|| {
                Error::unknown(
                    format!("no command of session {} has an open terminal", render::visible(target)),
                    "`agentsh exec --pty --detach` starts one; a recording of others is shown by `agentsh replay`",
                )
            });
        }
        Err(ClientError::Api(error)) if error.error == ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    running::command(broker, target)?.ok_or_else(|| {
        Error::unknown(
            format!(
                "no session and no running command is called {}",
                render::visible(target)
            ),
            "`agentsh session list` and `agentsh session info SESSION` show them",
        )
    })
}
