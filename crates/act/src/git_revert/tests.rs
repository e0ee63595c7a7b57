//! Against real Git: repositories in temporary folders, real conflicts, a push that somebody else was faster with.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use expect_test::{Expect, expect};
use respond::{Call, Executor as _};

use super::*;
use crate::tests::request;
use crate::{ActOptions, Actor};

/// A server's repository, and a clone to work in.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    /// `main` has three commits, each of its own file; `shop.conf` says the version.
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().expect("folder") };
        std::fs::create_dir(world.path("work")).expect("folder");
        world.git("work", &["init", "-q", "-b", "main"]);
        for version in ["1", "2", "3"] {
            world.commit(&format!("v{version}.txt"), version, &format!("Release {version}"));
        }
        world.git(".", &["clone", "-q", "--bare", "work", "server"]);
        world.git("work", &["remote", "add", "origin", &world.address()]);
        world
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn address(&self) -> String {
        self.path("server").to_string_lossy().into_owned()
    }

    fn git(&self, dir: &str, args: &[&str]) -> String {
        let identity = ["-c", "user.name=Dev", "-c", "user.email=dev@example", "-c", "commit.gpgSign=false"];
        let output =
            Command::new("/usr/bin/git").current_dir(self.path(dir)).args(identity).args(args).output().expect("git");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn commit(&self, file: &str, text: &str, subject: &str) -> String {
        std::fs::write(self.path("work").join(file), text).expect("write");
        self.git("work", &["add", "-A"]);
        self.git("work", &["commit", "-q", "-m", subject]);
        self.git("work", &["rev-parse", "HEAD"])
    }

    fn push(&self) {
        self.git("work", &["push", "-q", "origin", "main", "--tags"]);
    }

    fn head(&self, branch: &str) -> String {
        self.git("server", &["rev-parse", branch])
    }

    fn actor(&self) -> Actor {
        Actor::new(ActOptions {
            git: vec!["/usr/bin/git".to_owned()],
            git_allow: vec![self.address()],
            ..ActOptions::default()
        })
        .expect("actor")
    }

    fn request(&self, commit: &str) -> ActionRequest {
        request(
            Call::GitRevert(GitRevertCall {
                repository: self.address(),
                branch: "main".to_owned(),
                commit: commit.to_owned(),
                mainline: None,
                push_to: None,
            }),
            60_000,
        )
    }

    /// What is said, with ids and folders replaced by what they are.
    fn shown(&self, text: &str) -> String {
        let mut text = text.replace(&self.address(), "SERVER");
        for (name, rev) in [("V1", "main~2"), ("V2", "main~1"), ("V3", "main")] {
            text = text.replace(&self.git("work", &["rev-parse", rev]), name);
        }
        let word = |word: &str| {
            if word.len() >= 40 && word.bytes().all(|b| b.is_ascii_hexdigit()) {
                "ID".to_owned()
            } else {
                word.to_owned()
            }
        };
        text.split(' ').map(word).collect::<Vec<_>>().join(" ")
    }
}

fn with(mut request: ActionRequest, change: impl FnOnce(&mut GitRevertCall)) -> ActionRequest {
    let Call::GitRevert(call) = &mut request.call else { panic!("a git revert") };
    change(call);
    request
}

fn check(world: &World, request: &ActionRequest, expect: Expect) {
    let result = world.actor().execute(request);
    expect.assert_eq(&format!("{}: {}", result.state.as_str(), world.shown(&result.detail)));
}

fn look(world: &World, request: &ActionRequest, expect: Expect) {
    expect.assert_eq(&world.shown(&format!("{:?}", world.actor().precheck(request))));
}

