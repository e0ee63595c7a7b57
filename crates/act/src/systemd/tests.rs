//! The same scenes twice: against a stub of `systemctl` that keeps the state of units in files, always; and against a real systemd,
//! which the test starts in namespaces of its own, on demand (`cargo test -p act -- --ignored`): it needs root.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use expect_test::{Expect, expect};
use respond::{Call, Executor as _};
use serde_json::{Value as Json, json};

use super::*;
use crate::Actor;
use crate::tests::request;

/// Knows the units `shop@*.service` and `shop.service`. Instance 9, and a release with a file `broken`, fail right after their start.
const STUB: &str = r#"#!/bin/sh
dir=$(dirname "$0")
while [ "${1#--no}" != "$1" ]; do shift; done
verb=$1; shift
[ "$1" = "--property=LoadState,ActiveState,Type" ] && shift
unit=$1
echo "$verb $unit fence=$BACKSTOP_FENCE" >> "$dir/calls"
[ -e "$dir/hang-$verb" ] && sleep 60
[ -e "$dir/fail-$verb-$unit" ] && { echo "Job for $unit failed." >&2; exit 1; }
case $unit in shop.service|shop-job.service|shop@*.service) load=loaded;; *) load=not-found;; esac
state=$(cat "$dir/$unit.state" 2>/dev/null || echo inactive)
begin() {
  case $unit in
    shop@9.service) echo failed > "$dir/$unit.state";;
    shop-job.service) ;;
    shop.service) if [ -e "$dir/current/broken" ]; then echo failed > "$dir/$unit.state"; else echo active > "$dir/$unit.state"; fi;;
    *) echo active > "$dir/$unit.state";;
  esac
}
case $verb in
  show) case $unit in shop-job.service) echo Type=oneshot;; *) echo Type=simple;; esac; echo "LoadState=$load"; echo "ActiveState=$state";;
  is-active) echo "$state";;
  is-enabled) if [ -e "$dir/$unit.enabled" ]; then echo enabled; else echo disabled; exit 1; fi;;
  start|restart|reload) [ $load = loaded ] || { echo "Unit $unit not found." >&2; exit 5; }; begin;;
  stop) rm -f "$dir/$unit.state";;
  enable) touch "$dir/$unit.enabled";;
  disable) rm -f "$dir/$unit.enabled";;
  *) exit 2;;
esac
"#;

/// A machine with a systemd, real or not.
struct World {
    folder: tempfile::TempDir,
    systemctl: Vec<String>,
    /// The real one, and its process as this machine sees it.
    real: Option<(Child, u32)>,
}

