//! The survey through netlink, the survey through /proc and `ss -Htan` say the same of the same sockets.
//!
//! Two namespaces, near and far, are joined by a veth pair. Near has also a device that swallows what it is given: once
//! the route to far leads there, what near sends is lost while what far sends still arrives. So sockets stay in every
//! state that a table can show, in the middle of a handshake or of a close, and none of them is left to luck.

mod facts;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use rustix::net::AddressFamily;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::net::sockopt;
use rustix::thread::LinkNameSpaceType;
use rustix::thread::move_into_link_name_space;

use weir::config::SocketsSource;
use weir::sockets::Source;

use self::facts::Facts;
use self::facts::ss;
use self::facts::survey;
use crate::support::skip;

const NEAR: [&str; 2] = ["10.99.0.1", "2001:db8:99::1"];
const FAR: [&str; 2] = ["10.99.0.2", "2001:db8:99::2"];
/// Where near connects to: over IPv4, over IPv6, and over IPv4 from an IPv6 socket.
const SERVERS: [&str; 3] = [
    "10.99.0.2:8001",
    "[2001:db8:99::2]:8001",
    "[::ffff:10.99.0.2]:8001",
];

/// A network namespace, removed when it goes out of scope.
struct Namespace(String);

impl Namespace {
    fn new() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("weir-sockets-{}-{number}", std::process::id());
        let made = Command::new("ip").args(["netns", "add", &name]).output();
        made.is_ok_and(|made| made.status.success())
            .then_some(Self(name))
    }

    fn ip(&self, arguments: &str) {
        let mut command = Command::new("ip");
        command
            .args(["-n", &self.0])
            .args(arguments.split_whitespace());
        let made = command.output().unwrap();
        assert!(made.status.success(), "ip {arguments}: {made:?}");
    }

    /// Runs `body` in a thread inside the namespace. Sockets made there stay of it, and so do child processes.
    fn inside<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        let path = format!("/run/netns/{}", self.0);
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                let namespace = File::open(path).unwrap();
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                    .unwrap();
                body()
            });
            thread.join().unwrap()
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).output();
    }
}

/// Two namespaces that reach each other.
fn joined() -> Option<(Namespace, Namespace)> {
    let (near, far) = (Namespace::new()?, Namespace::new()?);
    near.ip(&format!(
        "link add n0 type veth peer name f0 netns {}",
        far.0
    ));
    // Nobody has the hardware address that what goes into the hole is sent to.
    near.ip(&format!(
        "link add hole0 type veth peer name hole1 netns {}",
        far.0
    ));
    // Answers to what near sends into the hole come back over the pair.
    near.inside(|| {
        for place in ["all", "n0"] {
            std::fs::write(format!("/proc/sys/net/ipv4/conf/{place}/rp_filter"), "0").unwrap();
        }
        std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "30000 30999").unwrap();
    });
    for (namespace, device, [v4, v6]) in [(&near, "n0", NEAR), (&far, "f0", FAR)] {
        namespace.ip("link set lo up");
        namespace.ip(&format!("link set {device} up"));
        namespace.ip(&format!("addr add {v4}/24 dev {device}"));
        namespace.ip(&format!("addr add {v6}/64 dev {device} nodad"));
    }
    near.ip("link set hole0 up");
    far.ip("link set hole1 up");
    for address in FAR {
        near.ip(&format!(
            "neigh add {address} lladdr 02:00:00:00:00:99 dev hole0 nud permanent"
        ));
    }
    Some((near, far))
}

/// From now on far hears nothing from near.
fn cut(near: &Namespace) {
    near.ip(&format!("route add {}/32 dev hole0", FAR[0]));
    near.ip(&format!("-6 route add {}/128 dev hole0", FAR[1]));
}

/// Both ends of a connection.
struct Pair {
    near: TcpStream,
    far: TcpStream,
}

fn connect(near: &Namespace, listener: &TcpListener, server: &str) -> Pair {
    let server: SocketAddr = server.parse().unwrap();
    let near = near.inside(|| TcpStream::connect_timeout(&server, Duration::from_secs(5)).unwrap());
    let (far, _) = listener.accept().unwrap();
    Pair { near, far }
}

/// Begins a connection and does not wait for it.
fn begin(namespace: &Namespace, server: &str) -> OwnedFd {
    let server: SocketAddr = server.parse().unwrap();
    let family = if server.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    namespace.inside(|| {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None).unwrap();
        let begun = rustix::net::connect(&socket, &server);
        assert_eq!(begun, Err(rustix::io::Errno::INPROGRESS));
        socket
    })
}

/// A listener of a few connections that may share its port.
fn listen(namespace: &Namespace, address: &str, backlog: i32) -> TcpListener {
    let address: SocketAddr = address.parse().unwrap();
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    namespace.inside(|| {
        let flags = SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None).unwrap();
        sockopt::set_socket_reuseport(&socket, true).unwrap();
        rustix::net::bind(&socket, &address).unwrap();
        rustix::net::listen(&socket, backlog).unwrap();
        TcpListener::from(socket)
    })
}

/// Near's listeners: for each kind of address, one on a port that the kernel could pick, two that share a port.
fn near_listeners(near: &Namespace) -> Vec<TcpListener> {
    [
        "10.99.0.1:7001",
        "[2001:db8:99::1]:7002",
        "[::]:7003",
        "0.0.0.0:30500",
        "127.0.0.1:7004",
        "127.0.0.1:7004",
        "[::ffff:127.0.0.1]:7005",
    ]
    .into_iter()
    .zip(5..)
    .map(|(address, backlog)| listen(near, address, backlog))
    .collect()
}

