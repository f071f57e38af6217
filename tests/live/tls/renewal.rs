//! Certificates and the configuration are replaced while the program runs.

use crate::running::Weir;
use crate::running::wait_until;
use crate::support::skip;

use super::client;
use super::pki::Pki;
use super::server;
use super::tls;
use super::value;
use super::weir;

const SERVER: &str = "subjectAltName=DNS:localhost,IP:127.0.0.1";

/// The certificate that a new connection is shown.
fn shown(pki: &Pki, weir: &Weir) -> Vec<u8> {
    let stream = tls(pki, weir).unwrap();
    stream.conn.peer_certificates().unwrap()[0].to_vec()
}

fn wait_for_line(weir: &Weir, text: &str) -> String {
    let mut found = String::new();
    wait_until(text, || {
        let lines: Vec<_> = weir.log.try_iter().collect();
        found = lines
            .into_iter()
            .find(|line| line.contains(text))
            .unwrap_or_default();
        !found.is_empty()
    });
    found
}

#[test]
fn a_renewed_certificate_is_shown_and_a_broken_one_is_not() {
    if let Some(reason) = super::missing() {
        return skip(&reason);
    }
    let pki = Pki::new();
    let weir = weir(&pki, &server(""));
    let mut kept = client(&pki, &weir);
    assert_eq!(kept.get("/health", "").unwrap().status, 200);
    let first = shown(&pki, &weir);

    pki.signed("renewed", "ca", SERVER);
    // One after the other, as certbot does: in between they do not fit, and the old ones stay.
    pki.write("server.crt", &pki.read("renewed.crt"));
    pki.write("server.key", &pki.read("renewed.key"));
    wait_until("the renewed certificate", || shown(&pki, &weir) != first);
    let second = shown(&pki, &weir);
    assert_eq!(
        value(&pki, &weir, "weir_web_config_last_reload_successful "),
        1.0
    );

    let successful = "weir_web_config_last_reload_successful ";
    let old_stays = "web configuration is wrong, the old one stays";
    for (name, broken, why) in [
        ("server.crt", "nothing", "expected certificates in PEM"),
        ("server.key", "nothing", "expected a key in PEM"),
        ("web.yml", "tls_server_config: [", "expected YAML"),
        (
            "web.yml",
            "rate_limit: {burst: 1}",
            "only a restart switches TLS off",
        ),
    ] {
        let sound = pki.read(name);
        pki.write(name, broken);
        wait_until(why, || value(&pki, &weir, successful) == 0.0);
        let line = wait_for_line(&weir, old_stays);
        assert!(line.contains(why), "{line}");
        assert_eq!(shown(&pki, &weir), second, "{why}");
        pki.write(name, &sound);
        wait_until("the sound file", || value(&pki, &weir, successful) == 1.0);
        // Said once, however often somebody connected.
        assert!(
            !weir.log.try_iter().any(|line| line.contains(old_stays)),
            "{why}"
        );
    }
    assert_eq!(
        kept.get("/health", "").unwrap().status,
        200,
        "kept all the while"
    );
}
