//! Outside programs at work in a session, with their own checks and against their work without one.

use std::time::Duration;

use agentsh_tests::world::toolchain;
use agentsh_tests::{Outcome, Result, Shell, User, World, fail, session, skips};

/// A policy that keeps what is deleted, as the shipped ones do.
const KEEP: &str =
    r#"  - {name: keep, paths: ["${PROJECT_ROOT}/**"], operations: [delete, rmdir, truncate], decision: soft_delete}"#;

const PATIENCE: Duration = Duration::from_secs(600);

/// Runs a text in a session of its own, as both kinds of users.
fn works(name: &str, programs: &[&str], text: &str) -> Result {
    if !skips::has_programs(name, programs)? {
        return Ok(());
    }
    for user in User::both() {
        let world = World::new(user)?;
        let session = crate::attempts::session(&world, KEEP, "")?;
        caged(&world, &session, text)?.expect_success(name)?;
    }
    Ok(())
}

fn caged(world: &World, session: &str, text: &str) -> Result<Outcome> {
    session::exec(session, &[], &["bash", "-euc", text])
        .deadline(PATIENCE)
        .run(world)
}

fn native(world: &World, text: &str) -> Result<Outcome> {
    Shell::program("bash")
        .args(["-euc", text])
        .deadline(PATIENCE)
        .run(world)
}

#[test]
fn git_clones_rebases_packs_and_finds_its_objects_whole() -> Result {
    works(
        "git",
        &["git"],
        "git init -q -b main r; cd r
for n in $(seq 30); do for f in $(seq 20); do echo $n $f > f$f; done; git add -A; git commit -qm $n; done
git checkout -qb side HEAD~10; echo side > s; git add s; git commit -qm side; git rebase -q main
git worktree add -q ../w HEAD~3; git -C ../w status --short; git worktree remove ../w
git gc -q --aggressive --prune=now; git fsck --full --strict
cd ..; git clone -q r c; git -C c log --oneline | wc -l | grep -qx 31; git -C c fsck --full
git -C c stash -q || true; echo x > c/f1; git -C c stash -q; git -C c stash pop -q; git -C c checkout -q -- .; git -C c clean -qfdx
git -C c merge -q --no-edit origin/main; git -C c bundle create -q ../b main 2>/dev/null || git -C c bundle create ../b side; git bundle verify -q c/../b",
    )
}

