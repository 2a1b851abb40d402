//! State, sockets, configuration and programs: neither changed nor exchanged, and read no further than promised.

use agentsh_tests::world::PRODUCT;
use agentsh_tests::{Result, User, fail, session};

use crate::{still_guards, world};

#[test]
fn record_policy_configuration_and_sockets_are_not_changed() -> Result {
    for user in User::both() {
        let (world, id) = world(user)?;
        let config = world.user().home.join(".config/agentsh");
        world
            .user()
            .write_file(&config.join("config.yaml"), "log: {level: info}\n", 0o600)?;
        let folder = world.state_dir().join("sessions").join(&id);
        let run = match world.user().uid {
            0 => "/run/agentsh/0".to_owned(),
            uid => format!("/run/agentsh/{uid}"),
        };
        let kept = |path: &std::path::Path| std::fs::read(path).unwrap_or_default();
        let policy = kept(&folder.join("policy.yaml"));
        let before = kept(&folder.join("events.jsonl"));
        let state = world.state_dir();
        let text = format!(
            "for f in {folder}/policy.yaml {folder}/events.jsonl {folder}/session.json {config}/config.yaml {run}/launch.sock {run}/api.sock; do
  echo evil >> $f; : > $f; rm -f $f; mv $f /tmp/x; ln -f $f /tmp/l; chmod 666 $f; ln -sf /tmp/y $f; truncate -s 0 $f; cp /etc/passwd $f; touch -d 2000-01-01 $f
done; rm -rf {state} {run} {config}; mv {state} /tmp/s; mv {run} /tmp/r; mv {config} /tmp/c; mkdir -p {state}/new {config}/new {run}/new; chmod 777 {state} {run} {config}
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"{run}/other.sock\")'",
            folder = folder.display(),
            config = config.display(),
            state = state.display(),
        );
        session::run(&world, &id, &["bash", "-c", &text])?;
        let after = kept(&folder.join("events.jsonl"));
        let sockets = ["launch.sock", "api.sock"]
            .iter()
            .all(|name| std::path::Path::new(&run).join(name).exists());
        let changed = [
            ("policy", kept(&folder.join("policy.yaml")) != policy),
            ("record", !after.starts_with(&before)),
            (
                "configuration",
                kept(&config.join("config.yaml")) != b"log: {level: info}\n",
            ),
            ("sockets", !sockets),
            ("state", state.join("new").exists()),
            ("configuration's folder", config.join("new").exists()),
            ("run folder", std::path::Path::new(&run).join("other.sock").exists()),
        ];
        let changed: Vec<_> = changed.iter().filter(|(_, changed)| *changed).collect();
        if !changed.is_empty() {
            return Err(fail(format!("{changed:?}")));
        }
        still_guards(&world, &id, "after all that")?;
        world
            .agentsh(["audit", "verify", &id])?
            .expect_success("audit verify")?;
    }
    Ok(())
}

#[test]
fn no_other_folder_comes_in_the_place_of_one_of_ours() -> Result {
    for user in User::both() {
        let (world, id) = world(user)?;
        let (home, state) = (world.user().home.clone(), world.state_dir());
        let above = state.parent().unwrap_or(&state).to_owned();
        // There is no configuration yet: what the agent puts there would be believed at the next start.
        std::fs::remove_dir_all(home.join(".config")).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
        let text = format!(
            r#"mkdir -p evil/agentsh; echo 'shim: {{output: json}}' > evil/agentsh/config.yaml
ln -s $PWD/evil ~/.config; ln -sfn $PWD/evil ~/.config; mv evil ~/.config; mv -T evil ~/.config
mkdir ~/.config; mv -T ~/.config ~/.config.old; mv --exchange evil ~/.config
python3 -c 'import ctypes; ctypes.CDLL(None).renameat2(-100, b"evil", -100, b"{home}/.config", 2)'
cp -r evil/agentsh ~/.config/; ln -s $PWD/evil/agentsh ~/.config/agentsh; mkdir ~/.config/agentsh
mv {above} {above}.old && cat {above}.old/agentsh/sessions/{id}/events.jsonl
python3 -c 'import ctypes; ctypes.CDLL(None).renameat2(-100, b"evil", -100, b"{above}", 2)'
rmdir {above}; mv ~ /tmp/home; mv /run/agentsh /run/other; ln -sfn $PWD/evil /run/agentsh
mkdir -p /etc/agentsh; cp evil/agentsh/config.yaml /etc/agentsh/; ln -sfn $PWD/evil/agentsh /etc/agentsh"#,
            home = home.display(),
            above = above.display(),
        );
        let outcome = session::run(&world, &id, &["bash", "-c", &text])?;
        let wrong = [
            ("record was read", outcome.out().contains("session_id")),
            ("state", !state.join("sessions").join(&id).join("events.jsonl").exists()),
            ("configuration", home.join(".config/agentsh").exists()),
            ("link", home.join(".config").is_symlink()),
            ("system's configuration", std::path::Path::new("/etc/agentsh").exists()),
            (
                "sockets",
                !std::path::Path::new("/run/agentsh")
                    .join(world.user().uid.to_string())
                    .join("api.sock")
                    .exists(),
            ),
        ];
        let wrong: Vec<_> = wrong.iter().filter(|(_, wrong)| *wrong).collect();
        if !wrong.is_empty() {
            return Err(fail(format!("{}: {wrong:?} {outcome:?}", world.user().name)));
        }
        still_guards(&world, &id, "after all that")?;
        world
            .agentsh(["audit", "verify", &id])?
            .expect_success("audit verify")?;
    }
    Ok(())
}

#[test]
fn our_programs_and_stand_ins_are_not_replaced() -> Result {
    let (world, id) = world(User::root())?;
    let text = format!(
        r#"cd {PRODUCT}; for f in agentsh agentsh-ptyd agentsh-shell-shim shims/bash; do
  echo >> $f; cp /bin/true $f; rm -f $f; ln -sf /bin/true $f; mv $f /tmp/x; chmod 0 $f; truncate -s 0 $f; cp /bin/true other; mv other $f
done; rm -rf shims; mv shims other; mkdir other; mv -T other shims; echo x > shims/new; mv {PRODUCT} {PRODUCT}.old; ls -d {PRODUCT}.old shims/new"#
    );
    let outcome = session::run(&world, &id, &["bash", "-c", &text])?;
    let link = std::fs::read_link(format!("{PRODUCT}/shims/bash"))?;
    if !outcome.stdout.is_empty() || link != std::path::Path::new("../agentsh-shell-shim") {
        return Err(fail(format!("{link:?} {outcome:?}")));
    }
    still_guards(&world, &id, "after all that")
}

#[test]
fn the_record_is_read_from_inside_only_as_its_own_policy() -> Result {
    for user in User::both() {
        let (world, id) = world(user)?;
        let folder = world.state_dir().join("sessions").join(&id);
        let text = format!(
            "cat {0}/events.jsonl {0}/session.json; ls {0}; grep -c ^name: {0}/policy.yaml; {PRODUCT}/agentsh policy show | grep -c ^name:",
            folder.display()
        );
        let outcome = session::run(&world, &id, &["bash", "-c", &text])?;
        if outcome.out() != "1\n1\n" {
            return Err(fail(format!("{outcome:?}")));
        }
    }
    Ok(())
}
