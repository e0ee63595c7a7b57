//! Limits reach down: through operators that keep rows one for one, to a sort (which becomes a top-k) or to the scan (which
//! stops early).

use crate::LogicalPlan;
use crate::stage::Stage;

/// Tells every sort and the scan how many rows are needed of it. Doing it again changes nothing.
pub(crate) fn push_fetch(plan: &mut LogicalPlan) {
    push(plan, None);
}

fn push(plan: &mut LogicalPlan, needed: Option<u64>) {
    match plan {
        LogicalPlan::Scan(scan) => scan.fetch = least(scan.fetch, needed),
        LogicalPlan::Limit { input, offset, fetch } => {
            let kept = least(*fetch, needed);
            push(input, kept.map(|rows| rows.saturating_add(*offset)));
        }
        LogicalPlan::Sort { input, fetch, .. } => {
            *fetch = least(*fetch, needed);
            push(input, None);
        }
        LogicalPlan::Filter { input, .. } | LogicalPlan::Aggregate { input, .. } => push(input, None),
        LogicalPlan::Stage { input, stage } => {
            // Of a union's rows the first come from either side.
            let of_union = if matches!(stage, Stage::Union(_)) { needed } else { None };
            if let Some(other) = stage.other_mut() {
                push(other, of_union);
            }
            push(input, if stage.keeps_rows() { needed } else { of_union });
        }
        LogicalPlan::Project { input, .. }
        | LogicalPlan::Drop { input, .. }
        | LogicalPlan::Rename { input, .. }
        | LogicalPlan::Eval { input, .. } => push(input, needed),
    }
}

fn least(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    a.into_iter().chain(b).min()
}
