//! The file of `--web.config.file`: who may connect, in exporter-toolkit's schema (0.13), so that a file written for
//! node_exporter works as it is. <https://prometheus.io/docs/prometheus/latest/configuration/https/> describes it.
//!
//! ```yaml
//! tls_server_config:
//!   cert_file: weir.crt
//!   key_file: weir.key
//! basic_auth_users:
//!   prometheus: $2y$10$2UXri9cIDdgeKjBo4Rlpx.U3ZLDV8X1IxKmsfOvhcM5oXQt/mLmXq
//! ```
//!
//! Here the text alone is judged, without a look at the files that it names. Paths in it are below its own directory. It
//! is read as that program's YAML library reads it where that matters: a number is a text where a text is expected,
//! `yes` is true, nothing is an empty text. Nothing here is printable with `{:?}`, for it holds secrets.

mod http;
mod tls;

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use super::node::Node;
use super::node::Value;
use super::node::Wrong;
use super::node::keep;
use super::yaml;

/// The whole file.
#[derive(Default)]
pub struct Web {
    /// How connections are encrypted; `None`: they are not.
    pub tls: Option<Tls>,
    /// Headers of every answer.
    pub headers: Vec<(String, String)>,
    /// Who may ask; empty: everybody.
    pub users: Vec<User>,
    /// How many requests are answered.
    pub rate_limit: Option<RateLimit>,
    /// What is accepted but not done, for the log: a sentence each.
    pub warnings: Vec<String>,
}

/// A user and the hash of the password.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// What bcrypt makes of the password.
    pub hash: Bcrypt,
}

/// The parts of a bcrypt hash, `$2y$COST$SALTDIGEST`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bcrypt {
    /// The work is 2^cost; from 4 to 31.
    pub cost: u8,
    /// The salt.
    pub salt: [u8; 16],
    /// The digest.
    pub digest: [u8; 23],
}

/// A bucket of `burst` requests that fills by one in each interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// The time in which one request more is allowed; more than zero.
    pub interval: Duration,
    /// How many may come at once.
    pub burst: u32,
}

/// How connections are encrypted.
pub struct Tls {
    /// The certificate, and those that lead from it to a root.
    pub certificate: Pem,
    /// Its key.
    pub key: Pem,
    /// Who signs clients' certificates.
    pub client_ca: Option<Pem>,
    /// What is asked of clients.
    pub client_auth: ClientAuth,
    /// The names of which a client's certificate must have one.
    pub allowed_sans: Option<Vec<String>>,
    /// Whether TLS 1.2 is spoken.
    pub tls12: bool,
    /// Whether TLS 1.3 is spoken.
    pub tls13: bool,
    /// The suites of TLS 1.2, by IANA's names; all where none is given. Those of TLS 1.3 are always there.
    pub suites: Vec<&'static str>,
    /// The groups for the key exchange, by Go's names; all where none is given.
    pub curves: Vec<&'static str>,
    /// Whether the server's order of suites counts, not the client's.
    pub server_order: bool,
}

/// Where PEM text stands.
pub enum Pem {
    /// In a file.
    File(PathBuf),
    /// In the configuration itself.
    Inline(String),
}

/// What is asked of clients, in Go's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// Nothing.
    NoClientCert,
    /// A certificate, which need not be there and is not checked.
    RequestClientCert,
    /// A certificate that is not checked.
    RequireAnyClientCert,
    /// If there is one, it must be signed by the client CA.
    VerifyClientCertIfGiven,
    /// One that the client CA signed.
    RequireAndVerifyClientCert,
}

impl Web {
    /// The files that it names.
    #[must_use]
    pub fn files(&self) -> Vec<&Path> {
        let tls = self.tls.iter();
        let named = tls.flat_map(|tls| {
            [
                Some(&tls.certificate),
                Some(&tls.key),
                tls.client_ca.as_ref(),
            ]
        });
        named
            .flatten()
            .filter_map(|pem| match pem {
                Pem::File(path) => Some(path.as_path()),
                Pem::Inline(_) => None,
            })
            .collect()
    }
}

/// Reads the text of the file that stands in this directory.
///
/// # Errors
/// With all that is wrong, and where.
pub fn read(bytes: &[u8], directory: &Path) -> Result<Web, Vec<Wrong>> {
    let document = yaml::read(bytes).map_err(|error| vec![error])?;
    let mut web = Web::default();
    let mut wrong = Vec::new();
    let known = [
        "tls_server_config",
        "http_server_config",
        "basic_auth_users",
        "rate_limit",
    ];
    // A file of comments only says nothing.
    let fields = if is_nothing(&document) {
        None
    } else {
        keep(document.fields(&known), &mut wrong)
    };
    if let Some(fields) = fields {
        fields.unknown(&mut wrong);
        let section = |name| fields.get(name).filter(|node| !is_nothing(node));
        let http2 = section("http_server_config")
            .is_none_or(|node| http::server(node, &mut web.headers, &mut wrong));
        if let Some(node) = section("tls_server_config") {
            web.tls = tls::read(node, directory, http2, &mut web.warnings, &mut wrong);
        }
        if let Some(node) = section("basic_auth_users") {
            web.users = http::users(node, &mut web.warnings, &mut wrong);
        }
        if let Some(node) = section("rate_limit") {
            web.rate_limit = http::rate_limit(node, &mut wrong);
        }
    }
    if wrong.is_empty() {
        Ok(web)
    } else {
        Err(wrong)
    }
}

fn is_nothing(node: &Node) -> bool {
    matches!(&node.value, Value::Text { text, quoted: false } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
}

/// A text, which a number or a truth value is too; empty where there is nothing.
fn text<'a>(node: &'a Node, expected: &str) -> Result<&'a str, Wrong> {
    match &node.value {
        _ if is_nothing(node) => Ok(""),
        Value::Text { text, .. } => Ok(text),
        _ => Err(node.refused(expected)),
    }
}

/// A truth value in one of YAML 1.1's spellings.
fn truth(node: &Node) -> Result<bool, Wrong> {
    let Value::Text {
        text,
        quoted: false,
    } = &node.value
    else {
        return Err(node.refused("true or false"));
    };
    let one_of = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if one_of(&["true", "yes", "on", "y"]) {
        Ok(true)
    } else if one_of(&["false", "no", "off", "n"]) {
        Ok(false)
    } else {
        Err(node.refused("true or false"))
    }
}

#[cfg(test)]
mod tests;
