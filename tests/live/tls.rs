//! TLS against clients that nobody here wrote: curl, openssl and Prometheus; and against those that mean no good.

mod attacks;
mod clients;
mod floods;
mod pki;
mod renewal;
mod verdicts;

use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::RootCertStore;
use rustls::StreamOwned;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;

use crate::client::Client;
use crate::running::PATIENCE;
use crate::running::Weir;
use crate::running::installed;

use self::pki::Pki;

/// Why these tests cannot run here, if so.
fn missing() -> Option<String> {
    let mut needed = ["openssl", "curl"].into_iter();
    let missing = needed.find(|program| !installed(program))?;
    Some(format!("{missing} is not installed"))
}

/// A weir with this text in its `--web.config.file`, which stands beside the certificates.
fn weir(pki: &Pki, text: &str) -> Weir {
    weir_with(pki, text, &[])
}

fn weir_with(pki: &Pki, text: &str, more: &[&str]) -> Weir {
    let path = pki.write("web.yml", text);
    let flag = format!("--web.config.file={}", path.display());
    let mut arguments = vec![flag.as_str()];
    arguments.extend(more);
    Weir::start(&arguments)
}

/// A server certificate and what else is said.
fn server(more: &str) -> String {
    format!("tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n{more}")
}

/// The status that curl gets, 0 where it gets none.
fn curl(pki: &Pki, weir: &Weir, arguments: &[&str]) -> u16 {
    curl_with_ca(pki, weir, "ca.crt", arguments)
}

fn curl_with_ca(pki: &Pki, weir: &Weir, ca: &str, arguments: &[&str]) -> u16 {
    let mut command = Command::new("curl");
    command
        .current_dir(pki.path())
        .args(["-sS", "-o", "/dev/null", "-w", "%{http_code}"]);
    command
        .args(["--max-time", "20", "--cacert", ca])
        .args(arguments);
    let output = command
        .arg(format!("https://{}/health", weir.address))
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .unwrap()
}

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A client of TLS for tests that look inside.
fn tls(pki: &Pki, weir: &Weir) -> std::io::Result<Tls> {
    let stream = TcpStream::connect(&weir.address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    handshake(&configured(pki), stream)
}

/// What such a client knows.
fn configured(pki: &Pki) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(pki.path().join("ca.crt")).unwrap();
    roots.add(authority).unwrap();
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

fn handshake(config: &Arc<ClientConfig>, mut stream: TcpStream) -> std::io::Result<Tls> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::clone(config), name).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(connection, stream))
}

fn client(pki: &Pki, weir: &Weir) -> Client<Tls> {
    Client::over(tls(pki, weir).unwrap())
}

/// A family's only value, or the one with this label.
fn value(pki: &Pki, weir: &Weir, series: &str) -> f64 {
    let answer = client(pki, weir).get("/metrics", "").unwrap();
    let text = answer.text().unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    let line = line.unwrap_or_else(|| panic!("no {series} in\n{text}"));
    line.trim().parse().unwrap()
}
