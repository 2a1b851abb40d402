//! The design's table.

use agentsh_tests::bench::{Limit, Measured};
use agentsh_tests::shell::Subject;
use agentsh_tests::world::toolchain;
use agentsh_tests::{Result, Shell, User, World, enforced, skips};

use crate::pairs::{PAIRS, floor, ratio, time, warm_world};
use crate::{Work, cold, judged, network, opens, proxy, seek, terminal, wall};

/// Every number, in the order of the design.
pub fn all() -> Vec<Work> {
    vec![
        ("start", start),
        ("wall", wall::start),
        ("starts of 1,000 processes", thousand_starts),
        ("git status", git_status),
        ("tar", tar),
        ("find", find),
        ("create and delete", create_and_delete),
        ("twenty thousand", twenty_thousand),
        ("opens", opens::judged),
        ("build", build),
        ("own build", own_build),
        ("sequential", sequential),
        ("pipe", pipe),
        ("connection, bulk", network::bulk),
        ("connection, connects", network::connects),
        ("connection, connects held", network::connects_held),
        ("cold", cold::first_command),
        ("memory", cold::idle_memory),
        ("judged calls", judged::calls),
        ("matcher", judged::matcher),
        ("replay", seek::in_an_hour),
        ("proxy", proxy::talk),
        ("proxy idle", proxy::idle),
        ("terminal output", terminal::output),
        ("terminal paint", terminal::paint),
        ("terminal keys", terminal::keys),
    ]
}

fn times(work: &'static str, at_most: f64) -> Limit {
    Limit {
        work,
        at_most,
        unit: "×",
    }
}

fn start() -> Result<Vec<Measured>> {
    let mut results = Vec::new();
    for (user, work) in [
        (User::root(), "bash -c true, root"),
        (User::agent(), "bash -c true, a user"),
    ] {
        let world = warm_world(user)?;
        results.push(ratio(&world, times(work, 2.5), 40, "true")?);
    }
    results.push(start_beside_a_new_name(&warm_world(User::agent())?)?);
    if skips::has_programs("bench against bwrap", &["bwrap"])? {
        let world = warm_world(User::agent())?;
        let bwrap = ["bwrap", "--dev-bind", "/", "/", "/usr/bin/bash", "-c", "true"];
        let mut ratios = Vec::new();
        for _ in 0..PAIRS {
            let theirs = time(&world, &Subject::Real, 40, &bwrap)?;
            ratios.push(time(&world, &Subject::shims(), 40, &["@bash@", "-c", "true"])? / theirs);
        }
        results.push(Measured::of(times("bash -c true, against bwrap's", 1.0), &ratios));
    }
    Ok(results)
}

/// Programs put files into the home folder all the time, and what a command may reach there is then another list of names.
fn start_beside_a_new_name(world: &World) -> Result<Measured> {
    let mut ratios = Vec::new();
    for pair in 0..PAIRS {
        let name = world.user().home.join(format!("new{pair}"));
        world.user().write_file(&name, "x", 0o644)?;
        let ours = time(world, &Subject::shims(), 1, &["@bash@", "-c", "true"])?;
        ratios.push(ours / time(world, &Subject::Real, 1, &["@bash@", "-c", "true"])?);
    }
    enforced::prove(world)?;
    Ok(Measured::of(
        times("bash -c true, the home folder has a new name", 6.0),
        &ratios,
    ))
}

fn thousand_starts() -> Result<Vec<Measured>> {
    let text = "i=0; while [ $i -lt 1000 ]; do /usr/bin/true; i=$((i+1)); done";
    let mut results = Vec::new();
    // Root's are behind the wall in the kernel where there is one.
    for (user, work) in [
        (User::root(), "shell loop that starts 1,000 processes, root"),
        (User::agent(), "shell loop that starts 1,000 processes, a user"),
    ] {
        results.push(ratio(&warm_world(user)?, times(work, 1.25), 1, text)?);
    }
    Ok(results)
}

/// A world whose workspace has 10,000 small files in 100 folders, committed.
fn forest() -> Result<World> {
    let world = warm_world(User::agent())?;
    let text = "for d in $(seq 100); do mkdir -p tree/$d; for f in $(seq 100); do echo \"$d $f\" > tree/$d/$f; done; done; git add -A; git commit -q -m tree; git status --short";
    Shell::named("bash")
        .args(["-c", text])
        .run(&world)?
        .expect_success("the tree")?;
    Ok(world)
}

