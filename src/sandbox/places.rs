//! Which directories may be read and written.
//!
//! A rule of landlock is bound to a directory as it is now, while directories come and go: a daemon that is restarted makes
//! its own below /run anew. So what may be read are the directories at the top of the root file system (/etc, /run, /var)
//! in which something is, and the same of what symbolic links lead to. Where it cannot be known today in which directory something
//! will be, everything may be read: weir must not fail because it is careful. Writing is allowed in the one directory only.

use std::ffi::OsStr;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use crate::config::Config;
use crate::config::Listen;
use crate::files::Mounts;
use crate::files::regular;
use crate::leases;
use crate::sys::landlock::Access;

/// What is read of every machine: names, name servers, the time zone.
const ALWAYS: [&str; 4] = [
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/localtime",
    "/etc/TZ",
];

/// Read too, since those are links that may lead there one day: `/run/systemd/resolve`, `/usr/share/zoneinfo`.
const LINKED: [&str; 2] = ["/run", "/usr"];

/// Directories that every system has, and that nobody mounts something over while it runs.
const STANDING: [&str; 7] = ["dev", "etc", "proc", "run", "sys", "usr", "var"];

/// A directory, what may be done below it, and the path because of which it may.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) directory: PathBuf,
    pub(super) access: Access,
    pub(super) path: PathBuf,
}

/// All of them; `/` is among them where everything may be read.
#[derive(Debug, Default)]
pub(super) struct Places(Vec<Place>);

impl Places {
    /// What a configuration reads and writes.
    pub(super) fn of(config: &Config, mounts: &Mounts) -> Self {
        let mut places = Self::default();
        for root in [&config.procfs, &config.sysfs] {
            let root = absolute(root);
            places.reads(&root, &root);
        }
        let root = absolute(&config.rootfs);
        for path in LINKED.into_iter().chain(leases::usual_places()) {
            places.add_if_there(&root, Path::new(path), mounts);
        }
        for path in ALWAYS {
            places.add(&root, Path::new(path), mounts);
        }
        // A rule, or a name below /usr/share/zoneinfo, is no path.
        if let Some(zone) = std::env::var_os("TZ") {
            let zone = zone.as_encoded_bytes();
            let zone = zone.strip_prefix(b":").unwrap_or(zone);
            if zone.starts_with(b"/") {
                let zone = String::from_utf8_lossy(zone);
                places.add(&root, Path::new(&*zone), mounts);
            }
        }
        places.add_configured(config, &root, mounts);
        places.add_written(config, &root, mounts);
        places
    }

    /// And files of this machine that are read again.
    pub(super) fn with(mut self, files: &[PathBuf], mounts: &Mounts) -> Self {
        for file in files {
            self.add(Path::new("/"), &absolute(file), mounts);
        }
        self
    }

    fn add_configured(&mut self, config: &Config, root: &Path, mounts: &Mounts) {
        if let Some(file) = &config.file {
            self.add(Path::new("/"), &absolute(file), mounts);
        }
        for directory in &config.textfile_directories {
            let directory = absolute(directory);
            self.add(Path::new("/"), &directory.join("*.prom"), mounts);
        }
        for server in &config.dhcp.servers {
            for path in server.leases.iter().chain(&server.settings) {
                self.add(root, path, mounts);
            }
        }
        for source in &config.sources {
            self.add(root, &source.file.path, mounts);
        }
    }

    fn add_written(&mut self, config: &Config, root: &Path, mounts: &Mounts) {
        if let Some(output) = &config.textfile_output {
            let output = absolute(output);
            let found = mounts.resolve(Path::new("/"), &output);
            self.writes(found.unwrap_or(output), Access::REPLACE);
        }
        for listen in &config.listen {
            if let Listen::Unix(path) = listen
                && let Some(directory) = absolute(path).parent()
            {
                self.writes(directory.to_path_buf(), Access::REMOVE);
            }
        }
        for database in config.databases() {
            if let Some(file) = mounts.resolve(root, database)
                && let Some(directory) = file.parent()
            {
                // Its journal and its shared memory.
                self.writes(directory.to_path_buf(), Access::REPLACE);
            }
        }
    }

