//! Lease files that block, vanish, are half written or are large: what they last held stays, and nothing waits for them.

use std::fs;
use std::io::Write;
use std::mem::MaybeUninit;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::fs::inotify;

use crate::dead;
use crate::running::Directory;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::wait_until;
use crate::text::Page;

const FLAGS: [&str; 3] = [
    "--collector.disable-defaults",
    "--collector.dhcp",
    "--collect.interval=100ms",
];

fn watching(servers: &[(&str, &Path)]) -> Weir {
    let servers: Vec<_> = servers
        .iter()
        .map(|(server, path)| format!("--collector.dhcp.leases={server}:{}", path.display()))
        .collect();
    let servers = servers.iter().map(String::as_str);
    Weir::start(&FLAGS.into_iter().chain(servers).collect::<Vec<_>>())
}

fn count(page: &Page) -> Option<f64> {
    page.value("dhcp_lease_count", &[])
}

fn success(page: &Page, server: &str) -> Option<f64> {
    page.value("weir_dhcp_success", &[("server", server)])
}

#[test]
fn a_lease_file_on_a_dead_mount_holds_nothing_up() {
    let directory = Directory::new();
    let near = "0 02:00:00:00:00:01 192.0.2.1 a *\n";
    fs::write(directory.0.join("leases"), near).unwrap();
    let root = directory.0.display();
    let servers = [
        format!("--collector.dhcp.leases=far=dnsmasq:{root}/dead/leases"),
        format!("--collector.dhcp.leases=near=dnsmasq:{root}/leases"),
    ];
    let mut command = vec![WEIR, "--once"];
    command.extend(FLAGS);
    command.extend(servers.iter().map(String::as_str));
    let Some(output) = dead::beside(&directory, "", 15, &command) else {
        return;
    };
    let page = Page::parse(std::str::from_utf8(&output.stdout).unwrap()).unwrap();
    assert_eq!(count(&page), Some(1.0));
    assert_eq!(
        (success(&page, "near"), success(&page, "far")),
        (Some(1.0), None)
    );
}

/// Nobody writes, somebody writes and closes, somebody writes and never closes; and the end does not wait for any of them.
#[test]
fn a_fifo_is_waited_for_by_nobody_but_its_thread() {
    let directory = Directory::new();
    let fifos = ["quiet", "open", "written"].map(|name| directory.0.join(name));
    let made = Command::new("mkfifo").args(&fifos).status().unwrap();
    assert!(made.success());
    let [quiet, open, written] = &fifos;
    let near = directory.0.join("near");
    fs::write(&near, "0 02:00:00:00:00:01 192.0.2.1 a *\n").unwrap();
    let writer = thread::spawn({
        let path = written.clone();
        move || fs::write(path, "0 02:00:00:00:00:02 192.0.2.2 b *\n").unwrap()
    });
    let holder = thread::spawn({
        let path = open.clone();
        move || {
            let mut file = fs::File::options().write(true).open(path).unwrap();
            file.write_all(b"0 02:00:00:00:00:03 192.0.2.3 c *\n")
                .unwrap();
            file
        }
    });
    let mut weir = watching(&[
        ("quiet=dnsmasq", quiet),
        ("open=dnsmasq", open),
        ("written=dnsmasq", written),
        ("near=dnsmasq", &near),
    ]);
    wait_until("what is written and closed", || {
        let page = weir.scrape();
        success(&page, "near") == Some(1.0) && count(&page) == Some(2.0)
    });
    writer.join().unwrap();
    wait_until("the others to be given up", || {
        let page = weir.scrape();
        [quiet, open].map(|path| success(&page, path.file_name().unwrap().to_str().unwrap()))
            == [Some(0.0); 2]
    });
    let held = holder.join().unwrap();
    // Nobody writes into it any more: the last leases stay.
    wait_until("no writer", || {
        success(&weir.scrape(), "written") == Some(0.0)
    });
    assert_eq!(count(&weir.scrape()), Some(2.0));
    let said: Vec<_> = weir.log.try_iter().collect();
    for server in ["quiet", "open", "written"] {
        let server = format!("server={server} ");
        let lines = said.iter().filter(|line| line.contains(&server));
        let lines: Vec<_> = lines
            .filter(|line| line.contains("leases not read"))
            .collect();
        assert!(
            lines
                .iter()
                .all(|line| line.contains(" within 3000 ms, found no")),
            "{said:#?}"
        );
        // One, and another if all of this took more than a minute.
        assert!((1..=3).contains(&lines.len()), "{said:#?}");
    }
    weir.process.signal(rustix::process::Signal::TERM);
    assert_eq!(weir.process.code_within(Duration::from_secs(20)), Some(0));
    drop(held);
}

