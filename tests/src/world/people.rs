//! The users of a world.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::Result;

/// Somebody as whom commands run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub name: &'static str,
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups.
    pub groups: &'static [u32],
    pub home: PathBuf,
}

impl User {
    /// The superuser, with the capabilities that the test program has.
    pub fn root() -> User {
        User {
            name: "root",
            uid: 0,
            gid: 0,
            groups: &[0, 4243],
            home: "/root".into(),
        }
    }

    /// An ordinary user with a supplementary group.
    pub fn agent() -> User {
        User {
            name: "agent",
            uid: 4242,
            gid: 4242,
            groups: &[4242, 4243],
            home: "/home/agent".into(),
        }
    }

    /// Both, for suites that run as each.
    pub fn both() -> [User; 2] {
        [User::root(), User::agent()]
    }

    /// Makes `path` and its missing parents, owned by this user.
    pub fn make_folder(&self, path: &Path) -> Result {
        if path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.make_folder(parent)?;
        }
        fs::create_dir(path)?;
        self.own(path)
    }

    /// Writes a file that this user owns, making its folder.
    pub fn write_file(&self, path: &Path, content: impl AsRef<[u8]>, mode: u32) -> Result {
        if let Some(parent) = path.parent() {
            self.make_folder(parent)?;
        }
        fs::write(path, content)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        self.own(path)
    }

    /// Gives `path` to this user.
    pub fn own(&self, path: &Path) -> Result {
        Ok(chown(path, Some(self.uid), Some(self.gid))?)
    }
}

/// Adds the ordinary user to the world's account files and makes the homes.
pub(super) fn install() -> Result {
    let agent = User::agent();
    append("/etc/passwd", "agent:x:4242:4242:Agent:/home/agent:/bin/bash\n")?;
    append("/etc/group", "agent:x:4242:\ncrew:x:4243:agent\n")?;
    append("/etc/shadow", "agent:*:19000:0:99999:7:::\n")?;
    agent.make_folder(&agent.home)?;
    for user in User::both() {
        let git = "[user]\n\tname = Test\n\temail = test@example.invalid\n[safe]\n\tdirectory = *\n";
        user.write_file(&user.home.join(".gitconfig"), git, 0o644)?;
        user.write_file(
            &user.home.join(".bashrc"),
            "# start file of interactive shells\n",
            0o644,
        )?;
        user.write_file(&user.home.join(".profile"), "# start file of login shells\n", 0o644)?;
        user.make_folder(&user.home.join(".ssh"))?;
        user.write_file(&user.home.join(".ssh/id_ed25519"), SECRET, 0o600)?;
        user.write_file(&user.home.join(".zshrc"), "", 0o644)?;
    }
    Ok(())
}

/// What the private key files of a world hold: it must never be seen on the output of a command.
pub const SECRET: &str = "-----PRIVATE KEY OF THE TESTS-----\n";

/// Makes `shell` the login shell of `user` in the account file.
pub fn set_login_shell(user: &User, shell: &Path) -> Result {
    let text = fs::read_to_string("/etc/passwd")?;
    let lines = text.lines().map(|line| match line.split_once(':') {
        Some((name, _)) if name == user.name => match line.rsplit_once(':') {
            Some((before, _)) => format!("{before}:{}", shell.display()),
            None => line.to_owned(),
        },
        _ => line.to_owned(),
    });
    let text = lines.collect::<Vec<_>>().join("\n") + "\n";
    Ok(fs::write("/etc/passwd", text)?)
}

fn append(path: &str, text: &str) -> Result {
    Ok(fs::OpenOptions::new()
        .append(true)
        .open(path)?
        .write_all(text.as_bytes())?)
}
