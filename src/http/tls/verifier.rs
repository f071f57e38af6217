//! Clients' certificates, by Go's rules: asked for or demanded, checked against the client CA or not at all, and one of
//! their names on the list or not.

use std::fmt;
use std::sync::Arc;

use rustls::CertificateError;
use rustls::DigitallySignedStruct;
use rustls::DistinguishedName;
use rustls::Error;
use rustls::RootCertStore;
use rustls::SignatureScheme;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::UnixTime;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerified;
use rustls::server::danger::ClientCertVerifier;

use crate::config::web::ClientAuth;
use crate::parse::x509;

/// What is asked of clients.
pub(super) struct Verifier {
    auth: ClientAuth,
    /// The authorities as they were given.
    authorities: Vec<CertificateDer<'static>>,
    /// What checks against them; `None` where there is none.
    inner: Option<Arc<dyn ClientCertVerifier>>,
    hints: Vec<DistinguishedName>,
    names: Option<Vec<String>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({:?})", self.auth)
    }
}

impl Verifier {
    pub(super) fn new(
        auth: ClientAuth,
        authorities: Vec<CertificateDer<'static>>,
        names: Option<Vec<String>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authorities.iter().cloned());
        let hints = roots.subjects();
        if roots.is_empty() && !authorities.is_empty() {
            return Err(
                "client_ca_file: expected certificates, found none that can be read".to_string(),
            );
        }
        let inner = if roots.is_empty() {
            None
        } else {
            let builder =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
            let inner = builder.build();
            Some(inner.map_err(|error| format!("client_ca_file: {error}"))?)
        };
        Ok(Self {
            auth,
            authorities,
            inner,
            hints,
            names,
            algorithms: provider.signature_verification_algorithms,
        })
    }

    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let Some(inner) = &self.inner else {
            return Err(CertificateError::UnknownIssuer.into());
        };
        match inner.verify_client_cert(end_entity, intermediates, now) {
            Ok(_) => Ok(()),
            // A self-signed certificate is most often an authority's, too. One that is itself on the list is trusted, as
            // Go does; whether it is still valid has been looked at before this was found.
            Err(Error::InvalidCertificate(CertificateError::Other(other)))
                if other.0.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity)
                    && self.authorities.iter().any(|known| known == end_entity) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        matches!(
            self.auth,
            ClientAuth::RequireAnyClientCert | ClientAuth::RequireAndVerifyClientCert
        )
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.auth {
            ClientAuth::VerifyClientCertIfGiven | ClientAuth::RequireAndVerifyClientCert => {
                self.verify(end_entity, intermediates, now)?;
            }
            ClientAuth::NoClientCert
            | ClientAuth::RequestClientCert
            | ClientAuth::RequireAnyClientCert => {}
        }
        let names = x509::names(end_entity).map_err(|_| CertificateError::BadEncoding)?;
        let listed = |list: &Vec<String>| names.iter().any(|name| list.contains(name));
        if self.names.as_ref().is_none_or(listed) {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