fn git_status() -> Result<Vec<Measured>> {
    Ok(vec![ratio(
        &forest()?,
        times("git status, 10,000 files, start included", 1.3),
        1,
        "git status --short",
    )?])
}

fn tar() -> Result<Vec<Measured>> {
    let world = forest()?;
    let text = "tar cf - tree | cat > /dev/null";
    Ok(vec![
        ratio(
            &world,
            times("tar of 10,000 small files, no read rule inside", 2.2),
            1,
            text,
        )?,
        floor(
            &world,
            times("the same, each open asked about, looked at by nobody", f64::INFINITY),
            text,
        )?,
    ])
}

fn find() -> Result<Vec<Measured>> {
    Ok(vec![ratio(
        &forest()?,
        times("find over 10,000 files", 1.15),
        1,
        "find tree -size +1000000c",
    )?])
}

fn create_and_delete() -> Result<Vec<Measured>> {
    let world = warm_world(User::agent())?;
    let text = "mkdir -p many; cd many; for f in $(seq 2000); do echo x > $f; done; rm -f -- *";
    Ok(vec![ratio(
        &world,
        times("create and delete 2,000 files, soft_delete on", 3.0),
        1,
        text,
    )?])
}

/// What an install of packages does: many small files in many folders, then a name for each folder.
fn twenty_thousand() -> Result<Vec<Measured>> {
    let world = warm_world(User::agent())?;
    let script = world.user().home.join("create.py");
    let text = "import os, shutil
for package in range(400):
    os.makedirs('node_modules/.p%d/lib' % package)
    for file in range(50):
        with open('node_modules/.p%d/lib/%d.js' % (package, file), 'w') as out: out.write('x' * 200)
    os.rename('node_modules/.p%d' % package, 'node_modules/p%d' % package)
shutil.rmtree('node_modules')
";
    world.user().write_file(&script, text, 0o644)?;
    let run = format!("python3 -S {}", script.display());
    let limit = times("20,000 files in 400 packages, made and removed", 4.0);
    Ok(vec![ratio(&world, limit, 1, &run)?])
}

fn build() -> Result<Vec<Measured>> {
    if !skips::has_programs("bench of a build", &["make", "cc"])? {
        return Ok(Vec::new());
    }
    let world = warm_world(User::agent())?;
    let sources = "for n in $(seq 40); do { echo '#include <stdio.h>'; for f in $(seq 20); do echo \"int f_${n}_$f(int x){char b[64]; return snprintf(b, 64, \\\"%d\\\", x * $f);}\"; done; } > m$n.c; done; \
        printf 'OBJECTS := $(patsubst %%.c,%%.o,$(wildcard m*.c))\\nall: $(OBJECTS)\\n\\tcc -shared -o all.so $(OBJECTS)\\n%%.o: %%.c\\n\\tcc -O2 -fPIC -c -o $@ $<\\n' > Makefile";
    Shell::named("bash")
        .args(["-c", sources])
        .run(&world)?
        .expect_success("the sources")?;
    let text = "rm -f *.o all.so; make -s -j2";
    Ok(vec![ratio(&world, times("a C build from clean", 1.05), 1, text)?])
}

/// A crate of this project with all that it is built from.
fn own_build() -> Result<Vec<Measured>> {
    if !skips::has_programs("bench of this project's build", &["cc"])? {
        return Ok(Vec::new());
    }
    let world = warm_world(User::agent())?;
    let before = toolchain::lay(&world)?;
    let build = "cargo clean -q --offline --locked; cargo build -q --offline --locked -p agentsh-protocol";
    let limit = times("a build of this project's from clean", 1.05);
    Ok(vec![ratio(&world, limit, 1, &format!("{before}{build}"))?])
}

fn sequential() -> Result<Vec<Measured>> {
    let world = warm_world(User::agent())?;
    let write = "dd if=/dev/zero of=big bs=1M count=1024 conv=notrunc status=none";
    let read = "dd if=big of=/dev/null bs=1M status=none";
    Ok(vec![
        ratio(&world, times("sequential write of 1 GiB", 1.02), 1, write)?,
        ratio(&world, times("sequential read of 1 GiB", 1.02), 1, read)?,
    ])
}

fn pipe() -> Result<Vec<Measured>> {
    let world = warm_world(User::agent())?;
    Ok(vec![ratio(
        &world,
        times("1 GiB through a pipe of the command", 1.02),
        1,
        "head -c 1073741824 /dev/zero | cat > /dev/null",
    )?])
}
