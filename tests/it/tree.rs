//! What the tests of fixtures share: where they are, how one is measured, and copies that a test may spoil.

use std::cell::RefCell;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Once;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use weir::collectors::ALL;
use weir::config::Config;
use weir::config::Hostnames;
use weir::config::SocketsSource;
use weir::config::dhcp::Format;
use weir::config::dhcp::Server;
use weir::config::sections::SECTIONS;
use weir::config::sources::Source;
use weir::config::yaml;
use weir::exposition;
use weir::files::Files;
use weir::metric::Batch;
use weir::sampler::Sampler;
use weir::scrape::Engine;
use weir::scrape::Families;

/// What no fixture decides: durations, this process's own figures and the clock.
const NOT_FROM_FILES: [&str; 11] = [
    "node_scrape_collector_duration_seconds",
    "weir_collector_duration_seconds",
    "process_",
    "node_textfile_mtime_seconds",
    "node_time_seconds",
    "node_time_zone_offset_seconds",
    "weir_dhcp_file_mtime_seconds",
    // Counted since the process began: it tells how often a test has changed the file.
    "weir_dhcp_leases_issued_total",
    "weir_configured_source_age_seconds",
    "weir_configured_source_mtime_seconds",
    "weir_build_info",
];

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The directories below `fixtures/FOLDER`, sorted.
pub(crate) fn directories(folder: &str) -> Vec<PathBuf> {
    let mut found = entries(&fixtures().join(folder));
    found.retain(|path| path.is_dir());
    assert!(!found.is_empty(), "fixtures/{folder} is empty");
    found
}

/// What stands in a directory, sorted by the bytes of the names.
pub(crate) fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    found.sort();
    found
}

/// Every file below a directory, sorted, relative to it.
pub(crate) fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(folder) = open.pop() {
        for path in entries(&folder) {
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(directory).unwrap().to_path_buf());
            }
        }
    }
    found.sort();
    found
}

pub(crate) fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(OsStr::to_str)
        .expect("a name in UTF-8")
}

/// The engine over one tree, with every collector there is.
pub(crate) struct Host {
    root: String,
    engine: Engine,
    sampler: Sampler,
}

impl Host {
    pub(crate) fn open(root: &Path) -> Self {
        Self::with(root, |_| {})
    }

    /// As with `--companion`.
    pub(crate) fn companion(root: &Path) -> Self {
        Self::with(root, |config| config.companion = true)
    }

