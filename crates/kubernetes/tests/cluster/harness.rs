//! A real API server with a controller manager and etcd, on loopback, in a temporary folder; and a stand-in for the kubelet.
//!
//! The programs come from `.ci/kubernetes`, or from the folder that `BACKSTOP_K8S_BIN` names. Without them [`start`] says so and
//! its test passes.

#![allow(dead_code, reason = "shared by test binaries that use different parts")]

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

/// The token of whoever may do everything.
const ADMIN: &str = "admin-token";
/// The token of Backstop's service account.
const BACKSTOP: &str = "backstop-token";
/// How long anything may take that is awaited.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster without nodes.
pub(crate) struct Cluster {
    dir: tempfile::TempDir,
    url: String,
    http: reqwest::blocking::Client,
    children: Vec<(Child, PathBuf)>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The last started ends first.
        for (child, _) in self.children.iter_mut().rev() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// The folder with the programs, if they are there.
pub(crate) fn programs() -> Option<PathBuf> {
    let cache = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/backstop/k8s"));
    let folder = std::env::var_os("BACKSTOP_K8S_BIN").map(PathBuf::from).or_else(cache)?;
    let there = ["kube-apiserver", "kube-controller-manager", "helm"].iter().all(|name| folder.join(name).exists());
    (there && etcd().is_some()).then_some(folder)
}

fn etcd() -> Option<&'static Path> {
    ["/usr/bin/etcd", "/usr/local/bin/etcd"].map(Path::new).into_iter().find(|path| path.exists())
}

/// The cluster that the tests of this process share; `None`, said aloud, without its programs.
pub(crate) fn start() -> Option<Arc<Cluster>> {
    static RUNNING: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
    let Some(programs) = programs() else {
        println!("skipped: no API server here; `make test-kubernetes` builds one and runs this test");
        return None;
    };
    // A test that failed while starting must not fail the others by poison.
    let mut running = RUNNING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let cluster = running.upgrade().unwrap_or_else(|| Arc::new(Cluster::start(&programs)));
    *running = Arc::downgrade(&cluster);
    Some(cluster)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port()
}

