//! Tests of the watching of lease files.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::*;
use crate::config::dhcp::Server as Wanted;

/// A root file system of our own, with a procfs beside it.
pub(super) struct Root(pub(super) PathBuf);

impl Root {
    pub(super) fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("weir-{}-leases-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        for folder in ["proc/net", "sys", "root"] {
            fs::create_dir_all(root.join(folder)).expect("a temporary directory");
        }
        fs::write(root.join("CAPTURE"), "date: 2026-11-21T14:00:00Z\n").expect("a file");
        Self(root)
    }

    pub(super) fn files(&self) -> Files {
        Files::open(&self.0.join("proc"), &self.0.join("sys"))
            .expect("both")
            .with_rootfs(&self.0.join("root"))
    }

    pub(super) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.0.join("root").join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, content).expect("a file");
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn watching(servers: Vec<Wanted>) -> Leases {
    let mut config = Config {
        collectors: vec!["dhcp"],
        ..Config::default()
    };
    config.dhcp.servers = servers;
    Leases::new(&config)
}

fn shown(leases: &mut Leases) -> Vec<String> {
    let servers = leases.servers().iter().map(|server| {
        let entries = server
            .content()
            .map(|content| content.table.entries().len());
        format!(
            "{} {entries:?} {:?}",
            server.name(),
            server.error().is_some()
        )
    });
    servers.collect()
}

/// Lets the next look search again.
fn forget(leases: &mut Leases) {
    leases.searched = leases.searched.and_then(|time| time.checked_sub(SEARCH));
}

#[test]
fn servers_are_found_at_their_usual_places_below_the_root() {
    let root = Root::new("usual");
    let files = root.files();
    let mut leases = watching(Vec::new());
    leases.look(&files);
    assert!(shown(&mut leases).is_empty());
    root.write(
        "var/lib/misc/dnsmasq.leases",
        "1795312750 02 192.0.2.1 a *\n",
    );
    root.write(
        "var/lib/systemd/network/dhcp-server-lease/br0",
        "{\"Leases\":[]}",
    );
    leases.look(&files);
    assert!(shown(&mut leases).is_empty(), "looked for once a minute");
    forget(&mut leases);
    leases.look(&files);
    assert_eq!(
        shown(&mut leases),
        ["dnsmasq Some(1) false", "networkd Some(0) false"]
    );
    let issued: Vec<_> = leases.servers().iter().map(Server::issued).collect();
    assert_eq!(
        issued,
        [1, 0],
        "what was not there before was given out since"
    );
    fs::remove_file(root.0.join("root/var/lib/misc/dnsmasq.leases")).expect("removed");
    fs::remove_file(
        root.0
            .join("root/var/lib/systemd/network/dhcp-server-lease/br0"),
    )
    .expect("removed");
    forget(&mut leases);
    leases.look(&files);
    // networkd removes its file with the last lease.
    assert_eq!(
        shown(&mut leases),
        ["dnsmasq Some(1) true", "networkd Some(0) false"]
    );
    let address = "192.0.2.1".parse().expect("an address");
    assert_eq!(leases.hostname(address, files.now()), Some("a"));
    assert_eq!(leases.hostname(address, 1_795_312_750), None);
    assert_eq!(leases.complaints().count(), 1);
}

