//! A caller with a terminal: prompts, interrupts, suspension, sizes, passwords, hang-ups.

use std::time::Duration;

use agentsh_tests::case::mask;
use agentsh_tests::pty::Terminal;
use agentsh_tests::shell::Subject;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Case, Ended, Input, Output, Result, Shell, World, compare, fail};

/// A conversation on a terminal: its name, the start, what is typed when.
pub struct Dialogue {
    pub name: &'static str,
    shell: Shell,
    talk: fn(&mut Terminal) -> Result,
}

const PROMPT: &str = "P> $";

fn interactive(shell: &str, args: &[&str]) -> Shell {
    Shell::named(shell)
        .args(args)
        .on_terminal()
        .env("PS1", "P> ")
        .env("PS2", "")
        .env("HISTFILE", "/dev/null")
}

fn bash() -> Shell {
    interactive("bash", &["--norc", "--noprofile", "-i"])
}

/// The real bash whoever the subject is, which finds the subject's in `SHELL`.
fn outer() -> Shell {
    let shell = Shell::program("/usr/bin/bash")
        .args(["--norc", "--noprofile", "-i"])
        .on_terminal();
    shell.env("PS1", "P> ").env("HISTFILE", "/dev/null")
}

/// All of them.
pub fn dialogues() -> Vec<Dialogue> {
    let talk = |name, shell, talk| Dialogue { name, shell, talk };
    vec![
        talk("a prompt, a command, an end", bash(), |terminal| {
            terminal.at(
                PROMPT,
                "echo $0 $-; test -t 0 && test -t 1 && test -t 2 && echo a terminal",
            )?;
            terminal.at(
                PROMPT,
                "ps -o pid=,pgid=,sid=,tpgid= -p $$ | tr -s ' ' '\\n' | grep . | sort -u | wc -l",
            )?;
            terminal.at(PROMPT, "exit 3")
        }),
        talk("an interrupt reaches the foreground only", bash(), |terminal| {
            terminal.at(
                PROMPT,
                "sh -c 'trap \"echo caught; exit 9\" INT; echo ready; while :; do sleep 0.05; done'",
            )?;
            terminal.expect("ready\r\n")?;
            terminal.send([3])?;
            terminal.at(PROMPT, "echo status $?")?;
            terminal.at(PROMPT, "sh -c 'echo again; exec sleep 100'")?;
            terminal.expect("again\r\n")?;
            terminal.send([3])?;
            terminal.at(PROMPT, "echo status $?")?;
            terminal.at(PROMPT, "exit")
        }),
        talk("a job is stopped, continued, stopped and killed", bash(), |terminal| {
            terminal.at(PROMPT, "sh -c 'echo ready; exec sleep 1000'")?;
            terminal.expect("ready\r\n")?;
            terminal.send([26])?;
            terminal.at(PROMPT, "jobs")?;
            terminal.at(PROMPT, "bg")?;
            terminal.at(PROMPT, "fg")?;
            terminal.expect("fg\r\n.*sleep 1000'\r\n")?;
            terminal.await_in_front("sleep 1000")?;
            terminal.send([26])?;
            terminal.at(PROMPT, "kill -9 %1; sleep 0.5")?;
            terminal.at(PROMPT, "exit")
        }),
        talk("sizes and their changes", bash(), |terminal| {
            terminal.at(
                PROMPT,
                "stty size; trap 'stty size; echo resized' WINCH; stty -a | head -n 1",
            )?;
            terminal.expect("baud;.*\r\n")?;
            terminal.expect(PROMPT)?;
            terminal.resize(40, 132)?;
            terminal.send("\r")?;
            terminal.expect("resized\r\n(?s:.*)P> $")?;
            terminal.send("exit\r")
        }),
        talk(
            "a password is read from the terminal without echo",
            bash(),
            |terminal| {
                terminal.at(
                    PROMPT,
                    "read -r -s -p 'Password: ' word < /dev/tty; echo; echo \"<$word>\"",
                )?;
                terminal.expect("Password: $")?;
                terminal.await_silence()?;
                terminal.send("secret\r")?;
                terminal.at(PROMPT, "exit")
            },
        ),
        talk("the end of input ends the shell", bash(), |terminal| {
            terminal.expect(PROMPT)?;
            terminal.send([4])
        }),
        talk(
            "a login shell by its dash",
            interactive("bash", &[]).argv0("-bash").env("PS1", "P> "),
            |terminal| {
                terminal.expect("[$#>] $")?;
                terminal.send("PS1='P> '\r")?;
                terminal.expect(PROMPT)?;
                terminal.at("", "echo $0; shopt login_shell; logout")
            },
        ),
        talk(
            "an editor's integration file",
            interactive("bash", &["--init-file", "/dev/null", "-i"]),
            |terminal| {
                terminal.expect("[$#] $")?;
                terminal.send("PS1='P> '\r")?;
                terminal.expect("\nP> $")?;
                terminal.send("\r")?;
                terminal.at(PROMPT, "echo in $0")?;
                terminal.at(PROMPT, "exit 7")
            },
        ),
        talk(
            "zsh with prompt and job control",
            interactive("zsh", &["-f", "-i"]).env("PROMPT", "P> "),
            |terminal| {
                terminal.expect("P> ")?;
                terminal.send("unsetopt zle prompt_sp; PROMPT='Q> '\r")?;
                terminal.expect("Q> $")?;
                terminal.await_echo()?;
                terminal.at("", "sh -c 'echo ready; exec sleep 1000'")?;
                terminal.expect("\nready\r\n")?;
                terminal.send([3])?;
                terminal.at("Q> $", "echo status $?; exit 2")
            },
        ),
        talk("dash with a prompt", interactive("dash", &["-i"]), |terminal| {
            terminal.at(PROMPT, "echo $0; false")?;
            terminal.at(PROMPT, "exit")
        }),
        talk(
            "an outer shell suspends the whole and takes it back",
            outer(),
            |terminal| {
                terminal.at(PROMPT, "$SHELL -c 'echo ready; kill -STOP $$; echo resumed; exit 5'")?;
                terminal.expect("ready\r\n")?;
                terminal.at(PROMPT, "fg")?;
                terminal.expect("resumed\r\n")?;
                terminal.at(PROMPT, "echo status $?; exit")
            },
        ),
        talk(
            "everything that was printed before a stop stands before the shell's word of it",
            outer(),
            |terminal| {
                terminal.at(
                    PROMPT,
                    "$SHELL -c 'seq 5000; kill -STOP $$; seq 3; kill -TSTP $$; echo resumed'",
                )?;
                terminal.expect("\r\n5000\r\n(?s:.*)Stopped")?;
                terminal.at(PROMPT, "fg")?;
                terminal.expect("\r\n3\r\n(?s:.*)Stopped")?;
                terminal.at(PROMPT, "fg")?;
                terminal.expect("resumed\r\n")?;
                terminal.at(PROMPT, "exit")
            },
        ),
        talk(
            "output is a terminal and input a pipe",
            Shell::named("bash")
                .args([
                    "-c",
                    "cat; test -t 1 && echo out; test -t 0 || echo in; stty size < /dev/tty",
                ])
                .stdin(Input::Bytes(b"piped\n".to_vec()))
                .stdout(Output::Terminal)
                .stderr(Output::Terminal),
            |_| Ok(()),
        ),
        talk(
            "input is a terminal and output a file",
            Shell::named("bash")
                .args(["-c", "read x; echo \"got $x\" > /dev/tty; test -t 1 || exit 6"])
                .stdin(Input::Terminal)
                .stdout(Output::Null)
                .stderr(Output::Null),
            |terminal| {
                terminal.send("typed\r")?;
                terminal.expect("got typed\r\n").map(drop)
            },
        ),
        talk(
            "a full screen program gets the terminal and gives it back",
            bash().env("TERM", "xterm"),
            |terminal| {
                terminal.expect("P> ")?;
                terminal.send("seq 500 | less -X\r")?;
                terminal.expect("\r\n:|\x1b\\[K:")?;
                terminal.send("q")?;
                terminal.expect("P> ")?;
                terminal.send("stty -a | grep -o ' -\\?echo ' ; exit\r")
            },
        ),
        talk(
            "a paste longer than a terminal's buffer loses nothing",
            Shell::named("bash")
                .args(["-c", "stty -echo; echo go; head -c 60000 | md5sum; exit 5"])
                .on_terminal(),
            |terminal| {
                terminal.expect("go\r\n")?;
                let lines: String = (0..1000).map(|number| format!("{number:059}\r")).collect();
                terminal.send(lines)
            },
        ),
        talk(
            "lines and the end of input that were typed before it began",
            Shell::named("bash").args(["-c", "cat -A; echo over"]).on_terminal(),
            |terminal| terminal.send("one\rtw\x16\x03o\rhalf\x04\x04"),
        ),
        talk(
            "a job that began in the background gets the terminal as the shell sets it",
            outer(),
            |terminal| {
                terminal.at(PROMPT, "$SHELL -c 'touch up; read -r line; echo \"got $line\"' & while [ ! -e up ]; do sleep 0.02; done; rm up")?;
                terminal.at(PROMPT, "until jobs | grep -q Stopped; do sleep 0.02; done")?;
                terminal.at(PROMPT, "fg")?;
                terminal.expect("fg\r\n.*read -r line;.*\r\n")?;
                terminal.await_in_front("read -r line")?;
                terminal.await_echo()?;
                terminal.send("a line\r")?;
                terminal.expect("got a line\r\n")?;
                terminal.at(PROMPT, "exit")
            },
        ),
        talk(
            "a session that has no terminal gets none from the one that it is shown on",
            outer(),
            |terminal| {
                let looks = "(: < /dev/tty) 2>&1 | sed s/line.*:.//; ps -o tty= -p $$; stty size";
                terminal.at(PROMPT, &format!("setsid -w $SHELL -c '{looks}'"))?;
                terminal.at(PROMPT, &format!("setsid -w sh -c '$SHELL -c \"$0\"; :' '{looks}'"))?;
                terminal.at(PROMPT, "setsid -w $SHELL --norc --noprofile -i")?;
                terminal.at(PROMPT, "cat < /dev/tty; echo $-; exit 3")?;
                terminal.at(PROMPT, "echo $?; exit")
            },
        ),
        talk(
            "a key that interrupts reaches the rest of the job too",
            outer(),
            |terminal| {
                terminal.at(PROMPT, "dash -c 'trap \"echo above\" INT; $SHELL -c \"echo ready; exec sleep 1000\"; echo $?'")?;
                terminal.expect("ready\r\n")?;
                terminal.send([3])?;
                terminal.at("130\r\nP> $", "exit")
            },
        ),
        talk(
            "a key that interrupts is for those whom the terminal controls",
            outer(),
            |terminal| {
                terminal.at(PROMPT, "dash -c 'trap \"touch down\" INT; setsid $SHELL -c \"echo ready; until [ -e down ]; do sleep 0.02; done\" & wait; status=$?; wait; rm down; echo $status'")?;
                terminal.expect("ready\r\n")?;
                terminal.send([3])?;
                terminal.at("130\r\nP> $", "exit")
            },
        ),
        talk(
            "input that another session has from the terminal takes it nothing away",
            outer(),
            |terminal| {
                terminal.at(PROMPT, "dash -c 'exec 3<&0; trap \"echo above\" INT; setsid $SHELL -c \"echo ready; until [ -e down ]; do sleep 0.02; done\" <&3 3<&- 2>&1 | cat & wait; echo $?; read -r line; echo \"got $line\"; touch down; wait; rm down'")?;
                terminal.expect("ready\r\n")?;
                terminal.send([3])?;
                terminal.expect("130\r\n")?;
                terminal.send("mine\r")?;
                terminal.at("got mine\r\nP> $", "exit")
            },
        ),
        talk(
            "a signal to the terminal's foreground reaches the job that is there",
            bash(),
            |terminal| {
                terminal.at(PROMPT, "sh -c 'trap \"echo caught; exit 9\" INT; echo ready; while :; do sleep 0.05; done'")?;
                terminal.expect("ready\r\n")?;
                wait_until(Duration::from_secs(30), || terminal.has_job_in_front());
                terminal.signal_front(nix::sys::signal::Signal::SIGINT)?;
                terminal.at("caught\r\nP> $", "echo status $?; exit")
            },
        ),
        talk(
            "settings outlive a stop",
            outer(),
            |terminal| {
                terminal.at(
                    PROMPT,
                    "$SHELL -c 'stty -echo erase ^H; kill -STOP $$; stty -a | grep -o -e \"erase = ..\" -e \" -echo \"'",
                )?;
                terminal.expect("Stopped")?;
                terminal.at(PROMPT, "fg")?;
                terminal.expect(" -echo")?;
                terminal.at(PROMPT, "exit")
            },
        ),
        talk(
            "a size that a program gives its terminal is the terminal's",
            outer(),
            |terminal| {
                terminal.at(PROMPT, "$SHELL -c 'stty rows 50 cols 132; exit 3'; echo $?; stty size")?;
                terminal.expect("3\r\n50 132\r\n")?;
                terminal.at(PROMPT, "$SHELL -c 'stty rows 20 cols 90; echo set; read -r line'")?;
                terminal.expect("set\r\n")?;
                let there = wait_until(Duration::from_secs(30), || terminal.size().is_ok_and(|size| size == (20, 90)));
                terminal.send(if there { "\r" } else { "unseen\r" })?;
                terminal.at(PROMPT, "exit")
            },
        ),
        talk(
            "windows of no size and of the largest",
            Shell::named("bash")
                .args(["-c", "until [ \"$last\" = '65535 65535' ]; do now=$(stty size); [ \"$now\" = \"$last\" ] || echo \"$now\"; last=$now; sleep 0.02; done"])
                .on_terminal(),
            |terminal| {
                terminal.expect("24 80\r\n")?;
                terminal.resize(0, 0)?;
                terminal.expect("0 0\r\n")?;
                terminal.resize(1, 1)?;
                terminal.expect("1 1\r\n")?;
                terminal.resize(65535, 65535)?;
                terminal.expect("65535 65535\r\n").map(drop)
            },
        ),
        talk(
            "what the background prints after the end has the same line ends",
            Shell::named("bash")
                .args([
                    "-c",
                    "(trap '' HUP; touch up; while read -r _ _ _ above _ < /proc/$BASHPID/stat && [ \"$above\" = $$ ]; do sleep 0.02; done; sleep 0.2; echo late; rm up) & while [ ! -e up ]; do sleep 0.02; done; echo early",
                ])
                .on_terminal(),
            |terminal| terminal.expect("early\r\nlate").map(drop),
        ),
    ]
}

