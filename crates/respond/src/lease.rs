//! Leases: who may act on a target, and the fencing token that tells the target who came later.
//!
//! One document a target, which is never removed, so that its fence only grows. It is replaced only as it was read
//! ([`Write::Expect`]): of two processes that want it, one gets it. It is taken in the transaction that starts the action.
//!
//! A lease that ran out may be taken over by anyone. Its holder may still be acting then: nothing here can stop a paused process,
//! which is why the fence goes to the target, and why an action is `started` at most once whoever holds the lease.

use catalog::ledger::{Document, LedgerError, LedgerTable, Records, Write, time_text};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::writes::read;

/// How long a lease lasts unless it is renewed, in nanoseconds.
pub const LEASE_TTL_NS: i64 = 30_000_000_000;

/// A lease is renewed when less than one part in so many of its time is left: twice it may fail before the lease is lost.
const RENEW_BELOW_PARTS: (i64, i64) = (2, 3);

/// A lease on a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The target.
    pub target: String,
    /// How often it was written.
    pub seq: u64,
    /// How often it was taken: the fencing token of its holder.
    pub fence: u64,
    /// Who holds it; nobody when empty.
    pub holder: String,
    /// For which action.
    pub action: String,
    /// Until when.
    #[serde(default, with = "time_text::option", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Why a lease is not to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) by: String,
    pub(crate) until: Timestamp,
}

impl Lease {
    /// The lease on a target as it is; one that nobody ever took when there is none.
    pub(crate) fn of(records: &dyn Records, target: &str) -> Result<Lease, LedgerError> {
        let found: Option<Lease> = read(records, LedgerTable::Leases, target)?;
        Ok(found.unwrap_or_else(|| Lease { target: target.to_owned(), ..Lease::default() }))
    }

    /// Whether somebody may act under it.
    pub(crate) fn is_held(&self, now: Timestamp) -> bool {
        !self.holder.is_empty() && self.expires_at.is_some_and(|expires| now < expires)
    }

    /// The lease as `holder` takes it for an action, unless it is held.
    pub(crate) fn taken(&self, holder: &str, action: &str, ttl_ns: i64, now: Timestamp) -> Result<Lease, Held> {
        if self.is_held(now) {
            return Err(Held { by: self.holder.clone(), until: self.expires_at.unwrap_or(now) });
        }
        Ok(Lease {
            target: self.target.clone(),
            seq: self.seq + 1,
            fence: self.fence + 1,
            holder: holder.to_owned(),
            action: action.to_owned(),
            expires_at: Some(now.saturating_add_ns(ttl_ns)),
        })
    }

    /// The lease with its time begun anew, when enough of it has passed.
    pub(crate) fn renewed(&self, ttl_ns: i64, now: Timestamp) -> Option<Lease> {
        let left = self.expires_at?.0 - now.0;
        let (part, of) = RENEW_BELOW_PARTS;
        let due = left > 0 && left < ttl_ns / of * part;
        due.then(|| Lease { seq: self.seq + 1, expires_at: Some(now.saturating_add_ns(ttl_ns)), ..self.clone() })
    }

    /// The lease with nobody holding it. The fence stays.
    pub(crate) fn released(&self) -> Lease {
        let (holder, action) = (String::new(), String::new());
        Lease { seq: self.seq + 1, holder, action, expires_at: None, ..self.clone() }
    }

    /// The writes that replace the lease as it was before this one.
    pub(crate) fn writes(&self, now: Timestamp) -> [Write; 2] {
        let (table, id) = (LedgerTable::Leases, self.target.clone());
        let state = if self.holder.is_empty() { "free" } else { "held" };
        let document = Document {
            id: id.clone(),
            time: now,
            service: self.target.clone(),
            state: state.to_owned(),
            body: json!(self),
        };
        [Write::Expect { table, id, key: "seq", is: self.seq - 1 }, Write::Put(table, document)]
    }
}