/// Waits until something is there.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Cluster {
    fn start(programs: &Path) -> Self {
        let dir = tempfile::tempdir().expect("folder");
        let http = reqwest::blocking::Client::builder().danger_accept_invalid_certs(true).build().expect("client");
        let port = free_port();
        let mut cluster = Self { url: format!("https://127.0.0.1:{port}"), dir, http, children: Vec::new() };
        let etcd = cluster.start_etcd();
        cluster.start_api_server(programs, port, &etcd);
        cluster.write_kubeconfig("admin", ADMIN);
        cluster.write_kubeconfig("backstop", BACKSTOP);
        let mut manager = Command::new(programs.join("kube-controller-manager"));
        manager.arg("--kubeconfig").arg(cluster.kubeconfig("admin"));
        let controllers = "--controllers=deployment,replicaset,statefulset,daemonset,garbage-collector-controller";
        manager.args([controllers, "--leader-elect=false", "--secure-port=0", "--concurrent-gc-syncs=2"]);
        cluster.spawn("controller-manager", &mut manager);
        cluster.apply_file("deploy/kubernetes/rbac.yaml");
        cluster.add_kinds();
        cluster
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn spawn(&mut self, name: &str, command: &mut Command) {
        let log = self.path(&format!("{name}.log"));
        let file = std::fs::File::create(&log).expect("log");
        command.stdin(Stdio::null()).stdout(file.try_clone().expect("log")).stderr(file);
        self.children.push((command.spawn().unwrap_or_else(|error| panic!("{name}: {error}")), log));
    }

    fn start_etcd(&mut self) -> String {
        let (client, peer) = (format!("http://127.0.0.1:{}", free_port()), format!("http://127.0.0.1:{}", free_port()));
        let mut etcd = Command::new(etcd().expect("etcd"));
        etcd.arg("--data-dir").arg(self.path("etcd")).arg("--unsafe-no-fsync");
        etcd.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        etcd.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        etcd.args(["--initial-cluster", &format!("default={peer}")]);
        self.spawn("etcd", &mut etcd);
        client
    }

    fn start_api_server(&mut self, programs: &Path, port: u16, etcd: &str) {
        let users = format!(
            "{ADMIN},admin,admin,\"system:masters\"\n{BACKSTOP},system:serviceaccount:backstop:backstop,backstop\n"
        );
        std::fs::write(self.path("tokens.csv"), users).expect("tokens");
        let key = Command::new("openssl").args(["genrsa", "-out"]).arg(self.path("sa.key")).arg("2048").output();
        assert!(key.expect("openssl").status.success(), "no key for service accounts");
        let mut server = Command::new(programs.join("kube-apiserver"));
        server.args(["--etcd-servers", etcd, "--bind-address=127.0.0.1", "--authorization-mode=RBAC"]);
        server.arg(format!("--secure-port={port}"));
        server.args(["--service-cluster-ip-range=10.0.0.0/24", "--disable-admission-plugins=ServiceAccount"]);
        server.arg("--service-account-issuer=https://backstop.test");
        server.arg("--cert-dir").arg(self.path("certs"));
        server.arg("--token-auth-file").arg(self.path("tokens.csv"));
        server.arg("--service-account-key-file").arg(self.path("sa.key"));
        server.arg("--service-account-signing-key-file").arg(self.path("sa.key"));
        self.spawn("api-server", &mut server);
        eventually("the API server", || {
            if let Some(status) = self.children.last_mut().and_then(|(child, _)| child.try_wait().ok()?) {
                let log = std::fs::read_to_string(self.path("api-server.log")).unwrap_or_default();
                panic!("the API server ended with {status}:\n{log}");
            }
            let answer = self.http.get(format!("{}/readyz", self.url)).bearer_auth(ADMIN).send().ok()?;
            answer.status().is_success().then_some(())
        });
    }

    /// The kubeconfig of `admin` or of `backstop`.
    pub(crate) fn kubeconfig(&self, user: &str) -> PathBuf {
        self.path(&format!("{user}.kubeconfig"))
    }

    fn write_kubeconfig(&self, user: &str, token: &str) {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {
                "server": self.url, "certificate-authority": self.path("certs/apiserver.crt")}}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        });
        std::fs::write(self.kubeconfig(user), config.to_string()).expect("kubeconfig");
    }

    /// Sends a request as the admin and gives the status and the answer.
    pub(crate) fn send(&self, method: &str, path: &str, content: &str, body: Option<&Json>) -> (u16, Json) {
        let method = method.parse().expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(ADMIN);
        if let Some(body) = body {
            request = request.header("content-type", content).body(body.to_string());
        }
        let answer = request.send().unwrap_or_else(|error| panic!("{path}: {error}"));
        let status = answer.status().as_u16();
        (status, answer.json().unwrap_or_default())
    }

    fn must(&self, method: &str, path: &str, content: &str, body: Option<&Json>) -> Json {
        let (status, answer) = self.send(method, path, content, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// An object, which must be there.
    pub(crate) fn get(&self, path: &str) -> Json {
        self.must("GET", path, "", None)
    }

    /// Creates an object.
    pub(crate) fn create(&self, path: &str, object: &Json) -> Json {
        self.must("POST", path, "application/json", Some(object))
    }

    /// Merges into an object.
    pub(crate) fn merge(&self, path: &str, patch: &Json) -> Json {
        self.must("PATCH", path, "application/merge-patch+json", Some(patch))
    }

    /// Deletes an object.
    pub(crate) fn delete(&self, path: &str) {
        self.must("DELETE", path, "", None);
    }

    /// A namespace in which Backstop may act.
    pub(crate) fn namespace(&self, name: &str) {
        self.create("/api/v1/namespaces", &json!({"metadata": {"name": name}}));
        for role in ["backstop-act", "backstop-read-applications"] {
            let binding = json!({
                "metadata": {"name": role},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": "backstop", "namespace": "backstop"}],
            });
            let path = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{name}/rolebindings");
            self.create(&path, &binding);
        }
    }

    /// Creates what a file of the repository holds.
    fn apply_file(&self, name: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for document in text.split("\n---\n") {
            let object: Json = serde_saphyr::from_str(document).expect("YAML");
            let kind = object["kind"].as_str().expect("kind");
            let path = match (kind, object["metadata"]["namespace"].as_str()) {
                ("Namespace", _) => "/api/v1/namespaces".to_owned(),
                ("ServiceAccount", Some(namespace)) => format!("/api/v1/namespaces/{namespace}/serviceaccounts"),
                _ => format!("/apis/rbac.authorization.k8s.io/v1/{}s", kind.to_ascii_lowercase()),
            };
            self.create(&path, &object);
        }
    }

    /// Kinds of Argo and Flux: their names and that they may hold anything, without their controllers.
    fn add_kinds(&self) {
        for (group, version, kind, plural) in [
            ("argoproj.io", "v1alpha1", "Rollout", "rollouts"),
            ("argoproj.io", "v1alpha1", "Application", "applications"),
            ("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations"),
            ("helm.toolkit.fluxcd.io", "v2", "HelmRelease", "helmreleases"),
        ] {
            let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
            let status = if kind == "Rollout" { json!({"status": {}}) } else { json!({}) };
            let definition = json!({
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": format!("{plural}.{group}")},
                "spec": {"group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
                    "versions": [{"name": version, "served": true, "storage": true,
                        "schema": {"openAPIV3Schema": schema}, "subresources": status}]},
            });
            self.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition);
            eventually(kind, || {
                (self.send("GET", &format!("/apis/{group}/{version}/{plural}"), "", None).0 == 200).then_some(())
            });
        }
    }

    /// Does for the pods of a namespace what a kubelet would: says that they run.
    pub(crate) fn run_pods(&self, namespace: &str) {
        let pods = self.get(&format!("/api/v1/namespaces/{namespace}/pods"));
        for pod in pods["items"].as_array().expect("pods") {
            if pod["status"]["phase"] == "Running" || !pod["metadata"]["deletionTimestamp"].is_null() {
                continue;
            }
            let name = pod["metadata"]["name"].as_str().expect("name");
            let since = "2026-01-01T00:00:00Z";
            let ready = json!({"status": {"phase": "Running", "conditions": [
                {"type": "Ready", "status": "True", "lastTransitionTime": since}]}});
            // A pod that is gone by now needs no kubelet.
            let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/status");
            self.send("PATCH", &path, "application/merge-patch+json", Some(&ready));
        }
    }

    /// Runs pods until the answer is dropped.
    pub(crate) fn kubelet(self: &Arc<Self>, namespace: &str) -> Kubelet {
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, cluster, namespace) = (Arc::clone(&stop), Arc::clone(self), namespace.to_owned());
        let run = move || {
            while !seen.load(Ordering::Relaxed) {
                cluster.run_pods(&namespace);
                std::thread::sleep(Duration::from_millis(100));
            }
        };
        let thread = std::thread::Builder::new().name("kubelet".to_owned()).spawn(run).expect("thread");
        Kubelet { stop, thread: Some(thread) }
    }
}

