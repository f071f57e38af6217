//! Two namespaces joined by a veth pair, programs that count in them, and what each side says was counted.

use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;

use crate::client::Client;
use crate::running::Directory;
use crate::running::Namespace;
use crate::running::PATIENCE;
use crate::running::Process;
use crate::running::WEIR;
use crate::running::installed;
use crate::text::Page;

/// Ethernet, IPv4 and ICMP headers, in bytes.
pub(crate) const ICMP_HEADERS: u64 = 14 + 20 + 8;

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

impl Counted {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            packets: self.packets.checked_sub(before.packets).unwrap(),
            bytes: self.bytes.checked_sub(before.bytes).unwrap(),
        }
    }
}

/// What came in and what went out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Both {
    pub(crate) ingress: Counted,
    pub(crate) egress: Counted,
}

impl Both {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            ingress: self.ingress.since(before.ingress),
            egress: self.egress.since(before.egress),
        }
    }

    /// The same as the other end sees it.
    pub(crate) fn mirrored(self) -> Self {
        Self {
            ingress: self.egress,
            egress: self.ingress,
        }
    }
}

/// What this test binary needs to attach anything at all.
pub(crate) fn namespace() -> Result<Namespace, String> {
    if !["ip", "tc", "ping"]
        .iter()
        .all(|program| installed(program))
    {
        return Err("ip, tc or ping is not installed".to_string());
    }
    able()?;
    Namespace::new()
}

/// Whether this process may attach programs, and this kernel has both ways to do it.
pub(crate) fn able() -> Result<(), String> {
    const NET_ADMIN: u32 = 12;
    const SYS_ADMIN: u32 = 21;
    const BPF: u32 = 39;
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = u64::from_str_radix(effective.unwrap().trim(), 16).unwrap();
    let has = |capability: u32| effective >> capability & 1 == 1;
    if !has(NET_ADMIN) || !(has(BPF) || has(SYS_ADMIN)) {
        return Err("without CAP_BPF and CAP_NET_ADMIN nothing can be attached".to_string());
    }
    let name = rustix::system::uname();
    let release = name.release().to_str().unwrap();
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    let mut number = || numbers.next().and_then(|number| number.parse::<u32>().ok());
    if (number(), number()) < (Some(6), Some(6)) {
        return Err(format!("Linux {release} has no TCX, 6.6 has"));
    }
    Ok(())
}

/// near0 with 192.0.2.1 and far0 with 192.0.2.2, which know each other's addresses: nothing goes between them unasked.
pub(crate) fn joined() -> Result<[Namespace; 2], String> {
    let pair = [namespace()?, namespace()?];
    let [near, far] = &pair;
    near.ip(&format!(
        "link add name near0 address 02:00:00:00:00:01 type veth peer name far0 address 02:00:00:00:00:02 netns {}",
        far.name
    ));
    for (namespace, device, own, other) in [(near, "near0", 1, 2), (far, "far0", 2, 1)] {
        namespace.ip(&format!("addr add 192.0.2.{own}/24 dev {device}"));
        namespace.ip(&format!("link set up dev {device}"));
        namespace.ip(&format!(
            "neigh replace 192.0.2.{other} lladdr 02:00:00:00:00:0{other} dev {device} nud permanent"
        ));
    }
    Ok(pair)
}

/// Sends so many echo requests to the far end, each of them answered; gives what went each way.
pub(crate) fn ping(near: &Namespace, count: u64, size: u64) -> Counted {
    let (count_word, size_word) = (count.to_string(), size.to_string());
    near.run(
        "ping",
        [
            "-q",
            "-c",
            &count_word,
            "-i",
            "0.01",
            "-W",
            "5",
            "-s",
            &size_word,
            "192.0.2.2",
        ],
    );
    Counted {
        packets: count,
        bytes: count * (size + ICMP_HEADERS),
    }
}

/// What `ip -s link` says, and that nothing was lost.
pub(crate) fn kernel(namespace: &Namespace, device: &str) -> Both {
    let text = namespace.run("ip", ["-s", "-s", "-j", "link", "show", "dev", device]);
    let links: Value = serde_json::from_slice(&text).unwrap();
    let counted = |direction: &str| {
        let stats = &links[0]["stats64"][direction];
        assert_eq!(stats["dropped"].as_u64(), Some(0), "{device}: {stats}");
        assert_eq!(stats["errors"].as_u64(), Some(0), "{device}: {stats}");
        Counted {
            packets: stats["packets"].as_u64().unwrap(),
            bytes: stats["bytes"].as_u64().unwrap(),
        }
    };
    Both {
        ingress: counted("rx"),
        egress: counted("tx"),
    }
}

