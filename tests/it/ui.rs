//! The UI in real Chromium against the real binary, with data that the demo made.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::shared::{binary, program, repository, run};

/// A demo that has told its story and leaves its UI up, ended with the test.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        // The demo ends its own children when it is asked to.
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        drop(self.0.wait());
    }
}

#[test]
fn the_ui_shows_what_the_demo_did() {
    let (Some(_), Some(npm)) = (program("chromium"), program("npm")) else { return };
    let mut child = Command::new(binary())
        .args(["demo", "--speed", "2"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("demo");
    let out = BufReader::new(child.stdout.take().expect("output"));
    let demo = Demo(child);
    let mut url = None;
    for line in out.lines() {
        let line = line.expect("line");
        println!("{line}");
        assert!(!line.contains("did not close"), "{line}");
        if let Some(rest) = line.split("UI stays up at ").nth(1) {
            url = rest.split_whitespace().next().map(str::to_owned);
            break;
        }
    }
    let url = url.expect("the demo names its UI");
    let printed =
        run(Command::new(npm).args(["run", "e2e"]).current_dir(repository().join("web")).env("BACKSTOP_UI_URL", url));
    println!("{printed}");
    drop(demo);
}