/// A way to the API server that can be cut.
pub(crate) struct Proxy {
    kubeconfig: PathBuf,
    open: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    links: Arc<Mutex<Vec<TcpStream>>>,
}

impl Cluster {
    /// A way to the API server that can be cut, with a kubeconfig of Backstop's.
    pub(crate) fn proxy(&self) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let text = std::fs::read_to_string(self.kubeconfig("backstop")).expect("kubeconfig");
        let kubeconfig = self.path(&format!("proxy-{port}.kubeconfig"));
        std::fs::write(&kubeconfig, text.replace(&self.url, &format!("https://127.0.0.1:{port}"))).expect("kubeconfig");
        let proxy =
            Proxy { kubeconfig, open: Arc::new(AtomicBool::new(true)), ended: Arc::default(), links: Arc::default() };
        let (open, ended, links) = (Arc::clone(&proxy.open), Arc::clone(&proxy.ended), Arc::clone(&proxy.links));
        let to = self.url.trim_start_matches("https://").to_owned();
        listener.set_nonblocking(true).expect("a listener");
        let accept = move || {
            while !ended.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((from, _)) if open.load(Ordering::Relaxed) => link(&from, &to, &links),
                    // Dropped: the other side sees a connection that breaks at once.
                    Ok(_) => {}
                    Err(_) => std::thread::sleep(Duration::from_millis(10)),
                }
            }
        };
        std::thread::Builder::new().name("proxy".to_owned()).spawn(accept).expect("thread");
        proxy
    }
}

/// Copies both ways until one side ends.
fn link(from: &TcpStream, to: &str, links: &Mutex<Vec<TcpStream>>) {
    from.set_nonblocking(false).expect("a stream");
    let to = TcpStream::connect(to).expect("the API server");
    for (reader, writer) in [(from, &to), (&to, from)] {
        let (mut reader, mut writer) = (reader.try_clone().expect("a stream"), writer.try_clone().expect("a stream"));
        links.lock().expect("links").push(reader.try_clone().expect("a stream"));
        let copy = move || {
            drop(std::io::copy(&mut reader, &mut writer));
            drop(writer.shutdown(std::net::Shutdown::Both));
        };
        std::thread::Builder::new().name("proxy-link".to_owned()).spawn(copy).expect("thread");
    }
}

impl Proxy {
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig.clone()
    }

    /// Breaks every connection, and refuses new ones.
    pub(crate) fn cut(&self) {
        self.open.store(false, Ordering::Relaxed);
        for link in self.links.lock().expect("links").drain(..) {
            drop(link.shutdown(std::net::Shutdown::Both));
        }
    }

    pub(crate) fn mend(&self) {
        self.open.store(true, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        self.cut();
    }
}

/// Runs pods until it is dropped.
pub(crate) struct Kubelet {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// The path of a workload, or of all of a kind without a name.
pub(crate) fn apps(namespace: &str, plural: &str, name: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/{plural}/{name}").trim_end_matches('/').to_owned()
}

/// A Deployment, StatefulSet or DaemonSet of one container.
pub(crate) fn workload(name: &str, image: &str) -> Json {
    json!({
        "metadata": {"name": name, "labels": {"app.kubernetes.io/name": name}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": image, "env": [
                    {"name": "LEVEL", "value": "info"}, {"name": "API_TOKEN", "value": "hunter2"}]}]},
            },
        },
    })
}

/// A merge patch to another image.
pub(crate) fn image(image: &str) -> Json {
    json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": image, "env": [
        {"name": "LEVEL", "value": "info"}, {"name": "API_TOKEN", "value": "hunter2"}]}]}}}})
}