    /// A path or pattern below a root is read.
    fn add(&mut self, root: &Path, path: &Path, mounts: &Mounts) {
        let parent = path.parent().unwrap_or(path);
        let known = fixed(path);
        if known == path {
            self.add_one(root, path, mounts);
        } else if known != parent && !["proc", "sys"].iter().any(|name| first(path) == *name) {
            // Each of the directories may be a link.
            self.reads_all(path);
        } else {
            self.add_one(root, &known, mounts);
            let Some(directory) = mounts.resolve(root, parent).filter(|_| known == parent) else {
                return;
            };
            let pattern = directory.join(path.file_name().unwrap_or_default());
            for file in regular::matching(&pattern).0 {
                // A pattern that nothing fits stands for itself.
                if let Some(name) = file.file_name().filter(|_| file != pattern) {
                    self.add_one(root, &parent.join(name), mounts);
                }
            }
        }
    }

    fn add_one(&mut self, root: &Path, path: &Path, mounts: &Mounts) {
        let Some(found) = mounts.resolve(root, path) else {
            // On another machine, which is not asked where it is.
            self.reads_all(path);
            return;
        };
        let written = first(path);
        let stands = STANDING.iter().any(|name| written == OsStr::new(name));
        if !stands && !found.exists() {
            // Something may be mounted there.
            self.reads_all(path);
            return;
        }
        for top in [root.join(written), root.join(first(below(root, &found)))] {
            if top == root || top.exists() && !top.is_dir() {
                self.reads_all(path);
            } else {
                self.reads(&top, path);
            }
        }
    }

    /// The same for what need not be there: the directory at the top is allowed, wherever else it may lead one day.
    fn add_if_there(&mut self, root: &Path, path: &Path, mounts: &Mounts) {
        match mounts.resolve(root, &fixed(path)) {
            None => self.reads_all(path),
            Some(found) if found.exists() => self.add(root, path, mounts),
            Some(_) => self.reads(&root.join(first(path)), path),
        }
    }

    fn reads(&mut self, directory: &Path, path: &Path) {
        let mut known = self.0.iter();
        if !known.any(|known| known.access == Access::READ && known.directory == directory) {
            self.0.push(Place {
                directory: directory.to_path_buf(),
                access: Access::READ,
                path: path.to_path_buf(),
            });
        }
    }

    fn reads_all(&mut self, path: &Path) {
        self.reads(Path::new("/"), path);
    }

    fn writes(&mut self, mut directory: PathBuf, access: Access) {
        let path = directory.clone();
        // What is made later is made below what is there.
        while !directory.exists() && directory.pop() {}
        self.0.push(Place {
            directory,
            access,
            path,
        });
    }

    /// What is allowed.
    pub(super) fn all(&self) -> &[Place] {
        &self.0
    }

    /// A place that others have and that is in none of these.
    pub(super) fn lacks<'o>(&self, others: &'o Self) -> Option<&'o Place> {
        others.0.iter().find(|wanted| {
            let mut known = self.0.iter();
            !known.any(|known| {
                known.access == wanted.access && wanted.directory.starts_with(&known.directory)
            })
        })
    }
}

/// A relative path is one below the directory in which weir was started.
fn absolute(path: &Path) -> PathBuf {
    match std::env::current_dir() {
        // An absolute path takes its place.
        Ok(directory) => directory.join(path),
        Err(_) => path.to_path_buf(),
    }
}

/// The path up to its first part with a `*` or `?`.
fn fixed(path: &Path) -> PathBuf {
    let wild = |part: &Component<'_>| {
        let bytes = part.as_os_str().as_encoded_bytes();
        bytes.iter().any(|byte| matches!(byte, b'*' | b'?'))
    };
    path.components().take_while(|part| !wild(part)).collect()
}

fn below<'p>(root: &Path, path: &'p Path) -> &'p Path {
    path.strip_prefix(root).unwrap_or(path)
}

/// The first name in a path; empty where there is none.
fn first(path: &Path) -> &OsStr {
    let mut parts = path.components();
    let name = parts.find_map(|part| match part {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    name.unwrap_or_default()
}

#[cfg(test)]
mod tests;
