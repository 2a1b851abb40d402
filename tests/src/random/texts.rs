//! What the shell does: it tells what it finds, works a little, and ends.

use super::dice::Dice;
use super::{PROBE, Plan};

/// `REPORT` is the descriptor on which it tells; each piece works in every shell.
const PIECES: [&str; 32] = [
    "PROBE report >&REPORT; echo $? >&REPORT",
    "PROBE fds >&REPORT",
    "/bin/sh -c 'PROBE report; :' | ORPHAN >&REPORT",
    "(PROBE state; :) | ORPHAN >&REPORT",
    "echo x | PROBE state | ORPHAN >&REPORT",
    "PROBE state > /dev/null & wait $!; echo $? >&REPORT",
    "y=$(PROBE fds; :); echo \"$y\" >&REPORT",
    "echo \"[$0] [$#] [$*] [$-] [$PPID]\" >&REPORT",
    "/usr/bin/tr '\\000' '\\012' < /proc/$$/environ | /usr/bin/grep -v '^SHELL=\\|^_=' >&REPORT",
    "/usr/bin/tr '\\000' '|' < /proc/$$/cmdline >&REPORT",
    "/usr/bin/cat /proc/$$/limits >&REPORT",
    "/usr/bin/grep -E '^(Sig[PBIC]|Shd|Umask|Groups|Threads|Uid|Gid|THP|Specul|x86)' /proc/self/status >&REPORT",
    "ls -l /proc/self/fd/ | /usr/bin/sed 's/.* \\([0-9]* -> [a-z_/]*\\).*/\\1/' | /usr/bin/sort -n >&REPORT",
    "umask >&REPORT; ulimit -a >&REPORT; trap >&REPORT",
    "pwd >&REPORT; pwd -P >&REPORT; echo $PWD >&REPORT; /bin/pwd >&REPORT",
    "echo made > made; echo $? >&REPORT; cat made >&REPORT; /usr/bin/mkdir d; echo $? >&REPORT; ls -ln | /usr/bin/sed 's/ [A-Z].*:[0-9]* / /' >&REPORT",
    "cat kept >&REPORT; echo more >> kept; echo $? >&REPORT",
    "(cd /; pwd >&REPORT; cd - >&REPORT; echo $? >&REPORT)",
    "read line; echo \"$? [$line]\" >&REPORT",
    "read line < /dev/null; echo $? >&REPORT; /usr/bin/head -c 5 <&4 >&REPORT; echo $? >&REPORT",
    "echo out; echo $? >&REPORT; echo err >&2; echo $? >&REPORT",
    "echo a | /usr/bin/tr a b | /usr/bin/cat >&REPORT; echo $? >&REPORT",
    "/usr/bin/cat >&REPORT <<END\nhere $((1 + 2))\nEND",
    "(exit 3); echo $? >&REPORT; true & wait $!; echo $? >&REPORT; nosuch; echo $? >&REPORT",
    "trap 'echo usr >&REPORT' USR1; kill -USR1 $$; trap - USR1",
    "trap 'echo end >&REPORT' EXIT",
    "{ /usr/bin/sleep 9 & kill $!; wait $!; } 2>/dev/null; echo $? >&REPORT",
    "/bin/sh -c '/bin/sh -c \"kill -9 \\$\\$\"; echo $?; /bin/sh -c \"kill -PIPE \\$\\$\"; echo $?' >&REPORT",
    "for n in 1 2 3; do (echo $n >&REPORT); done",
    "exec 8</dev/null; PROBE fds >&REPORT; exec 8<&-",
    "echo ok > /dev/fd/REPORT; echo $? >&REPORT; test -t 0; echo $? >&REPORT; test -t 1; echo $? >&REPORT",
    "/usr/bin/uname -r -m >&REPORT; /usr/bin/nice >&REPORT; /usr/bin/id >&REPORT; /usr/bin/taskset -p $$ 2>&1 | /usr/bin/sed 's/.*: //' >&REPORT",
];

const ENDS: [&str; 9] = [
    "",
    "exit 0",
    "exit 7",
    "false",
    "exec PROBE report >&REPORT",
    "kill -TERM $$",
    "kill -KILL $$",
    "exec true",
    "nosuchcommand",
];

/// Takes the number of the parent out, which is a shell in between.
const ORPHAN: &str = r#"/usr/bin/sed 's/"parent":[0-9]*//'"#;

/// `calm`: the shell talks of what it does, or fails to do, so that only one of its processes may talk at a time.
pub(super) fn choose(dice: &mut Dice, plan: &Plan, calm: bool) -> String {
    let alone = |piece: &&&str| !calm || !piece.contains(" | ") && !piece.contains(" & ");
    let pieces: Vec<&str> = PIECES.iter().filter(alone).copied().collect();
    let mut chosen: Vec<&str> = (0..1 + dice.below(4)).map(|_| dice.pick(&pieces)).collect();
    chosen.push(dice.pick(&ENDS));
    chosen
        .join("\n")
        .replace("PROBE", PROBE)
        .replace("ORPHAN", ORPHAN)
        .replace("REPORT", &plan.report.to_string())
}
