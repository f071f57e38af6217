//! Debian's DHCP servers hand out leases to busybox' udhcpc in namespaces of the test's own, and weir counts them from the
//! files that the servers write meanwhile.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::running::Directory;
use crate::running::Namespace;
use crate::running::PATIENCE;
use crate::running::Process;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::installed;
use crate::running::wait_until;
use crate::support::skip;
use crate::text::Page;

/// A server's namespace and a client's, joined by a veth pair: s0 with 192.0.2.1, and c0.
pub(crate) struct Wire {
    pub(crate) server: Namespace,
    pub(crate) client: Namespace,
    pub(crate) directory: Directory,
}

impl Wire {
    pub(crate) fn new(program: &str) -> Result<Self, String> {
        if !installed(program) || !installed("busybox") {
            return Err(format!("{program} or busybox is not installed"));
        }
        let wire = Self {
            server: Namespace::new()?,
            client: Namespace::new()?,
            directory: Directory::new(),
        };
        let peer = &wire.client.name;
        wire.server
            .ip(&format!("link add s0 type veth peer name c0 netns {peer}"));
        wire.server.ip("addr add 192.0.2.1/24 dev s0");
        wire.server.ip("link set s0 up");
        // Kea serves no device without a carrier.
        wire.client.ip("link set c0 up");
        Ok(wire)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.0.join(name).display().to_string()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Starts a server, whose output goes to a file that is shown when a test fails.
    pub(crate) fn start(&self, program: &str, arguments: &[&str]) -> Process {
        let log = fs::File::create(self.path("log")).unwrap();
        let mut command = self.server.command(program);
        command
            .args(arguments)
            .env("KEA_PIDFILE_DIR", &self.directory.0)
            .env("KEA_LOCKFILE_DIR", &self.directory.0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        Process(command.spawn().unwrap())
    }

    /// Asks for a lease as a client with this hardware address, and gives the address that it got.
    pub(crate) fn lease(&self, mac: &str, hostname: &str) -> String {
        self.client.ip("link set c0 down");
        self.client.ip(&format!("link set c0 address {mac}"));
        self.client.ip("link set c0 up");
        let mut command = self.client.command("busybox");
        command.args([
            "udhcpc", "-i", "c0", "-n", "-q", "-f", "-t", "20", "-T", "1",
        ]);
        command.args(["-s", "/bin/true", "-x", &format!("hostname:{hostname}")]);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let words = said.split("lease of ").nth(1);
        let Some(address) = words.and_then(|rest| rest.split(' ').next()) else {
            let log = fs::read_to_string(self.path("log")).unwrap_or_default();
            panic!("{mac} got no lease: {said}\n{log}");
        };
        address.to_string()
    }
}

/// Three clients come, and one of them asks once more, while weir watches the file.
fn counts(wire: &Wire, mut program: Process, format: &str, file: &str, flags: &[&str]) {
    let leases = format!("--collector.dhcp.leases={format}:{file}");
    let mut arguments = vec![
        "--collector.disable-defaults",
        "--collector.dhcp",
        "--collector.dhcp.per-lease",
        "--collect.interval=100ms",
        &leases,
    ];
    arguments.extend(flags);
    let weir = Weir::start(&arguments);
    let server = [("server", format)];
    wait_until("an empty file", || {
        weir.scrape().value("dhcp_lease_count", &[]) == Some(0.0)
    });
    let clients = [1, 2, 3].map(|number| {
        let mac = format!("02:00:00:00:0d:{number:02x}");
        let hostname = format!("client{number}");
        let address = wire.lease(&mac, &hostname);
        (mac, hostname, address)
    });
    wait_until("three leases", || {
        weir.scrape().value("dhcp_lease_count", &[]) == Some(3.0)
    });
    let (mac, hostname, address) = &clients[0];
    assert_eq!(wire.lease(mac, hostname), *address);
    // udhcpd writes what it has not written yet, and then leaves the file alone.
    program.signal(rustix::process::Signal::TERM);
    program.code_within(Duration::from_secs(2));
    drop(program);
    let page = settled(&weir);
    assert_eq!(page.value("dhcp_lease_count", &[]), Some(3.0));
    assert_eq!(
        page.value("weir_dhcp_leases_issued_total", &server),
        Some(3.0)
    );
    assert_eq!(page.value("weir_dhcp_bad_entries", &server), Some(0.0));
    assert_eq!(page.value("weir_dhcp_success", &server), Some(1.0));
    let next = page.value("weir_dhcp_next_expiry_timestamp_seconds", &server);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    let ends = next.unwrap() - now;
    assert!((42_000.0..43_300.0).contains(&ends), "12 hours, {ends} s");
    told_one_by_one(&page, &clients);
    // What is printed once is the same.
    arguments.push("--once");
    let output = Command::new(WEIR).args(&arguments).output().unwrap();
    let once = Page::parse(std::str::from_utf8(&output.stdout).unwrap()).unwrap();
    assert_eq!(once.value("dhcp_lease_count", &[]), Some(3.0));
}

/// A page after the last change of the file has been seen: its time of writing is the file's, and stays so for two ticks.
fn settled(weir: &Weir) -> Page {
    let begin = Instant::now();
    let mtime = |page: &Page| {
        let samples = &page.families["weir_dhcp_file_mtime_seconds"].samples;
        samples.values().copied().fold(0.0, f64::max)
    };
    loop {
        let page = weir.scrape();
        let age = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64() - mtime(&page);
        if age > 3.0 {
            return page;
        }
        assert!(begin.elapsed() < PATIENCE, "the file does not rest");
        thread::sleep(Duration::from_millis(200));
    }
}

fn told_one_by_one(page: &Page, clients: &[(String, String, String)]) {
    let samples = &page.families["weir_dhcp_lease_info"].samples;
    let mut told: Vec<_> = samples
        .keys()
        .map(|(_, labels)| {
            let label = |name: &str| labels[name].clone();
            (label("mac"), label("hostname"), label("ip"))
        })
        .collect();
    told.sort();
    assert_eq!(told, clients);
}

#[test]
fn dnsmasq_and_its_range() {
    let wire = match Wire::new("dnsmasq") {
        Ok(wire) => wire,
        Err(reason) => return skip(&reason),
    };
    let file = wire.path("dnsmasq.leases");
    let settings = format!(
        "interface=s0\nbind-interfaces\nport=0\nno-ping\nuser=root\ndhcp-range=192.0.2.100,192.0.2.199,12h\ndhcp-leasefile={file}\n"
    );
    let settings = wire.write("dnsmasq.conf", &settings);
    let server = wire.start("dnsmasq", &["-k", "-C", &settings]);
    wait_until("dnsmasq", || Path::new(&file).exists());
    counts(
        &wire,
        server,
        "dnsmasq",
        &file,
        &["--collector.dhcp.pool=lan=192.0.2.100-192.0.2.199"],
    );
    // At its usual place below a root, with nothing configured.
    let root = wire.directory.0.join("root");
    for (from, to) in [
        (file.as_str(), "var/lib/misc/dnsmasq.leases"),
        (settings.as_str(), "etc/dnsmasq.conf"),
    ] {
        fs::create_dir_all(root.join(to).parent().unwrap()).unwrap();
        fs::copy(from, root.join(to)).unwrap();
    }
    let flags = ["--once", "--collector.disable-defaults", "--collector.dhcp"];
    let output = Command::new(WEIR)
        .args(flags)
        .arg(format!("--path.rootfs={}", root.display()))
        .output()
        .unwrap();
    let page = Page::parse(std::str::from_utf8(&output.stdout).unwrap()).unwrap();
    let pool = [("server", "dnsmasq"), ("pool", "192.0.2.100-192.0.2.199")];
    assert_eq!(page.value("dhcp_lease_count", &[]), Some(3.0));
    assert_eq!(page.value("weir_dhcp_pool_addresses", &pool), Some(100.0));
    assert_eq!(page.value("weir_dhcp_pool_usage_ratio", &pool), Some(0.03));
}

/// The block of README that begins so, up to its end.
fn shown_in_readme(begin: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let text = fs::read_to_string(path).unwrap();
    let rest = text.split("```").find_map(|block| {
        let (_, body) = block.split_once('\n')?;
        body.starts_with(begin).then(|| body.to_string())
    });
    rest.unwrap_or_else(|| panic!("README has no block that begins {begin}"))
}

/// What README says of a router with dnsmasq, word for word but for the addresses that the server draws.
#[test]
fn readmes_ten_lines_for_a_router_with_dnsmasq() {
    let wire = match Wire::new("dnsmasq") {
        Ok(wire) => wire,
        Err(reason) => return skip(&reason),
    };
    wire.server.ip("addr add 192.168.1.1/24 dev s0");
    for directory in ["etc", "var/lib/misc"] {
        fs::create_dir_all(wire.directory.0.join(directory)).unwrap();
    }
    wire.write("etc/resolv.conf", "nameserver 127.0.0.1\n");
    let settings = wire.write("etc/dnsmasq.conf", &shown_in_readme("dhcp-range="));
    let file = wire.path("var/lib/misc/dnsmasq.leases");
    let leases = format!("--dhcp-leasefile={file}");
    let flags = ["-k", "-C", &settings, &leases, "--no-ping", "--user=root"];
    let alone = ["--interface=s0,lo", "--no-resolv", "--no-hosts"];
    let _server = wire.start("dnsmasq", &[&flags[..], &alone].concat());
    wait_until("dnsmasq", || Path::new(&file).exists());
    wire.lease("02:00:00:00:01:01", "laptop");
    let nas = wire.lease("02:00:00:00:01:02", "nas");
    assert_eq!(nas, "192.168.1.121");
    let ten = shown_in_readme("web.listen-address: \"192.168.1.1:2112\"\ndhcp:");
    assert_eq!(ten.lines().count(), 10, "{ten}");
    let configuration = format!("--config.file={}", wire.write("weir.yml", &ten));
    let root = format!("--path.rootfs={}", wire.directory.0.display());
    let weir = Weir::launch(wire.server.command(WEIR).args([&configuration, &root]));
    // The address of the one that dnsmasq keeps none for is dnsmasq's choice.
    let shown = shown_in_readme("dhcp_lease_count 2\n");
    let wanted: Vec<_> = shown
        .lines()
        .filter(|line| !line.contains("hostname=\"laptop\""))
        .collect();
    assert!(wanted.len() > 8, "{shown}");
    let mut client = wire.server.connect(&weir.address).unwrap();
    wait_until("all that README shows", || {
        let answer = client.get("/metrics", "").unwrap();
        let page = answer.text().unwrap();
        wanted
            .iter()
            .all(|line| page.lines().any(|found| found == *line))
    });
}

#[test]
fn kea_appends_rows() {
    let wire = match Wire::new("kea-dhcp4") {
        Ok(wire) => wire,
        Err(reason) => return skip(&reason),
    };
    let file = wire.path("kea-leases4.csv");
    let settings = format!(
        r#"{{ "Dhcp4": {{ "interfaces-config": {{ "interfaces": [ "s0" ] }}, "valid-lifetime": 43200,
        "lease-database": {{ "type": "memfile", "name": "{file}", "lfc-interval": 0 }},
        "subnet4": [ {{ "subnet": "192.0.2.0/24", "pools": [ {{ "pool": "192.0.2.100 - 192.0.2.199" }} ] }} ] }} }}"#
    );
    let settings = wire.write("kea.conf", &settings);
    let server = wire.start("kea-dhcp4", &["-c", &settings]);
    wait_until("Kea", || Path::new(&file).exists());
    counts(&wire, server, "kea", &file, &[]);
}

