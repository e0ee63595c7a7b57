//! Functions of IP addresses.

use std::net::IpAddr;

use lang::ScalarFunction;

use super::Run;
use crate::prepare::Prepared;
use crate::value::Value;

pub(super) fn pick(function: ScalarFunction) -> Option<Run> {
    Some(match function {
        ScalarFunction::IpIn => ip_in,
        ScalarFunction::IsIp => |v, _| Some(Value::Bool(address(&v[0]).is_some())),
        ScalarFunction::IsPrivate => |v, _| address(&v[0]).map(|address| Value::Bool(is_private(address))),
        ScalarFunction::IpPrefix => |v, _| {
            let bits = u8::try_from(v[1].whole()?).ok()?;
            let network = Network::new(address(&v[0])?, bits)?;
            Some(Value::text(format!("{}/{bits}", network.first_address())))
        },
        ScalarFunction::IpVersion => |v, _| Some(Value::Int(if address(&v[0])?.is_ipv4() { 4 } else { 6 })),
        _ => return None,
    })
}

/// A network: addresses from the first to the last of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    v4: bool,
    first: u128,
    last: u128,
}

impl Network {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = lang::parse_network(text)?;
        Self::new(address, bits)
    }

    fn new(address: IpAddr, bits: u8) -> Option<Self> {
        let (v4, value) = bits_of(address);
        let width = if v4 { 32 } else { 128 };
        let hosts = match width - u32::from(bits).min(width) {
            _ if u32::from(bits) > width => return None,
            128 => u128::MAX,
            open => (1u128 << open) - 1,
        };
        Some(Self { v4, first: value & !hosts, last: value | hosts })
    }

    fn contains(self, address: IpAddr) -> bool {
        let (v4, value) = bits_of(address);
        self.v4 == v4 && self.first <= value && value <= self.last
    }

    fn first_address(self) -> IpAddr {
        if self.v4 { IpAddr::V4((self.first as u32).into()) } else { IpAddr::V6(self.first.into()) }
    }
}

fn bits_of(address: IpAddr) -> (bool, u128) {
    match address {
        IpAddr::V4(address) => (true, u128::from(u32::from(address))),
        IpAddr::V6(address) => (false, u128::from(address)),
    }
}

/// The address that a value is; IPv4 written as IPv6 is IPv4.
fn address(value: &Value<'_>) -> Option<IpAddr> {
    let Value::Text(text) = value else { return None };
    text.trim().parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn ip_in<'r>(v: &mut [Value<'r>], prepared: &'r Prepared) -> Option<Value<'r>> {
    let address = address(&v[0])?;
    if let Prepared::Networks(networks) = prepared {
        return Some(Value::Bool(networks.iter().any(|network| network.contains(address))));
    }
    let mut found = false;
    for value in &v[1..] {
        found |= Network::parse(&value.to_text()?)?.contains(address);
    }
    Some(Value::Bool(found))
}

/// Private (RFC 1918), shared (RFC 6598), loopback and link-local addresses; for IPv6 unique local (RFC 4193), loopback and
/// link-local ones.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, _, _] = v4.octets();
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}
