//! How the shell is called, what it is handed to run, and its environment.

use super::dice::Dice;
use super::{Plan, texts};

pub(super) const SHELLS: [&str; 9] = ["bash", "bash", "bash", "bash", "sh", "sh", "dash", "zsh", "rbash"];

/// Options that come before the text, as Python's lists.
const OPTIONS: [&str; 13] = [
    "[]",
    "[]",
    "[]",
    "[b'-e']",
    "[b'-u']",
    "[b'-x']",
    "[b'-f']",
    "[b'+m']",
    "[b'-o', b'noglob']",
    "[b'-ev']",
    "[b'-l']",
    "[b'-C']",
    "[b'+e']",
];

/// Options of bash alone.
const BASHS: [&str; 10] = [
    "[b'--norc']",
    "[b'--noprofile', b'--norc']",
    "[b'--posix']",
    "[b'-p']",
    "[b'-O', b'extglob']",
    "[b'+O', b'extglob']",
    "[b'--login']",
    "[b'-o', b'pipefail']",
    "[b'-B']",
    "[b'-h']",
];

const ARGUMENTS: [&str; 10] = [
    "[]",
    "[b'name']",
    "[b'name', b'a', b'b c']",
    "[b'', b'']",
    "[b'\\xff\\xfe', b'\\x80\\n']",
    "[b'-x', b'-c']",
    "[b'--', b'a']",
    "[b'n', b'y' * 100000]",
    "[b'n'] + [b'word'] * 3000",
    "[b'n', b'*', b'$x', b'`y`']",
];

/// Entries of an environment beside, or in the place of, the usual ones.
const ENTRIES: [&str; 37] = [
    "A=1",
    "A=2",
    "noequals",
    "",
    "=x",
    "==",
    "\\xff=\\xfe",
    "X=a\\nb",
    "IFS=x",
    "BASH_ENV=/nosuch",
    "ENV=/nosuch",
    "SHELLOPTS=noglob:nosuch",
    "BASHOPTS=extglob",
    "BASH_FUNC_f%%=() { echo f; }",
    "BASH_FUNC_ls%%=() { echo not ls; }",
    "POSIXLY_CORRECT=1",
    "PS4=+ $LINENO ",
    "SHLVL=7",
    "OLDPWD=/usr",
    "PWD=/",
    "LD_PRELOAD=/nosuch.so",
    "LD_LIBRARY_PATH=/nosuch",
    "LD_BIND_NOW=1",
    "GLIBC_TUNABLES=glibc.malloc.check=1",
    "MALLOC_PERTURB_=7",
    "LC_ALL=C",
    "LC_ALL=nosuch",
    "TZ=nosuch",
    "CDPATH=/:/usr",
    "GLOBIGNORE=*",
    "BASH_COMPAT=4.2",
    "PATH=",
    "PATH=/nosuch",
    "HOME=",
    "UID=5",
    "TMPDIR=/nosuch",
    "EXECIGNORE=*cat",
];

/// The line of Python with which the start ends.
pub(super) fn choose(dice: &mut Dice, plan: &mut Plan) -> String {
    let shell = plan.shell;
    let mut options = dice.pick(&OPTIONS).to_string();
    if ["bash", "rbash"].contains(&shell) && dice.chance(25) {
        // The long ones must come first.
        options = format!("{} + {options}", dice.pick(&BASHS));
    }
    let cramped = !plan.limits.is_empty() || plan.restrict.iter().any(|line| line.contains("os.close"));
    let talks = options.contains("-x") || options.contains("-ev");
    let calm = ["rbash", "zsh"].contains(&shell) || talks || cramped;
    let text = &texts::choose(dice, plan, calm);
    let called = match dice.below(10) {
        0 => format!("b'-{shell}'"),
        1 => shell.to_owned(),
        2 => format!("b'./{shell}'"),
        3 => "b'sh'".to_owned(),
        4 => "b'\\xff odd'".to_owned(),
        _ => format!("b'{shell}'"),
    };
    let arguments = dice.pick(&ARGUMENTS);
    let text_bytes = python(text);
    let rest = match dice.below(12) {
        0 | 1 => {
            plan.files.push(("script", text.as_bytes().to_vec(), 0o644));
            format!("[here + b'/script'] + {arguments}")
        }
        2 => {
            plan.files.push(("script", text.as_bytes().to_vec(), 0o644));
            plan.arrange.push("give(19, os.open('script', os.O_RDONLY))".into());
            format!("[b'/dev/fd/19'] + {arguments}")
        }
        3 | 4 => {
            plan.arrange.push(format!("give(0, fed({text_bytes}))"));
            format!("[b'-s'] + {arguments}")
        }
        5 => {
            plan.arrange
                .push(format!("give(0, file_with({text_bytes}, os.O_RDONLY))"));
            "[]".to_owned()
        }
        6 => format!("[b'-c', b'--', {text_bytes}] + {arguments}"),
        _ => format!("[b'-c', {text_bytes}] + {arguments}"),
    };
    let limits = plan.limits.join(", ");
    let env = environment(dice);
    if dice.chance(8) {
        let options = dice.pick(&["", " -e", " -u x", "  -f"]);
        plan.arrange
            .push(format!("interpreted({shell}, b'{options}', {text_bytes})"));
        return format!("become(here + b'/run', [{called}] + {arguments}, {env}, [{limits}])");
    }
    format!("become({shell}, [{called}] + {options} + {rest}, {env}, [{limits}])")
}

fn environment(dice: &mut Dice) -> String {
    let usual = "[b'%s=%s' % entry for entry in os.environb.items()]";
    let mut own: Vec<String> = dice
        .some(&ENTRIES, 5)
        .into_iter()
        .map(|entry| format!("b'{entry}'"))
        .collect();
    if dice.chance(5) {
        own.push("b'BIG=' + b'v' * 120000".into());
    }
    let own = own.join(", ");
    match dice.below(10) {
        0 => "None".to_owned(),
        1 => "[]".to_owned(),
        2 => format!("[{own}]"),
        3 => format!("[b'V%d=%d' % (n, n) for n in range(3000)] + {usual}"),
        4 | 5 => format!("{usual} + [{own}]"),
        6 => format!("[{own}] + {usual}"),
        _ => usual.to_owned(),
    }
}

/// A literal of Python.
fn python(text: &str) -> String {
    format!(
        "b'{}'",
        text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n")
    )
}