#[test]
fn isc_dhcpd_appends_declarations() {
    let wire = match Wire::new("dhcpd") {
        Ok(wire) => wire,
        Err(reason) => return skip(&reason),
    };
    let file = wire.write("dhcpd.leases", "");
    let settings = wire.write(
        "dhcpd.conf",
        "default-lease-time 43200; max-lease-time 43200; ping-check false;\n\
        subnet 192.0.2.0 netmask 255.255.255.0 { range 192.0.2.100 192.0.2.199; }\n",
    );
    let pid = wire.path("pid");
    let flags = [
        "-4", "-f", "-cf", &settings, "-lf", &file, "-pf", &pid, "s0",
    ];
    let server = wire.start("dhcpd", &flags);
    counts(&wire, server, "isc", &file, &[]);
}

#[test]
fn udhcpd_writes_what_remains() {
    let wire = match Wire::new("busybox") {
        Ok(wire) => wire,
        Err(reason) => return skip(&reason),
    };
    let file = wire.write("udhcpd.leases", "");
    let settings = wire.write(
        "udhcpd.conf",
        &format!(
            "start 192.0.2.100\nend 192.0.2.199\ninterface s0\nmax_leases 10\nauto_time 1\nlease_file {file}\npidfile {}\n\
            option subnet 255.255.255.0\noption lease 43200\n",
            wire.path("pid")
        ),
    );
    let server = wire.start("busybox", &["udhcpd", "-f", &settings]);
    counts(&wire, server, "udhcpd", &file, &[]);
}

