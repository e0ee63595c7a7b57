//! placeholder
use std::collections::BTreeMap;
#[derive(Default)]
pub struct ActOptions { pub exec_allow: Vec<std::path::PathBuf>, pub exec_env: BTreeMap<String,String>, pub http_allow: Vec<String>, pub redact: Vec<String> , pub x: u8}
pub struct Actor;
impl Actor { pub fn new(_: ActOptions) -> Result<Self, std::io::Error> { Ok(Self) } }
impl respond::Executor for Actor { fn execute(&self, _r: &respond::ActionRequest) -> respond::ActionResult { respond::ActionResult { state: respond::ActionState::Failed, detail: String::new(), output: String::new(), finished_at: telemetry::clock::now() } } }
