//! The shell as a login shell behind sshd: `sshd -i` at the other end of the client's ProxyCommand, no port.

use std::path::Path;

use agentsh_tests::shell::Subject;
use agentsh_tests::world::people;
use agentsh_tests::{Input, Outcome, Result, Shell, User, World, compare, enforced, fail, skips};

const FOLDER: &str = "/root/sshd";

fn prepare(world: &World) -> Result {
    let root = User::root();
    root.make_folder(Path::new(FOLDER))?;
    for key in ["host", "client"] {
        let args = ["-q", "-t", "ed25519", "-N", "", "-f", &format!("{FOLDER}/{key}")];
        let keygen = Shell::program("ssh-keygen")
            .args(args)
            .cwd("/")
            .inherit(|inherit| inherit.as_root = true)
            .run(world)?;
        keygen.expect_success("ssh-keygen")?;
    }
    let public = std::fs::read(format!("{FOLDER}/client.pub"))?;
    world
        .user()
        .write_file(&world.user().home.join(".ssh/authorized_keys"), public, 0o600)?;
    let config = format!(
        "HostKey {FOLDER}/host\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\nPrintMotd no\nPrintLastLog no\n\
         Subsystem sftp /usr/lib/openssh/sftp-server\nAcceptEnv SENT_*\n"
    );
    root.write_file(&Path::new(FOLDER).join("config"), config, 0o600)
}

fn ssh(world: &World, subject: &Subject, options: &[&str], command: &[&str], stdin: &[u8]) -> Result<Outcome> {
    people::set_login_shell(world.user(), &subject.shell("bash"))?;
    let proxy = format!("ProxyCommand=/usr/sbin/sshd -i -f {FOLDER}/config");
    let target = format!("{}@host.invalid", world.user().name);
    let fixed = [
        "-F",
        "none",
        "-q",
        "-i",
        &format!("{FOLDER}/client"),
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        &proxy,
    ];
    let shell = Shell::program("ssh")
        .args(fixed)
        .args(options)
        .args([target.as_str()])
        .args(command);
    shell
        .cwd("/")
        .stdin(Input::Bytes(stdin.to_vec()))
        .inherit(|inherit| inherit.as_root = true)
        .run(world)
}

/// Options of the client, the command, what it is fed.
const CALLS: [(&[&str], &[&str], &[u8]); 7] = [
    (&[], &["echo $0 $-; pwd; tty; exit 7"], b""),
    (&["-T"], &[], b"echo \"$0\"; shopt login_shell; exit 4\n"),
    (&["-T"], &["bash"], b"echo bootstrap\nread x\ndata\necho mark$x\n"),
    (&["-tt"], &["tty | tr -d 0-9; stty size; kill -9 $$"], b""),
    (
        &["-o", "SendEnv=SENT_X", "-o", "SetEnv=SENT_Y=1"],
        &["echo $SENT_Y; cat | md5sum"],
        &[0, 255, 10, 13],
    ),
    (&["-s"], &["sftp"], b""),
    (&[], &["--", "printf", "'%s|'", "a", "'b c'"], b""),
];

fn remote(user: User) -> Result {
    if !skips::has_programs("sshd", &["sshd", "ssh", "ssh-keygen"])? {
        return Ok(());
    }
    let world = World::new(user)?;
    prepare(&world)?;
    let mut failed = Vec::new();
    for (options, command, stdin) in CALLS {
        let oracle = ssh(&world, &Subject::Real, options, command, stdin)?;
        let other = ssh(&world, &Subject::shims(), options, command, stdin)?;
        let plain = |outcome: &Outcome, subject: &Subject| {
            (
                outcome.ended,
                subject.plain(&outcome.stdout),
                subject.plain(&outcome.stderr),
            )
        };
        if plain(&oracle, &Subject::Real) != plain(&other, &Subject::shims()) {
            failed.push(format!("{command:?}: {oracle:?}\nbecame\n{other:?}"));
        }
    }
    match failed.is_empty() {
        true => enforced::prove(&world),
        false => Err(fail(failed.join("\n"))),
    }
}

#[test]
fn a_login_through_sshd_is_the_same_for_root() -> Result {
    remote(User::root())
}

#[test]
fn a_login_through_sshd_is_the_same_for_a_user() -> Result {
    remote(User::agent())
}

#[test]
fn a_bare_world_can_run_sshd_at_all() -> Result {
    if !skips::has_programs("sshd", &["sshd", "ssh", "ssh-keygen"])? {
        return Ok(());
    }
    let world = World::bare(User::agent())?;
    prepare(&world)?;
    let case = agentsh_tests::Case::new("x", Shell::named("bash").args(["-c", "true"]));
    compare::same(&case, &world, &Subject::Real)?;
    ssh(&world, &Subject::Real, CALLS[0].0, CALLS[0].1, CALLS[0].2)?.expect_exit(7, "ssh")?;
    Ok(())
}
