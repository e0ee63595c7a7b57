//! Certificates, as they are on disk now.

use reqwest::{Certificate, ClientBuilder, Identity, tls::Version};

use crate::config::{TlsConfig, TlsVersion};

/// What was read of certificates and keys.
#[derive(PartialEq)]
pub(super) struct Certificates {
    ca: Option<String>,
    identity: Option<String>,
}

impl Certificates {
    pub(super) fn read(config: &TlsConfig) -> Result<Self, String> {
        let ca = config.ca.as_ref().map(|ca| ca.read()).transpose()?;
        let identity = match &config.identity {
            // Certificate and key in one text, as the library wants it.
            Some((cert, key)) => Some(format!("{}\n{}\n", cert.read()?, key.read()?)),
            None => None,
        };
        Ok(Self { ca, identity })
    }

    pub(super) fn apply(&self, config: &TlsConfig, builder: ClientBuilder) -> Result<ClientBuilder, String> {
        let version = |version: TlsVersion| match version {
            TlsVersion::V12 => Version::TLS_1_2,
            TlsVersion::V13 => Version::TLS_1_3,
        };
        let mut builder = builder.danger_accept_invalid_certs(config.insecure);
        if let Some(ca) = &self.ca {
            let bundle = Certificate::from_pem_bundle(ca.as_bytes()).map_err(|error| format!("ca: {error}"))?;
            if bundle.is_empty() {
                return Err("ca: there is no certificate in it".to_owned());
            }
            // Those alone, as in Prometheus.
            builder = builder.tls_built_in_root_certs(false);
            builder = bundle.into_iter().fold(builder, ClientBuilder::add_root_certificate);
        }
        if let Some(identity) = &self.identity {
            let identity = Identity::from_pem(identity.as_bytes()).map_err(|error| format!("cert and key: {error}"))?;
            builder = builder.identity(identity);
        }
        if let Some(min) = config.min_version {
            builder = builder.min_tls_version(version(min));
        }
        if let Some(max) = config.max_version {
            builder = builder.max_tls_version(version(max));
        }
        Ok(builder)
    }
}
