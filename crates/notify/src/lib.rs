//! placeholder
use std::collections::BTreeMap;
pub enum Receiver { Webhook { url: String, headers: BTreeMap<String,String> }, Log }
pub struct Notifier;
impl Notifier { pub fn new<T>(_: T, _: BTreeMap<String, Receiver>, _: Option<String>) -> Result<Self, std::io::Error> { Ok(Self) } pub fn deliver_due(&self, _: model::Timestamp) -> Result<(), std::io::Error> { Ok(()) } }