#[test]
fn json_that_is_half_written_keeps_the_last_leases() {
    let directory = Directory::new();
    let path = directory.0.join("leases.json");
    let lease = |number: u8| {
        format!(
            "{{ \"ip-address\": \"192.0.2.{number}\", \"mac-address\": \"02:00:00:00:00:01\", \"expiry-time\": 0 }}"
        )
    };
    let whole = |leases: u8| {
        let leases: Vec<_> = (1..=leases).map(lease).collect();
        format!("[ {} ]\n", leases.join(",\n"))
    };
    fs::write(&path, whole(3)).unwrap();
    let weir = watching(&[("json", &path)]);
    let told = |page: &Page| (count(page), success(page, "json"));
    wait_until("three leases", || {
        told(&weir.scrape()) == (Some(3.0), Some(1.0))
    });
    // In place, without its end.
    let text = whole(5);
    fs::write(&path, &text[..text.len() / 2]).unwrap();
    wait_until("an error", || {
        told(&weir.scrape()) == (Some(3.0), Some(0.0))
    });
    fs::write(&path, &text).unwrap();
    wait_until("five leases", || {
        told(&weir.scrape()) == (Some(5.0), Some(1.0))
    });
    // By rename, no reader ever sees a part.
    let other = directory.0.join("new");
    for leases in [40, 7].repeat(20) {
        fs::write(&other, whole(leases)).unwrap();
        fs::rename(&other, &path).unwrap();
        let (found, success) = told(&weir.scrape());
        assert_eq!((found, success), (Some(f64::from(leases)), Some(1.0)));
    }
    fs::remove_file(&path).unwrap();
    wait_until("no file", || told(&weir.scrape()) == (Some(7.0), Some(0.0)));
}

#[test]
fn a_file_that_comes_and_goes_is_told_of_once() {
    let directory = Directory::new();
    let path = directory.0.join("leases");
    let text = "0 02:00:00:00:00:01 192.0.2.1 a *\n";
    fs::write(&path, text).unwrap();
    let weir = watching(&[("lan=dnsmasq", &path)]);
    for _ in 0..20 {
        fs::remove_file(&path).unwrap();
        assert_eq!(success(&weir.scrape(), "lan"), Some(0.0));
        fs::write(&path, text).unwrap();
        assert_eq!(success(&weir.scrape(), "lan"), Some(1.0));
    }
    assert_eq!(count(&weir.scrape()), Some(1.0));
    let said: Vec<_> = weir.log.try_iter().collect();
    let lines = |text: &str| said.iter().filter(|line| line.contains(text)).count();
    // Were this machine so slow that more than a minute went by, there would be another pair.
    let (broken, healed) = (lines("leases not read"), lines("leases are read again"));
    assert!((1..=3).contains(&broken) && healed <= broken, "{said:#?}");
}

/// The kernel tells who opens a file, and who reads it.
struct Watch(rustix::fd::OwnedFd);

impl Watch {
    fn new(path: &Path) -> Self {
        let flags = inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC;
        let queue = inotify::init(flags).unwrap();
        let events = inotify::WatchFlags::OPEN | inotify::WatchFlags::ACCESS;
        inotify::add_watch(&queue, path, events).unwrap();
        Self(queue)
    }

    /// How often since the last time.
    fn count(&self) -> usize {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.0, &mut buffer);
        std::iter::from_fn(|| reader.next().ok().map(|_| ())).count()
    }
}

#[test]
fn a_hundred_thousand_leases_are_read_once() {
    let directory = Directory::new();
    let path = directory.0.join("leases");
    let ends = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() + 43_200;
    let mut text = String::new();
    for number in 0_u32..100_000 {
        let [_, a, b, c] = number.to_be_bytes();
        text.push_str(&format!(
            "{ends} 02:00:00:{a:02x}:{b:02x}:{c:02x} 10.{a}.{b}.{c} host-{number} 01:02:00:00:{a:02x}:{b:02x}:{c:02x}\n"
        ));
    }
    fs::write(&path, &text).unwrap();
    let watch = Watch::new(&path);
    let weir = watching(&[("lan=dnsmasq", &path)]);
    wait_until("every lease", || count(&weir.scrape()) == Some(100_000.0));
    assert!(watch.count() > 0, "it was read");
    // Until it is no longer so new that another write could leave the same time behind.
    wait_until("a rest", || {
        watch.count();
        for _ in 0..3 {
            weir.scrape();
        }
        watch.count() == 0
    });
    let ticks = Duration::from_millis(500);
    thread::sleep(ticks);
    for _ in 0..20 {
        assert_eq!(count(&weir.scrape()), Some(100_000.0));
    }
    assert_eq!(
        watch.count(),
        0,
        "neither a scrape nor a tick opens what has not changed"
    );
    let mut file = fs::File::options().append(true).open(&path).unwrap();
    file.write_all(b"0 02:00:00:00:00:01 192.0.2.1 a *\n")
        .unwrap();
    wait_until("one more", || count(&weir.scrape()) == Some(100_001.0));
    assert!(watch.count() > 0);
}