#[test]
fn a_commit_is_reverted_once() {
    let world = World::new();
    let bad = world.git("work", &["rev-parse", "main~1"]);
    let mut request = world.request(&bad);
    request.fence = 7;
    look(
        &world,
        &request,
        expect![[
            r#"Ready { detail: "reverts V2 (Release 2) on main at V3; files changed: 1", revision: Some("V3") }"#
        ]],
    );
    request.revision = Some(world.head("main"));
    check(
        &world,
        &request,
        expect!["succeeded: reverts V2 (Release 2) on main at V3; files changed: 1: ID was pushed to main of SERVER"],
    );
    let message = world.git("server", &["log", "-1", "--format=%an <%ae>%n%B", "main"]);
    expect![[r#"
        Backstop <backstop@localhost>
        Revert "Release 2"

        This reverts commit V2.

        Backstop-Action: key-1
        Backstop-Fence: 7"#]]
    .assert_eq(&message.replace(&bad, "V2"));
    let files = world.git("server", &["ls-tree", "--name-only", "main"]);
    assert_eq!(files, "v1.txt\nv3.txt", "the commit's file is gone, the others are there");

    let after = world.head("main");
    check(&world, &request, expect!["succeeded: ID on main is the revert of this action already"]);
    request.key = "key-2".to_owned();
    check(&world, &request, expect!["succeeded: V2 is reverted by ID on main already"]);
    look(&world, &request, expect![[r#"Ready { detail: "V2 is reverted by ID on main already", revision: None }"#]]);
    assert_eq!(world.head("main"), after, "nothing was pushed again");
}

#[test]
fn a_revert_that_was_reverted_is_not_in_force() {
    let world = World::new();
    let bad = world.git("work", &["rev-parse", "main~1"]);
    world.git("work", &["revert", "--no-edit", &bad]);
    world.git("work", &["revert", "--no-edit", "HEAD"]);
    world.push();
    let result = world.actor().execute(&world.request(&bad));
    assert!(result.detail.starts_with("reverts "), "{}", result.detail);
    assert_eq!(world.git("server", &["ls-tree", "--name-only", "main"]), "v1.txt\nv3.txt");
}

#[test]
fn tags_short_ids_and_merges() {
    let world = World::new();
    world.git("work", &["tag", "v1.4.2", "main~1"]);
    world.git("work", &["checkout", "-q", "-b", "feature"]);
    world.commit("feature.txt", "x", "Feature");
    world.git("work", &["checkout", "-q", "main"]);
    world.git("work", &["merge", "-q", "--no-ff", "-m", "Merge feature", "feature"]);
    world.push();
    look(
        &world,
        &world.request("1.4.2"),
        expect![[
            r#"Ready { detail: "reverts V1 (Release 2) on main at V3; files changed: 1", revision: Some("V3") }"#
        ]],
    );
    look(
        &world,
        &world.request(&world.head("main~2")[..8]),
        expect![[
            r#"Ready { detail: "reverts V1 (Release 2) on main at V3; files changed: 1", revision: Some("V3") }"#
        ]],
    );
    look(
        &world,
        &world.request(&world.head("main")),
        expect![[r#"Refused { detail: "V3 is a merge of 2 parents: say with mainline which one stays, usually 1" }"#]],
    );
    let merge = with(world.request(&world.head("main")), |call| call.mainline = Some(1));
    check(
        &world,
        &merge,
        expect![
            "succeeded: reverts V3 (Merge feature) on main at V3; files changed: 1: ID was pushed to main of SERVER"
        ],
    );
    assert_eq!(world.git("server", &["ls-tree", "--name-only", "main"]), "v1.txt\nv2.txt\nv3.txt");
    let mut plain = with(world.request(&world.git("work", &["rev-parse", "v1.4.2"])), |call| call.mainline = Some(1));
    plain.key = "key-2".to_owned();
    look(&world, &plain, expect![[r#"Refused { detail: "V1 is no merge: leave mainline out" }"#]]);
}

#[test]
fn what_can_not_be_reverted_is_refused() {
    let world = World::new();
    look(
        &world,
        &world.request("0123456789abcdef0123456789abcdef01234567"),
        expect![[r#"Refused { detail: "there is no commit ID on the branch main" }"#]],
    );
    look(
        &world,
        &world.request("9.9"),
        expect![[r#"Refused { detail: "the repository has no tag 9.9 and no tag v9.9" }"#]],
    );
    look(
        &world,
        &world.request("HEAD~1"),
        expect![[r#"Refused { detail: "\"HEAD~1\" is neither a commit's id in hex nor the name of a tag" }"#]],
    );
    look(
        &world,
        &world.request(&world.head("main~2")),
        expect![[r#"Refused { detail: "the commit V1 has no parent, so there is nothing to go back to" }"#]],
    );
    look(
        &world,
        &with(world.request("1.0"), |call| call.branch = "gone".to_owned()),
        expect![[r#"Refused { detail: "the repository has no branch gone" }"#]],
    );
    look(
        &world,
        &with(world.request("1.0"), |call| call.branch = "a..b".to_owned()),
        expect![[r#"Refused { detail: "\"a..b\" is not the name of a branch" }"#]],
    );
    world.git("work", &["checkout", "-q", "-b", "other", "main~1"]);
    let elsewhere = world.commit("other.txt", "x", "Elsewhere");
    world.git("work", &["push", "-q", "origin", "other"]);
    world.git("work", &["checkout", "-q", "main"]);
    look(
        &world,
        &world.request(&elsewhere),
        expect![[r#"Refused { detail: "there is no commit ID on the branch main" }"#]],
    );
    std::fs::remove_dir_all(world.path("server")).expect("removed");
    let gone = world.actor().precheck(&world.request(&elsewhere));
    assert!(matches!(gone, Precheck::Unknown { .. }), "{gone:?}");
}

#[test]
fn a_conflict_pushes_nothing_and_names_the_files() {
    let world = World::new();
    let bad = world.commit("shop.conf", "pool = 2\n", "Pool of two");
    world.commit("shop.conf", "pool = 3\n", "Pool of three");
    world.push();
    let before = world.head("main");
    let request = world.request(&bad);
    let looked = world.actor().precheck(&request);
    assert!(matches!(&looked, Precheck::Refused { detail } if detail.contains("conflicts in shop.conf")), "{looked:?}");
    let result = world.actor().execute(&request);
    assert_eq!(result.state, ActionState::Failed);
    assert!(result.detail.contains("conflicts in shop.conf; nothing was pushed"), "{}", result.detail);
    assert_eq!(world.head("main"), before);
}

#[test]
fn a_branch_that_moved_is_not_touched() {
    let world = World::new();
    let mut request = world.request(&world.head("main~1"));
    request.revision = Some(world.head("main~1"));
    check(&world, &request, expect!["failed: the branch main moved from V2 to V3 since the precheck"]);

    // Somebody pushes between our fetch and our push: a git that pushes another commit first stands in for the race.
    request.revision = None;
    let other = world.commit("late.txt", "x", "Somebody else");
    let race = world.path("racing-git");
    let script = format!(
        "#!/bin/sh\nfor arg; do case $arg in push) /usr/bin/git -C {} push -q {} main;; esac; done\nexec /usr/bin/git \"$@\"\n",
        world.path("work").display(),
        world.address()
    );
    write_program(&race, &script);
    let options = ActOptions {
        git: vec![race.to_string_lossy().into_owned()],
        git_allow: vec![world.address()],
        ..ActOptions::default()
    };
    let result = Actor::new(options).expect("actor").execute(&request);
    assert_eq!(result.state, ActionState::Failed, "{}", result.detail);
    assert!(result.detail.contains("stale info"), "{}", result.detail);
    assert_eq!(world.head("main"), other);
}

#[test]
fn a_push_to_a_new_branch_is_idempotent_too() {
    let world = World::new();
    let before = world.head("main");
    let request = with(world.request(&world.head("main~1")), |call| call.push_to = Some("backstop/revert".to_owned()));
    check(
        &world,
        &request,
        expect![
            "succeeded: reverts V2 (Release 2) on main at V3; files changed: 1: ID was pushed to backstop/revert of SERVER"
        ],
    );
    check(&world, &request, expect!["succeeded: the branch backstop/revert holds the revert of this action already"]);
    let mut another = request.clone();
    another.key = "key-2".to_owned();
    check(&world, &another, expect!["failed: the branch backstop/revert is there already, and is not of this action"]);
    assert_eq!(world.head("main"), before);
}

#[test]
fn a_refusing_server_is_failed_and_a_hanging_one_is_unknown() {
    let world = World::new();
    let hook = world.path("server").join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().expect("folder")).expect("folder");
    write_program(&hook, "#!/bin/sh\necho frozen >&2\nexit 1\n");
    let result = world.actor().execute(&world.request(&world.head("main~1")));
    assert_eq!(result.state, ActionState::Failed, "{}", result.detail);
    assert!(result.detail.contains("pre-receive hook declined"), "{}", result.detail);

    write_program(&hook, "#!/bin/sh\nsleep 60\n");
    let mut slow = world.request(&world.head("main~1"));
    slow.timeout_ns = 3_000_000_000;
    let result = world.actor().execute(&slow);
    assert_eq!(result.state, ActionState::Unknown, "{}", result.detail);
}

#[test]
fn hooks_and_filters_of_the_repository_do_not_run() {
    let world = World::new();
    let trap = world.path("trapped");
    let template = world.path("template/hooks");
    std::fs::create_dir_all(&template).expect("folder");
    for hook in ["post-checkout", "pre-commit", "pre-push", "post-commit"] {
        write_program(&template.join(hook), &format!("#!/bin/sh\ntouch {}\n", trap.display()));
    }
    let options = ActOptions {
        git: vec!["/usr/bin/git".to_owned()],
        git_allow: vec![world.address()],
        git_env: [("GIT_TEMPLATE_DIR".to_owned(), world.path("template").to_string_lossy().into_owned())].into(),
        ..ActOptions::default()
    };
    let result = Actor::new(options).expect("actor").execute(&world.request(&world.head("main~1")));
    assert_eq!(result.state, ActionState::Succeeded, "{}", result.detail);
    assert!(!trap.exists());
}

#[test]
fn a_shallow_fetch_goes_as_deep_as_the_commit_asks_for() {
    let world = World::new();
    let bad = world.git("work", &["rev-parse", "HEAD"]);
    for number in 0..60 {
        world.git("work", &["commit", "-q", "--allow-empty", "-m", &format!("Empty {number}")]);
    }
    world.push();
    let result = world.actor().execute(&world.request(&bad));
    assert_eq!(result.state, ActionState::Succeeded, "{}", result.detail);
    assert_eq!(world.git("server", &["ls-tree", "--name-only", "main"]), "v1.txt\nv2.txt");
}

fn write_program(path: &Path, text: &str) {
    std::fs::write(path, text).expect("write");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("mode");
}
