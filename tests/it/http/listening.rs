//! Where the server listens, and what it says when it cannot.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use weir::config::Listen;
use weir::http::Server;
use weir::http::Settings;

use super::harness::Fake;
use super::harness::get;
use super::harness::here;
use super::harness::reply;
use super::harness::settings;

fn on(listen: Vec<Listen>) -> Settings {
    Settings {
        listen,
        ..settings()
    }
}

fn refusal(listen: Listen) -> String {
    Server::bind(&on(vec![listen]))
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default()
}

/// A path in the temporary directory that no other test has.
fn path(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("weir-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

#[test]
fn a_port_without_a_host_serves_both_families() {
    let server = Server::bind(&on(vec![Listen::Any(0)])).expect("a free port");
    let port = server.first_port();
    assert_ne!(port, 0);
    drop(server);
    here(on(vec![Listen::Any(0)]), Fake::default(), |bound| {
        let v4 = ([127, 0, 0, 1], bound.port()).into();
        assert_eq!(get(v4, "/health", "").code, 200);
        if bound.is_ipv6() {
            let v6 = (std::net::Ipv6Addr::LOCALHOST, bound.port()).into();
            assert_eq!(get(v6, "/health", "").code, 200);
        }
    });
}

#[test]
fn several_addresses_and_names() {
    let listen = vec![
        Listen::Tcp("127.0.0.1".to_string(), 0),
        Listen::Tcp("localhost".to_string(), 0),
    ];
    let server = Server::bind(&on(listen)).expect("free ports");
    let addresses = server.addresses();
    assert!(addresses.len() >= 2, "{addresses:?}");
    assert!(addresses[0].ends_with(&format!(":{}", server.first_port())));
}

#[test]
fn a_port_in_use_is_named() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = other.local_addr().expect("bound").port();
    assert_eq!(
        refusal(Listen::Tcp("127.0.0.1".to_string(), port)),
        format!("listen on 127.0.0.1:{port}: Address already in use")
    );
    assert_eq!(
        refusal(Listen::Any(port)),
        format!("listen on :{port}: Address already in use")
    );
}

#[test]
fn an_address_of_another_machine_is_named() {
    let text = refusal(Listen::Tcp("192.0.2.1".to_string(), 0));
    assert_eq!(
        text,
        "listen on 192.0.2.1:0: Cannot assign requested address"
    );
}

#[test]
fn a_socket_file_is_served_and_removed() {
    let path = path("served.sock");
    // What a killed server leaves behind.
    drop(UnixListener::bind(&path).expect("bound"));
    assert!(path.exists());
    here(
        on(vec![Listen::Unix(path.clone())]),
        Fake::default(),
        |_| {
            let mut stream = UnixStream::connect(&path).expect("connected");
            stream
                .set_read_timeout(Some(Duration::from_secs(5)))
                .expect("set");
            stream
                .write_all(b"GET /health HTTP/1.0\r\n\r\n")
                .expect("sent");
            assert_eq!(reply(&mut stream, false).expect("an answer").text(), "OK\n");
        },
    );
    assert!(!path.exists());
}

#[test]
fn a_socket_file_in_use_and_other_files_are_left_alone() {
    let path = path("used.sock");
    let text = |cause: &str| format!("listen on unix:{}: {cause}", path.display());
    let live = UnixListener::bind(&path).expect("bound");
    let refused = refusal(Listen::Unix(path.clone()));
    assert_eq!(refused, text("Address already in use"));
    drop(live);
    std::fs::remove_file(&path).expect("removed");
    std::fs::write(&path, "precious").expect("written");
    let refused = refusal(Listen::Unix(path.clone()));
    assert_eq!(refused, text("the path exists and is not a socket"));
    assert_eq!(std::fs::read_to_string(&path).expect("read"), "precious");
    std::fs::remove_file(&path).expect("removed");
}

#[test]
fn a_server_that_cannot_have_all_takes_none() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let used = other.local_addr().expect("bound").port();
    let path = path("none.sock");
    let listen = vec![
        Listen::Unix(path.clone()),
        Listen::Tcp("127.0.0.1".to_string(), used),
    ];
    assert!(Server::bind(&on(listen)).is_err());
    assert!(!path.exists());
}
