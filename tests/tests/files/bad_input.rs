//! Names, folders and numbers that break what is not careful.

use std::fs;
use std::os::unix::ffi::OsStrExt;

use agentsh_tests::{Outcome, Result, User, World, fail, record, session};
use serde_json::Value;

/// A policy under which what is deleted in the workspace is kept.
const KEEP: &str = r#"  - {name: no, paths: ["${PROJECT_ROOT}/no/**"], operations: ["*"], decision: deny}
  - {name: keep, paths: ["${PROJECT_ROOT}/**"], operations: [delete, rmdir, truncate], decision: soft_delete}"#;

fn keeping(world: &World) -> Result<String> {
    crate::attempts::session(world, KEEP, "")
}

fn python(world: &World, session: &str, text: &str) -> Result<Outcome> {
    let outcome = session::exec(session, &[], &["python3", "-S", "-c", text])
        .deadline(std::time::Duration::from_secs(240))
        .run(world)?;
    outcome.expect_success(text)?;
    Ok(outcome)
}

fn count(world: &World, folder: &str) -> usize {
    fs::read_dir(world.workspace().join(folder)).map_or(0, Iterator::count)
}

#[test]
fn a_hundred_thousand_entries_in_one_folder_are_listed_moved_and_refused_as_one() -> Result {
    let world = World::new(User::agent())?;
    let many = world.workspace().join("many");
    world.user().make_folder(&many)?;
    for number in 0..100_000 {
        fs::write(many.join(number.to_string()), "")?;
    }
    let session = keeping(&world)?;
    let shown = python(
        &world,
        &session,
        "import os
print(len(os.listdir('many')))
os.mkdir('other'); os.rename('many', 'other/many'); print(len(os.listdir('other/many')))
os.rename('other/many/99999', 'other/99999'); os.unlink('other/many/0')
try: os.rename('other/many', 'no/many')
except OSError as error: print(error.errno)",
    )?;
    if shown.out() != "100000\n100000\n2\n" || count(&world, "other/many") != 99_998 {
        return Err(fail(format!("{shown:?}")));
    }
    // A tree that would bring names under a rule is looked through, whole.
    world.user().make_folder(&world.workspace().join("no"))?;
    let shown = python(
        &world,
        &session,
        "import os
try: os.rename('other/many', 'no/many')
except OSError as error: print(error.errno)",
    )?;
    match shown.out() == "13\n" && count(&world, "no") == 0 {
        true => Ok(()),
        false => Err(fail(format!("{shown:?}"))),
    }
}

#[test]
fn names_that_break_lines_and_texts_are_kept_restored_and_recorded_as_they_are() -> Result {
    let names: [&[u8]; 6] = [
        b"new\nline",
        b"\x1b[2J\x1b]0;title\x07",
        b"not-utf8-\xff\xfe\x80",
        b"quote\"back\\slash",
        b"%0A&<>' (deleted)",
        b"\xe2\x80\xae right to left",
    ];
    let world = World::new(User::agent())?;
    for name in names {
        let path = world.workspace().join(std::ffi::OsStr::from_bytes(name));
        world.user().write_file(&path, name, 0o644)?;
    }
    let session = keeping(&world)?;
    let delete = "import os
for name in os.listdir(b'.'):
    if os.path.isfile(name): os.unlink(name)";
    python(&world, &session, delete)?;
    let listed: Vec<Value> = world.agentsh(["trash", "list", "--json"])?.json()?;
    if listed.len() != names.len() {
        return Err(fail(format!("{listed:?}")));
    }
    // What people see holds no control character.
    let table = world.agentsh(["trash", "list"])?;
    table.expect_success("list")?;
    if table
        .stdout
        .iter()
        .any(|byte| (*byte < b' ' && *byte != b'\n') || *byte == 0x7f)
        || table.out().contains('\u{202e}')
    {
        return Err(fail(format!("{:?}", table.out())));
    }
    for entry in &listed {
        let id = entry["id"].as_str().unwrap_or_default();
        world.agentsh(["trash", "restore", id])?.expect_success("restore")?;
    }
    for name in names {
        let path = world.workspace().join(std::ffi::OsStr::from_bytes(name));
        if fs::read(&path)? != name {
            return Err(fail(format!("{path:?}")));
        }
        let path = path.as_os_str().as_bytes();
        let deleted =
            |event: &record::Event| event.kind == "file_delete" && event.path.as_ref().is_some_and(|p| p.0 == path);
        record::await_event(&world, "the deletion under its own name", deleted)?;
    }
    Ok(())
}

