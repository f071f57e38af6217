//! What the file says of TLS as rustls takes it: certificates and keys are read and fit together, or there is none.

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::NoServerSessionStorage;

use crate::config::web::ClientAuth;
use crate::config::web::Pem;
use crate::config::web::Tls;
use crate::files::regular;

use super::verifier::Verifier;

/// The largest file of certificates or keys, in bytes: a bundle of all public authorities is a quarter of it.
const LIMIT: usize = 1 << 20;
/// What is spoken inside (RFC 7301).
const PROTOCOLS: [&[u8]; 2] = [b"http/1.1", b"http/1.0"];
/// Go's names of the groups for the key exchange, and rustls'.
const CURVES: [(&str, rustls::NamedGroup); 3] = [
    ("X25519", rustls::NamedGroup::X25519),
    ("CurveP256", rustls::NamedGroup::secp256r1),
    ("CurveP384", rustls::NamedGroup::secp384r1),
];

/// What every connection's encryption is made from.
pub(in crate::http) struct Setup(Arc<ServerConfig>);

impl Setup {
    /// Reads what is named, and puts it together.
    pub(in crate::http) fn new(tls: &Tls) -> Result<Self, String> {
        let certificates = certificates(&tls.certificate, "cert_file")?;
        let key = key(&tls.key)?;
        let provider = Arc::new(provider(tls));
        let mut versions = Vec::new();
        if tls.tls13 {
            versions.push(&rustls::version::TLS13);
        }
        if tls.tls12 {
            versions.push(&rustls::version::TLS12);
        }
        let told = |error: rustls::Error| format!("tls_server_config: {error}");
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(&versions).map_err(told)?;
        let builder = match tls.client_auth {
            ClientAuth::NoClientCert => builder.with_no_client_auth(),
            auth => {
                let authorities = tls.client_ca.as_ref();
                let authorities = authorities.map(|pem| self::certificates(pem, "client_ca_file"));
                let authorities = authorities.transpose()?.unwrap_or_default();
                let names = tls.allowed_sans.clone();
                let verifier = Verifier::new(auth, authorities, names, &provider);
                builder.with_client_cert_verifier(Arc::new(verifier?))
            }
        };
        let single = builder.with_single_cert(certificates, key);
        let mut config = single.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                "key_file: expected the key of the certificate, found another".to_string()
            }
            error => told(error),
        })?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        config.ignore_client_order = tls.server_order;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self(Arc::new(config)))
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0)
    }
}

/// ring, with the suites and groups that are wanted, in the order of the file.
fn provider(tls: &Tls) -> CryptoProvider {
    let mut provider = ring::default_provider();
    if !tls.suites.is_empty() {
        let all = std::mem::take(&mut provider.cipher_suites);
        let of_13 = all.iter().filter(|suite| suite.tls13().is_some());
        provider.cipher_suites.extend(of_13);
        for name in &tls.suites {
            let named = |suite: &&_| suite_name(suite) == *name;
            provider.cipher_suites.extend(all.iter().filter(named));
        }
    }
    if !tls.curves.is_empty() {
        let all = std::mem::take(&mut provider.kx_groups);
        for name in &tls.curves {
            let wanted = CURVES.iter().find(|(known, _)| known == name);
            let named = |group: &&&dyn rustls::crypto::SupportedKxGroup| {
                wanted.is_some_and(|(_, wanted)| group.name() == *wanted)
            };
            provider.kx_groups.extend(all.iter().filter(named));
        }
    }
    provider
}

fn suite_name(suite: &rustls::SupportedCipherSuite) -> &'static str {
    suite.suite().as_str().unwrap_or_default()
}

fn read(pem: &Pem, key: &str) -> Result<Vec<u8>, String> {
    match pem {
        Pem::Inline(text) => Ok(text.clone().into_bytes()),
        Pem::File(path) => regular::read(path, LIMIT)
            .map(|(bytes, _)| bytes)
            .map_err(|error| format!("{key}: {error}")),
    }
}

/// Where something stands, for errors.
fn place(pem: &Pem, key: &str) -> String {
    match pem {
        Pem::Inline(_) => key.trim_end_matches("_file").to_string(),
        Pem::File(path) => format!("{key}: {}", path.display()),
    }
}

fn certificates(pem: &Pem, key: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read(pem, key)?;
    let wrong = |found: &dyn fmt::Display| {
        format!(
            "{}: expected certificates in PEM, found {found}",
            place(pem, key)
        )
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| wrong(&error))?;
    if found.is_empty() {
        return Err(wrong(&"none"));
    }
    Ok(found)
}

fn key(pem: &Pem) -> Result<PrivateKeyDer<'static>, String> {
    let bytes = read(pem, "key_file")?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
        let place = place(pem, "key_file");
        format!("{place}: expected a key in PEM without a passphrase: {error}")
    })
}
