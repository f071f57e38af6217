//! What Debian's knot says, an authoritative server: every type of record and every reason; as it hangs, as somebody else
//! answers before it, and as its answers come to pieces.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::process::Command;
use std::process::Stdio;

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use weir::config::dns::RecordType;
use weir::dns::message;
use weir::dns::message::Read as Message;

use super::ONLY;
use super::judge;
use super::once_by;
use super::server::forged;
use super::total;
use super::verdict;
use crate::running::Directory;
use crate::running::Namespace;
use crate::running::Process;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::installed;
use crate::running::wait_until;
use crate::support::skip;
use crate::text::Page;

const ADDRESS: &str = "127.0.0.1";

/// On a busy machine no question is repeated either.
const PATIENT: &str = "--collector.dns.timeout=30s";

/// Besides what `zone` adds. Two strings of one TXT record, one of them as long as a string can be.
const ZONE: &str = r#"
$TTL 300
@ SOA ns1 hostmaster SERIAL 3600 600 86400 60
@ NS ns1
@ NS ns2.example.org.
@ MX 10 mail
@ MX 20 Backup.example.org.
@ TXT "v=spf1 -all"
ns1 A 192.0.2.1
host 60 A 192.0.2.7
host 60 A 192.0.2.8
host AAAA 2001:db8::7
www 30 CNAME alias
alias CNAME HOST
away CNAME elsewhere.example.org.
strings TXT "one" " two" "three"
_https._tcp SRV 0 5 443 host
_ipp._tcp PTR My\032Printer._ipp._tcp
"#;

/// A knot in a namespace of its own, with the zones example.test and 2.0.192.in-addr.arpa, and one, broken.test, whose file it
/// cannot find.
struct Knot {
    process: Process,
    directory: Directory,
    namespace: Namespace,
}

impl Knot {
    fn start() -> Result<Self, String> {
        if !installed("knotd") {
            return Err("knot is not installed".to_string());
        }
        let namespace = Namespace::new()?;
        let directory = Directory::new();
        let at = directory.0.display();
        let zones = ["example.test", "2.0.192.in-addr.arpa", "broken.test"];
        let zones = zones.map(|zone| format!("  - domain: {zone}\n    file: {at}/{zone}\n"));
        let text = format!(
            "server:\n    rundir: {at}\n    user: root\n    listen: {ADDRESS}@53\n    udp-workers: 1\n    tcp-workers: 1\n    \
             background-workers: 1\ncontrol:\n    listen: {at}/control\ndatabase:\n    storage: {at}\nlog:\n  - target: stderr\n    \
             any: warning\nzone:\n{}",
            zones.concat()
        );
        fs::write(directory.0.join("knot.conf"), text).unwrap();
        let reverse = "$TTL 300\n@ SOA ns1.example.test. x. 1 3600 600 86400 60\n@ NS ns1.example.test.\n\
                       7 PTR host.example.test.\n";
        fs::write(directory.0.join("2.0.192.in-addr.arpa"), reverse).unwrap();
        write_zone(&directory, 2_026_112_101);
        let child = namespace
            .command("knotd")
            .arg("-c")
            .arg(directory.0.join("knot.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let knot = Self {
            process: Process(child),
            directory,
            namespace,
        };
        // It listens once it has read its zones.
        wait_until("knot", || {
            knot.namespace
                .inside(|| TcpStream::connect((ADDRESS, 53)).is_ok())
        });
        Ok(knot)
    }

    fn weir(&self) -> Command {
        self.namespace.command(WEIR)
    }

    /// How many connections were made to servers in its namespace.
    fn accepted(&self) -> u64 {
        let text = self.namespace.run("cat", ["/proc/net/snmp"]);
        let text = String::from_utf8(text).unwrap();
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp: "));
        let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
        let at = names.split(' ').position(|name| name == "PassiveOpens");
        values.split(' ').nth(at.unwrap()).unwrap().parse().unwrap()
    }

    /// What it answers to a question, over UDP or TCP.
    fn answer(&self, question: &[u8], tcp: bool) -> Vec<u8> {
        let limit = Some(Duration::from_secs(20));
        self.namespace.inside(|| {
            if !tcp {
                let socket = UdpSocket::bind((ADDRESS, 0)).unwrap();
                socket.set_read_timeout(limit).unwrap();
                socket.send_to(question, (ADDRESS, 53)).unwrap();
                let mut buffer = vec![0; 65_536];
                let length = socket.recv(&mut buffer).unwrap();
                buffer.truncate(length);
                return buffer;
            }
            let mut stream = TcpStream::connect((ADDRESS, 53)).unwrap();
            stream.set_read_timeout(limit).unwrap();
            let length = u16::try_from(question.len()).unwrap().to_be_bytes();
            stream.write_all(&[&length, question].concat()).unwrap();
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut answer).unwrap();
            answer
        })
    }
}

