use std::fs;
use std::path::Path;
use std::thread;
use std::time::Instant;

use super::super::tests::Root;
use super::*;

fn place(root: &Root, path: &str) -> Place {
    Place {
        path: root.0.join("root").join(path),
        shown: format!("/{path}"),
        required: true,
    }
}

/// Of one lease file, and these settings.
fn reader(root: &Root, format: Format, patient: bool, settings: &[&str]) -> Reader {
    let sources = Sources {
        format: Some(format),
        query: None,
        leases: vec![place(root, "leases")],
        settings: settings.iter().map(|path| place(root, path)).collect(),
    };
    let ground = Ground {
        root: root.0.join("root"),
        patient,
        ..Ground::default()
    };
    Reader::new(sources, ground, Look::default())
}

/// The pools and the first complaint, with the root as a dash.
fn pools(root: &Root, look: &Look) -> (Vec<String>, String) {
    let content = look.content.as_ref().expect("read");
    let pools = content.pools.iter();
    let pools = pools.map(|pool| format!("{} {}", pool.name, pool.range));
    let bad = content.first_bad.clone().unwrap_or_default();
    let prefix = root.0.join("root").display().to_string();
    (pools.collect(), bad.replace(&prefix, "-"))
}

#[test]
fn while_nobody_writes_a_fifo_its_last_leases_stay() {
    let root = Root::new("reader-fifo");
    let path = root.fifo("leases");
    let mut impatient = reader(&root, Format::Dnsmasq, false, &[]);
    let error = impatient.look().error.expect("no regular file");
    assert!(
        error.ends_with("leases: expected a regular file"),
        "{error}"
    );
    let mut reader = reader(&root, Format::Dnsmasq, true, &[]);
    let writer = thread::spawn(move || fs::write(path, "9 02 192.0.2.1 a *\n"));
    let begun = Instant::now();
    let mut look = reader.look();
    while look.error.is_some() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{look:?}");
        look = reader.look();
    }
    writer.join().expect("no panic").expect("written");
    let begun = Instant::now();
    let look = reader.look();
    let error = look.error.expect("nobody writes");
    assert!(
        error.ends_with("expected somebody to write within 3000 ms, found nobody"),
        "{error}"
    );
    assert!(begun.elapsed() >= PATIENCE);
    let content = look.content.expect("the last leases");
    assert_eq!(content.table.entries().len(), 1);
    assert!(content.files.is_empty(), "of no time");
}

/// A file of another format is not read again and again to say so again.
#[test]
fn what_is_wrong_in_an_unchanged_file_is_found_once() {
    let root = Root::new("reader-wrong");
    root.write("leases", "{ \"a\": \n");
    let mut reader = reader(&root, Format::Json, false, &[]);
    let begun = Instant::now();
    while reader.seen.is_none() {
        assert!(reader.look().error.is_some());
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "it does not rest"
        );
        thread::sleep(Duration::from_millis(100));
    }
    assert!(reader.look().error.is_some(), "and it is still wrong");
    root.write("leases", "[]\n");
    assert!(reader.look().error.is_none());
}

