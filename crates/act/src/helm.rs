//! Actions of kind `helm`: `helm rollback` through the helm program, between two looks at the release's history.
//!
//! Helm numbers the revisions of a release, and a rollback makes a new one. Its storage refuses a second operation at the same time,
//! but `rollback` takes no precondition: what the precheck saw is compared right before it, not in it.

use std::collections::BTreeMap;
use std::path::Path;

use kubernetes::{Clusters, PRECHECK_TIMEOUT};
use respond::{ActionRequest, ActionState, HelmCall, Precheck, check_object_name, check_revision};
use serde::Deserialize;

use crate::deadline::Deadline;
use crate::program::{End, Program, Ran, run};
use crate::{ActOptions, Ended};

/// Most revisions of a release that are looked at, the latest.
const REVISIONS_MAX: u32 = 64;
/// What Helm needs to find the cluster that it runs in.
const IN_CLUSTER: [&str; 2] = ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"];

/// One revision of a release, as `helm history -o json` tells it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Revision {
    revision: u64,
    status: String,
    #[serde(default)]
    chart: String,
    #[serde(default)]
    app_version: String,
    #[serde(default)]
    description: String,
}

impl Revision {
    /// By the version of the application, of the chart, or by the chart with its version: `shop-1.4.0`.
    fn is_version(&self, version: &str) -> bool {
        let of_chart = self.chart.strip_suffix(version).is_some_and(|rest| rest.is_empty() || rest.ends_with('-'));
        self.app_version == version || of_chart
    }

    fn shown(&self) -> String {
        format!("revision {} ({}, app {})", self.revision, self.chart, self.app_version)
    }
}

/// Why it goes no further.
#[derive(Debug)]
enum Stop {
    Refused(String),
    Unknown(String),
}

/// What a rollback would replace, and by what.
#[derive(Debug)]
struct Plan {
    current: Revision,
    to: Revision,
}

/// One release in one cluster.
struct Release<'a> {
    options: &'a ActOptions,
    call: &'a HelmCall,
    request: &'a ActionRequest,
    deadline: Deadline,
    /// The arguments that name cluster and namespace.
    place: Vec<String>,
}

/// Looks at the release's history, asks who else writes its workloads, and runs helm dry.
pub(crate) fn precheck(
    options: &ActOptions,
    clusters: &Clusters,
    call: &HelmCall,
    request: &ActionRequest,
) -> Precheck {
    let mut deadline = Deadline::of_ns(request.timeout_ns);
    if deadline.left() > PRECHECK_TIMEOUT {
        deadline = Deadline::after(PRECHECK_TIMEOUT);
    }
    let looked = Release::new(options, clusters, call, request, deadline).and_then(|release| {
        let plan = release.plan()?;
        Ok((release, plan))
    });
    let (release, plan) = match looked {
        Ok(looked) => looked,
        Err(Stop::Refused(detail)) => return Precheck::Refused { detail },
        Err(Stop::Unknown(detail)) => return Precheck::Unknown { detail },
    };
    let notes = match clusters.check_release(call.cluster.as_deref(), &call.namespace, &call.release) {
        Precheck::Ready { detail, .. } => detail,
        other => return other,
    };
    let dry = release.run(&release.rollback(&plan.to, true));
    if !dry.ok() {
        let detail = format!("the dry run failed: {}", dry.said("helm"));
        return match dry.end {
            End::Code(_) => Precheck::Refused { detail },
            _ => Precheck::Unknown { detail },
        };
    }
    let mut detail = format!("{} is at {} and would go to {}", call.release, plan.current.shown(), plan.to.shown());
    if !notes.is_empty() {
        detail = format!("{detail}; {notes}");
    }
    Precheck::Ready { detail, revision: Some(plan.current.revision.to_string()) }
}