fn long() -> String {
    "x".repeat(255)
}

fn big() -> impl Iterator<Item = String> {
    (0..12).map(|number| format!("{number:02}{}", "y".repeat(200)))
}

fn write_zone(directory: &Directory, serial: u32) {
    let mut text = ZONE.replace("SERIAL", &serial.to_string());
    text.push_str(&format!("long TXT \"{}\" \"and more\"\n", long()));
    for value in big() {
        text.push_str(&format!("big TXT \"{value}\"\n"));
    }
    fs::write(directory.0.join("example.test"), text).unwrap();
}

#[test]
fn every_type_and_every_reason() {
    let knot = match Knot::start() {
        Ok(knot) => knot,
        Err(reason) => return skip(&reason),
    };
    let long = format!("long.example.test,TXT,{}and more", long());
    let big = format!(
        "big.example.test,TXT,{}",
        big().collect::<Vec<_>>().join(",")
    );
    let before = knot.accepted();
    let page = judge(
        &mut knot.weir(),
        ADDRESS,
        &[
            ("host.example.test,A,192.0.2.8,192.0.2.7", "valid"),
            ("HOST.example.test.,AAAA,2001:DB8:0::7", "valid"),
            ("www.example.test,A,192.0.2.7,192.0.2.8", "valid"),
            ("www.example.test,CNAME,alias.example.test", "valid"),
            ("alias.example.test,CNAME,host.example.test.", "valid"),
            (
                "example.test,MX,20 backup.example.org,10 Mail.example.test",
                "valid",
            ),
            ("example.test,NS,ns2.example.org,ns1.example.test", "valid"),
            ("example.test,SOA,2026112101", "valid"),
            ("2.0.192.in-addr.arpa,SOA,2", "mismatch"),
            ("example.test,TXT,v=spf1 -all", "valid"),
            ("strings.example.test,TXT,one twothree", "valid"),
            (&long, "valid"),
            (&big, "valid"),
            ("192.0.2.7,PTR,host.example.test", "valid"),
            (
                "_ipp._tcp.example.test,PTR,my\\032printer._ipp._tcp.example.test",
                "valid",
            ),
            (
                "_https._tcp.example.test,SRV,0 5 443 host.example.test",
                "valid",
            ),
            ("ns1.example.test,A,192.0.2.2", "mismatch"),
            ("ns1.example.test,AAAA", "nodata"),
            ("away.example.test,A", "nodata"),
            ("missing.example.test,A", "nxdomain"),
            ("192.0.2.8,PTR", "nxdomain"),
            ("elsewhere.test,A", "refused"),
            ("broken.test,A", "servfail"),
        ],
        &[PATIENT],
    );
    assert_eq!(
        knot.accepted() - before,
        1,
        "for what does not fit into a datagram"
    );
    assert_eq!(
        (total(&page, "valid"), total(&page, "invalid")),
        (15.0, 8.0)
    );
    let ttl = |name: &str, kind: &str| {
        page.value(
            "weir_dns_record_ttl_seconds",
            &[("name", name), ("type", kind)],
        )
    };
    assert_eq!(ttl("host.example.test", "A"), Some(60.0));
    assert_eq!(
        ttl("www.example.test", "A"),
        Some(30.0),
        "the least on the way"
    );
    assert_eq!(ttl("example.test", "SOA"), Some(300.0));
    assert_eq!(ttl("missing.example.test", "A"), None);
    let count = page.value("weir_dns_answers_ignored_total", &[]);
    assert_eq!(count, Some(0.0));
}

