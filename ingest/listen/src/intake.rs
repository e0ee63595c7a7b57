//! Where a socket's items go.

use std::sync::Arc;

use model::TenantId;
use pipeline::Pipeline;

/// The pipeline that a receiver stores by, and the tenant that what it receives belongs to: sockets have no header that names one.
#[derive(Clone, Debug)]
pub struct Intake {
    /// The way into the store.
    pub pipeline: Arc<Pipeline>,
    /// Whose the items are.
    pub tenant: TenantId,
}