/// Rolls back once; afterwards the history says whether it happened.
pub(crate) fn execute(options: &ActOptions, clusters: &Clusters, call: &HelmCall, request: &ActionRequest) -> Ended {
    let deadline = Deadline::of_ns(request.timeout_ns);
    let release = match Release::new(options, clusters, call, request, deadline) {
        Ok(release) => release,
        Err(Stop::Refused(why) | Stop::Unknown(why)) => return Ended::failed(why),
    };
    let plan = match release.plan() {
        Ok(plan) => plan,
        Err(Stop::Refused(why)) => return release.already_done().unwrap_or_else(|| Ended::failed(why)),
        Err(Stop::Unknown(why)) => return Ended::failed(format!("{why}; nothing was done")),
    };
    if let Some(expected) = request.revision.as_ref().filter(|seen| **seen != plan.current.revision.to_string()) {
        return release.already_done().unwrap_or_else(|| {
            let (name, found) = (&call.release, plan.current.revision);
            Ended::failed(format!("someone changed {name}: revision {expected} was to be replaced, {found} is there"))
        });
    }
    let ran = release.run(&release.rollback(&plan.to, false));
    let said = ran.said("helm");
    let (state, detail) = match &ran.end {
        End::Code(0) => (ActionState::Succeeded, format!("{} went back to {}", call.release, plan.to.shown())),
        End::NotStarted(_) => (ActionState::Failed, said),
        // It may have failed before it wrote anything, or while it waited for pods.
        _ => match release.history() {
            Ok(history) if history.first().is_some_and(|latest| latest.revision == plan.current.revision) => {
                let state = if matches!(ran.end, End::Code(_)) { ActionState::Failed } else { ActionState::Unknown };
                (state, format!("{said}; the release is as it was"))
            }
            Ok(history) => {
                let latest = history.first().map(|latest| format!("{} is {}", latest.shown(), latest.status));
                (ActionState::Failed, format!("{said}; {}", latest.unwrap_or_default()))
            }
            Err(Stop::Refused(why) | Stop::Unknown(why)) => (ActionState::Unknown, format!("{said}; then {why}")),
        },
    };
    Ended { state, detail, output: ran.output() }
}

impl<'a> Release<'a> {
    fn new(
        options: &'a ActOptions,
        clusters: &Clusters,
        call: &'a HelmCall,
        request: &'a ActionRequest,
        deadline: Deadline,
    ) -> Result<Self, Stop> {
        for name in [&call.namespace, &call.release] {
            check_object_name(name).map_err(Stop::Refused)?;
        }
        let (_, cluster) = clusters.may_act(call.cluster.as_deref(), &call.namespace).map_err(Stop::Refused)?;
        let mut place = vec!["--namespace".to_owned(), call.namespace.clone()];
        if let Some(kubeconfig) = &cluster.kubeconfig {
            place.extend(["--kubeconfig".to_owned(), kubeconfig.display().to_string()]);
        }
        if let Some(context) = &cluster.context {
            place.extend(["--kube-context".to_owned(), context.clone()]);
        }
        Ok(Self { options, call, request, deadline, place })
    }

    fn run(&self, args: &[String]) -> Ran {
        let dir = match tempfile::tempdir() {
            Ok(dir) => dir,
            Err(error) => {
                let end = End::NotStarted(format!("no working directory: {error}"));
                return Ran { end, stdout: Vec::new(), stderr: Vec::new() };
            }
        };
        let mut argv = vec![self.call.program.clone()];
        argv.extend(args.iter().chain(&self.place).cloned());
        run(&Program { argv: &argv, env: self.environment(dir.path()), dir: dir.path() }, self.deadline)
    }

    /// Helm writes its caches below HOME, which here is gone with the action.
    fn environment(&self, dir: &Path) -> BTreeMap<String, String> {
        let mut env = BTreeMap::from([("HOME".to_owned(), dir.display().to_string())]);
        let of_the_pod = IN_CLUSTER.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
        env.extend(of_the_pod);
        env.extend(self.options.exec_env.clone());
        env
    }

    fn rollback(&self, to: &Revision, dry_run: bool) -> Vec<String> {
        let mut args: Vec<String> =
            ["rollback", &self.call.release, &to.revision.to_string()].map(str::to_owned).into();
        if dry_run {
            args.push("--dry-run".to_owned());
        } else if self.call.wait {
            // A little less than what is left, so that helm ends by itself and says what it waited for.
            let seconds = self.deadline.left().as_secs().saturating_sub(2).max(1);
            args.extend(["--wait".to_owned(), "--timeout".to_owned(), format!("{seconds}s")]);
        }
        args
    }

    /// The release's revisions, the latest first.
    fn history(&self) -> Result<Vec<Revision>, Stop> {
        let max = REVISIONS_MAX.to_string();
        let args = ["history", &self.call.release, "--max", &max, "-o", "json"].map(str::to_owned);
        let ran = self.run(&args);
        let said = ran.said("helm history");
        if !ran.ok() {
            let gone = said.contains("release: not found");
            return Err(if gone {
                Stop::Refused(format!("there is no such release: {said}"))
            } else {
                Stop::Unknown(said)
            });
        }
        let mut history: Vec<Revision> = serde_json::from_slice(&ran.stdout)
            .map_err(|error| Stop::Unknown(format!("the history of the release can not be read: {error}")))?;
        history.sort_by_key(|revision| std::cmp::Reverse(revision.revision));
        Ok(history)
    }

    fn plan(&self) -> Result<Plan, Stop> {
        plan(&self.history()?, self.call, self.request).map_err(Stop::Refused)
    }

