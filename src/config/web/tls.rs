//! The section `tls_server_config`.

use std::path::Path;

use crate::config::node::Fields;
use crate::config::node::Node;
use crate::config::node::Wrong;
use crate::config::node::keep;

use super::ClientAuth;
use super::Pem;
use super::Tls;
use super::is_nothing;
use super::text;
use super::truth;

/// The first [`SWITCHES`] of them switch TLS on.
const KEYS: [&str; 13] = [
    "cert_file",
    "key_file",
    "cert",
    "key",
    "client_ca_file",
    "client_ca",
    "client_auth_type",
    "client_allowed_sans",
    "cipher_suites",
    "curve_preferences",
    "min_version",
    "max_version",
    "prefer_server_cipher_suites",
];

/// How many of the first of [`KEYS`] switch TLS on, any one of them.
const SWITCHES: usize = 7;

const CLIENT_AUTH: [(&str, ClientAuth); 6] = [
    ("NoClientCert", ClientAuth::NoClientCert),
    ("RequestClientCert", ClientAuth::RequestClientCert),
    ("RequireAnyClientCert", ClientAuth::RequireAnyClientCert),
    // An old name of the same.
    ("RequireClientCert", ClientAuth::RequireAnyClientCert),
    (
        "VerifyClientCertIfGiven",
        ClientAuth::VerifyClientCertIfGiven,
    ),
    (
        "RequireAndVerifyClientCert",
        ClientAuth::RequireAndVerifyClientCert,
    ),
];

/// What is done about a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spoken {
    Yes,
    /// Known to Go; here it is passed over, with a warning.
    No,
    /// In TLS 1.3, where nothing is chosen.
    Always,
}

/// Go's cipher suites, those too that it has come to call insecure.
const SUITES: [(&str, Spoken); 17] = [
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", Spoken::Yes),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", Spoken::Yes),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", Spoken::Yes),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", Spoken::Yes),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", Spoken::Yes),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", Spoken::Yes),
    ("TLS_AES_128_GCM_SHA256", Spoken::Always),
    ("TLS_AES_256_GCM_SHA384", Spoken::Always),
    ("TLS_CHACHA20_POLY1305_SHA256", Spoken::Always),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", Spoken::No),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", Spoken::No),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", Spoken::No),
    ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", Spoken::No),
    ("TLS_RSA_WITH_AES_128_CBC_SHA", Spoken::No),
    ("TLS_RSA_WITH_AES_256_CBC_SHA", Spoken::No),
    ("TLS_RSA_WITH_AES_128_GCM_SHA256", Spoken::No),
    ("TLS_RSA_WITH_AES_256_GCM_SHA384", Spoken::No),
];
/// What HTTP/2 demands of TLS 1.2 (RFC 9113, 9.2.2). weir does not speak HTTP/2, but a file without one of these and without
/// `http2: false` is refused by those who do.
const HTTP2: [&str; 2] = [
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
];

const CURVES: [(&str, Spoken); 5] = [
    ("CurveP256", Spoken::Yes),
    ("CurveP384", Spoken::Yes),
    ("CurveP521", Spoken::No),
    ("X25519", Spoken::Yes),
    ("X25519MLKEM768", Spoken::No),
];

const VERSIONS: [(&str, u8); 4] = [("TLS10", 0), ("TLS11", 1), ("TLS12", 2), ("TLS13", 3)];