#[test]
fn what_dnsmasq_includes_is_read_once() {
    let root = Root::new("reader-dnsmasq");
    root.write("leases", "");
    let top = "conf-dir=/etc/dnsmasq.d,.bak\nconf-file=/etc/dnsmasq.conf\ndhcp-hostsfile=/etc/hosts.dhcp\n\
        dhcp-hostsdir=/etc/hosts.d\n";
    root.write("etc/dnsmasq.conf", top);
    root.write(
        "etc/dnsmasq.d/lan",
        "dhcp-range=set:lan,10.0.0.1,10.0.0.9\nconf-file=/etc/more\n",
    );
    root.write(
        "etc/dnsmasq.d/lan.bak",
        "dhcp-range=set:old,10.0.1.1,10.0.1.9\n",
    );
    root.write(
        "etc/dnsmasq.d/.hidden",
        "dhcp-range=set:hidden,10.0.1.1,10.0.1.9\n",
    );
    root.write(
        "etc/dnsmasq.d/deeper/a",
        "dhcp-range=set:deeper,10.0.1.1,10.0.1.9\n",
    );
    root.write(
        "etc/more",
        "dhcp-range=set:more,10.0.2.1,10.0.2.9\nconf-file=/etc/dnsmasq.conf\n",
    );
    root.write("etc/hosts.dhcp", "02:00:00:00:00:01,10.0.0.5\n");
    root.write("etc/hosts.d/one", "02:00:00:00:00:02,10.0.0.6\n");
    std::os::unix::fs::symlink("/etc/wlan", root.0.join("root/etc/dnsmasq.d/wlan"))
        .expect("a link");
    root.write("etc/wlan", "dhcp-range=set:wlan,10.0.3.1,10.0.3.9\n");
    let mut reader = reader(
        &root,
        Format::Dnsmasq,
        false,
        &["etc/dnsmasq.conf", "etc/dnsmasq.d/lan"],
    );
    let look = reader.look();
    let expected = [
        "lan 10.0.0.1-10.0.0.9",
        "more 10.0.2.1-10.0.2.9",
        "wlan 10.0.3.1-10.0.3.9",
    ];
    assert_eq!(
        pools(&root, &look),
        (expected.map(str::to_string).to_vec(), String::new())
    );
    let content = look.content.expect("read");
    let kept = |text: &str| content.keeps(text.parse().expect("an address"));
    assert!(kept("10.0.0.5") && kept("10.0.0.6") && !kept("10.0.0.7"));
    // What comes into a directory later is seen, and so is what is included and changes.
    root.write("etc/dnsmasq.d/a", "dhcp-range=set:a,10.0.4.1,10.0.4.9\n");
    root.write("etc/more", "dhcp-range=set:less,10.0.2.1,10.0.2.2\n");
    let (found, _) = pools(&root, &reader.look());
    assert_eq!(found[0], "a 10.0.4.1-10.0.4.9");
    assert!(
        found.contains(&"less 10.0.2.1-10.0.2.2".to_string()),
        "{found:?}"
    );
}

#[test]
fn includes_without_end_and_without_a_file_are_told() {
    let root = Root::new("reader-endless");
    root.write("leases", "");
    for number in 0..20 {
        let text = format!(
            "conf-file=/{}\ndhcp-range=10.0.0.{number},10.0.0.99\n",
            number + 1
        );
        root.write(&number.to_string(), text);
    }
    let (found, bad) = pools(&root, &reader(&root, Format::Dnsmasq, false, &["0"]).look());
    assert_eq!(found.len(), 9);
    assert_eq!(bad, "-/9: expected at most 256 files, 8 deep, found more");
    for (text, expected) in [
        ("conf-file=/none\n", "-/none: expected a file, found none"),
        (
            "conf-dir=/none\n",
            "-/none: No such file or directory (os error 2)",
        ),
        (
            "conf-file=here\n",
            "include: expected an absolute path, found \"here\"",
        ),
    ] {
        root.write("a", text);
        let (found, bad) = pools(&root, &reader(&root, Format::Dnsmasq, false, &["a"]).look());
        assert!(found.is_empty());
        // The number of an error is the machine's.
        assert_eq!(bad.split('(').next(), expected.split('(').next());
    }
    let many = (0..300).map(|number| format!("conf-file=/m{number}\n"));
    root.write("a", many.collect::<String>());
    for number in 0..300 {
        root.write(&format!("m{number}"), "dhcp-range=10.0.0.1,10.0.0.9\n");
    }
    let (found, bad) = pools(&root, &reader(&root, Format::Dnsmasq, false, &["a"]).look());
    assert_eq!(found.len(), 255);
    assert!(bad.ends_with("found more"), "{bad}");
}

