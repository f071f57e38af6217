//! Who talks to whom in other namespaces, whose port range nobody knows who only reads their tables.

use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use crate::config::Connections;
use crate::config::SocketsSource;
use crate::files::Files;
use crate::sockets::Sockets;

use super::TCP;
use super::Tree;
use super::page;
use super::with;

/// An address as the tables of a little-endian machine have it.
fn hex(words: &[u8]) -> String {
    let words = words.chunks(4);
    let reversed = words.flat_map(|word| word.iter().rev());
    reversed.map(|byte| format!("{byte:02X}")).collect()
}

/// A row of an IPv4 socket: state 1 is established, 10 listens.
fn v4((local, port): (&str, u16), (peer, peer_port): (&str, u16), state: u8) -> String {
    let [local, peer] = [local, peer].map(|ip| hex(&ip.parse::<Ipv4Addr>().unwrap().octets()));
    row(&local, port, &peer, peer_port, state)
}

fn v6((local, port): (&str, u16), (peer, peer_port): (&str, u16), state: u8) -> String {
    let [local, peer] = [local, peer].map(|ip| hex(&ip.parse::<Ipv6Addr>().unwrap().octets()));
    row(&local, port, &peer, peer_port, state)
}

fn row(local: &str, port: u16, peer: &str, peer_port: u16, state: u8) -> String {
    format!("0: {local}:{port:04X} {peer}:{peer_port:04X} {state:02X} 00000000:00000000\n")
}

fn listens(port: u16) -> String {
    v4(("0.0.0.0", port), ("0.0.0.0", 0), 10)
}

fn table(rows: &[String]) -> String {
    [&[TCP.to_string()], rows].concat().concat()
}

/// The same connections in the namespace of a process: most of them explained by listeners, one by nothing but the ports.
fn talks(tree: &Tree, process: u32) {
    let (client, other) = ("10.0.0.7", "10.0.0.8");
    let rows = [
        listens(443),
        listens(22),
        v4(("10.0.0.1", 443), (client, 50000), 1),
        v4(("10.0.0.1", 443), (client, 50001), 1),
        v4(("10.0.0.1", 443), (client, 50002), 5),
        v4(("127.0.0.1", 443), ("127.0.0.1", 50003), 1),
        v4(("127.0.0.1", 50003), ("127.0.0.1", 443), 1),
        v4(("10.0.0.1", 40000), (client, 5432), 1),
        v4(("10.0.0.1", 8080), (other, 50004), 1),
    ];
    tree.write(&format!("proc/{process}/net/tcp"), &table(&rows));
    let rows = [
        v6(("::", 40001), ("::", 0), 10),
        v6(("::ffff:10.0.0.1", 40001), ("::ffff:10.0.0.7", 50005), 1),
        v6(("2001:db8::1", 40001), ("2001:db8::7", 50006), 1),
        v6(("2001:db8::1", 40002), ("2001:db8::7", 443), 1),
        v6(("::ffff:10.0.0.1", 40003), ("::ffff:10.0.0.7", 443), 1),
    ];
    tree.write(&format!("proc/{process}/net/tcp6"), &table(&rows));
}

fn input(dest: &str, src: &str, netns: &str, count: u8) -> String {
    pair("input", dest, src, netns, count)
}

fn output(dest: &str, src: &str, netns: &str, count: u8) -> String {
    pair("output", dest, src, netns, count)
}

fn pair(direction: &str, dest: &str, src: &str, netns: &str, count: u8) -> String {
    format!(
        "network_connections_{direction}_total{{dest_ip=\"{dest}\",src_ip=\"{src}\",peer_hostname=\"\",netns=\"{netns}\"}} {count}"
    )
}