#[test]
fn the_longest_paths_and_the_deepest_links_are_followed_as_far_as_the_kernel_does() -> Result {
    let world = World::new(User::agent())?;
    let text = "import errno, os
top = os.getcwd()
for number in range(41): os.symlink('end' if number == 0 else 'link%d' % (number - 1), 'link%d' % number)
open('end', 'w').write('reached')
for number in (39, 40):
    try: print(open('link%d' % number).read())
    except OSError as error: print(errno.errorcode[error.errno])
deep = '/'.join(['d' * 255] * 15) + '/' + 'e' * (4095 - len(top) - 1 - 256 * 15)
for length in (4095, 4096):
    path = top + '/' + deep + 'x' * (length - 4095)
    try:
        if length == 4095:
            os.makedirs(os.path.dirname(path))
        with open(path, 'w') as file: file.write('deep')
        os.truncate(path, 2); os.rename(path, path[:-1]); os.unlink(path[:-1]); print('gone', os.path.exists(path[:-1]))
    except OSError as error: print(errno.errorcode[error.errno])
for number in range(14): os.chdir('d' * 255)
print(os.path.exists('d' * 255))";
    let session = keeping(&world)?;
    let shown = python(&world, &session, text)?;
    let inside = shown.out();
    world.git(&["clean", "-qfdx"])?;
    let native = agentsh_tests::Shell::program("python3")
        .args(["-S", "-c", text])
        .run(&world)?;
    native.expect_success("natively")?;
    match inside == native.out() && inside.starts_with("reached\nELOOP\ngone False\nENAMETOOLONG\n") {
        true => Ok(()),
        false => Err(fail(format!("{inside}\nnatively\n{}", native.out()))),
    }
}

/// Makes folders and goes down, to where no path leads.
const DOWN: &str = "import errno, os
top = os.getcwd()
def down(name):
    for part in [name] + 20 * ['f' * 255]:
        try: os.mkdir(part)
        except OSError: pass
        os.chdir(part)
def attempt(what):
    try: return what() or 'done'
    except OSError as error: return errno.errorcode[error.errno]
";

#[test]
fn what_lies_deeper_than_a_path_can_say_is_judged_like_everything_else() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let native = |text: &str| -> Result<String> {
            let shell = agentsh_tests::Shell::program("python3").args(["-S", "-c", &format!("{DOWN}{text}")]);
            let outcome = shell.run(&world)?;
            outcome.expect_success(text)?;
            Ok(outcome.out())
        };
        native("down('no'); open('kept', 'w').write('kept')")?;
        let session = keeping(&world)?;
        let text = "down('mine')
open('lost', 'w').write('precious'); os.unlink('lost'); open('mine', 'w').write('x'); os.rename('mine', 'theirs')
print(attempt(lambda: open('theirs').read()))
here = os.open('.', os.O_RDONLY)
os.chdir(top)
print(attempt(lambda: os.rename('mine', 'no/mine')))
down('no')
for what in (lambda: open('new', 'w'), lambda: os.mkdir('new'), lambda: os.unlink('kept'), lambda: os.rename('kept', 'new'), \
        lambda: open('kept', 'a'), lambda: open('kept').read(), lambda: os.truncate('kept', 1), lambda: os.chmod('kept', 0o777), \
        lambda: os.link('kept', 'new', src_dir_fd=None, dst_dir_fd=here), lambda: os.rename('theirs', 'new', src_dir_fd=here), \
        lambda: os.symlink('x', 'new')):
    print(attempt(what))";
        let shown = python(&world, &session, &format!("{DOWN}{text}"))?;
        let expected = format!("x\n{}", "EACCES\n".repeat(12));
        if shown.out() != expected {
            return Err(fail(format!("{shown:?}")));
        }
        let left = native("down('no'); print(os.listdir('.'), open('kept').read(), oct(os.stat('kept').st_mode))")?;
        if left != "['kept'] kept 0o100644\n" {
            return Err(fail(left));
        }
        let kept: Vec<Value> = world.agentsh(["trash", "list", "--json"])?.json()?;
        let lost = |entry: &Value| {
            entry["original"]
                .as_str()
                .is_some_and(|path| path.len() > 4095 && path.ends_with("/lost"))
        };
        if !kept.iter().any(lost) {
            return Err(fail(format!("{kept:?}")));
        }
    }
    Ok(())
}
