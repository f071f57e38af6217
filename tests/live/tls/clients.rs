//! Those who should connect, and those who should not.

use std::io::Read;
use std::io::Write;
use std::process::Command;
use std::process::Stdio;

use crate::client::Client;
use crate::prometheus::Prometheus;
use crate::prometheus::ask;
use crate::running::Weir;
use crate::running::installed;
use crate::support::skip;

use super::client;
use super::curl;
use super::curl_with_ca;
use super::pki::Pki;
use super::server;
use super::tls;
use super::weir;

/// The user `ada` with the password `U*U` (crypt_blowfish's test vector).
const USERS: &str =
    "basic_auth_users:\n  ada: $2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n";

#[test]
fn curl_is_answered_with_the_right_authority_and_password_only() {
    if let Some(reason) = super::missing() {
        return skip(&reason);
    }
    let pki = Pki::new();
    let weir = weir(&pki, &format!("{}{USERS}", server("")));
    assert_eq!(curl(&pki, &weir, &["-u", "ada:U*U"]), 200);
    assert_eq!(
        curl(&pki, &weir, &["-u", "ada:U*U", "--tls-max", "1.2"]),
        200
    );
    assert_eq!(curl(&pki, &weir, &["-u", "ada:U*U", "--http1.0"]), 200);
    assert_eq!(curl(&pki, &weir, &["-u", "ada:U"]), 401);
    assert_eq!(curl(&pki, &weir, &[]), 401);
    assert_eq!(
        curl_with_ca(&pki, &weir, "otherca.crt", &["-u", "ada:U*U"]),
        0
    );
    let old = [
        "-u",
        "ada:U*U",
        "--tls-max",
        "1.1",
        "--ciphers",
        "DEFAULT:@SECLEVEL=0",
    ];
    assert_eq!(curl(&pki, &weir, &old), 0);
    // In plain HTTP nothing but the reason.
    let answer = Client::connect(&weir.address)
        .unwrap()
        .get("/metrics", "")
        .unwrap();
    assert_eq!(
        (answer.status, answer.text().unwrap()),
        (400, "expected TLS (https://), found plain HTTP\n")
    );
}

#[test]
fn each_kind_of_client_authentication() {
    if let Some(reason) = super::missing() {
        return skip(&reason);
    }
    let pki = Pki::new();
    pki.expire();
    let presented = ["", "client", "other", "expired", "alone"];
    // What of them is let in.
    for (kind, expected) in [
        ("NoClientCert", [200, 200, 200, 200, 200]),
        ("RequestClientCert", [200, 200, 200, 200, 200]),
        ("RequireAnyClientCert", [0, 200, 200, 200, 200]),
        ("VerifyClientCertIfGiven", [200, 200, 0, 0, 200]),
        ("RequireAndVerifyClientCert", [0, 200, 0, 0, 200]),
    ] {
        let ca = if kind == "NoClientCert" {
            ""
        } else {
            "  client_ca_file: trusted.pem\n"
        };
        let weir = weir(&pki, &server(&format!("  client_auth_type: {kind}\n{ca}")));
        for version in ["1.2", "1.3"] {
            let found = presented.map(|name| {
                let (certificate, key) = (format!("{name}.crt"), format!("{name}.key"));
                let own = ["--tls-max", version, "--cert", &certificate, "--key", &key];
                curl(&pki, &weir, if name.is_empty() { &own[..2] } else { &own })
            });
            assert_eq!(found, expected, "{kind}, TLS {version}");
        }
    }
    // Without an authority nobody is known.
    let weir = weir(
        &pki,
        &server("  client_auth_type: VerifyClientCertIfGiven\n"),
    );
    assert_eq!(curl(&pki, &weir, &[]), 200);
    assert_eq!(
        curl(
            &pki,
            &weir,
            &["--cert", "client.crt", "--key", "client.key"]
        ),
        0
    );
}

#[test]
fn names_of_clients() {
    if let Some(reason) = super::missing() {
        return skip(&reason);
    }
    let pki = Pki::new();
    let own = ["--cert", "client.crt", "--key", "client.key"];
    for (names, kind, expected) in [
        ("one, client.example", "RequireAndVerifyClientCert", 200),
        ("client@example.org", "RequireAndVerifyClientCert", 200),
        ("\"spiffe://example/client\"", "RequireAnyClientCert", 200),
        ("192.0.2.7", "RequireAnyClientCert", 200),
        (
            "example, xclient.example, client",
            "RequireAndVerifyClientCert",
            0,
        ),
        ("", "RequireAnyClientCert", 0),
    ] {
        let more = format!(
            "  client_ca_file: ca.crt\n  client_auth_type: {kind}\n  client_allowed_sans: [{names}]\n"
        );
        let weir = weir(&pki, &server(&more));
        assert_eq!(curl(&pki, &weir, &own), expected, "{names}");
    }
}

