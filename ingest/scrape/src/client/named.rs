//! Where a target is whose certificate has another name.
//!
//! The library verifies the name that the URL has. So the URL gets the certificate's name, and this says which host that is: it is asked
//! at each connection, as for other targets, so that a target that moves is followed.

use std::net::SocketAddr;
use std::pin::Pin;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The addresses of a host, when they are there.
pub(super) type Looking = Pin<Box<dyn Future<Output = std::io::Result<Vec<SocketAddr>>> + Send>>;

/// Resolves one name as another host's.
pub(super) struct Renamed {
    name: String,
    host: String,
    lookup: fn(String) -> Looking,
}

impl Renamed {
    /// `name` is where `host` is; all other names, of redirects, are where they are.
    pub(super) fn new(name: &str, host: &str) -> Self {
        Self { name: name.to_ascii_lowercase(), host: host.to_owned(), lookup: of_system }
    }

    /// The host to ask for.
    fn host_of(&self, name: &str) -> String {
        if name.eq_ignore_ascii_case(&self.name) { self.host.clone() } else { name.to_owned() }
    }
}

/// As the system resolves it. Without a port: the URL's counts.
fn of_system(host: String) -> Looking {
    Box::pin(async move { Ok(tokio::net::lookup_host((host.as_str(), 0)).await?.collect()) })
}

impl Resolve for Renamed {
    fn resolve(&self, name: Name) -> Resolving {
        let host = self.host_of(name.as_str());
        let looking = (self.lookup)(host.clone());
        Box::pin(async move {
            let found = looking.await.map_err(|error| format!("cannot resolve {host}: {error}"))?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU16, Ordering};

    use super::*;

    /// A host whose address is another one each time.
    fn moving(host: String) -> Looking {
        static TIMES: AtomicU16 = AtomicU16::new(1);
        let last = if host == "host.example" { TIMES.fetch_add(1, Ordering::Relaxed) } else { 99 };
        Box::pin(async move { Ok(vec![SocketAddr::from(([127, 0, 0, last as u8], 0))]) })
    }

    #[tokio::test]
    async fn a_target_that_moves_is_followed() {
        let renamed = Renamed { lookup: moving, ..Renamed::new("Cert.Example", "host.example") };
        let mut found = Vec::new();
        for name in ["cert.example", "cert.example", "elsewhere.example"] {
            let addresses = renamed.resolve(name.parse().unwrap()).await.unwrap();
            found.extend(addresses.map(|address| address.to_string()));
        }
        assert_eq!(found, ["127.0.0.1:0", "127.0.0.2:0", "127.0.0.99:0"]);
        let system = Renamed::new("cert.example", "127.0.0.1");
        let found: Vec<_> = system.resolve("cert.example".parse().unwrap()).await.unwrap().collect();
        assert_eq!(found, [SocketAddr::from(([127, 0, 0, 1], 0))]);
    }
}
