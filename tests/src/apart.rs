//! A test that runs once more in namespaces of its own: root in there, nobody outside (`unshare -rnm`, so no root is
//! needed), and whatever it mounts or makes goes with its last process, also after a panic or a kill.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Tells the inner test where its files go.
const FOLDER: &str = "KANHE_TEST_FOLDER";
/// What the inner test leaves when it came to its end.
const DONE: &str = "done";

/// The outer test: runs the test `inside` of the same file in namespaces of its own. Where that is not possible it fails
/// and says what could then not be tested: a test that passes without having run would say that all is well.
pub fn run(lost: &str) {
    let possible = Command::new("unshare").args(["-rnm", "true"]).stderr(Stdio::null()).status();
    assert!(
        possible.is_ok_and(|status| status.success()),
        "`unshare -rnm` does not work here, so {lost}: allow user namespaces \
         (sysctl kernel.unprivileged_userns_clone=1), or run it as root outside a container"
    );
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.arg("-rnm").arg(std::env::current_exe().unwrap());
    let ended =
        command.args(["--exact", "inside", "--ignored", "--nocapture"]).env(FOLDER, dir.path()).status().unwrap();
    assert!(ended.success(), "{ended}");
    assert!(dir.path().join(DONE).exists(), "the test inside did not run");
}

/// The inner test: its folder; nothing if it was not started by [`run`].
pub fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// The inner test came to its end.
pub fn done() {
    std::fs::write(folder().unwrap().join(DONE), "").unwrap();
}

/// Runs a program that must succeed.
pub fn succeed(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program} is needed here: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
}
