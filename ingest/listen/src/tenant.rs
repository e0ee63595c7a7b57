//! The tenant of a request.

use model::TenantId;

/// The header, and the gRPC metadata key, that names the tenant, as in Loki and Mimir.
pub(crate) const TENANT_HEADER: &str = "x-scope-orgid";

/// The tenant that a header names; an absent or empty one is the default tenant.
pub(crate) fn tenant(header: Option<&[u8]>) -> Result<TenantId, String> {
    let Some(name) = header.filter(|name| !name.is_empty()) else { return Ok(TenantId::default()) };
    std::str::from_utf8(name).ok().and_then(TenantId::new).ok_or_else(|| {
        let shown = String::from_utf8_lossy(&name[..name.len().min(200)]);
        format!("X-Scope-OrgID {shown:?} is no tenant name: {}", TenantId::RULE)
    })
}
