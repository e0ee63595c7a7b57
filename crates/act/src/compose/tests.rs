//! The scenes run against a stub of Compose, always; and against the real docker-compose with real containers, which podman runs, on
//! demand (`cargo test -p act -- --ignored`): that needs root, podman, docker-compose and busybox.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use expect_test::{Expect, expect};
use respond::{Call, Executor as _};
use serde_json::{Value as Json, json};

use super::*;
use crate::Actor;
use crate::tests::request;

/// Knows one service, `web`, whose image has its tag from `WEB_TAG` or from an override file. Tag 7 can not be pulled.
const STUB: &str = r#"#!/bin/sh
dir=$(dirname "$0")
image=
while [ "${1#-}" != "$1" ]; do
  case $1 in
    --env-file) tag=$(sed -n 's/^WEB_TAG=//p' "$2");;
    -f) found=$(sed -n 's/^ *image: "\(.*\)"$/\1/p' "$2"); [ -n "$found" ] && image=$found;;
  esac
  shift 2
done
[ -n "$image" ] || image=registry.local/web:$tag
verb=$1; shift
echo "$verb $* $image fence=$BACKSTOP_FENCE" >> "$dir/calls"
[ -e "$dir/hang-$verb" ] && sleep 60
case $verb in
  config) printf 'services:\n  web:\n    image: %s\n  built:\n    build: .\n' "$image";;
  up) case $image in *:7) echo "manifest for $image not found" >&2; exit 1;; esac; echo "$image" > "$dir/running";;
  restart) echo restarted;;
  *) exit 2;;
esac
"#;

const COMPOSE_FILE: &str = "services:\n  web:\n    image: registry.local/web:${WEB_TAG}\n    network_mode: host\n    \
    command: [\"/bin/sleep\", \"1000\"]\n    stop_grace_period: 0s\n";

struct World {
    folder: tempfile::TempDir,
    compose: Vec<String>,
    env: BTreeMap<String, String>,
    podman: Option<Child>,
}

impl World {
    fn files(folder: &tempfile::TempDir) {
        std::fs::write(folder.path().join("compose.yaml"), COMPOSE_FILE).expect("write");
        std::fs::write(folder.path().join(".env"), "OTHER=x\nWEB_TAG=2\n").expect("write");
    }

