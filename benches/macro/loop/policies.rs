//! The policies that are compared.

use sim::{Nobody, Policy, baseline};

use crate::product::Product;

/// Every policy, fresh: one of each for every release.
pub(crate) fn all() -> Vec<Box<dyn Policy>> {
    let mut policies: Vec<Box<dyn Policy>> = vec![Box::new(Nobody), Box::new(Product::default())];
    policies.extend(baseline::all());
    policies
}

/// Their names.
pub(crate) fn names() -> Vec<String> {
    all().iter().map(|policy| policy.name()).collect()
}