/// The index of a device.
pub(crate) fn ifindex(namespace: &Namespace, device: &str) -> u64 {
    let text = namespace.run("ip", ["-j", "link", "show", "dev", device]);
    let links: Value = serde_json::from_slice(&text).unwrap();
    links[0]["ifindex"].as_u64().unwrap()
}

/// A weir that counts in a namespace. It listens on a Unix socket: nothing of what is asked of it goes over a device.
pub(crate) struct Meter {
    pub(crate) process: Process,
    directory: Directory,
}

impl Meter {
    /// Counts all interfaces; `words` are more flags.
    pub(crate) fn start(namespace: &Namespace, words: &[&str]) -> Self {
        let mut arguments = vec![
            "--collector.disable-defaults",
            "--collector.tc.device-include=.",
        ];
        arguments.extend(words);
        Self::launch(&mut namespace.command(WEIR), &arguments)
    }

    /// Starts a prepared command with these flags, and waits until it listens.
    pub(crate) fn launch(command: &mut Command, words: &[&str]) -> Self {
        let directory = Directory::new();
        let socket = directory.0.join("weir.sock");
        let log = File::create(directory.0.join("log")).unwrap();
        let child = command
            .arg("--collector.tc")
            .arg(format!("--web.listen-address=unix:{}", socket.display()))
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let process = Process(child);
        let meter = Self { process, directory };
        meter.wait("it listens", || UnixStream::connect(&socket).is_ok());
        meter
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.0.join("log")).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> io::Result<String> {
        let stream = UnixStream::connect(self.directory.0.join("weir.sock"))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let answer = Client::over(stream).get(path, "Connection: close\r\n")?;
        assert_eq!(answer.status, 200);
        answer.text().map(str::to_string)
    }

    pub(crate) fn scrape(&self) -> Page {
        let text = self.get("/metrics").unwrap();
        Page::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// Asks until it is so.
    pub(crate) fn wait(&self, what: &str, mut is: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !is() {
            let log = self.log();
            assert!(begin.elapsed() < PATIENCE, "waited until {what}:\n{log}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until an interface is counted, and gives its index.
    pub(crate) fn attached(&self, namespace: &Namespace, device: &str) -> u64 {
        let index = ifindex(namespace, device);
        self.wait(&format!("{device} is counted"), || {
            let index = index.to_string();
            let labels = [("interface", device), ("ifindex", &*index)];
            let attached = self.scrape().value("weir_tc_interface_attached", &labels);
            attached == Some(1.0)
        });
        index
    }

    /// What was counted of an interface; `None` where it is not on the page.
    pub(crate) fn counted(&self, device: &str, index: u64) -> Option<Both> {
        let page = self.scrape();
        let of = |direction: &str| {
            Some(Counted {
                packets: value(&page, "netprobe_tc_packets_total", device, index, direction)?
                    as u64,
                bytes: value(&page, "netprobe_tc_bytes_total", device, index, direction)? as u64,
            })
        };
        Some(Both {
            ingress: of("ingress")?,
            egress: of("egress")?,
        })
    }

    /// Ends it as an administrator does, and expects that it succeeds.
    pub(crate) fn stop(mut self) {
        self.process.signal(Signal::TERM);
        let code = self.process.code_within(PATIENCE);
        assert_eq!(code, Some(0), "{}", self.log());
    }

    pub(crate) fn kill(mut self) {
        self.process.signal(Signal::KILL);
        assert_eq!(self.process.code_within(PATIENCE), None);
    }
}

/// A sample of an interface's family in one direction.
pub(crate) fn value(
    page: &Page,
    family: &str,
    device: &str,
    index: u64,
    direction: &str,
) -> Option<f64> {
    let index = index.to_string();
    let labels = [
        ("interface", device),
        ("ifindex", &*index),
        ("direction", direction),
    ];
    page.value(family, &labels)
}

/// Reads until two readings in a row agree, since the last packet may still be on its way.
pub(crate) fn quiet<T: PartialEq>(mut read: impl FnMut() -> T) -> T {
    let mut before = read();
    for _ in 0..100 {
        thread::sleep(Duration::from_millis(20));
        let now = read();
        if now == before {
            return now;
        }
        before = now;
    }
    panic!("it never became quiet");
}