    fn stub() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        Self::files(&folder);
        let program = folder.path().join("compose");
        std::fs::write(&program, STUB).expect("write");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("mode");
        let compose = vec![program.to_string_lossy().into_owned()];
        std::fs::write(folder.path().join("running"), "registry.local/web:2\n").expect("write");
        Self { folder, compose, env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]), podman: None }
    }

    /// docker-compose against podman's service, whose containers are made of busybox; nothing when that can not be had here.
    fn real() -> Option<Self> {
        let folder = tempfile::tempdir().ok()?;
        Self::files(&folder);
        let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let conf = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\ncgroups = \"disabled\"\nnetns = \"host\"\n\
                    [engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n";
        std::fs::write(at("containers.conf"), conf).ok()?;
        let storage =
            format!("[storage]\ndriver = \"vfs\"\ngraphroot = \"{}\"\nrunroot = \"{}\"\n", at("root"), at("run"));
        std::fs::write(at("storage.conf"), storage).ok()?;
        let env = BTreeMap::from([
            ("PATH".to_owned(), "/usr/sbin:/usr/bin:/sbin:/bin".to_owned()),
            ("CONTAINERS_CONF".to_owned(), at("containers.conf")),
            ("CONTAINERS_STORAGE_CONF".to_owned(), at("storage.conf")),
            ("DOCKER_HOST".to_owned(), format!("unix://{}", at("sock"))),
        ]);
        // A cgroup file system of both kinds is more than the container runtime takes.
        let script = format!(
            "umount /sys/fs/cgroup/unified 2>/dev/null; set -e; cd {0}; mkdir -p img/bin; cp /bin/busybox img/bin/busybox\n\
             ln -s busybox img/bin/sleep; tar -C img -cf img.tar .; podman import -q img.tar registry.local/web:1\n\
             podman tag registry.local/web:1 registry.local/web:2; exec podman system service --time=0 unix://{0}/sock\n",
            folder.path().display()
        );
        let podman = Command::new("/usr/bin/unshare")
            .args(["-m", "/bin/sh", "-c", &script])
            .env_clear()
            .envs(&env)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let compose = vec!["/usr/bin/docker-compose".to_owned()];
        let mut world = Self { folder, compose, env, podman: Some(podman) };
        let started = Instant::now();
        while !world.path("sock").exists() {
            let ended = world.podman.as_mut().is_none_or(|podman| !matches!(podman.try_wait(), Ok(None)));
            if ended || started.elapsed() > Duration::from_secs(60) {
                return None;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        let mut up = Command::new(&world.compose[0]);
        up.env_clear().envs(&world.env).current_dir(world.folder.path());
        let up = up.args(["-f", "compose.yaml", "-p", "shop", "up", "-d", "web"]).output().ok()?;
        up.status.success().then_some(world)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn podman(&self, args: &[&str]) -> String {
        let pid = self.podman.as_ref().map(|podman| podman.id().to_string()).unwrap_or_default();
        let mut podman = Command::new("/usr/bin/nsenter");
        podman.args(["-t", &pid, "-m", "/usr/bin/podman"]).args(args);
        let output = podman.env_clear().envs(&self.env).output().expect("podman");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The image that runs.
    fn running(&self) -> String {
        match self.podman {
            Some(_) => self.podman(&["ps", "--format", "{{.Image}}"]),
            None => self.read("running").trim().to_owned(),
        }
    }

    fn request(&self, verb: Verb, to: &str, change: Json) -> ActionRequest {
        let mut target = json!({
            "directory": self.folder.path(), "project": "shop", "files": ["compose.yaml"], "services": ["web"],
        });
        let change: BTreeMap<String, Json> = serde_json::from_value(change).expect("keys");
        target.as_object_mut().expect("keys").extend(change);
        let keys: BTreeMap<String, Json> = serde_json::from_value(target).expect("keys");
        let mut request = request(Call::read("compose", verb, &keys).expect("a target"), 60_000);
        (request.verb, request.fence, request.to_version) = (verb, 7, to.to_owned());
        request
    }

    fn by_variable(&self, to: &str) -> ActionRequest {
        self.request(Verb::Rollback, to, json!({"env_file": ".env", "variable": "WEB_TAG"}))
    }

    fn by_override(&self, to: &str) -> ActionRequest {
        self.request(Verb::Rollback, to, json!({"override": "backstop.yaml", "image": "registry.local/web"}))
    }

    fn actor(&self) -> Actor {
        Actor::new(ActOptions {
            compose: self.compose.clone(),
            compose_allow: vec![self.folder.path().to_owned()],
            compose_env: self.env.clone(),
            ..ActOptions::default()
        })
        .expect("actor")
    }

    fn shown(&self, text: &str) -> String {
        text.replace(&*self.folder.path().to_string_lossy(), "DIR")
    }

    fn check(&self, request: &ActionRequest, expect: Expect) {
        let result = self.actor().execute(request);
        expect.assert_eq(&format!("{}: {}", result.state.as_str(), self.shown(&result.detail)));
    }

    fn look(&self, request: &ActionRequest, expect: Expect) {
        expect.assert_eq(&self.shown(&format!("{:?}", self.actor().precheck(request))));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.podman.is_some() {
            self.podman(&["rm", "-f", "-t", "0", "-a"]);
        }
        if let Some(podman) = &mut self.podman {
            drop((podman.kill(), podman.wait()));
        }
    }
}

fn variable(world: &World) {
    let mut request = world.by_variable("1");
    world.look(&request, expect![[r#"Ready { detail: "registry.local/web:2 -> registry.local/web:1", revision: Some("registry.local/web:2") }"#]]);
    assert_eq!(world.read(".env"), "OTHER=x\nWEB_TAG=2\n", "a look changes nothing");
    request.revision = Some("registry.local/web:2".to_owned());
    world.check(&request, expect!["succeeded: web is up at 1"]);
    assert_eq!(
        (world.running().as_str(), world.read(".env").as_str()),
        ("registry.local/web:1", "OTHER=x\nWEB_TAG=1\n")
    );
    world.check(&request, expect!["succeeded: web is up at 1"]);
    world.look(&request, expect![[r#"Ready { detail: "registry.local/web:1 is what the files say already", revision: Some("registry.local/web:1") }"#]]);
    let mut late = world.by_variable("1");
    late.fence = 6;
    world.check(&late, expect!["failed: the fencing token 6 is old: 7 was here already, another holder took over"]);
}

fn overriding(world: &World) {
    let request = world.by_override("1");
    let looked = world.actor().precheck(&request);
    assert!(
        matches!(&looked, Precheck::Ready { revision: Some(seen), .. } if seen == "registry.local/web:2"),
        "{looked:?}"
    );
    world.check(&request, expect!["succeeded: web is up at 1"]);
    assert_eq!(world.running(), "registry.local/web:1");
    expect![[r##"
        # Written by Backstop: action key-1, fence 7. Changes are lost.
        services:
          "web":
            image: "registry.local/web:1"
    "##]]
    .assert_eq(&world.read("backstop.yaml"));
}

fn failing(world: &World) {
    let result = world.actor().execute(&world.by_variable("7"));
    assert_eq!(result.state, ActionState::Failed, "{}", result.detail);
    assert!(result.detail.contains("what ran before: was brought up again"), "{}", result.detail);
    assert_eq!(
        (world.running().as_str(), world.read(".env").as_str()),
        ("registry.local/web:2", "OTHER=x\nWEB_TAG=2\n")
    );
    let restart = world.actor().execute(&world.request(Verb::Restart, "", json!({})));
    assert_eq!(restart.state, ActionState::Succeeded, "{}\n{}", restart.detail, restart.output);
    assert_eq!(world.running(), "registry.local/web:2");
}

#[test]
fn a_variable_pins_the_tag() {
    variable(&World::stub());
}

#[test]
fn an_override_file_pins_the_tag() {
    let world = World::stub();
    std::fs::write(world.path("compose.yaml"), "    image: \"registry.local/web:2\"\n").expect("write");
    overriding(&world);
}

#[test]
fn what_fails_is_undone() {
    failing(&World::stub());
    let world = World::stub();
    std::fs::write(world.path("compose.yaml"), "    image: \"registry.local/web:2\"\n").expect("write");
    let result = world.actor().execute(&world.by_override("7"));
    assert_eq!(result.state, ActionState::Failed, "{}", result.detail);
    assert!(!world.path("backstop.yaml").exists(), "it was not there before");
    assert_eq!(world.running(), "registry.local/web:2");
}

#[test]
#[ignore = "runs containers with podman, which needs root"]
fn the_same_with_real_containers() {
    for scene in [variable as fn(&World), overriding, failing] {
        match World::real() {
            Some(world) => scene(&world),
            None => println!("skipped: podman, docker-compose and busybox are not all here, or can not run"),
        }
    }
}

#[test]
fn what_must_not_be_pinned_is_refused() {
    let world = World::stub();
    world.look(&world.by_variable("1 2"), expect![[r#"Refused { detail: "\"1 2\" is not the tag of an image" }"#]]);
    let with = |change: Json| world.request(Verb::Rollback, "1", change);
    world.look(
        &with(json!({"env_file": ".env", "variable": "OTHER"})),
        expect![[r#"Refused { detail: "DIR/.env: OTHER is \"x\", not \"2\"" }"#]],
    );
    world.look(
        &with(json!({"env_file": ".env", "variable": "NOT_THERE"})),
        expect![[r#"Refused { detail: "DIR/.env: there is no variable NOT_THERE" }"#]],
    );
    world.look(
        &with(json!({"env_file": ".env", "variable": "WEB_TAG", "services": ["gone"]})),
        expect![[r#"Refused { detail: "the project has no service gone" }"#]],
    );
    world.look(
        &with(json!({"env_file": ".env", "variable": "WEB_TAG", "services": ["built"]})),
        expect![[r#"Refused { detail: "the service built has no image, it is built" }"#]],
    );
    let mut moved = world.by_variable("1");
    moved.from_version = "3".to_owned();
    world.look(&moved, expect![[r#"Refused { detail: "the files say registry.local/web:2, not 3" }"#]]);
    moved.from_version = "2".to_owned();
    moved.revision = Some("registry.local/web:3".to_owned());
    world.check(
        &moved,
        expect!["failed: the files say registry.local/web:2 now, the precheck saw registry.local/web:3"],
    );
    assert_eq!(world.read(".env"), "OTHER=x\nWEB_TAG=2\n");
    std::fs::write(world.path("hang-config"), "").expect("write");
    let mut slow = world.by_variable("1");
    slow.timeout_ns = 300_000_000;
    assert!(matches!(world.actor().precheck(&slow), Precheck::Unknown { .. }));
}

#[test]
fn what_hangs_is_unknown_and_stays() {
    let world = World::stub();
    std::fs::write(world.path("hang-up"), "").expect("write");
    let mut request = world.by_variable("1");
    request.timeout_ns = 1_000_000_000;
    let result = world.actor().execute(&request);
    assert_eq!(result.state, ActionState::Unknown, "{}", result.detail);
    assert!(result.detail.ends_with(".env stays changed"), "{}", result.detail);
    assert_eq!(world.read(".env"), "OTHER=x\nWEB_TAG=1\n");
}

#[test]
fn services_are_scaled_by_name() {
    let world = World::stub();
    let mut request = world.request(Verb::Scale, "", json!({"env_file": ".env", "variable": "WEB_TAG"}));
    world.check(&request, expect!["failed: nothing says how many instances of which service"]);
    request.replicas = Some(3);
    world.check(&request, expect!["succeeded: compose up ended with exit status 0"]);
    expect![[r#"
        up -d --no-deps --scale web=3 web registry.local/web:2 fence=7
    "#]]
    .assert_eq(&world.read("calls"));
}
