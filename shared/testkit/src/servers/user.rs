//! The user that PostgreSQL runs as. It refuses to be root, and looks itself up in the password
//! file, so as root it becomes `postgres` or `nobody`.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

use super::ServerError;

/// Somebody else than root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUser {
    /// As in the password file.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// Whom to become: `None` when not root, so that nobody else is needed.
///
/// # Errors
/// [`ServerError::NoUser`] as root with neither `postgres` nor `nobody`.
pub fn server_user() -> Result<Option<ServerUser>, ServerError> {
    if !is_root() {
        return Ok(None);
    }
    let passwd = fs::read_to_string("/etc/passwd").map_err(ServerError::io("read", "/etc/passwd"))?;
    ["postgres", "nobody"].iter().find_map(|name| parse(&passwd, name)).map(Some).ok_or(ServerError::NoUser)
}

fn is_root() -> bool {
    #[expect(unsafe_code, reason = "geteuid(2) has no arguments and cannot fail")]
    let uid = unsafe { libc::geteuid() };
    uid == 0
}

fn parse(passwd: &str, name: &str) -> Option<ServerUser> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(ServerUser { name: name.to_owned(), uid, gid })
    })
}

impl ServerUser {
    /// Makes the command run as this user; the standard library also drops root's groups.
    pub(super) fn apply(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Refuses a folder that this user cannot enter (for example one in a home of mode 0700).
    pub(super) fn check_reaches(&self, path: &Path) -> Result<(), ServerError> {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "cd \"$1\"", "sh"])
            .arg(path)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.apply(&mut command);
        let status = command.status().map_err(ServerError::io("run", "/bin/sh"))?;
        if status.success() {
            Ok(())
        } else {
            Err(ServerError::Unreachable { user: self.name.clone(), path: path.to_path_buf() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ServerUser, parse};

    #[test]
    fn finds_a_user_by_its_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\npostgres2:x:9:9::/:/bin/sh\npostgres:x:101:104:PostgreSQL,,,:/var/lib/postgresql:/bin/bash\n";
        let user = ServerUser { name: "postgres".to_owned(), uid: 101, gid: 104 };
        assert_eq!(parse(passwd, "postgres"), Some(user));
        assert_eq!(parse(passwd, "nobody"), None);
    }
}