/// A FUSE file system without a program behind it: whoever opens a file there waits for ever, as on a dead NFS mount.
const DEAD: &str = r#"
set -e
exec 3<>/dev/fuse
mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 dead "$1/dead"
timeout -s KILL 1 stat "$1/dead/leases" 3>&- && exit 9
timeout -s KILL 15 "$2" --once --collector.disable-defaults --collector.dhcp \
    --collector.dhcp.leases="far=dnsmasq:$1/dead/leases" --collector.dhcp.leases="near=dnsmasq:$1/leases" 3>&-
"#;

#[test]
fn a_lease_file_on_a_dead_mount_holds_nothing_up() {
    let directory = Directory::new();
    let root = directory.0.display().to_string();
    fs::create_dir(directory.0.join("dead")).unwrap();
    fs::write(
        directory.0.join("leases"),
        "0 02:00:00:00:00:01 192.0.2.1 a *\n",
    )
    .unwrap();
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-m", "-p", "-f", "--mount-proc", "sh", "-c", script, "sh"]);
        command.args([root.as_str(), WEIR]).output()
    };
    let may = unshare("exec 3<>/dev/fuse");
    if !may.is_ok_and(|output| output.status.success()) {
        return skip("no mount namespace, or no /dev/fuse");
    }
    let output = unshare(DEAD).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let page = Page::parse(std::str::from_utf8(&output.stdout).unwrap()).unwrap();
    assert_eq!(page.value("dhcp_lease_count", &[]), Some(1.0));
    assert_eq!(
        page.value("weir_dhcp_success", &[("server", "near")]),
        Some(1.0)
    );
    assert_eq!(page.value("weir_dhcp_success", &[("server", "far")]), None);
}