/// Look-ups that took at most as many seconds as the bound says.
fn lookups(page: &Page, bound: &str) -> f64 {
    let samples = &page.families["weir_dns_lookup_duration_seconds"].samples;
    let mut found = samples
        .iter()
        .filter(|((_, labels), _)| labels.get("le").is_some_and(|le| le == bound));
    *found.next().unwrap().1
}

#[test]
fn a_server_that_hangs_and_one_that_is_slow() {
    let knot = match Knot::start() {
        Ok(knot) => knot,
        Err(reason) => return skip(&reason),
    };
    let record = ["--collector.dns.record=host.example.test,A,192.0.2.7,192.0.2.8"];
    // Its questions wait in its socket.
    knot.process.signal(Signal::STOP);
    let short = ["--collector.dns.timeout=100ms"];
    let page = once_by(&mut knot.weir(), ADDRESS, &[record, short].concat());
    assert_eq!(verdict(&page, "host.example.test", "A"), "timeout");
    assert_eq!(lookups(&page, "+Inf"), 0.0);
    let waits = || {
        let table = knot.namespace.run("cat", ["/proc/net/udp"]);
        let table = String::from_utf8(table).unwrap();
        // Port 53, and in the second half of the fifth column the bytes that nobody has read.
        let mut lines = table.lines().filter(|line| line.contains(":0035 "));
        lines.any(|line| {
            let queues = line.split_whitespace().nth(4);
            queues.is_some_and(|queues| !queues.ends_with(":00000000"))
        })
    };
    wait_until("questions in the queue", waits);
    knot.process.signal(Signal::CONT);
    wait_until("an empty queue", || !waits());
    knot.process.signal(Signal::STOP);
    let page = thread::scope(|scope| {
        let weir =
            scope.spawn(|| once_by(&mut knot.weir(), ADDRESS, &[record, [PATIENT]].concat()));
        wait_until("the question", waits);
        thread::sleep(Duration::from_millis(600));
        knot.process.signal(Signal::CONT);
        weir.join().unwrap()
    });
    assert_eq!(verdict(&page, "host.example.test", "A"), "valid");
    assert_eq!((lookups(&page, "0.5"), lookups(&page, "+Inf")), (0.0, 1.0));
    // Nobody is there: packets go out, and nothing comes back.
    for words in [
        "link add out type veth peer name nowhere",
        "address add 198.51.100.1/24 dev out",
        "link set out up",
        "link set nowhere up",
        "neighbour add 198.51.100.2 lladdr 02:00:00:00:00:02 dev out nud permanent",
    ] {
        knot.namespace.ip(words);
    }
    let page = once_by(&mut knot.weir(), "198.51.100.2", &[record, short].concat());
    assert_eq!(verdict(&page, "host.example.test", "A"), "timeout");
}

#[test]
fn a_serial_that_changes() {
    let knot = match Knot::start() {
        Ok(knot) => knot,
        Err(reason) => return skip(&reason),
    };
    let resolver = format!("--collector.dns.resolver={ADDRESS}");
    let flags = [
        "--web.listen-address=127.0.0.1:2112",
        "--collector.dns.record=example.test,SOA,2026112101",
        "--collector.dns.interval=1s",
        PATIENT,
        &resolver,
    ];
    let weir = Weir::launch(knot.weir().args(ONLY).args(flags));
    let mut client = knot.namespace.connect("127.0.0.1:2112").unwrap();
    let mut is = |expected: &str| {
        let answer = client.get("/metrics", "").unwrap();
        let page = Page::parse(answer.text().unwrap()).unwrap();
        verdict(&page, "example.test", "SOA") == expected
    };
    wait_until("the serial", || is("valid"));
    write_zone(&knot.directory, 2_026_112_102);
    knot.process.signal(Signal::HUP);
    wait_until("another serial", || is("mismatch"));
    let told: Vec<_> = weir
        .log
        .try_iter()
        .filter(|line| line.contains("DNS record"))
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("expected=2026112101 found=2026112102"),
        "{told:?}"
    );
}