#[test]
fn pools_are_found_on_openwrt_and_debian_without_configuration() {
    let pools = |root: &Root| {
        let mut leases = watching(Vec::new());
        leases.look(&root.files());
        let servers = leases.servers().iter();
        let found = servers.flat_map(|server| {
            let content = server.content().expect("read");
            let pools = content.pools.iter();
            pools.map(|pool| format!("{} {} {}", server.name(), pool.name, pool.range))
        });
        found.collect::<Vec<_>>()
    };
    let openwrt = Root::new("openwrt");
    openwrt.write("etc/openwrt_release", "DISTRIB_ID='OpenWrt'\n");
    openwrt.write("tmp/dhcp.leases", "1795312750 02 192.168.1.120 a *\n");
    openwrt.write("tmp/odhcpd.leases", "# br-lan 0003 1 a 0 5cb 128\n");
    openwrt.write("tmp/hosts/odhcpd", "::1\ta\n");
    std::os::unix::fs::symlink("tmp", openwrt.0.join("root/var")).expect("a link");
    openwrt.write(
        "etc/config/network",
        "config interface lan\n\toption ipaddr '192.168.1.1/24'\n",
    );
    openwrt.write(
        "etc/config/dhcp",
        "config dhcp lan\n\toption start 100\n\toption limit 50\n",
    );
    assert_eq!(pools(&openwrt), ["dnsmasq lan 192.168.1.100-192.168.1.149"]);
    // What dnsmasq reads is looked at first, as OpenWrt generates it.
    openwrt.write(
        "tmp/etc/dnsmasq.conf.cfg01411c",
        "# auto-generated config file from /etc/config/dhcp\nconf-file=/etc/dnsmasq.conf\n\
        dhcp-leasefile=/tmp/dhcp.leases\nconf-dir=/tmp/dnsmasq.d\n\
        dhcp-range=set:lan,192.168.1.100,192.168.1.249,255.255.255.0,12h\n",
    );
    openwrt.write("etc/dnsmasq.conf", "# dhcp-range=a\n");
    openwrt.write(
        "tmp/dnsmasq.d/more",
        "dhcp-range=set:guest,10.0.0.2,10.0.0.9\n",
    );
    let expected = [
        "dnsmasq lan 192.168.1.100-192.168.1.249",
        "dnsmasq guest 10.0.0.2-10.0.0.9",
    ];
    assert_eq!(pools(&openwrt), expected);
    let debian = Root::new("debian");
    debian.write("var/lib/misc/dnsmasq.leases", "");
    debian.write(
        "etc/dnsmasq.conf",
        "#conf-dir=/etc/dnsmasq.d\nconf-dir=/etc/dnsmasq.more/,*.conf\n",
    );
    debian.write("etc/dnsmasq.d/README", "# All files in this directory\n");
    debian.write("etc/dnsmasq.d/lan", "dhcp-range=10.0.0.2,10.0.0.9\n");
    debian.write(
        "etc/dnsmasq.d/lan.dpkg-old",
        "dhcp-range=10.0.9.2,10.0.9.9\n",
    );
    debian.write(
        "etc/dnsmasq.more/a.conf",
        "dhcp-range=set:a,10.0.1.2,10.0.1.9\n",
    );
    debian.write("etc/dnsmasq.more/b", "dhcp-range=set:b,10.0.2.2,10.0.2.9\n");
    let expected = ["dnsmasq a 10.0.1.2-10.0.1.9", "dnsmasq  10.0.0.2-10.0.0.9"];
    assert_eq!(pools(&debian), expected);
}

#[test]
fn nobody_pays_who_does_not_ask() {
    let root = Root::new("off");
    root.write(
        "var/lib/misc/dnsmasq.leases",
        "1795312750 02 192.0.2.1 a *\n",
    );
    let mut leases = Leases::new(&Config::default());
    leases.look(&root.files());
    assert!(leases.servers().is_empty() && leases.searched.is_none());
}

#[test]
fn a_reload_forgets_only_where_other_files_or_pools_are_wanted() {
    let root = Root::new("reload");
    let mut config = Config {
        collectors: vec!["dhcp"],
        ..Config::default()
    };
    let mut leases = Leases::new(&config);
    leases.look(&root.files());
    assert!(leases.searched.is_some());
    config.dhcp.per_lease = true;
    config.limit_devices = 1;
    leases.reload(&config);
    assert!(leases.searched.is_some(), "nothing that is read changed");
    let range = crate::config::dhcp::Range::parse("10.0.0.0/24").expect("a range");
    let name = "lan".to_string();
    config.dhcp.pools = vec![crate::config::dhcp::Pool { name, range }];
    leases.reload(&config);
    assert!(leases.searched.is_none() && leases.wanted.is_some());
    leases.look(&root.files());
    config.collectors.clear();
    leases.reload(&config);
    assert!(leases.wanted.is_none() && leases.searched.is_none());
}

#[test]
fn kea_cleans_up_and_its_earlier_files_count() {
    let root = Root::new("kea");
    let files = root.files();
    let head = "address,hwaddr,valid_lifetime,expire,state,hostname\n";
    let row = |address: &str, name: &str, lifetime: u32| {
        format!("{address},02,{lifetime},1795312750,0,{name}\n")
    };
    let rows = |rows: &[String]| format!("{head}{}", rows.concat());
    let path = "var/lib/kea/kea-leases4.csv";
    root.write(path, rows(&[row("10.0.0.3", "c", 9)]));
    root.write(
        &format!("{path}.1"),
        rows(&[row("10.0.0.1", "new", 9), row("10.0.0.2", "", 0)]),
    );
    root.write(
        &format!("{path}.2"),
        rows(&[row("10.0.0.1", "old", 9), row("10.0.0.2", "b", 9)]),
    );
    let mut leases = watching(Vec::new());
    leases.look(&files);
    let names = |leases: &mut Leases| {
        let content = leases.servers()[0].content().expect("read").clone();
        let entries = content.table.entries().iter();
        entries
            .map(|entry| content.table.name(entry).to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&mut leases), ["new", "c"]);
    // The clean file stands for both; then it takes the place of one, and the other goes.
    root.write(
        &format!("{path}.completed"),
        rows(&[row("10.0.0.1", "clean", 9)]),
    );
    leases.look(&files);
    assert_eq!(names(&mut leases), ["clean", "c"]);
    for end in ["completed", "1"] {
        fs::remove_file(root.0.join(format!("root/{path}.{end}"))).expect("removed");
    }
    root.write(&format!("{path}.2"), rows(&[row("10.0.0.1", "clean", 9)]));
    leases.look(&files);
    assert_eq!(names(&mut leases), ["clean", "c"]);
    assert_eq!(leases.servers()[0].issued(), 0);
}

