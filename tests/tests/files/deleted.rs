//! A file that is open when its name goes is its holder's as before, although it lies in the trash.

use agentsh_tests::{Result, User, World, fail, oracle, session};
use serde_json::Value;

const SCRIPT: &str = include_str!("deleted.py");

/// The ways to something in the trash for whoever has not had it open.
const WAYS: &str = "import ctypes,errno,os,sys
c = ctypes.CDLL(None, use_errno=True)
def go(name, work):
    try: work(); print(name, 'done')
    except OSError as error: print(name, errno.errorcode[error.errno])
def call(*words):
    if c.syscall(*words) < 0: raise OSError(ctypes.get_errno(), '')
for path in sys.argv[1:]:
    go('read', lambda: os.open(path, os.O_RDONLY)); go('write', lambda: os.open(path, os.O_WRONLY))
    go('truncate', lambda: os.truncate(path, 0)); go('mode', lambda: os.chmod(path, 0o777))
    fd = os.open(path, os.O_PATH); link = f'/proc/self/fd/{fd}'
    go('read again', lambda: os.open(link, os.O_RDONLY)); go('written again', lambda: os.open(link, os.O_WRONLY))
    go('truncate', lambda: os.truncate(link, 0)); go('mode', lambda: os.chmod(link, 0o777))
    go('owner', lambda: call(260, fd, b'', os.getuid(), os.getgid(), 0x1000))
    go('another name', lambda: call(265, -100, link.encode(), -100, b'name', 0x400))
";

fn create(world: &World) -> Result<String> {
    let keep =
        r#"  - {name: keep, paths: ["${PROJECT_ROOT}/**"], operations: [delete, truncate], decision: soft_delete}"#;
    let policy = session::BASE.replacen("file_rules:\n", &format!("file_rules:\n{keep}\n"), 1);
    let path = session::write_policy(world, "keep", &policy)?;
    Ok(session::create(world, &["--policy", &path.to_string_lossy()])?.id)
}

/// What the trash has: where it was, how it came there, its size and where it lies.
fn kept(world: &World) -> Result<Vec<(String, String, u64, String)>> {
    let list: Vec<Value> = world.agentsh(["trash", "list", "--json"])?.json()?;
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let name = |entry: &Value| {
        text(entry, "original")
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let one = |entry: &Value| {
        let size = entry["size"].as_u64().unwrap_or_default();
        (name(entry), text(entry, "cause"), size, text(entry, "file"))
    };
    Ok(list.iter().map(one).collect())
}

#[test]
fn whoever_has_a_deleted_file_open_does_with_it_what_he_could_without_a_session() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let script = world.user().home.join("deleted.py");
        world.user().write_file(&script, SCRIPT, 0o644)?;
        let (script, top) = (
            script.to_string_lossy(),
            world.workspace().to_string_lossy().into_owned(),
        );
        let argv = ["python3", "-S", &script, &top];
        let native = oracle::program(&world, &argv).run(&world)?;
        let session = create(&world)?;
        let caged = session::exec(&session, &[], &argv).run(&world)?;
        oracle::same(&native, &caged, 50)?;
        // What was in the file when its name went is kept from being cut; of one that was empty then nothing is.
        let kept = kept(&world)?;
        let cut = |file: &str| {
            kept.iter()
                .filter(|(name, cause, ..)| name == file && cause == "truncated")
                .count()
        };
        if cut("written") == 0 || cut("empty") != 0 {
            return Err(fail(format!("{kept:#?}")));
        }
    }
    Ok(())
}

#[test]
fn nobody_comes_to_what_is_in_the_trash_who_had_it_not_open() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        world
            .user()
            .write_file(&world.workspace().join("kept"), "precious\n", 0o644)?;
        let session = create(&world)?;
        session::run(&world, &session, &["rm", "kept"])?.expect_success("rm")?;
        let [(.., file)] = kept(&world)?.try_into().map_err(|kept| fail(format!("{kept:?}")))?;
        let outcome = session::run(&world, &session, &["python3", "-S", "-c", WAYS, &file])?;
        outcome.expect_success("the ways")?;
        let lines = outcome.out().lines().map(str::to_owned).collect::<Vec<_>>();
        if lines.len() != 10 || lines.iter().any(|line| !line.ends_with(" EACCES")) {
            return Err(fail(format!("{lines:#?}")));
        }
    }
    Ok(())
}
