//! The network namespaces of the machine (`--netns`): which there are, what each is called, and the way into each.
//!
//! A namespace is known by a process that is in it, by a name below /run/netns (`ip netns`), or by another mount of it (a
//! container runtime's). What may be seen of it depends on privilege:
//! - anybody sees the tables of a namespace that has a process, below /proc/PID/net;
//! - with CAP_SYS_ADMIN a thread enters it (setns(2)) and sees everything, and also namespaces without a process. The link
//!   of a process that belongs to somebody else can only be opened with CAP_SYS_PTRACE.
//!
//! Labels must not change while nothing else does, and tell people where to look:
//! - the name below /run/netns, of several the first that was asked for, or else the first;
//! - `init` for the namespace of process 1, whose inode differs from boot to boot, and `own` for weir's where it is another
//!   without a name;
//! - else the inode, as lsns(8) shows it;
//! - without the right to see that, `proc/` and the inode of the namespace's `net/dev`, which anybody sees:
//!   `stat -c %i /proc/PID/net/dev`. A name can have no `/`, so that it is never mistaken for one.

mod enter;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::thread::CapabilitySet;

use crate::config::Netns;
use crate::files::FileError;
use crate::files::FileId;
use crate::files::Files;
use crate::files::Whose;
use crate::parse::mountinfo;
use crate::parse::mountinfo::unescape;
use crate::parse::ns_net;

pub use self::enter::EnterError;
pub use self::enter::Traveller;

/// The namespace of process 1.
const INIT: &str = "init";
/// The process's own, where it is not that one.
const OWN: &str = "own";

/// A network namespace, as it is known now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// What it is called.
    pub label: String,
    /// The inode of the namespace, where it may be seen.
    pub inode: Option<u64>,
    /// The way into it; opening it may need privilege.
    pub entrance: Option<PathBuf>,
    /// A process that is in it, and what its `net/dev` is.
    pub process: Option<(u32, FileId)>,
}

impl Namespace {
    /// What tells it from every other one of this machine, also from one that has its name later.
    #[must_use]
    pub fn identity(&self) -> (String, Option<u64>) {
        (self.label.clone(), self.inode)
    }
}

/// What there is.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The label of the namespace that the process itself, or the tree that it reads, is of.
    pub own: String,
    /// The others in the order of their labels: names, then numbers.
    pub others: Vec<Namespace>,
    /// How many more there are than the limit lets through.
    pub left_out: usize,
    /// Names that were asked for and are not there.
    pub missing: Vec<String>,
    /// Why a place could not be looked at, in words.
    pub error: Option<String>,
}

/// Whether this process may enter namespaces.
#[must_use]
pub fn may_enter(files: &Files) -> bool {
    files.live()
        && rustix::thread::capabilities(None)
            .is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN))
}

/// The processes of the last scrape and their namespaces. To look at one costs the kernel a dozen objects of its file system,
/// so that those which were there before are not all looked at again.
#[derive(Debug, Default)]
pub struct Seen {
    /// By number, in ascending order.
    processes: Vec<(u32, FileId)>,
    round: u32,
}

impl Seen {
    /// In how many scrapes each process is looked at once, should it have gone to another namespace meanwhile. Processes that
    /// are new, and the one by which a namespace is measured, are looked at in every scrape.
    const ROUNDS: u32 = 16;

    /// What was seen of a process, unless it is its turn to be looked at. To be asked in ascending order.
    fn known(&self, process: u32, at: &mut usize) -> Option<FileId> {
        let rest = self.processes.get(*at..)?;
        *at += rest.partition_point(|(number, _)| *number < process);
        let (number, id) = self.processes.get(*at)?;
        let due = process % Self::ROUNDS == self.round % Self::ROUNDS;
        (*number == process && !due).then_some(*id)
    }
}