/// Opens sockets in all ten states over IPv4, IPv6 and mapped addresses; what is returned keeps them.
fn populate(near: &Namespace, far: &Namespace) -> (Vec<Pair>, Vec<TcpListener>, Vec<OwnedFd>) {
    let far_listener = far.inside(|| TcpListener::bind("[::]:8001").unwrap());
    let mut listeners = near_listeners(near);
    let mut pairs = Vec::new();
    let (mut last_ack, mut fin_wait1) = (Vec::new(), Vec::new());
    for server in SERVERS {
        let open = || connect(near, &far_listener, server);
        let established = [open(), open(), open()];
        (&established[0].far).write_all(&[0; 1000]).unwrap();
        let close_wait = [open(), open()];
        for pair in &close_wait {
            pair.far.shutdown(Shutdown::Write).unwrap();
        }
        let fin_wait2 = open();
        fin_wait2.near.shutdown(Shutdown::Write).unwrap();
        let time_wait = open();
        time_wait.near.shutdown(Shutdown::Write).unwrap();
        time_wait.far.shutdown(Shutdown::Write).unwrap();
        fin_wait1.extend([open(), open()]);
        let [stays, closes] = close_wait;
        last_ack.push(closes);
        pairs.extend(established.into_iter().chain([stays, fin_wait2, time_wait]));
    }
    // Far connects to near: accepted, waiting to be accepted, and to the port in near's range.
    let mut begun: Vec<OwnedFd> = Vec::new();
    for (server, times) in [
        ("10.99.0.1:7003", 3),
        ("10.99.0.1:30500", 2),
        ("[2001:db8:99::1]:7002", 1),
    ] {
        begun.extend((0..times).map(|_| begin(far, server)));
    }
    wait_for(near, |facts| facts.backlogs.values().sum::<u64>() == 6);
    let (accepted, _) = listeners[3].accept().unwrap();
    begun.push(accepted.into());
    wait_for(near, |facts| {
        ["fin_wait2", "time_wait"]
            .iter()
            .all(|state| facts.states.get(*state) == Some(&3))
            && facts.states.get("close_wait") == Some(&6)
    });

    cut(near);
    for pair in &last_ack {
        pair.near.shutdown(Shutdown::Write).unwrap();
    }
    for (number, pair) in fin_wait1.iter().enumerate() {
        pair.near.shutdown(Shutdown::Write).unwrap();
        if number % 2 == 1 {
            // Both ends have said that they are done, and near's word was lost: CLOSING.
            pair.far.shutdown(Shutdown::Write).unwrap();
        }
    }
    (&pairs[0].near).write_all(&[0; 500]).unwrap();
    begun.extend(SERVERS.map(|server| begin(near, server)));
    begun.extend(
        ["10.99.0.1:7001", "10.99.0.1:7003", "[2001:db8:99::1]:7002"]
            .map(|server| begin(far, server)),
    );
    pairs.extend(last_ack);
    pairs.extend(fin_wait1);
    listeners.push(far_listener);
    (pairs, listeners, begun)
}

/// Asks `ss` in near until it says so.
fn wait_for(near: &Namespace, reached: impl Fn(&Facts) -> bool) {
    let begin = Instant::now();
    loop {
        let facts = near.inside(ss);
        if reached(&facts) {
            return;
        }
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "never reached: {facts:#?}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn netlink_proc_and_ss_agree_on_ten_states() {
    if !Command::new("ss")
        .arg("-V")
        .output()
        .is_ok_and(|told| told.status.success())
    {
        return skip("ss is not installed");
    }
    let Some((near, far)) = joined() else {
        return skip("no network namespaces (needs root and ip)");
    };
    let held = populate(&near, &far);
    let expected = [
        ("close_wait", 3),
        ("closing", 3),
        ("established", 9 + 6),
        ("fin_wait1", 3),
        ("fin_wait2", 3),
        ("last_ack", 3),
        ("listen", 7),
        ("syn_recv", 3),
        ("syn_sent", 3),
        ("time_wait", 3),
    ];
    let expected = BTreeMap::from(expected.map(|(state, count)| (state.to_string(), count)));
    wait_for(&near, |facts| facts.states == expected);

    // /proc/net is the namespace of the process's first thread; this tree shows the one of the thread that reads it.
    let tree = std::env::temp_dir().join(format!("weir-sockets-{}", std::process::id()));
    std::fs::create_dir_all(&tree).unwrap();
    symlink("/proc/thread-self/net", tree.join("net")).unwrap();
    symlink("/proc/sys", tree.join("sys")).unwrap();
    let (netlink, mut proc, ss) = near.inside(|| {
        (
            survey(SocketsSource::Auto, Path::new("/proc")),
            survey(SocketsSource::Proc, &tree),
            ss(),
        )
    });
    std::fs::remove_dir_all(&tree).unwrap();
    drop(held);
    assert_eq!((netlink.0, proc.0), (Source::Netlink, Source::Proc));
    assert!(proc.1.limits.is_empty());
    proc.1.limits.clone_from(&ss.limits);
    assert_eq!(netlink.1, ss, "netlink and ss");
    assert_eq!(proc.1, ss, "/proc and ss");
    // Not all of it is zero.
    assert!(ss.receive_queue > 3000 && ss.send_queue >= 500, "{ss:?}");
    assert_eq!(ss.destinations.values().sum::<u64>(), 30, "{ss:#?}");
    assert_eq!(ss.destinations.len(), 2, "mapped is IPv4: {ss:#?}");
}