#[test]
fn sqlite_keeps_its_promises_with_several_writers_under_wal() -> Result {
    works(
        "sqlite",
        &["sqlite3"],
        "sqlite3 db 'PRAGMA journal_mode=WAL; CREATE TABLE t (a INTEGER, b TEXT);' > /dev/null
for w in 1 2 3 4; do (for n in $(seq 40); do echo \"INSERT INTO t VALUES ($w, hex(randomblob(500)));\"; done | sqlite3 -cmd '.timeout 60000' db) & done; wait
sqlite3 db 'UPDATE t SET b = b || a; DELETE FROM t WHERE rowid % 7 = 0; VACUUM; PRAGMA wal_checkpoint(TRUNCATE);' > /dev/null
[ \"$(sqlite3 db 'PRAGMA integrity_check; SELECT count(*) FROM t;')\" = \"$(printf 'ok\\n138')\" ]",
    )
}

#[test]
fn npm_installs_a_package() -> Result {
    works(
        "npm",
        &["npm"],
        "export npm_config_cache=$PWD/cache npm_config_update_notifier=false; mkdir dep app; cd dep; echo '{\"name\":\"dep\",\"version\":\"1.0.0\",\"bin\":{\"dep\":\"b.js\"},\"scripts\":{\"postinstall\":\"echo ran > ran\"}}' > package.json
printf '#!/usr/bin/env node\\nconsole.log(\"works\")\\n' > b.js; tgz=$(npm pack --silent); cd ../app; echo '{\"name\":\"app\",\"version\":\"1.0.0\"}' > package.json
npm install --offline --no-audit --no-fund --silent ../dep/$tgz; [ \"$(npx --offline dep)\" = works ]; npm ls --silent dep; npm uninstall --offline --silent dep; [ ! -e node_modules/dep ]",
    )
}

#[test]
fn pip_installs_a_wheel_into_a_venv() -> Result {
    works(
        "pip",
        &["python3"],
        "python3 -m venv v
python3 - << 'X'
import zipfile
with zipfile.ZipFile('small-1.0-py3-none-any.whl', 'w') as wheel:
    wheel.writestr('small/__init__.py', 'answer = 42\\n')
    wheel.writestr('small-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: small\\nVersion: 1.0\\n')
    wheel.writestr('small-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: hand\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr('small-1.0.dist-info/entry_points.txt', '[console_scripts]\\nsmall = small:print\\n')
    wheel.writestr('small-1.0.dist-info/RECORD', 'small/__init__.py,,\\nsmall-1.0.dist-info/METADATA,,\\nsmall-1.0.dist-info/WHEEL,,\\nsmall-1.0.dist-info/entry_points.txt,,\\nsmall-1.0.dist-info/RECORD,,\\n')
X
v/bin/pip install -q --no-index ./small-1.0-py3-none-any.whl; v/bin/pip check
[ \"$(v/bin/python -c 'import small; print(small.answer)')\" = 42 ]; [ -x v/bin/small ]; v/bin/pip uninstall -qy small; [ ! -e v/bin/small ]; rm -rf v",
    )
}

/// What a tree is, to the last attribute.
const PICTURE: &str = "import hashlib, os, stat, sys
for folder, folders, files in os.walk(sys.argv[1]):
    folders.sort()
    for name in sorted(folders + files) + ['.']:
        path = folder + '/' + name; it = os.lstat(path)
        what = os.readlink(path) if stat.S_ISLNK(it.st_mode) else hashlib.sha256(open(path, 'rb').read()).hexdigest() if stat.S_ISREG(it.st_mode) else ''
        keys = [] if stat.S_ISLNK(it.st_mode) else [(k, os.getxattr(path, k)) for k in os.listxattr(path)]
        print(path, oct(it.st_mode), it.st_uid, it.st_gid, it.st_size if what else 0, it.st_mtime_ns, it.st_nlink if what else 0, what, keys)";

#[test]
fn copies_are_like_their_originals_and_like_copies_made_outside() -> Result {
    if !skips::has_programs("copies", &["rsync", "tar", "cp"])? {
        return Ok(());
    }
    let lay = "mkdir -p o/a/b o/empty o/ro; umask 077; echo private > o/a/private; umask 022; head -c 100000 /dev/urandom > o/a/b/data
ln o/a/b/data o/hard; ln -s a/b o/link; ln -s nowhere o/dangling; mkfifo o/fifo; truncate -s 1M o/sparse; chmod 6755 o/hard; chmod 2770 o/empty
chmod 500 o/ro; python3 -c 'import os; os.setxattr(\"o/hard\", \"user.k\", b\"v\")'
for n in $(seq 200); do echo $n > o/a/b/$n; done; printf x > \"$(printf 'o/new\\nline \\377')\"; find o -depth -exec touch -h -d '2001-02-03 04:05:06.789' {} +";
    let copy = "rm -rf c; mkdir c; cp -a o c/cp; rsync -aHX --sparse o/ c/rsync/; mkdir c/tar; tar --xattrs -cf - -C o . | tar --xattrs -xpf - -C c/tar
mkdir c/again; cp -a o/. c/again; rsync -aHX --delete o/a/ c/again/; rsync -aHX --delete o/ c/again/
mkdir c/inplace; rsync -aHX --inplace o/ c/inplace/; touch -d 2003-03-03 c";
    for user in User::both() {
        let world = World::new(user)?;
        native(&world, lay)?.expect_success("the tree")?;
        let picture = || -> Result<String> {
            let outcome = Shell::program("python3").args(["-c", PICTURE, "c"]).run(&world)?;
            outcome.expect_success("a picture")?;
            Ok(outcome.out())
        };
        native(&world, copy)?.expect_success("copies outside")?;
        let outside = picture()?;
        let session = crate::attempts::session(&world, KEEP, "")?;
        caged(&world, &session, copy)?.expect_success("copies in a session")?;
        let inside = picture()?;
        let mut different = outside.lines().zip(inside.lines()).filter(|(a, b)| a != b);
        if let Some((outside, inside)) = different.next() {
            return Err(fail(format!("outside {outside}\ninside  {inside}")));
        }
        if inside.lines().count() != outside.lines().count() || inside.lines().count() < 1000 {
            return Err(fail("not all was copied"));
        }
    }
    Ok(())
}

#[test]
fn random_operations_come_out_as_without_a_session() -> Result {
    let world = World::new(User::agent())?;
    let script = world.user().home.join("fsx.py");
    world.user().write_file(&script, include_str!("fsx.py"), 0o644)?;
    // Nothing is kept: what the trash holds counts among a file's names.
    let session = session::with_rules(&world, "")?.id;
    for seed in ["1", "2", "3"] {
        let run = |caged: bool, top: &str| -> Result<String> {
            let argv = ["python3", "-S", &script.to_string_lossy(), top, seed, "4000"];
            let shell = match caged {
                true => session::exec(&session, &[], &argv),
                false => Shell::program(argv[0]).args(&argv[1..]),
            };
            let outcome = shell.deadline(PATIENCE).run(&world)?;
            outcome.expect_success("random operations")?;
            Ok(outcome.out())
        };
        let (native, caged) = (run(false, "native")?, run(true, "caged")?);
        if let Some((native, caged)) = native
            .lines()
            .zip(caged.lines())
            .find(|(native, caged)| native != caged)
        {
            return Err(fail(format!("seed {seed}: natively {native}\nin a session {caged}")));
        }
        native_rm(&world)?;
    }
    Ok(())
}

fn native_rm(world: &World) -> Result {
    native(world, "rm -rf native caged")?.expect_success("rm")?;
    Ok(())
}

#[test]
fn cargo_builds_and_tests_a_crate_of_this_project() -> Result {
    let world = World::new(User::agent())?;
    let before = toolchain::lay(&world)?;
    let session = crate::attempts::session(&world, KEEP, "")?;
    let test = "cargo test -q --offline --locked -p agentsh-protocol --lib 2>&1";
    let outcome = caged(&world, &session, &format!("{before}{test}"))?;
    outcome.expect_success("cargo")?;
    match outcome.out().contains("test result: ok") {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}
