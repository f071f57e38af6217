//! A temporary procfs and sysfs for the tests of collectors, and one scrape of one collector over it.

use std::cell::RefCell;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::Collector;
use super::Context;
use super::Spec;
use crate::config::Config;
use crate::config::Connections;
use crate::config::SocketsSource;
use crate::exposition;
use crate::files::Files;
use crate::hosts::Hosts;
use crate::leases::Leases;
use crate::links::Links;
use crate::metric::Batch;
use crate::sampler::Sampler;
use crate::sockets::Sockets;

/// A directory with an empty `proc/net` and `sys`, removed when it goes out of scope.
pub(crate) struct Tree {
    root: PathBuf,
    leases: RefCell<Leases>,
}

impl Tree {
    /// `name` keeps tests of one process apart.
    pub(crate) fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("weir-{}-{name}", std::process::id()));
        fs::create_dir_all(root.join("proc/net")).expect("a temporary directory");
        fs::create_dir_all(root.join("sys")).expect("a temporary directory");
        // The samples in the tests are of a little-endian machine with pages of 4 KiB, whatever this one is.
        fs::write(
            root.join("CAPTURE"),
            "byte_order: little\npage_size: 4096\n",
        )
        .expect("a file");
        Self {
            root,
            leases: RefCell::default(),
        }
    }

    /// Writes a file below the root, with its directories; `path` may hold any bytes.
    pub(crate) fn write(&self, path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> &Self {
        let path = self.root.join(std::ffi::OsStr::from_bytes(path.as_ref()));
        let directory = path.parent().expect("a directory");
        fs::create_dir_all(directory).expect("a directory in the tree");
        fs::write(path, content).expect("a file in the tree");
        self
    }

    /// Watches the lease files that a configuration names.
    pub(crate) fn watch(&self, config: &Config) {
        self.leases.replace(Leases::new(config));
    }

    /// A path below the root.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// A collector made from the defaults, changed by `change`.
    pub(crate) fn make(spec: &Spec, change: impl FnOnce(&mut Config)) -> Box<dyn Collector> {
        // As with --once, what a thread reads is waited for.
        let mut config = Config {
            once: true,
            ..Config::default()
        };
        change(&mut config);
        (spec.make)(&config)
    }

    /// One scrape: the samples without HELP and TYPE, or the error with the tree's root cut off.
    pub(crate) fn scrape(
        &self,
        spec: &Spec,
        collector: &mut dyn Collector,
    ) -> Result<String, String> {
        let files = Files::open(&self.root.join("proc"), &self.root.join("sys"))
            .map_err(|error| error.to_string())?;
        let mut batch = Batch::default();
        let mut context = Context {
            files: &files,
            sampler: &Sampler::default(),
            counted: None,
            sockets: &mut Sockets::new(SocketsSource::Proc, Some(&Connections::default())),
            links: &mut Links::default(),
            hosts: &Hosts::default(),
            reverse: None,
            leases: &mut self.leases.borrow_mut(),
            source: None,
            left_out: None,
            verdict: None,
        };
        collector
            .collect(&mut context, &mut batch)
            .map_err(|error| {
                let root = format!("{}/", self.root.display());
                error.to_string().replace(&root, "")
            })?;
        for family in batch.families() {
            let declared = spec.families.iter().any(|desc| desc.name == family.name);
            let prefix = spec
                .patterns
                .iter()
                .filter_map(|desc| desc.name.split('<').next());
            let mut prefix = prefix.filter(|prefix| family.name.starts_with(prefix));
            assert!(
                declared || prefix.next().is_some(),
                "{}: not declared",
                family.name
            );
            // The sentences of the seeds are kept as they are.
            assert!(
                family.name.starts_with("ephemeral_ports_")
                    || family.name == "dhcp_lease_count"
                    || family.help.ends_with('.') && family.help.len() > 20,
                "{}",
                family.help
            );
        }
        let mut text = Vec::new();
        exposition::encode(&batch, &mut text);
        let text = String::from_utf8(text).expect("UTF-8");
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        Ok(samples.map(|line| format!("{line}\n")).collect())
    }

    /// One scrape of a new collector made from the defaults.
    pub(crate) fn once(&self, spec: &Spec) -> Result<String, String> {
        self.scrape(spec, &mut *Self::make(spec, |_| {}))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}
