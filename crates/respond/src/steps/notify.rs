//! `notify`: tells people.

use model::Timestamp;

use super::Cx;
use crate::plan::values;
use crate::playbook::NotifyStep;
use crate::writes::Batch;
use crate::{Fill, FillUse, RespondError, Responder, Run};

impl Responder {
    pub(super) fn notify(
        &self,
        run: Run,
        notify: &NotifyStep,
        cx: &mut Cx<'_>,
    ) -> Result<Option<Timestamp>, RespondError> {
        let _deciding = self.deciding.lock();
        let mut batch = Batch::new(cx.now);
        let template = notify.template.as_deref().unwrap_or("default");
        let mut text = self.story(&run);
        if let Some(more) = &notify.text {
            let alert = self.alert_of(&run, None)?;
            let values = values(&run, &alert, run.change.as_ref());
            // A value that is missing must not keep people from being told.
            let more = match Fill::parse(more).and_then(|fill| fill.render(&values, FillUse::Text)) {
                Ok(more) => more,
                Err(error) => format!("{more} ({error})"),
            };
            text = format!("{text}; {more}");
        }
        self.queue(&run, &notify.receiver, template, &text, None, &mut batch)?;
        self.next_step(run, batch, cx.now)?;
        Ok(None)
    }
}
