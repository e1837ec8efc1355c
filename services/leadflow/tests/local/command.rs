//! The executable with nothing but a database.

use std::process::Command;

/// Whether it succeeded, and all that it printed.
pub fn run(url: &str, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadflow"));
    command.args(arguments).env_clear().env("DATABASE_URL", url).current_dir("/");
    let output = command.output().expect("run leadflow");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), text)
}