#[test]
fn what_has_not_changed_is_not_read() {
    let root = Root::new("unchanged");
    let files = root.files();
    let path = root.0.join("root/leases");
    root.write("leases", "1795312750 02 192.0.2.1 a *\n");
    let old = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let age = || {
        let file = fs::File::options().write(true).open(&path).expect("a file");
        file.set_modified(old).expect("another time");
    };
    age();
    let mut leases = watching(vec![Wanted {
        name: "a".to_string(),
        leases: vec![PathBuf::from("/leases")],
        ..Wanted::default()
    }]);
    // The change of the time was just now too.
    let begun = Instant::now();
    while leases.servers().is_empty() || begun.elapsed() < Duration::from_millis(3200) {
        leases.look(&files);
        thread::sleep(Duration::from_millis(100));
    }
    let content = |leases: &mut Leases| leases.servers()[0].content().expect("read").clone();
    let first = content(&mut leases);
    leases.look(&files);
    assert!(std::sync::Arc::ptr_eq(&first, &content(&mut leases)));
    root.write("leases", "1795312750 02 192.0.2.1 b *\n");
    age();
    leases.look(&files);
    let second = content(&mut leases);
    assert!(
        !std::sync::Arc::ptr_eq(&first, &second),
        "same size and time, but changed"
    );
    assert_eq!(second.table.name(&second.table.entries()[0]), "b");
}

impl Root {
    /// Makes a FIFO.
    pub(super) fn fifo(&self, path: &str) -> PathBuf {
        let path = self.0.join("root").join(path);
        let name = CString::new(path.as_os_str().as_bytes()).expect("no zero");
        let (kind, mode) = (rustix::fs::FileType::Fifo, 0o600.into());
        rustix::fs::mknodat(rustix::fs::CWD, &name, kind, mode, 0).expect("a FIFO");
        path
    }
}

#[test]
fn a_fifo_is_read_by_a_thread() {
    let root = Root::new("fifo");
    let path = root.fifo("leases");
    let mut leases = watching(vec![Wanted {
        name: "a".to_string(),
        leases: vec![PathBuf::from("/leases")],
        ..Wanted::default()
    }]);
    let files = root.files();
    leases.look(&files);
    assert!(leases.servers()[0].far);
    let writer = thread::spawn(move || fs::write(path, "1795312750 02 192.0.2.1 a *\n"));
    let begun = Instant::now();
    while leases.servers()[0].content().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no answer");
        thread::sleep(Duration::from_millis(5));
        leases.look(&files);
    }
    writer.join().expect("no panic").expect("written");
    let entries = leases.servers()[0].content().expect("read").table.entries();
    assert_eq!(entries.len(), 1);
}

#[test]
fn files_elsewhere_are_read_by_a_thread() {
    let root = Root::new("far");
    let point = root.0.join("root/far");
    root.write("far/leases", "1795312750 02 192.0.2.1 a *\n");
    fs::create_dir_all(root.0.join("proc/self")).expect("a directory");
    let table = format!(
        "1 0 0:1 / / rw - ext4 a rw\n2 1 0:2 / {} rw - nfs4 b rw\n",
        point.display()
    );
    fs::write(root.0.join("proc/self/mountinfo"), table).expect("a file");
    let files = root.files();
    let mut leases = watching(vec![Wanted {
        name: "a".to_string(),
        leases: vec![PathBuf::from("/far/leases")],
        ..Wanted::default()
    }]);
    leases.look(&files);
    assert!(leases.servers()[0].far);
    let begun = Instant::now();
    while leases.servers()[0].content().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20), "no answer");
        thread::sleep(Duration::from_millis(5));
        leases.look(&files);
    }
    assert_eq!(shown(&mut leases), ["a Some(1) false"]);
    // Where they are usually, such files are not looked at.
    let mut usual = watching(Vec::new());
    root.write("far/dnsmasq.leases", "");
    std::os::unix::fs::symlink("/far", root.0.join("root/var")).expect("a link");
    usual.look(&files);
    assert!(shown(&mut usual).is_empty());
}