    /// The same with a configuration changed by `change`.
    pub(crate) fn with(root: &Path, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            procfs: root.join("proc"),
            sysfs: root.join("sys"),
            collectors: ALL.iter().map(|spec| spec.name).collect(),
            sockets_source: SocketsSource::Auto,
            // What a thread reads is waited for.
            once: true,
            textfile_directories: Some(root.join("textfile"))
                .into_iter()
                .filter(|directory| directory.is_dir())
                .collect(),
            ..Config::default()
        };
        config.dhcp.servers = dhcp_servers(&root.join("leases"));
        config.sources = configured_sources(root);
        let mut files = Files::open(&config.procfs, &config.sysfs)
            .unwrap_or_else(|error| panic!("{}: {error}", root.display()));
        // A tree with a root of its own has names of hosts.
        let rootfs = root.join("root");
        if rootfs.is_dir() {
            files = files.with_rootfs(&rootfs);
            config.connections.hostnames = Hostnames::Hosts;
        }
        change(&mut config);
        Self {
            root: format!("{}/", root.display()),
            engine: Engine::new(&config, files),
            sampler: Sampler::default(),
        }
    }

    /// Runs the named collectors; all for an empty list.
    pub(crate) fn scrape(&mut self, wanted: &[&str]) -> &Batch {
        let wanted: Vec<_> = wanted.iter().map(ToString::to_string).collect();
        let (batch, _) = self
            .engine
            .scrape(&wanted, &[], &self.sampler)
            .expect("names of collectors");
        batch
    }

    /// The page of the named collectors, but for what no fixture decides.
    pub(crate) fn page(&mut self, wanted: &[&str]) -> String {
        decided(self.scrape(wanted))
    }

    /// The page of all collectors with these families.
    pub(crate) fn page_for(&mut self, families: Families) -> String {
        let scraped = self.engine.scrape_for(families, &[], &[], &self.sampler);
        decided(scraped.expect("no names").0)
    }

    /// The collectors that run.
    pub(crate) fn collectors(&self) -> Vec<&'static str> {
        self.engine.outcomes().map(|(spec, _)| spec.name).collect()
    }

    /// Why collectors failed when they last ran, with paths as seen from the tree's root.
    pub(crate) fn errors(&self) -> Vec<(&'static str, String)> {
        let failed = self.engine.outcomes().filter_map(|(spec, outcome)| {
            let error = outcome?.error.as_ref()?;
            Some((spec.name, error.replace(&self.root, "")))
        });
        let leases = self.engine.leases().complaints();
        let bad = leases.map(|(_, text)| ("dhcp", text.replace(&self.root, "")));
        failed.chain(bad).collect()
    }

    /// Errors and page as one text: what stands in an expected file.
    pub(crate) fn report(&mut self, wanted: &[&str]) -> String {
        Refused::clear();
        let page = self.page(wanted);
        let refused = Refused::clear().replace(&self.root, "");
        let errors = self.errors();
        let told = errors
            .iter()
            .filter(|(name, _)| wanted.is_empty() || wanted.contains(name));
        told.map(|(name, error)| format!("error: {name}: {error}\n"))
            .chain([refused, page])
            .collect()
    }
}

/// What textfile logs of files that it refuses: that stands nowhere else. Each thread sees its own.
struct Refused;

thread_local! {
    static REFUSED: RefCell<String> = const { RefCell::new(String::new()) };
}

impl Refused {
    /// Listens, gives what was logged since, and forgets it.
    fn clear() -> String {
        static LISTENS: Once = Once::new();
        LISTENS.call_once(|| {
            log::set_logger(&Refused).expect("no other logger in these tests");
            log::set_max_level(log::LevelFilter::Error);
        });
        REFUSED.take()
    }
}

impl log::Log for Refused {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.args().as_str() == Some("text file refused") {
            let why = record.key_values().get("err".into());
            let why = why.map_or_else(String::new, |why| why.to_string());
            REFUSED.with_borrow_mut(|refused| refused.push_str(&format!("refused: {why}\n")));
        }
    }

    fn flush(&self) {}
}

/// The lease files that a tree may have in its folder `leases`, what wrote them, and its settings.
const LEASE_FILES: [(&str, Format, &str); 9] = [
    ("dnsmasq.leases", Format::Dnsmasq, "dnsmasq.conf"),
    ("odhcpd.leases", Format::Odhcpd, ""),
    ("kea-leases4.csv", Format::Kea, "kea-dhcp4.conf"),
    ("kea-leases6.csv", Format::Kea, "kea-dhcp6.conf"),
    ("dhcpd.leases", Format::Isc, "dhcpd.conf"),
    ("dhcpd6.leases", Format::Isc, "dhcpd6.conf"),
    ("udhcpd.leases", Format::Udhcpd, "udhcpd.conf"),
    ("networkd.json", Format::Networkd, ""),
    ("leases.json", Format::Json, ""),
];

fn dhcp_servers(folder: &Path) -> Vec<Server> {
    let found = LEASE_FILES
        .into_iter()
        .filter(|(file, _, _)| folder.join(file).exists());
    let servers = found.map(|(file, format, settings)| Server {
        name: file.split('.').next().unwrap_or_default().to_string(),
        format: Some(format),
        leases: vec![folder.join(file)],
        settings: Some(settings)
            .filter(|settings| !settings.is_empty())
            .map(|settings| folder.join(settings))
            .into_iter()
            .collect(),
        ..Server::default()
    });
    servers.collect()
}

