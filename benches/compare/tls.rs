//! What TLS costs, of a weir built with it: the server's CPU time for a handshake (ECDSA with P-256), and for a scrape over
//! a kept connection against the same in plain HTTP.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::RootCertStore;
use rustls::StreamOwned;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;

use crate::GZIP;
use crate::ROUNDS;
use crate::SCRAPES;
use crate::client::Client;
use crate::cost;
use crate::report;
use crate::report::Goals;
use crate::rivals;
use crate::rivals::Rival;
use crate::rivals::Server;
use crate::rivals::Set;
use crate::take_turns;

/// Handshakes that are measured, after some to warm up.
const HANDSHAKES: u32 = 2000;
const WARM_UP: u32 = 50;
/// 300 a second on one core.
const BUDGET: Duration = Duration::from_micros(3333);
const CERTIFICATE: &str = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE -keyout server.key -out server.crt";
const CONFIG: &str = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n";

pub(crate) fn goals(goals: &mut Goals) {
    if let Err(error) = measured(goals) {
        goals.missing(&format!("TLS: {error}"));
    }
}

fn measured(goals: &mut Goals) -> io::Result<()> {
    let directory = std::env::temp_dir().join(format!("weir-bench-tls-{}", std::process::id()));
    fs::create_dir(&directory)?;
    let result = inside(&directory, goals);
    fs::remove_dir_all(&directory)?;
    result
}

fn inside(directory: &Path, goals: &mut Goals) -> io::Result<()> {
    let mut openssl = Command::new("openssl");
    let made = openssl
        .args(CERTIFICATE.split_whitespace())
        .current_dir(directory)
        .output()?;
    if !made.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&made.stderr)));
    }
    let path = directory.join("web.yml");
    fs::write(&path, CONFIG)?;
    let flag = format!("--web.config.file={}", path.display());
    let config = Arc::new(config(&directory.join("server.crt"))?);
    let each = handshakes(&flag, &config)?;
    println!("\nA TLS handshake takes {each:.1?} of the server's CPU time.");
    let spent = each.as_secs_f64() / BUDGET.as_secs_f64();
    goals.at_most(
        "TLS: CPU of a handshake, of a 300th of a second",
        1.0,
        spent,
    );
    for (what, fields) in [("", ""), (", gzip", GZIP)] {
        scrapes(what, fields, &flag, &config, goals)?;
    }
    Ok(())
}

fn handshakes(flag: &str, config: &Arc<ClientConfig>) -> io::Result<Duration> {
    let server = rivals::weir_tls(Set::Network, &[flag])?;
    let id = server.process.id();
    for _ in 0..WARM_UP {
        connect(&server.address, config)?;
    }
    let before = cost::cpu(id)?;
    for _ in 0..HANDSHAKES {
        connect(&server.address, config)?;
    }
    Ok((cost::cpu(id)? - before) / HANDSHAKES)
}

fn scrapes(
    what: &str,
    fields: &str,
    flag: &str,
    config: &Arc<ClientConfig>,
    goals: &mut Goals,
) -> io::Result<()> {
    let mut plain = rivals::weir_tls(Set::Network, &[])?;
    let server = rivals::weir_tls(Set::Network, &[flag])?;
    let mut kept = Client::over(connect(&server.address, config)?);
    let mut list = vec![
        Rival::new("weir with TLS", || over(&server, &mut kept, fields)),
        Rival::new("weir", || plain.scrapes(SCRAPES, fields)),
    ];
    let figures = take_turns(&mut list, ROUNDS)?;
    report::table(&format!("A scrape over a kept connection{what}"), &figures);
    goals.ratio(
        &format!("TLS: CPU of a plain scrape{what}"),
        1.3,
        &figures,
        "weir",
    );
    Ok(())
}

fn over(server: &Server, kept: &mut Client<Stream>, fields: &str) -> io::Result<Duration> {
    let before = cost::cpu(server.process.id())?;
    for _ in 0..SCRAPES {
        if kept.get("/metrics", fields)?.status != 200 {
            return Err(io::Error::other("the scrape is refused"));
        }
    }
    Ok((cost::cpu(server.process.id())? - before) / SCRAPES)
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

fn config(certificate: &Path) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(certificate).map_err(io::Error::other)?;
    roots.add(certificate).map_err(io::Error::other)?;
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// A connection after its handshake.
fn connect(address: &str, config: &Arc<ClientConfig>) -> io::Result<Stream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let connection = ClientConnection::new(Arc::clone(config), name);
    let mut connection = connection.map_err(io::Error::other)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(connection, stream))
}
