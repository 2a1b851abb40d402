//! The shapes of the agents' own starts.

use agentsh_tests::{Case, Input, Output, Shell};

use crate::shell;

const SNAPSHOT: &str =
    "export SNAP_VALUE=42\nshopt -s expand_aliases\nalias hello='echo hi'\ngreet() { echo \"greet $1\"; }\n";

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        shell("codex runs -lc", "bash", &["-lc", "echo out; echo err >&2; pwd; exit 3"]),
        shell("cline separates -l and -c", "bash", &["-l", "-c", "echo $0 $#; shopt login_shell"]),
        shell("claude puts -c before -l", "bash", &["-c", "-l", "echo \"$0|$#\"; shopt login_shell"]),
        shell("codex passes a first argument that becomes the name", "sh", &["-c", ". \"$1\" && shift && exec \"$@\"", "snap", "./snap.sh", "/usr/bin/printf", "%s\\n", "a b", "c"])
            .file("snap.sh", SNAPSHOT.replace("shopt", ": shopt"), 0o644),
        shell("codex validates a snapshot", "bash", &["-c", "set -e; . \"./snap.sh\""]).file("snap.sh", SNAPSHOT, 0o644),
        shell("codex sources a snapshot and execs a second shell", "bash", &["-c", "if . './snap.sh' >/dev/null 2>&1; then :; fi\n\nexec '@bash@' -c 'echo $SNAP_VALUE $0 $1 $2; echo $PPID' 'a' 'b c'"])
            .file("snap.sh", SNAPSHOT, 0o644),
        shell("codex makes a snapshot", "bash", &["-lc", SNAPSHOT_MAKER]),
        shell("gemini wraps a command in a subshell with a trap", "bash", &["-c", "shopt -u promptvars nullglob extglob nocaseglob dotglob; _bgpids_file='./bg'\n(\n  trap 'jobs -p > \"$_bgpids_file\"' EXIT\necho one; sleep 0.01 & wait; false\n)\n__code=$?\nexit $__code"])
            .mask_numbers(),
        shell("opencode gives a name and a folder", "bash", &["-l", "-c", "\n shopt -s expand_aliases\n [[ -f ~/.bashrc ]] && source ~/.bashrc >/dev/null 2>&1 || true\n cd -- \"$1\"\n eval \"echo \\\"in $PWD\\\"; printf '%s\\\\n' \\\"$0\\\"\"\n", "opencode", "/"]),
        shell("goose asks an interactive login shell for its path", "bash", &["-l", "-i", "-c", "echo $PATH"]),
        shell("vscode probes the environment between marks", "bash", &["-ilc", "printf 'mark%smark' \"$(env -0 | sort -z | tr '\\0' '\\n' | grep -v '^_=')\""]),
        Case::new("a bundle of stdout and stderr in one appended file", claude("bash", &["-c", "-l"])).file("snap.sh", SNAPSHOT, 0o644),
        Case::new("the same with zsh", claude("zsh", &["-c", "-l"]).stdout(Output::Appended).stderr(Output::Appended))
            .file("snap.sh", "export SNAP_VALUE=42\n", 0o644)
            .needs(&["zsh"]),
        Case::new("cursor carries state on descriptors 3 and 4", Shell::named("bash").args(["-O", "extglob", "-c", "snap=$(command cat <&3); builtin eval \"$snap\" && { builtin eval \"$1\" < /dev/null; }; COMMAND_EXIT_CODE=$?; { declare -p SNAP_VALUE; pwd; } >&4; builtin exit $COMMAND_EXIT_CODE", "--", "echo $SNAP_VALUE; cd /; exit 5"])
            .reads(3, Input::Bytes(SNAPSHOT.into()))
            .writes(4, Output::Pipe)),
        Case::new("cursor does so with zsh", Shell::named("zsh").args(["-o", "extendedglob", "-c", "snap=$(command cat <&3); builtin eval \"$snap\" && { builtin eval \"$1\" < /dev/null; }; COMMAND_EXIT_CODE=$?; { echo $SNAP_VALUE; pwd } >&4; builtin exit $COMMAND_EXIT_CODE", "--", "echo $SNAP_VALUE; cd /; false"])
            .reads(3, Input::Bytes(b"SNAP_VALUE=42\n".into()))
            .writes(4, Output::Pipe))
            .needs(&["zsh"]),
        Case::new("a subprocess of python with executable set to the shell", Shell::named("bash").argv0_is_path().args(["-c", "echo $0; nosuchcommand"])),
        Case::new("a whole command as a single argument", Shell::named("bash").args(["echo one && echo two"])),
        Case::new("a hook gets json on stdin and blocks with 2", Shell::named("sh").args(["-c", "read line; case $line in *rm*) echo blocked >&2; exit 2;; esac"]).stdin(Input::Bytes(b"{\"tool\":\"rm\"}\n".to_vec()))),
        Case::new("the syntax of a here-document is checked", Shell::named("sh").args(["-c", "@bash@ -n << 'SOUNIQUEEOF'\nif true; then echo ok; fi; for\nSOUNIQUEEOF\n"])),
        Case::new("a driver types blocks with end marks into an interactive shell on a pipe", Shell::named("bash").args(["--norc", "--noprofile", "-i"]).env("PS1", "").env("PS2", "")
            .stdin(Input::Bytes(b"unset HISTFILE\n{ echo ___BEGIN; (exit 7); EC=$?; echo \"___END$EC\"; }\nexit 4\n".to_vec()))),
        Case::new("prompt text is data", Shell::named("bash").args(["--norc", "--noprofile", "-i"]).env("PS1", "\n###PS1JSON###\n{\"exit_code\":\"$?\",\"working_dir\":\"$(pwd)\"}\n###PS1END###").env("PS2", "")
            .stdin(Input::Bytes(b"cd /\nfalse\nexit\n".to_vec()))),
    ];
    cases.push(
        shell(
            "cleared environment with the agent's own marks",
            "bash",
            &["-c", "env | sort | grep -v '^_='"],
        )
        .change(|shell| {
            shell
                .env_clear()
                .env("CODEX_SANDBOX_NETWORK_DISABLED", "1")
                .env("NO_COLOR", "1")
                .env("TERM", "dumb")
                .env("PATH", "/usr/bin:/bin")
        }),
    );
    cases
}

fn claude(name: &str, flags: &[&str]) -> Shell {
    let text = "source ./snap.sh 2>/dev/null || true && eval 'git status --porcelain; echo $SNAP_VALUE; ls nosuch' \\< /dev/null && pwd -P >| ./cwd";
    Shell::named(name)
        .args(flags)
        .args([text])
        .stdout(Output::Appended)
        .stderr(Output::Appended)
}

const SNAPSHOT_MAKER: &str = r##"
set +e
out=./snapshot
{
  echo "# functions"
  declare -f
  echo "# options"
  shopt -p | sort
  set -o
  echo "# aliases"
  alias -p
  echo "# exports"
} > "$out"
count=0
while IFS= read -r name; do
  [[ $name =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || continue
  [ "$name" = _ ] && continue
  count=$((count + 1))
  declare -p "$name" >> "$out"
done < <(compgen -e | sort)
echo "variables: $count"
greet() { local a=$1; echo "hello $a"; }
declare -f greet
export -f greet
bash -c 'greet nested'
diff <(printf 'a\nb\n') <(printf 'a\nc\n')
tac <<< "one
two"
mapfile -t lines < <(printf 'x\ny\n')
echo "${#lines[@]}"
coproc CAT { cat; }
echo through >&"${CAT[1]}"
read -r back <&"${CAT[0]}"
echo "$back"
"##;
