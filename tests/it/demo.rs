//! `backstop demo`: the loop closes, and the demo notices when a link of it is broken.

use std::process::{Command, Output};

use crate::shared::binary;

fn demo(args: &[&str]) -> Output {
    Command::new(binary()).args(["demo", "--exit", "--speed", "2"]).args(args).output().expect("demo runs")
}

fn text(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_loop_closes() {
    let output = demo(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let story = text(&output);
    println!("{story}");
    for step in ["deployed", "firing", "rolled back", "verified", "told"] {
        assert!(story.contains(step), "the story does not tell {step:?}:\n{story}");
    }
}

fn check_broken(link: &str) {
    let output = demo(&["--break", link]);
    assert_eq!(output.status.code(), Some(1), "--break {link}:\n{}", text(&output));
    assert!(text(&output).contains("the loop did not close"), "{}", text(&output));
}

/// Each link of the loop, broken: the shop's reports, the change record, the rule, the deploy endpoint, the mode, the
/// verification, the message.
#[test]
fn a_broken_link_is_noticed() {
    std::thread::scope(|scope| {
        for links in [["reports", "change", "rule", "mode"], ["rollback", "verify", "notify", "release"]] {
            scope.spawn(move || links.into_iter().for_each(check_broken));
        }
    });
}