#[test]
fn what_kea_includes_takes_its_place() {
    let root = Root::new("reader-kea");
    root.write("leases", "address,hwaddr,valid_lifetime,expire\n");
    root.write(
        "kea.conf",
        "{ \"Dhcp4\": { \"subnet4\": [ <?include \"/subnet.json\"?>,\n { \"subnet\": \"10.1.0.0/16\", \"pools\": <?include \"/pools.json\"?> } ] } }",
    );
    root.write(
        "subnet.json",
        "{ \"subnet\": \"10.0.0.0/16\", \"pools\": <?include \"/pools.json\"?> }",
    );
    root.write(
        "pools.json",
        "[ { \"pool\": \"10.0.0.1-10.0.0.9\" } ] // <?include \"/loop.json\"?>\n",
    );
    let mut reader = reader(&root, Format::Kea, false, &["kea.conf"]);
    let expected = [
        "10.0.0.0/16 10.0.0.1-10.0.0.9",
        "10.1.0.0/16 10.0.0.1-10.0.0.9",
    ];
    assert_eq!(
        pools(&root, &reader.look()),
        (expected.map(str::to_string).to_vec(), String::new())
    );
    root.write("pools.json", "[ <?include \"/pools.json\"?> ]");
    let (_, bad) = pools(&root, &reader.look());
    assert_eq!(
        bad,
        "-/pools.json: expected at most 256 files, 8 deep, found more"
    );
}

#[test]
fn what_is_included_from_elsewhere_is_not_looked_at() {
    let root = Root::new("reader-elsewhere");
    root.write("leases", "");
    root.write("far/a", "dhcp-range=10.0.0.1,10.0.0.9\n");
    root.write("etc/a", "conf-file=/far/a\nconf-dir=/far\n");
    fs::create_dir_all(root.0.join("proc/self")).expect("a directory");
    let point = root.0.join("root/far");
    let table = format!(
        "1 0 0:1 / / rw - ext4 a rw\n2 1 0:2 / {} rw - nfs4 b rw\n",
        point.display()
    );
    fs::write(root.0.join("proc/self/mountinfo"), table).expect("a file");
    let mounts = Arc::new(root.files().mounts().expect("a table"));
    let mut reader = reader(&root, Format::Dnsmasq, false, &["etc/a"]);
    let ground = |patient| Ground {
        root: root.0.join("root"),
        mounts: Arc::clone(&mounts),
        patient,
    };
    reader.stands_on(ground(false));
    let (found, bad) = pools(&root, &reader.look());
    assert!(found.is_empty());
    assert_eq!(
        bad,
        "include: expected a file of this machine, found \"/far/a\""
    );
    reader.stands_on(ground(true));
    assert_eq!(
        pools(&root, &reader.look()).0,
        ["10.0.0.1-10.0.0.9"].map(|range| format!(" {range}"))
    );
    assert!(Path::new(&point).exists());
}

#[test]
fn openwrts_own_configuration_stands_in() {
    let root = Root::new("reader-openwrt");
    root.write("leases", "");
    root.write(
        "etc/config/network",
        "config interface 'lan'\n\toption ipaddr '192.168.1.1/24'\n",
    );
    root.write(
        "etc/config/dhcp",
        "config dhcp 'lan'\n\toption start '100'\n\toption limit '50'\nconfig host\n\toption ip '192.168.1.7'\n",
    );
    let files = [
        "var/etc/dnsmasq.conf.cfg01411c",
        "etc/config/dhcp",
        "etc/config/network",
    ];
    let mut reader = reader(&root, Format::Dnsmasq, false, &files);
    let look = reader.look();
    assert_eq!(pools(&root, &look).0, ["lan 192.168.1.100-192.168.1.149"]);
    let kept = "192.168.1.7".parse().expect("an address");
    assert!(look.content.expect("read").keeps(kept));
    root.write(
        files[0],
        "dhcp-range=set:lan,192.168.1.100,192.168.1.120,255.255.255.0,12h\n",
    );
    assert_eq!(
        pools(&root, &reader.look()).0,
        ["lan 192.168.1.100-192.168.1.120"]
    );
}
