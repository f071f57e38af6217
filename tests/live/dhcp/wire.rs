//! The namespaces that servers and clients of the test's own are in.

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::running::Directory;
use crate::running::Namespace;
use crate::running::PATIENCE;
use crate::running::Process;
use crate::running::installed;
use crate::running::wait_until;
use crate::text::Page;

/// A server's namespace and a client's, joined by a veth pair: s0 with 192.0.2.1 and 2001:db8:1::1, and c0.
pub(crate) struct Wire {
    pub(crate) server: Namespace,
    pub(crate) client: Namespace,
    pub(crate) directory: Directory,
}

impl Wire {
    pub(crate) fn new(programs: &[&str]) -> Result<Self, String> {
        if let Some(missing) = programs.iter().find(|program| !installed(program)) {
            return Err(format!("{missing} is not installed"));
        }
        let wire = Self {
            server: Namespace::new()?,
            client: Namespace::new()?,
            directory: Directory::new(),
        };
        let peer = &wire.client.name;
        for side in [&wire.server, &wire.client] {
            // An address may be used at once, and no router is looked for.
            for setting in [
                "disable_ipv6=0",
                "accept_dad=0",
                "accept_ra=0",
                "router_solicitations=0",
            ] {
                side.run(
                    "sysctl",
                    ["-qw", &format!("net.ipv6.conf.default.{setting}")],
                );
            }
        }
        wire.server
            .ip(&format!("link add s0 type veth peer name c0 netns {peer}"));
        wire.server.ip("addr add 192.0.2.1/24 dev s0");
        wire.server.ip("addr add 2001:db8:1::1/64 dev s0 nodad");
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
        command.args(arguments);
        if program == "dnsmasq" {
            // Several that start at once fail over the one that is usual.
            command.arg(format!("--pid-file={}", self.path("dnsmasq.pid")));
        }
        command
            .env("KEA_PIDFILE_DIR", &self.directory.0)
            .env("KEA_LOCKFILE_DIR", &self.directory.0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        Process(command.spawn().unwrap())
    }

    /// Asks for a lease as a client with this hardware address, and gives the address that it got.
    pub(crate) fn lease(&self, mac: &str, hostname: &str) -> String {
        self.become_client(mac);
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

    fn become_client(&self, mac: &str) {
        self.client.ip("link set c0 down");
        self.client.ip(&format!("link set c0 address {mac}"));
        self.client.ip("link set c0 up");
    }

    /// The same of ISC's dhclient.
    pub(crate) fn lease_of_dhclient(&self, mac: &str, hostname: &str) -> String {
        let configuration = format!("send host-name \"{hostname}\";\n");
        let configuration = self.write("dhclient.conf", &configuration);
        self.dhclient(mac, &["-4", "-cf", &configuration], |text| {
            let rest = text.split("fixed-address ").nth(1)?;
            Some(rest.split(';').next()?.to_string())
        })
    }

    /// An address, or a prefix with `-P` for `-N`, of DHCPv6.
    pub(crate) fn lease6(&self, mac: &str, wanted: &str) -> String {
        let begin = if wanted == "-P" {
            "iaprefix "
        } else {
            "iaaddr "
        };
        self.dhclient(mac, &["-6", "-D", "LL", wanted], |text| {
            let rest = text.split(begin).nth(1)?;
            Some(rest.split(' ').next()?.to_string())
        })
    }

    /// Runs dhclient until what it writes down shows a lease.
    fn dhclient(
        &self,
        mac: &str,
        flags: &[&str],
        shown: impl Fn(&str) -> Option<String>,
    ) -> String {
        self.become_client(mac);
        wait_until("a link-local address", || {
            let listed = self.client.run("ip", ["-6", "addr", "show", "dev", "c0"]);
            let listed = String::from_utf8(listed).unwrap();
            listed.contains("fe80:") && !listed.contains("tentative")
        });
        let leases = self.path("dhclient.leases");
        let _ = fs::remove_file(&leases);
        let log = fs::File::create(self.path("dhclient.log")).unwrap();
        let mut command = self.client.command("dhclient");
        command
            .args(flags)
            .args(["-d", "--no-pid", "-sf", "/bin/true", "-lf", &leases, "c0"]);
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let _client = Process(command.spawn().unwrap());
        let begin = Instant::now();
        loop {
            let text = fs::read_to_string(&leases).unwrap_or_default();
            // The last brace is written last.
            if let Some(found) = shown(&text).filter(|_| text.ends_with("}\n")) {
                return found;
            }
            if begin.elapsed() > 2 * PATIENCE {
                let logs = ["dhclient.log", "log"].map(|name| self.path(name));
                let logs = logs.map(|path| fs::read_to_string(path).unwrap_or_default());
                panic!("{mac} got no lease: {text}\n{}", logs.join("\n"));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A client's hardware address, its name, and what it got.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lease(pub(super) String, pub(super) String, pub(super) String);

/// That weir tells these leases and no others.
pub(super) fn told_one_by_one(page: &Page, clients: &[Lease]) {
    let samples = &page.families["weir_dhcp_lease_info"].samples;
    let mut told: Vec<_> = samples
        .keys()
        .map(|(_, labels)| {
            let label = |name: &str| labels[name].clone();
            Lease(label("mac"), label("hostname"), label("ip"))
        })
        .collect();
    told.sort();
    assert_eq!(told, clients);
}