/// Answers for knot before knot does, as somebody would who sees or guesses the question, and passes on what knot says.
fn forge(listens: &UdpSocket, ends: &AtomicBool) {
    let others = ["127.0.0.2:54", "127.0.0.3:53"].map(|other| UdpSocket::bind(other).unwrap());
    let knot = UdpSocket::bind((ADDRESS, 0)).unwrap();
    knot.connect((ADDRESS, 53)).unwrap();
    let mut buffer = [0; 2048];
    while !ends.load(Ordering::Relaxed) {
        let Ok((length, from)) = listens.recv_from(&mut buffer) else {
            continue;
        };
        let query = buffer[..length].to_vec();
        let lie = forged(&query);
        // The right id and question, from another port and another address.
        for other in &others {
            other.send_to(&lie, from).unwrap();
        }
        // From the right place: another id, another question, a question as an answer, half an answer.
        let mut changed = vec![lie.clone(); 3];
        changed[0][1] ^= 1;
        changed[1][13] ^= 1;
        changed[2][2] &= 0x7f;
        changed.push(lie[..lie.len() - 3].to_vec());
        for lie in changed {
            listens.send_to(&lie, from).unwrap();
        }
        knot.send(&query).unwrap();
        let length = knot.recv(&mut buffer).unwrap();
        listens.send_to(&buffer[..length], from).unwrap();
    }
}

#[test]
fn whoever_answers_before_it_is_not_believed() {
    let knot = match Knot::start() {
        Ok(knot) => knot,
        Err(reason) => return skip(&reason),
    };
    let listens = knot
        .namespace
        .inside(|| UdpSocket::bind("127.0.0.2:53").unwrap());
    listens
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let ends = AtomicBool::new(false);
    let page = thread::scope(|scope| {
        scope.spawn(|| knot.namespace.inside(|| forge(&listens, &ends)));
        let page = judge(
            &mut knot.weir(),
            "127.0.0.2",
            &[
                ("ns1.example.test,A,192.0.2.1", "valid"),
                ("missing.example.test,A", "nxdomain"),
            ],
            &[PATIENT],
        );
        ends.store(true, Ordering::Relaxed);
        page
    });
    // Four for each question; the kernel keeps back what comes from elsewhere.
    assert_eq!(page.value("weir_dns_answers_ignored_total", &[]), Some(8.0));
}

/// Each answer, whole, cut at every byte, and with every byte changed in many ways.
#[test]
fn its_answers_in_pieces() {
    const ID: u16 = 0x1234;
    let knot = match Knot::start() {
        Ok(knot) => knot,
        Err(reason) => return skip(&reason),
    };
    for (name, kind, tcp) in [
        ("host.example.test", RecordType::A, false),
        ("host.example.test", RecordType::Aaaa, false),
        ("www.example.test", RecordType::A, false),
        ("www.example.test", RecordType::Cname, false),
        ("example.test", RecordType::Mx, false),
        ("example.test", RecordType::Ns, false),
        ("example.test", RecordType::Soa, false),
        ("7.2.0.192.in-addr.arpa", RecordType::Ptr, false),
        ("_https._tcp.example.test", RecordType::Srv, false),
        ("strings.example.test", RecordType::Txt, false),
        ("big.example.test", RecordType::Txt, true),
    ] {
        let question = message::question(ID, name, kind, true).unwrap();
        let whole = knot.answer(&question, tcp);
        let read = |bytes: &[u8]| message::read(bytes, ID, name, kind);
        let found = |read: Message| match read {
            Message::Answer(answer) => answer.values.ok(),
            _ => None,
        };
        let good = found(read(&whole)).unwrap_or_else(|| panic!("{name} {kind}: {whole:?}"));
        for cut in 0..whole.len() {
            let read = read(&whole[..cut]);
            assert!(
                matches!(read, Message::Foreign | Message::Malformed),
                "{name} {kind} {cut}: {read:?}"
            );
        }
        let mut garbled = whole.clone();
        for at in 0..whole.len() {
            for byte in (0..8)
                .map(|bit| whole[at] ^ 1 << bit)
                .chain([0, 0xff, 0xc0, 0x3f])
            {
                garbled[at] = byte;
                let values = found(read(&garbled)).unwrap_or_default();
                assert!(values.len() <= good.len() + 1, "{name} {kind} {at} {byte}");
            }
            garbled[at] = whole[at];
        }
    }
    let question = message::question(ID, "big.example.test", RecordType::Txt, true).unwrap();
    let cut = knot.answer(&question, false);
    assert_eq!(
        message::read(&cut, ID, "big.example.test", RecordType::Txt),
        Message::Truncated
    );
}
