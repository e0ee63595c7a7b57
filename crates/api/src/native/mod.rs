//! The native API, `/backstop/api/v1/...`: one file per group of paths.

pub(crate) mod admin;
pub(crate) mod approvals;
pub(crate) mod explore;
pub(crate) mod export;
pub(crate) mod incidents;
pub(crate) mod inside;
pub(crate) mod intake;
pub(crate) mod loops;
pub(crate) mod playbooks;
pub(crate) mod query;
pub(crate) mod services;
pub(crate) mod switches;
pub(crate) mod tail;
pub(crate) mod views;
pub(crate) mod watches;