impl Dialogue {
    fn hold(&self, world: &World, subject: &Subject) -> Result<(Ended, String)> {
        let folder = Case::folder(world);
        world.user().make_folder(&folder)?;
        let mut terminal = Terminal::open(&self.shell.clone().cwd(folder), world, subject)?;
        (self.talk)(&mut terminal).map_err(|error| fail(format!("{}: {subject:?}: {error}", self.name)))?;
        let (ended, bytes) = terminal.finish()?;
        Ok((
            ended,
            String::from_utf8_lossy(&mask(&subject.plain(&bytes))).into_owned(),
        ))
    }

    /// Holds it with the real shell and with the subject's and compares how both ended and every byte that appeared.
    pub fn same(&self, world: &World, subject: &Subject) -> Result {
        match compare::one_of_the_real_ones(|subject| self.hold(world, subject), subject, PartialEq::eq)? {
            None => Ok(()),
            Some((oracle, other)) => Err(fail(format!(
                "{}:\n    {oracle:?}\n    became\n    {other:?}",
                self.name
            ))),
        }
    }
}

/// The end of a terminal is a hang-up for the session on it, and for nobody else: whether the shell leads the session, or
/// another one does that ends by it.
pub fn hang_up_is_noticed(world: &World, subject: &Subject) -> Result {
    let text = "trap 'echo hup > hup; exit 1' HUP; nohup sh -c 'echo > up; while [ ! -e hup ]; do sleep 0.02; done; echo yes > alive' > /dev/null 2>&1 & while [ ! -e up ]; do sleep 0.02; done; echo ready; while :; do sleep 0.02; done";
    let died = Ended::Signal {
        number: libc::SIGHUP,
        core: false,
    };
    for (shell, expected) in [
        (Shell::named("bash").args(["-c", text]), Ended::Exit(1)),
        (
            Shell::program("/bin/sh").args(["-c", "$SHELL -c \"$0\"; :", text]),
            died,
        ),
    ] {
        hung_up(&shell.on_terminal(), expected, world, subject)?;
    }
    Ok(())
}

fn hung_up(shell: &Shell, expected: Ended, world: &World, subject: &Subject) -> Result {
    let folder = world.workspace().join("hang-up");
    world.user().make_folder(&folder)?;
    let (hup, alive) = (folder.join("hup"), folder.join("alive"));
    let mut terminal = Terminal::open(&shell.clone().cwd(&folder), world, subject)?;
    terminal.expect("ready")?;
    let mut child = terminal.hang_up();
    let ended = child.wait(Duration::from_secs(30))?;
    let both = wait_until(Duration::from_secs(30), || hup.exists() && alive.exists());
    match both && ended == expected {
        true => Ok(std::fs::remove_dir_all(folder)?),
        false => Err(fail(format!(
            "{shell} with {subject:?}: {ended:?}, hang-up noticed: {}, the nohup job went on: {}",
            hup.exists(),
            alive.exists()
        ))),
    }
}
