//! `probe`: tries whether something answers.

use model::Timestamp;
use serde_json::json;

use super::Cx;
use crate::plan::values;
use crate::playbook::{Probe, ProbeKind};
use crate::result::ResultState;
use crate::writes::Batch;
use crate::{EntryKind, Fill, FillUse, ProbeAnswer, ProbeRequest, RespondError, Responder, Run, StepResult};

impl Responder {
    pub(super) fn probe(
        &self,
        mut run: Run,
        probe: &Probe,
        cx: &mut Cx<'_>,
    ) -> Result<Option<Timestamp>, RespondError> {
        let request = self.probe_request(&run, probe)?;
        let answer = match &request {
            Ok(request) => self.prober.probe(request),
            Err(why) => ProbeAnswer::unknown(why.clone()),
        };
        let _deciding = self.deciding.lock();
        let mut batch = Batch::new(cx.now);
        let name = run.playbook.step_name(run.step);
        let text = format!("{name}: {}: {}", answer.state.as_str(), answer.detail);
        let result = StepResult {
            value: answer.latency_ms,
            n: answer.status.map(u64::from),
            ..StepResult::new("probe", answer.state, answer.detail)
        };
        batch.timeline(&run.incident, EntryKind::Note, &text, json!({"probe": probe.kind, "result": result}));
        run.results.insert(name, result);
        self.measured(run, answer.state != ResultState::Ok, &text, batch, cx.now)?;
        Ok(None)
    }

    fn probe_request(&self, run: &Run, probe: &Probe) -> Result<Result<ProbeRequest, String>, RespondError> {
        let alert = self.alert_of(run, None)?;
        let values = values(run, &alert, run.change.as_ref());
        let fill = |text: &str, usage| Fill::parse(text)?.render(&values, usage);
        let kind = match &probe.kind {
            ProbeKind::Http { url, expect_status } => {
                fill(url, FillUse::Url).map(|url| ProbeKind::Http { url, expect_status: expect_status.clone() })
            }
            ProbeKind::Tcp { address } => fill(address, FillUse::Text).map(|address| ProbeKind::Tcp { address }),
        };
        let timeout_ns = probe.timeout_ns;
        Ok(kind.map(|kind| ProbeRequest { kind, timeout_ns }).map_err(|error| error.to_string()))
    }
}