/// What the section in `sources/weir.yml` of a tree says, with files below the tree's root.
fn configured_sources(root: &Path) -> Vec<Source> {
    let Ok(text) = fs::read(root.join("sources/weir.yml")) else {
        return Vec::new();
    };
    let document = yaml::read(&text).expect("YAML");
    let section = SECTIONS.iter().find(|section| section.key == "sources");
    let (mut config, mut wrong) = (Config::default(), Vec::new());
    (section.expect("a section").read)(&document, &mut config, &mut wrong);
    assert!(wrong.is_empty(), "{wrong:?}");
    for source in &mut config.sources {
        let path = &mut source.file.path;
        *path = root.join(path.strip_prefix("/").unwrap());
    }
    config.sources
}

/// The page, but for what no fixture decides.
fn decided(batch: &Batch) -> String {
    let mut out = Vec::new();
    exposition::encode(batch, &mut out);
    let page = String::from_utf8(out).expect("the text format is UTF-8");
    let kept = |line: &&str| {
        let family = line
            .strip_prefix("# HELP ")
            .or_else(|| line.strip_prefix("# TYPE "));
        let family = family.unwrap_or(line);
        !NOT_FROM_FILES
            .iter()
            .any(|prefix| family.starts_with(prefix))
    };
    page.lines()
        .filter(kept)
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Whether every line is a series and a number, and no series stands twice: Prometheus refuses the whole page otherwise.
pub(crate) fn well_formed(page: &str) -> Result<(), String> {
    let mut seen = HashSet::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let split = line.rsplit_once(' ');
        let Some((series, _)) = split.filter(|(_, value)| value.parse::<f64>().is_ok()) else {
            return Err(format!("no sample: {line:?}"));
        };
        if !seen.insert(series) {
            return Err(format!("twice: {series}"));
        }
    }
    Ok(())
}

/// A copy of a tree, deleted when it goes out of scope.
pub(crate) struct Copy {
    pub(crate) root: PathBuf,
}

impl Copy {
    /// An empty directory.
    pub(crate) fn of_nothing() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("weir-tree-{}-{count}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        Self { root }
    }

    pub(crate) fn of(tree: &Path) -> Self {
        let copy = Self::of_nothing();
        for path in files_below(tree) {
            copy.write(&path, &fs::read(tree.join(&path)).unwrap());
        }
        copy
    }

    /// Written over in place: ext4 sends a file to the disk that was truncated to nothing before it was written.
    pub(crate) fn write(&self, path: &Path, bytes: &[u8]) {
        let path = self.root.join(path);
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(false);
        let mut file = options
            .open(&path)
            .or_else(|_| {
                fs::create_dir_all(path.parent().unwrap())?;
                options.open(&path)
            })
            .unwrap();
        file.write_all(bytes).unwrap();
        file.set_len(bytes.len() as u64).unwrap();
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// Compares with what stands in the file, or writes it when `WEIR_BLESS=1`. Says the first line that differs.
pub(crate) fn golden(path: &Path, found: &str) -> Result<(), String> {
    if std::env::var_os("WEIR_BLESS").is_some_and(|value| value == "1") {
        fs::write(path, found).unwrap();
        return Ok(());
    }
    let shown = path.strip_prefix(fixtures()).unwrap_or(path).display();
    let expected =
        fs::read(path).map_err(|error| format!("{shown}: {error}; `make bless` writes it"))?;
    if expected == found.as_bytes() {
        return Ok(());
    }
    let expected = String::from_utf8_lossy(&expected);
    let (mut old, mut new) = (expected.lines(), found.lines());
    for number in 1.. {
        match (old.next(), new.next()) {
            (None, None) => break,
            (old, new) if old == new => {}
            (old, new) => {
                let show = |line: Option<&str>| line.unwrap_or("the end").to_string();
                return Err(format!(
                    "{shown}:{number}: expected {}\n    found {}",
                    show(old),
                    show(new)
                ));
            }
        }
    }
    Err(format!("{shown}: differs in its line ends only"))
}