/// Reads the section; `None` where it switches nothing on, or is wrong.
pub(super) fn read(
    node: &Node,
    directory: &Path,
    http2: bool,
    warnings: &mut Vec<String>,
    wrong: &mut Vec<Wrong>,
) -> Option<Tls> {
    let fields = keep(node.fields(&KEYS), wrong)?;
    fields.unknown(wrong);
    let before = wrong.len();
    let pem = |file: &str, inline: &str, wrong: &mut Vec<Wrong>| {
        pem(&fields, file, inline, directory, wrong)
    };
    let certificate = pem("cert_file", "cert", wrong);
    let key = pem("key_file", "key", wrong);
    let client_ca = pem("client_ca_file", "client_ca", wrong);
    let client_auth = client_auth(&fields, client_ca.is_some(), warnings, wrong);
    let allowed_sans = allowed_sans(&fields, client_auth, wrong);
    let (mut tls12, tls13) = versions(node, &fields, warnings, wrong);
    let suites = suites(&fields, http2, (&mut tls12, tls13), warnings, wrong);
    let curves = chosen(&fields, "curve_preferences", &CURVES, warnings, wrong);
    let order = fields.get("prefer_server_cipher_suites");
    let server_order = order.map(|node| keep(truth(node), wrong).unwrap_or(true));
    let is_set = |name: &&str| {
        let set = fields.get(name).and_then(|node| text(node, "").ok());
        set.is_some_and(|text| !text.is_empty())
    };
    if wrong.len() > before || !KEYS.iter().take(SWITCHES).any(is_set) {
        return None;
    }
    if certificate.is_none() {
        wrong.push(node.wrong("expected cert_file or cert, found neither".to_string()));
    }
    if key.is_none() {
        wrong.push(node.wrong("expected key_file or key, found neither".to_string()));
    }
    Some(Tls {
        certificate: certificate?,
        key: key?,
        client_ca,
        client_auth,
        allowed_sans,
        tls12,
        tls13,
        suites,
        curves,
        server_order: server_order.unwrap_or(true),
    })
}

/// The file counts where both are given.
fn pem(
    fields: &Fields<'_>,
    file: &str,
    inline: &str,
    directory: &Path,
    wrong: &mut Vec<Wrong>,
) -> Option<Pem> {
    let mut said = |name: &str, expected: &str| {
        let node = fields.get(name)?;
        let found = keep(text(node, expected), wrong)?;
        Some(found.to_string()).filter(|text| !text.is_empty())
    };
    let path = said(file, "a path");
    let inline = said(inline, "PEM text");
    path.map(|path| Pem::File(directory.join(path)))
        .or(inline.map(Pem::Inline))
}

fn client_auth(
    fields: &Fields<'_>,
    has_ca: bool,
    warnings: &mut Vec<String>,
    wrong: &mut Vec<Wrong>,
) -> ClientAuth {
    let Some(node) = fields
        .get("client_auth_type")
        .filter(|node| !is_nothing(node))
    else {
        return without_policy(fields, has_ca, ClientAuth::NoClientCert, wrong);
    };
    let Some(auth) = keep(node.one_of(&CLIENT_AUTH), wrong) else {
        return ClientAuth::NoClientCert;
    };
    let verifies = matches!(
        auth,
        ClientAuth::VerifyClientCertIfGiven | ClientAuth::RequireAndVerifyClientCert
    );
    if verifies && !has_ca {
        // Go would take the system's roots: whoever has any certificate of any public authority.
        warnings.push(
            "client_auth_type: without client_ca_file no client's certificate is accepted"
                .to_string(),
        );
    }
    without_policy(fields, has_ca, auth, wrong)
}

/// Whose certificates are trusted says nothing where none is asked for.
fn without_policy(
    fields: &Fields<'_>,
    has_ca: bool,
    auth: ClientAuth,
    wrong: &mut Vec<Wrong>,
) -> ClientAuth {
    let ca = fields.get("client_ca_file").or(fields.get("client_ca"));
    if let Some(ca) = ca.filter(|_| has_ca && auth == ClientAuth::NoClientCert) {
        let text =
            "expected a client_auth_type that asks for certificates, found a client CA without";
        wrong.push(ca.wrong(text.to_string()));
    }
    auth
}

fn allowed_sans(
    fields: &Fields<'_>,
    auth: ClientAuth,
    wrong: &mut Vec<Wrong>,
) -> Option<Vec<String>> {
    let node = fields
        .get("client_allowed_sans")
        .filter(|node| !is_nothing(node))?;
    let required = [
        ClientAuth::RequireAnyClientCert,
        ClientAuth::RequireAndVerifyClientCert,
    ];
    if !required.contains(&auth) {
        let text = "expected client_auth_type RequireAnyClientCert or RequireAndVerifyClientCert beside it: a client without a certificate has no names";
        wrong.push(node.wrong(text.to_string()));
    }
    let names = keep(node.items("a list of names"), wrong)?;
    let names = names
        .iter()
        .filter_map(|node| keep(text(node, "a name"), wrong));
    Some(names.map(str::to_string).collect())
}