#[test]
fn each_namespace_has_its_own_pairs() {
    let tree = Tree::new("pairs");
    tree.process(7, 12).process(8, 11).name("red", 11);
    talks(&tree, 1);
    talks(&tree, 7);
    let rows = [listens(443), v4(("10.0.0.1", 443), ("10.0.0.7", 50000), 1)];
    tree.write("proc/8/net/tcp", &table(&rows));
    let mut engine = tree.engine(|_| {});
    let found = page(&mut engine);
    assert_eq!(
        with(&found, "network_connections_input_total"),
        [
            input("10.0.0.1", "10.0.0.7", "init", 3),
            // By the port range.
            input("10.0.0.1", "10.0.0.8", "init", 1),
            input("2001:db8::1", "2001:db8::7", "init", 1),
            input("10.0.0.1", "10.0.0.7", "red", 1),
            input("10.0.0.1", "10.0.0.7", "12", 3),
            input("2001:db8::1", "2001:db8::7", "12", 1),
        ]
    );
    assert_eq!(
        with(&found, "network_connections_output_total"),
        [
            output("10.0.0.7", "10.0.0.1", "init", 2),
            output("2001:db8::7", "2001:db8::1", "init", 1),
            output("10.0.0.7", "10.0.0.1", "12", 2),
            // Without it.
            output("10.0.0.8", "10.0.0.1", "12", 1),
            output("2001:db8::7", "2001:db8::1", "12", 1),
        ]
    );
    let service = |port: &str, direction: &str, netns: &str, count: u8| {
        format!(
            "weir_connections{{local_port=\"{port}\",direction=\"{direction}\",netns=\"{netns}\"}} {count}"
        )
    };
    assert_eq!(
        with(&found, "weir_connections{"),
        [
            service("22", "input", "init", 0),
            service("443", "input", "init", 3),
            service("8080", "input", "init", 1),
            service("40001", "input", "init", 2),
            service("", "output", "init", 4),
            service("443", "input", "red", 1),
            service("", "output", "red", 0),
            service("22", "input", "12", 0),
            service("443", "input", "12", 3),
            service("40001", "input", "12", 2),
            service("", "output", "12", 5),
        ]
    );
    assert_eq!(page(&mut engine), found);
}

#[test]
fn listeners_are_remembered_of_one_namespace_only() {
    let tree = Tree::new("remembered");
    tree.process(7, 12).process(8, 11);
    let connection = v4(("10.0.0.1", 40000), ("10.0.0.7", 50000), 1);
    let both = table(&[listens(40000), connection.clone()]);
    let closed = table(&[connection]);
    tree.write("proc/7/net/tcp", &both);
    tree.write("proc/8/net/tcp", &closed);
    let mut engine = tree.engine(|_| {});
    let expected = [
        output("10.0.0.7", "10.0.0.1", "11", 1),
        input("10.0.0.1", "10.0.0.7", "12", 1),
    ];
    assert_eq!(with(&page(&mut engine), "network_connections_"), expected);
    tree.write("proc/7/net/tcp", &closed);
    for _ in 0..3 {
        assert_eq!(with(&page(&mut engine), "network_connections_"), expected);
    }
}

#[test]
fn the_limit_holds_in_each_namespace() {
    let tree = Tree::new("pairs-limit");
    tree.process(7, 12);
    talks(&tree, 1);
    talks(&tree, 7);
    let found = page(&mut tree.engine(|config| config.connections.max_series = 1));
    let other = "other";
    assert_eq!(
        with(&found, "network_connections_"),
        [
            input("10.0.0.1", "10.0.0.7", "init", 3),
            input(other, other, "init", 2),
            input("10.0.0.1", "10.0.0.7", "12", 3),
            input(other, other, "12", 1),
            output(other, other, "init", 3),
            output(other, other, "12", 4),
        ]
    );
    assert_eq!(
        with(&found, "left_out{collector=\"connections\""),
        ["weir_series_left_out{collector=\"connections\"} 8"]
    );
}

/// As from inside, where the range can be read.
#[test]
fn a_known_range_tells_what_no_listener_does() {
    let tree = Tree::new("known");
    talks(&tree, 1);
    let files = Files::open(&tree.0.join("proc"), &tree.0).unwrap();
    let settings = Connections::default();
    let own = Sockets::new(SocketsSource::Auto, None);
    let counted = |files: &Files| {
        let mut other = own.of_another_namespace(Some(&settings));
        let survey = other.survey(files).unwrap();
        survey.peers().unwrap().counted()
    };
    assert_eq!(counted(&files), [5, 3]);
    assert_eq!(counted(&files.of_process(1)), [4, 4]);
}