/// Looks for namespaces, own included, and keeps at most `limit` others.
#[must_use]
pub fn discover(files: &Files, wanted: &Netns, limit: usize, known: &mut Seen) -> Found {
    let mut search = Search::default();
    let mut names = BTreeSet::new();
    search.add_own(files);
    match files.named_namespaces() {
        Ok(named) => {
            for (name, inode, path) in named {
                names.insert(name.clone());
                search.add_name(name, inode, path);
            }
        }
        Err(error) => search.failed(&error),
    }
    // Names that can be entered need no process, and looking at every process is what costs most.
    let suffice =
        matches!(wanted, Netns::Named(list) if list.iter().all(|name| names.contains(name)));
    if !(suffice && may_enter(files)) {
        search.add_processes(files, known);
        search.add_mounts(files);
    }
    search.finish(wanted, limit)
}

/// Another process in the namespace of one that has ended since it was found.
#[must_use]
pub fn another_process(files: &Files, id: FileId) -> Option<u32> {
    let processes = files.processes().ok()?;
    let same = |process: &u32| files.net_id(Whose::Process(*process)) == Some(id);
    processes.into_iter().find(same)
}

/// One namespace while it is being put together.
#[derive(Debug, Default)]
struct Candidate {
    own: bool,
    init: bool,
    names: Vec<String>,
    inode: Option<u64>,
    id: Option<FileId>,
    process: Option<u32>,
    entrance: Option<PathBuf>,
}

#[derive(Debug, Default)]
struct Search {
    candidates: Vec<Candidate>,
    by_inode: BTreeMap<u64, usize>,
    by_id: BTreeMap<FileId, usize>,
    error: Option<String>,
}

impl Search {
    fn failed(&mut self, error: &FileError) {
        self.error.get_or_insert_with(|| error.to_string());
    }

    /// The candidate that has one of these marks, which then has both.
    fn candidate(&mut self, inode: Option<u64>, id: Option<FileId>) -> Option<&mut Candidate> {
        let known = inode.and_then(|inode| self.by_inode.get(&inode));
        let known = known.or_else(|| id.and_then(|id| self.by_id.get(&id)));
        let at = known.copied().unwrap_or(self.candidates.len());
        if at == self.candidates.len() {
            self.candidates.push(Candidate::default());
        }
        if let Some(inode) = inode {
            self.by_inode.insert(inode, at);
        }
        if let Some(id) = id {
            self.by_id.insert(id, at);
        }
        let candidate = self.candidates.get_mut(at)?;
        candidate.inode = candidate.inode.or(inode);
        candidate.id = candidate.id.or(id);
        Some(candidate)
    }

    fn add_own(&mut self, files: &Files) {
        let (inode, id) = (files.net_inode(Whose::Own), files.net_id(Whose::Own));
        if let Some(own) = self.candidate(inode, id) {
            own.own = true;
        }
        let first = files.net_id(Whose::Process(1));
        let first = first.and_then(|first| self.by_id.get(&first));
        if let Some(own) = first.and_then(|at| self.candidates.get_mut(*at)) {
            own.init = true;
        }
    }

    fn add_name(&mut self, name: String, inode: u64, path: PathBuf) {
        if let Some(candidate) = self.candidate(Some(inode), None) {
            candidate.names.push(name);
            candidate.entrance.get_or_insert(path);
        }
    }

    /// One process for each namespace that any is in: the lowest, so that it is the same one next time.
    fn add_processes(&mut self, files: &Files, known: &mut Seen) {
        let processes = match files.processes() {
            Ok(processes) => processes,
            Err(error) => return self.failed(&error),
        };
        let mut namespaces = BTreeSet::new();
        let mut now = Vec::with_capacity(processes.len());
        let mut at = 0;
        known.round = known.round.wrapping_add(1);
        for process in processes {
            let whose = Whose::Process(process);
            let follows = known.known(process, &mut at);
            let follows = follows.filter(|id| namespaces.contains(id));
            // It may have ended since.
            let Some(id) = follows.or_else(|| files.net_id(whose)) else {
                continue;
            };
            now.push((process, id));
            if !namespaces.insert(id) {
                continue;
            }
            let inode = files.net_inode(whose);
            if let Some(candidate) = self.candidate(inode, Some(id)) {
                candidate.init |= process == 1;
                candidate.process.get_or_insert(process);
                if candidate.entrance.is_none() {
                    candidate.entrance = files.net_link(whose);
                }
            }
        }
        known.processes = now;
    }