    /// A rollback makes a revision that says where it went: the next one after what the precheck saw, if this is a repetition.
    fn already_done(&self) -> Option<Ended> {
        let seen: u64 = self.request.revision.as_ref()?.parse().ok()?;
        let history = self.history().ok()?;
        let latest = history.first()?;
        let at = history.iter().position(|revision| revision.revision == seen)?;
        let to = plan(&history[at..], self.call, self.request).ok()?.to.revision;
        let done = latest.revision == seen + 1
            && latest.status == "deployed"
            && latest.description == format!("Rollback to {to}");
        let detail = format!("already done: {} is deployed", latest.shown());
        done.then(|| Ended::without_output(ActionState::Succeeded, detail))
    }
}

fn plan(history: &[Revision], call: &HelmCall, request: &ActionRequest) -> Result<Plan, String> {
    let name = &call.release;
    let Some(current) = history.first() else { return Err(format!("{name} has no revisions")) };
    if current.status.starts_with("pending-") || current.status == "uninstalling" {
        let (status, number) = (&current.status, current.revision);
        return Err(format!("{name} is {status} at revision {number}: another operation is under way or was cut off"));
    }
    let from = &request.from_version;
    if !from.is_empty() && !current.is_version(from) {
        return Err(format!("{name} is at {}, not at {from}: someone changed it", current.shown()));
    }
    let was_good = |revision: &&Revision| ["superseded", "deployed"].contains(&revision.status.as_str());
    let mut others = history.iter().skip(1).filter(was_good);
    let to = match (&call.revision, request.to_version.as_str()) {
        (Some(number), _) => {
            let number = check_revision(number)?;
            let found = others.find(|revision| revision.revision == number);
            found.ok_or_else(|| format!("{name} has no revision {number} that was deployed before"))?
        }
        (None, "") => others.next().ok_or_else(|| format!("{name} has no earlier revision that was deployed"))?,
        (None, version) => others.find(|revision| revision.is_version(version)).ok_or_else(|| {
            let kept = history.iter().skip(1).map(Revision::shown).collect::<Vec<_>>().join(", ");
            format!("{name} has no earlier revision of version {version}; kept are {kept}")
        })?,
    };
    Ok(Plan { current: current.clone(), to: to.clone() })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use respond::Call;

    use super::*;

    fn check(statuses: &[(&str, &str)], from: &str, to: &str, revision: Option<&str>, expect: Expect) {
        let history: Vec<Revision> = statuses
            .iter()
            .zip((1..=statuses.len() as u64).rev())
            .map(|((status, version), revision)| Revision {
                revision,
                status: (*status).to_owned(),
                chart: format!("shop-{version}"),
                app_version: format!("v{version}"),
                description: String::new(),
            })
            .collect();
        let call = HelmCall {
            program: "/usr/bin/helm".to_owned(),
            cluster: None,
            namespace: "shop".to_owned(),
            release: "shop".to_owned(),
            revision: revision.map(str::to_owned),
            wait: true,
        };
        let mut request = crate::tests::request(Call::Helm(call.clone()), 1_000);
        (request.from_version, request.to_version) = (from.to_owned(), to.to_owned());
        let said = plan(&history, &call, &request).map(|plan| format!("to {}", plan.to.shown()));
        expect.assert_eq(&said.unwrap_or_else(|error| error));
    }

    #[test]
    fn the_revision_to_go_to_is_one_that_was_deployed() {
        let history = [("deployed", "1.5"), ("failed", "1.5"), ("superseded", "1.4"), ("superseded", "1.3")];
        check(&history, "1.5", "1.4", None, expect!["to revision 2 (shop-1.4, app v1.4)"]);
        check(&history, "v1.5", "", None, expect!["to revision 2 (shop-1.4, app v1.4)"]);
        check(&history, "", "", Some("1"), expect!["to revision 1 (shop-1.3, app v1.3)"]);
        check(&history, "", "", Some("3"), expect!["shop has no revision 3 that was deployed before"]);
        check(
            &history,
            "1.4",
            "1.3",
            None,
            expect!["shop is at revision 4 (shop-1.5, app v1.5), not at 1.4: someone changed it"],
        );
        check(
            &history,
            "1.5",
            "5",
            None,
            expect![
                "shop has no earlier revision of version 5; kept are revision 3 (shop-1.5, app v1.5), revision 2 (shop-1.4, app v1.4), revision 1 (shop-1.3, app v1.3)"
            ],
        );
        check(
            &[("pending-upgrade", "1.5"), ("deployed", "1.4")],
            "",
            "",
            None,
            expect!["shop is pending-upgrade at revision 2: another operation is under way or was cut off"],
        );
        check(&[("deployed", "1.5")], "", "", None, expect!["shop has no earlier revision that was deployed"]);
    }
}