impl World {
    fn stub() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let program = folder.path().join("systemctl");
        std::fs::write(&program, STUB).expect("write");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("mode");
        let world = Self { systemctl: vec![program.to_string_lossy().into_owned()], folder, real: None };
        world.releases();
        world
    }

    /// A systemd in its own process, mount and cgroup namespaces; nothing when the machine has not what it takes.
    fn real() -> Option<Self> {
        let folder = tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o755)).tempdir().ok()?;
        let shown = folder.path().display();
        let script = format!(
            "set -e\nmount -t tmpfs tmpfs /run\nmount -t tmpfs tmpfs /etc/systemd/system\nmkdir -p /run/systemd/system\n\
             mount -t cgroup2 cgroup2 /sys/fs/cgroup\ncd /run/systemd/system\n\
             printf '[Unit]\\nDefaultDependencies=no\\n' > mini.target\n\
             printf '[Unit]\\nDefaultDependencies=no\\n[Service]\\nExecStart=/bin/sh -c \"test %%i != 9 && exec sleep 1000\"\\n[Install]\\nWantedBy=mini.target\\n' > shop@.service\n\
             printf '[Unit]\\nDefaultDependencies=no\\n[Service]\\nExecStart=/bin/sh -c \"test ! -e {shown}/current/broken && exec sleep 1000\"\\n' > shop.service\n\
             printf '[Unit]\\nDefaultDependencies=no\\n[Service]\\nType=oneshot\\nExecStart=/bin/true\\n' > shop-job.service\n\
             exec /lib/systemd/systemd --system --unit=mini.target --log-target=null\n"
        );
        let begun = Command::new("/usr/bin/unshare")
            .args(["-p", "-f", "-m", "--mount-proc", "-C", "-u", "/bin/sh", "-c", &script])
            .env("container", "test")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut unshare = begun.ok()?;
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(200));
            if unshare.try_wait().ok()?.is_some() {
                return None;
            }
            let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", unshare.id())).ok()?;
            let Ok(pid) = children.trim().parse::<u32>() else { continue };
            let enter =
                ["/usr/bin/nsenter", "-t", &pid.to_string(), "-m", "-p", "/usr/bin/systemctl"].map(str::to_owned);
            let up = Command::new(&enter[0]).args(&enter[1..]).args(["is-active", "mini.target"]).output().ok()?;
            if up.status.success() {
                let world = Self { folder, systemctl: enter.to_vec(), real: Some((unshare, pid)) };
                world.releases();
                return Some(world);
            }
        }
        drop(unshare.kill());
        None
    }

    /// Releases 1 and 2, and 9, which is broken; the link points at 2.
    fn releases(&self) {
        for version in ["1", "2", "9"] {
            std::fs::create_dir_all(self.path("releases").join(version)).expect("folder");
        }
        std::fs::write(self.path("releases/9/broken"), "").expect("write");
        self.point("releases/2");
    }

    fn point(&self, at: &str) {
        drop(std::fs::remove_file(self.path("current")));
        symlink(at, self.path("current")).expect("link");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn link(&self) -> String {
        std::fs::read_link(self.path("current")).expect("link").to_string_lossy().into_owned()
    }

    /// Speaks to systemd as the test itself.
    fn systemctl(&self, args: &[&str]) -> String {
        let output =
            Command::new(&self.systemctl[0]).args(&self.systemctl[1..]).args(args).output().expect("systemctl");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn is(&self, units: &[&str]) -> String {
        let is = |unit: &&str| format!("{unit} {}", self.systemctl(&["is-active", unit]));
        units.iter().map(is).collect::<Vec<_>>().join(", ")
    }

    fn request(&self, verb: Verb, from: &str, to: &str, target: Json) -> ActionRequest {
        let keys: BTreeMap<String, Json> = serde_json::from_value(target).expect("keys");
        let mut request = request(Call::read("systemd", verb, &keys).expect("a target"), 20_000);
        (request.verb, request.fence) = (verb, 7);
        (request.from_version, request.to_version) = (from.to_owned(), to.to_owned());
        request
    }

    fn template(&self, from: &str, to: &str) -> ActionRequest {
        self.request(Verb::Rollback, from, to, json!({"unit": "shop@.service"}))
    }

    fn linked(&self, from: &str, to: &str) -> ActionRequest {
        let target = json!({"unit": "shop.service", "link": self.path("current"), "releases": self.path("releases")});
        self.request(Verb::Rollback, from, to, target)
    }

    fn actor(&self) -> Actor {
        Actor::new(ActOptions {
            systemctl: self.systemctl.clone(),
            systemd_allow: vec!["shop*.service".to_owned(), "gone.service".to_owned()],
            systemd_links: vec![self.path("current")],
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
        let Some((unshare, pid)) = &mut self.real else { return };
        if let Some(pid) = i32::try_from(*pid).ok().and_then(rustix::process::Pid::from_raw) {
            // The first process of a namespace takes all others with it.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        drop(unshare.wait());
    }
}

fn restarts(world: &World) {
    world.systemctl(&["start", "shop.service"]);
    let restart = |unit: &str| world.request(Verb::Restart, "", "", json!({"unit": unit}));
    world.look(&restart("shop.service"), expect![[r#"Ready { detail: "shop.service is active", revision: None }"#]]);
    world.look(&restart("gone.service"), expect![[r#"Refused { detail: "the unit gone.service is not-found" }"#]]);
    world.check(&restart("shop.service"), expect!["succeeded: shop.service went through restart and is well"]);
    let gone = world.actor().execute(&restart("gone.service"));
    assert_eq!(gone.state, ActionState::Failed, "{}", gone.detail);
    assert!(gone.detail.contains("not found"), "{}", gone.detail);
    world.check(&restart("shop-job.service"), expect!["succeeded: shop-job.service went through restart and is well"]);
    world.point("releases/9");
    world.check(
        &restart("shop.service"),
        expect!["failed: shop.service went through restart, but it is failed right after"],
    );
}

fn instances(world: &World) {
    world.systemctl(&["start", "shop@2.service"]);
    world.systemctl(&["enable", "shop@2.service"]);
    let mut request = world.template("2", "1");
    world.look(&request, expect![[r#"Ready { detail: "shop@2.service is active, shop@1.service would be started", revision: Some("shop@2.service") }"#]]);
    world.look(
        &world.template("3", "1"),
        expect![[r#"Refused { detail: "shop@3.service is inactive: it is not what runs" }"#]],
    );
    world.look(
        &world.template("2", "../1"),
        expect![[r#"Refused { detail: "the version \"../1\" is not made of letters, digits and _ . : + -" }"#]],
    );
    request.revision = Some("shop@2.service".to_owned());
    world.check(&request, expect!["succeeded: shop@2.service was stopped, shop@1.service runs; it starts at boot"]);
    assert_eq!(world.is(&["shop@1.service", "shop@2.service"]), "shop@1.service active, shop@2.service inactive");
    assert_eq!(world.systemctl(&["is-enabled", "shop@1.service"]), "enabled");
    assert_eq!(world.systemctl(&["is-enabled", "shop@2.service"]), "disabled");
    world.check(
        &request,
        expect!["succeeded: shop@1.service runs already and shop@2.service does not; nothing was done"],
    );
    world.check(
        &world.template("1", "9"),
        expect![
            "failed: shop@9.service was started, but it is failed right after; undone: shop@1.service was started again"
        ],
    );
    assert_eq!(world.is(&["shop@1.service"]), "shop@1.service active", "what ran before runs again");
}

fn links(world: &World) {
    world.systemctl(&["start", "shop.service"]);
    let mut request = world.linked("2", "1");
    world.look(&request, expect![[r#"Ready { detail: "DIR/current: releases/2 -> releases/1; shop.service is active", revision: Some("releases/2") }"#]]);
    world.look(
        &world.linked("3", "1"),
        expect![[r#"Refused { detail: "DIR/current points at releases/2, not at 3 in DIR/releases" }"#]],
    );
    world.look(&world.linked("2", "7"), expect![[r#"Refused { detail: "the release 7 is not there: DIR/releases/7: No such file or directory (os error 2)" }"#]]);
    world.look(
        &world.linked("2", ".."),
        expect![[r#"Refused { detail: "the version \"..\" is not made of letters, digits and _ . : + -" }"#]],
    );
    request.revision = Some("releases/2".to_owned());
    world.check(
        &request,
        expect!["succeeded: DIR/current points at releases/1; shop.service went through restart and is well"],
    );
    assert_eq!((world.link().as_str(), world.is(&["shop.service"]).as_str()), ("releases/1", "shop.service active"));
    world.check(&request, expect!["failed: DIR/current points at releases/1, not at 2 in DIR/releases"]);
    world.check(&world.linked("1", "9"), expect!["failed: shop.service went through restart, but it is failed right after; undone: DIR/current points at releases/1 again; restart of shop.service: went well"]);
    assert_eq!((world.link().as_str(), world.is(&["shop.service"]).as_str()), ("releases/1", "shop.service active"));
    let mut late = world.linked("1", "2");
    late.fence = 6;
    world.check(&late, expect!["failed: the fencing token 6 is old: 7 was here already, another holder took over"]);
}

#[test]
fn a_unit_is_restarted() {
    restarts(&World::stub());
}

#[test]
fn an_instance_takes_over() {
    instances(&World::stub());
}

#[test]
fn a_link_is_repointed() {
    links(&World::stub());
}

#[test]
#[ignore = "starts a systemd in namespaces of its own, which needs root"]
fn the_same_with_a_real_systemd() {
    for scene in [restarts as fn(&World), instances, links] {
        match World::real() {
            Some(world) => scene(&world),
            None => println!("skipped: this machine can not start a systemd in a namespace"),
        }
    }
}

#[test]
fn what_hangs_is_unknown_and_stays() {
    let world = World::stub();
    world.systemctl(&["start", "shop.service"]);
    std::fs::write(world.path("hang-restart"), "").expect("write");
    let mut request = world.linked("2", "1");
    request.timeout_ns = 500_000_000;
    world.check(&request, expect!["unknown: systemctl restart was ended, because the 500ms of the action were over; DIR/current points at releases/1, and stays so"]);
    assert_eq!(world.link(), "releases/1");

    let world = World::stub();
    world.systemctl(&["start", "shop@2.service"]);
    std::fs::write(world.path("hang-stop"), "").expect("write");
    let mut request = world.template("2", "1");
    request.timeout_ns = 500_000_000;
    world.check(&request, expect!["unknown: systemctl stop was ended, because the 500ms of the action were over; the job may go on in systemd, nothing was undone"]);
    let calls = std::fs::read_to_string(world.path("calls")).expect("calls");
    assert!(!calls.contains("start shop@1"), "{calls}");
}

#[test]
fn what_fails_is_undone() {
    let world = World::stub();
    world.systemctl(&["start", "shop@2.service"]);
    std::fs::write(world.path("fail-start-shop@1.service"), "").expect("write");
    world.check(&world.template("2", "1"), expect!["failed: systemctl start ended with exit status 1: Job for shop@1.service failed.; undone: shop@2.service was started again"]);
    assert_eq!(world.is(&["shop@2.service"]), "shop@2.service active");
    let calls = std::fs::read_to_string(world.path("calls")).expect("calls");
    assert!(calls.contains("start shop@1.service fence=7"), "{calls}");

    let world = World::stub();
    std::fs::write(world.path("fail-restart-shop.service"), "").expect("write");
    world.check(&world.linked("2", "1"), expect!["failed: systemctl restart ended with exit status 1: Job for shop.service failed.; undone: DIR/current points at releases/2 again; restart of shop.service: systemctl restart ended with exit status 1: Job for shop.service failed."]);
    assert_eq!(world.link(), "releases/2");
}

#[test]
fn a_link_that_somebody_else_moved_is_put_back() {
    let world = World::stub();
    let link = Link { path: world.path("current"), releases: world.path("releases") };
    let why = link.swap_to("releases/9", "releases/1").expect_err("it points at 2");
    assert_eq!(world.shown(&why), "DIR/current was re-pointed by somebody else meanwhile, and was put back");
    assert_eq!(world.link(), "releases/2");
    let left: Vec<_> =
        std::fs::read_dir(world.folder.path()).expect("folder").flatten().map(|e| e.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".backstop-link")), "{left:?}");
}