/// What `openssl s_client` says, with this as its input.
fn s_client(pki: &Pki, weir: &Weir, arguments: &[&str], input: &str) -> String {
    let mut command = Command::new("openssl");
    command.current_dir(pki.path());
    command.args([
        "s_client",
        "-CAfile",
        "ca.crt",
        "-verify_return_error",
        "-connect",
        &weir.address,
    ]);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may have been refused already.
    let _ = child.stdin.as_mut().unwrap().write_all(input.as_bytes());
    let output = if input.is_empty() {
        child.wait_with_output().unwrap()
    } else {
        // It reads commands as long as its input is open; the server ends the connection.
        let mut stdin = child.stdin.take();
        let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let mut output = Vec::new();
        out.read_to_end(&mut output).unwrap();
        err.read_to_end(&mut output).unwrap();
        drop(stdin.take());
        child.wait().unwrap();
        return String::from_utf8_lossy(&output).into_owned();
    };
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn versions_suites_and_curves_are_those_of_the_file() {
    if let Some(reason) = super::missing() {
        return skip(&reason);
    }
    let pki = Pki::new();
    for (more, good, bad) in [
        ("  min_version: TLS13\n", &["-tls1_3"][..], &["-tls1_2"][..]),
        ("  max_version: TLS12\n", &["-tls1_2"], &["-tls1_3"]),
        (
            "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n",
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"],
        ),
        (
            "  curve_preferences: [CurveP384]\n",
            &["-groups", "P-384"],
            &["-groups", "X25519:P-256"],
        ),
    ] {
        let weir = weir(&pki, &server(more));
        let said = s_client(&pki, &weir, good, "");
        assert!(said.contains("Verify return code: 0 (ok)"), "{more}{said}");
        let said = s_client(&pki, &weir, bad, "");
        assert!(
            said.contains("alert") && !said.contains("Server certificate"),
            "{more}{said}"
        );
    }
}

#[test]
fn openssl_is_answered_and_may_not_negotiate_again() {
    if let Some(reason) = super::missing() {
        return skip(&reason);
    }
    let pki = Pki::new();
    let weir = weir(&pki, &server(""));
    let request = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for version in ["-tls1_2", "-tls1_3"] {
        let said = s_client(
            &pki,
            &weir,
            &[version, "-alpn", "h2,http/1.1", "-quiet"],
            request,
        );
        assert!(
            said.contains("HTTP/1.1 200 OK") && said.contains("\r\n\r\nOK\n"),
            "{said}"
        );
        // OpenSSL takes an end without close_notify for an attack.
        assert!(!said.contains("unexpected eof"), "{said}");
    }
    let said = s_client(&pki, &weir, &["-alpn", "h2,http/1.1"], "");
    assert!(said.contains("ALPN protocol: http/1.1"), "{said}");
    let said = s_client(&pki, &weir, &["-tls1_2"], "R\n");
    assert!(
        said.contains("RENEGOTIATING") && said.contains("no renegotiation"),
        "{said}"
    );
    assert_eq!(curl(&pki, &weir, &[]), 200);
}

#[test]
fn answers_are_whole_on_kept_connections() {
    if let Some(reason) = super::missing() {
        return skip(&reason);
    }
    let pki = Pki::new();
    let weir = weir(&pki, &server(""));
    let mut kept = client(&pki, &weir);
    for round in 0..20 {
        let fields = if round % 2 == 0 {
            ""
        } else {
            "Accept-Encoding: gzip\r\n"
        };
        let answer = kept.get("/metrics", fields).unwrap();
        let packed = answer.fields.get("content-encoding").map(String::as_str);
        assert_eq!(
            (answer.status, packed),
            (200, (round % 2 == 1).then_some("gzip"))
        );
        if packed.is_none() {
            assert!(
                answer
                    .text()
                    .unwrap()
                    .contains("weir_web_tls_handshakes_total{result=\"done\"} 1\n")
            );
        } else {
            assert_eq!(answer.body[..2], [0x1f, 0x8b]);
        }
    }
    // More than all buffers hold, before any of it is read.
    let mut stream = tls(&pki, &weir).unwrap();
    let (one, last) = (
        "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    stream.write_all(one.repeat(60).as_bytes()).unwrap();
    stream.write_all(last.as_bytes()).unwrap();
    let mut all = Vec::new();
    // An end without close_notify would be an error here.
    stream.read_to_end(&mut all).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&all)
            .matches("HTTP/1.1 200 OK")
            .count(),
        61
    );
    assert!(all.ends_with(b"\r\n\r\nOK\n"));
}

#[test]
fn prometheus_scrapes_with_a_certificate_and_a_password() {
    if let Some(reason) = super::missing() {
        return skip(&reason);
    }
    if !installed("prometheus") {
        return skip("prometheus is not installed");
    }
    let pki = Pki::new();
    let more = "  client_ca_file: ca.crt\n  client_auth_type: RequireAndVerifyClientCert\n";
    let weir = weir(&pki, &format!("{}{USERS}", server(more)));
    let files = pki.path().display();
    let lines = format!(
        "    scheme: https\n    tls_config: {{ca_file: {files}/ca.crt, cert_file: {files}/client.crt, key_file: {files}/client.key}}\n    basic_auth: {{username: ada, password: 'U*U'}}\n"
    );
    let prometheus = Prometheus::scraping_with("weir", &weir, &lines);
    assert!(!ask(&prometheus.address, "min_over_time(up[30s]) == 1").is_empty());
    assert!(
        !ask(
            &prometheus.address,
            "weir_web_tls_handshakes_total{result=\"done\"} == 1"
        )
        .is_empty()
    );
}
