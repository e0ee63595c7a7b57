//! The memory of recent samples: one budget for all tenants.
//!
//! Each tenant may have the same share; what small tenants leave of theirs is shared by the larger ones. So the largest gives way first,
//! and a tenant that is below its share loses nothing, however many others there are.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::head::Tenant;

/// Lets go of the oldest recent samples of those tenants that have more than their share.
pub(crate) fn evict(tenants: &[Arc<RwLock<Tenant>>], bytes_max: usize) {
    let sizes: Vec<usize> = tenants.iter().map(|tenant| tenant.read().recent_bytes).collect();
    let Some(share) = share(sizes.clone(), bytes_max) else { return };
    for (tenant, _) in tenants.iter().zip(sizes).filter(|(_, bytes)| *bytes > share) {
        tenant.write().evict(share);
    }
}

/// How much each may have, so that all together have no more than `max`; nothing where they have not.
fn share(mut sizes: Vec<usize>, max: usize) -> Option<usize> {
    sizes.sort_unstable();
    let (mut left, mut others) = (max, sizes.len());
    for size in sizes {
        let share = left / others;
        if size > share {
            return Some(share);
        }
        left -= size;
        others -= 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_small_ones_leave_is_shared() {
        for (sizes, max, want) in [
            (vec![], 10, None),
            (vec![4, 6], 10, None),
            (vec![4, 7], 10, Some(6)),
            (vec![1, 100, 1, 50], 42, Some(20)),
            (vec![5, 5, 5], 9, Some(3)),
            (vec![1], 0, Some(0)),
            (vec![0, 0], 0, None),
        ] {
            assert_eq!(share(sizes.clone(), max), want, "{sizes:?} in {max}");
        }
    }
}