    /// Namespaces that are mounted elsewhere than below /run/netns.
    fn add_mounts(&mut self, files: &Files) {
        // Where a path of another tree leads is not for this process to say.
        if !files.live() {
            return;
        }
        let read = files.proc("self/mountinfo", |bytes| {
            let mut found = Vec::new();
            for mount in mountinfo::mounts(bytes)? {
                let mount = mount?;
                let inode = ns_net::parse(mount.root).ok();
                if let Some(inode) = inode.filter(|_| mount.kind == b"nsfs") {
                    let point = unescape(mount.point).into_owned();
                    found.push((inode, PathBuf::from(OsStr::from_bytes(&point))));
                }
            }
            Ok(found)
        });
        match read {
            Ok(found) => {
                for (inode, point) in found.into_iter().flatten() {
                    if let Some(candidate) = self.candidate(Some(inode), None) {
                        candidate.entrance.get_or_insert(point);
                    }
                }
            }
            Err(error) => self.failed(&error),
        }
    }

    fn finish(self, wanted: &Netns, limit: usize) -> Found {
        let asked: &[String] = match wanted {
            Netns::Named(list) => list,
            Netns::Own | Netns::All => &[],
        };
        let labels = labels(&self.candidates, asked);
        let mut found = Found {
            error: self.error,
            ..Found::default()
        };
        let mut others = Vec::new();
        let mut missing: BTreeSet<&String> = asked.iter().collect();
        for (candidate, label) in self.candidates.into_iter().zip(labels) {
            let inode = candidate.inode.map(|inode| inode.to_string());
            let known_as = candidate.names.iter().chain([&label]).chain(&inode);
            let mut is_wanted = *wanted == Netns::All;
            for name in known_as {
                is_wanted |= missing.remove(name);
            }
            if candidate.own {
                found.own = label;
            } else if is_wanted {
                others.push((candidate.names.is_empty(), candidate.into_namespace(label)));
            }
        }
        others.sort_unstable_by(|one, other| {
            let key = |(nameless, namespace): &(bool, Namespace)| (*nameless, namespace.identity());
            key(one).cmp(&key(other))
        });
        found.left_out = others.len().saturating_sub(limit);
        others.truncate(limit);
        found.others = others.into_iter().map(|(_, namespace)| namespace).collect();
        found.missing = missing.into_iter().cloned().collect();
        found
    }
}

impl Candidate {
    fn into_namespace(self, label: String) -> Namespace {
        Namespace {
            label,
            inode: self.inode,
            entrance: self.entrance,
            process: self.process.zip(self.id),
        }
    }

    /// The name that it goes by, of those that people gave it.
    fn name(&self, asked: &[String]) -> Option<&String> {
        let first = self.names.iter().find(|name| asked.contains(name));
        first.or_else(|| self.names.iter().min())
    }
}

/// A label for each candidate, no two alike: a page with a series twice is refused as a whole.
fn labels(candidates: &[Candidate], asked: &[String]) -> Vec<String> {
    let names: Vec<_> = candidates
        .iter()
        .map(|candidate| candidate.name(asked))
        .collect();
    let free = |word: &str| !names.iter().flatten().any(|name| *name == word);
    let label = |(candidate, name): (&Candidate, &Option<&String>)| {
        if let Some(name) = name {
            return (*name).clone();
        }
        if candidate.init && free(INIT) {
            return INIT.to_string();
        }
        if candidate.own && free(OWN) {
            return OWN.to_string();
        }
        match (candidate.inode, candidate.id) {
            (Some(inode), _) if free(&inode.to_string()) => inode.to_string(),
            (Some(inode), _) => format!("net/{inode}"),
            (None, Some(id)) => format!("proc/{}", id.inode()),
            // Only the own one of a tree without net/dev.
            (None, None) => format!("proc/{OWN}"),
        }
    };
    candidates.iter().zip(&names).map(label).collect()
}