/// Whether TLS 1.2 and 1.3 are spoken. Older versions are not, whatever a file says.
fn versions(
    node: &Node,
    fields: &Fields<'_>,
    warnings: &mut Vec<String>,
    wrong: &mut Vec<Wrong>,
) -> (bool, bool) {
    let mut version = |name, default| {
        let found = fields
            .get(name)
            .map(|node| keep(node.one_of(&VERSIONS), wrong));
        found.flatten().unwrap_or(default)
    };
    let (least, most) = (version("min_version", 2), version("max_version", 3));
    if least < 2 && most >= 2 {
        warnings.push("min_version: TLS 1.2 is the oldest that is spoken".to_string());
    }
    if most < 2 || least > most {
        let node = fields.get("max_version").unwrap_or(node);
        let text = if most < 2 {
            "expected TLS12 or TLS13, found a version that is not spoken any more"
        } else {
            "expected min_version or a later version, found an earlier one"
        };
        wrong.push(node.wrong(text.to_string()));
    }
    (least <= 2 && most >= 2, most >= 3)
}

fn suites(
    fields: &Fields<'_>,
    http2: bool,
    (tls12, tls13): (&mut bool, bool),
    warnings: &mut Vec<String>,
    wrong: &mut Vec<Wrong>,
) -> Vec<&'static str> {
    let Some(node) = fields.get("cipher_suites").filter(|node| !is_nothing(node)) else {
        return Vec::new();
    };
    let (before, warned) = (wrong.len(), warnings.len());
    let items = keep(node.items("a list of cipher suites"), wrong).unwrap_or_default();
    let found = names(items, &SUITES, warnings, wrong);
    // No suite at all is as if nothing were said.
    if items.is_empty() || wrong.len() > before {
        return Vec::new();
    }
    let spoken: Vec<_> = found
        .iter()
        .filter(|(_, spoken)| *spoken == Spoken::Yes)
        .map(|(name, _)| *name)
        .collect();
    if http2 && *tls12 && !HTTP2.iter().any(|name| spoken.contains(name)) {
        let text = format!(
            "expected {} or {} among them, which HTTP/2 demands, or http_server_config: {{http2: false}}",
            HTTP2[0], HTTP2[1]
        );
        wrong.push(node.wrong(text));
    } else if spoken.is_empty() && *tls12 {
        if tls13 {
            warnings.truncate(warned);
            warnings.push(
                "cipher_suites: none of them is spoken in TLS 1.2, and only TLS 1.3 is left"
                    .to_string(),
            );
            *tls12 = false;
            return spoken;
        }
        let text = "expected a suite with ECDHE and GCM or CHACHA20_POLY1305, found none that is spoken here";
        wrong.push(node.wrong(text.to_string()));
    }
    spoken
}

/// The names of a list that are spoken; one at least, where the list names any.
fn chosen(
    fields: &Fields<'_>,
    key: &str,
    known: &'static [(&'static str, Spoken)],
    warnings: &mut Vec<String>,
    wrong: &mut Vec<Wrong>,
) -> Vec<&'static str> {
    let Some(node) = fields.get(key).filter(|node| !is_nothing(node)) else {
        return Vec::new();
    };
    let before = wrong.len();
    let items = keep(node.items("a list of curves"), wrong).unwrap_or_default();
    let found = names(items, known, warnings, wrong);
    let spoken = found.iter().filter(|(_, spoken)| *spoken == Spoken::Yes);
    let spoken: Vec<_> = spoken.map(|(name, _)| *name).collect();
    if spoken.is_empty() && !items.is_empty() && wrong.len() == before {
        let text =
            "expected X25519, CurveP256 or CurveP384 among them, found none that is spoken here";
        wrong.push(node.wrong(text.to_string()));
    }
    spoken
}

fn names(
    items: &[Node],
    known: &'static [(&'static str, Spoken)],
    warnings: &mut Vec<String>,
    wrong: &mut Vec<Wrong>,
) -> Vec<(&'static str, Spoken)> {
    let mut found = Vec::new();
    for item in items {
        let Some(name) = keep(text(item, "a name"), wrong) else {
            continue;
        };
        match known.iter().find(|(known, _)| *known == name) {
            Some((name, Spoken::No)) => {
                warnings.push(format!("{}: {name} is not spoken here", item.key));
            }
            Some(entry) => found.push(*entry),
            None => {
                let suggestion =
                    crate::config::suggestion(name, known.iter().map(|(name, _)| *name));
                let text = format!("expected a name that Go has, found {name:?}{suggestion}");
                wrong.push(item.wrong(text));
            }
        }
    }
    found
}
