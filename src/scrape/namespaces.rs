//! The collectors of PER_NAMESPACE in other network namespaces than the own one (`--netns`).
//!
//! Each namespace has collectors and sockets of its own, kept from scrape to scrape, so that what a collector remembers is of one
//! namespace. With CAP_SYS_ADMIN a helper thread goes into one after the other and runs them there, while the loop waits:
//! whatever a collector asks, it asks inside, and no collector knows where it is. Without, the tables of a process in the
//! namespace are read, which needs no thread.
//!
//! A namespace that goes away while it is measured costs its own samples: the batch is cut back to where they began. Nothing of
//! a namespace is open between two scrapes, since that would keep it alive.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::thread;

use crate::collectors::Context;
use crate::collectors::Spec;
use crate::config::Config;
use crate::config::Netns;
use crate::dns::reverse::ReverseNames;
use crate::files::FileId;
use crate::files::Files;
use crate::files::Whose;
use crate::hosts::Hosts;
use crate::leases::Leases;
use crate::links::Links;
use crate::log::panic_message;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::metric::NO_LABELS;
use crate::netns;
use crate::netns::EnterError;
use crate::netns::Found;
use crate::netns::Namespace;
use crate::netns::Seen;
use crate::netns::Traveller;
use crate::sampler::Sampler;
use crate::sockets::Sockets;

use super::active::Active;
use super::shared::Shared;

/// The label of per-namespace families.
pub(super) const LABEL: &str = "netns";

pub(super) static SUCCESS: Desc = Desc::gauge(
    "weir_netns_success",
    &[LABEL],
    "With --netns: whether the network namespace could be measured in this scrape (1) or not, or not in full (0); the log says why.",
);
pub(super) static SOURCE: Desc = Desc::gauge(
    "weir_netns_source_info",
    &[LABEL, "source"],
    "With --netns: how the network namespace was measured: own, setns (entered) or proc (only the tables of a process). Always 1.",
);
pub(super) static LEFT_OUT: Desc = Desc::gauge(
    "weir_netns_left_out",
    &[],
    "With --netns: how many network namespaces --limit.netns left out of this scrape.",
);
pub(super) static DISCOVERY_SUCCESS: Desc = Desc::gauge(
    "weir_netns_discovery_success",
    &[],
    "With --netns: whether all places where network namespaces are found could be looked at (1) or not (0); the log says why.",
);

/// Why nobody enters, where nobody may; the tables of a namespace without a process stand nowhere else.
const NO_WAY: &str = "no process is known to be in it, and entering it needs CAP_SYS_ADMIN and the running kernel's /proc";

/// The other namespaces and what is kept of them.
pub(super) struct Namespaces {
    wanted: Netns,
    limit: usize,
    seen: Seen,
    kept: BTreeMap<(String, Option<u64>), Kept>,
    links: Links,
    /// Why a namespace, by its label, could not be measured in the last scrape.
    failed: BTreeMap<String, String>,
    discovery_failed: Option<String>,
}

/// What measures one namespace.
struct Kept {
    /// By name, made when first asked for.
    collectors: BTreeMap<&'static str, Active>,
    sockets: Sockets,
}

/// What is as it was when the scrape began.
pub(super) struct Begun<'a> {
    pub(super) config: &'a Config,
    /// What the own namespace's collectors share: the others share its roots, its choice of a source of sockets, the file of hosts,
    /// which is the same everywhere, and who asks for names, whose servers are of the own namespace.
    pub(super) own: &'a Shared,
}

/// How much the limits of a collector left out in the other namespaces together.
pub(super) type LeftOut = Vec<(&'static Spec, usize)>;

/// How a namespace was measured, or why not.
enum Measured {
    Well(&'static str),
    /// In part or not at all.
    Badly(Option<&'static str>, String),
    /// It went away, which is nobody's fault.
    Gone,
    /// It was, under its name.
    Already,
}

impl Namespaces {
    /// `None` where only the own one is wanted.
    pub(super) fn wanted(config: &Config) -> Option<Self> {
        (config.netns != Netns::Own).then(|| Self {
            wanted: config.netns.clone(),
            limit: config.limit_netns,
            seen: Seen::default(),
            kept: BTreeMap::new(),
            links: Links::default(),
            failed: BTreeMap::new(),
            discovery_failed: None,
        })
    }

    /// The namespaces as they are now.
    pub(super) fn discover(&mut self, files: &Files) -> Found {
        netns::discover(files, &self.wanted, self.limit, &mut self.seen)
    }

    /// Measures the others with the collectors of these specs, and says how each fared; `own_is_well` says how the own one did.
    pub(super) fn measure(
        &mut self,
        begun: &Begun<'_>,
        found: &Found,
        specs: &[&'static Spec],
        own_is_well: bool,
        batch: &mut Batch,
    ) -> LeftOut {
        let others: Vec<_> = found.others.iter().map(Namespace::identity).collect();
        self.kept.retain(|identity, _| others.contains(identity));
        for identity in others {
            self.kept.entry(identity).or_insert_with(|| Kept {
                collectors: BTreeMap::new(),
                sockets: begun.own.sockets.of_another_namespace(begun.config.peers()),
            });
        }
        let mut visit = Visit {
            config: begun.config,
            files: begun.own.files.again(),
            specs,
            kept: &mut self.kept,
            links: &mut self.links,
            hosts: &begun.own.hosts,
            reverse: begun.own.reverse.as_ref(),
            batch,
            left_out: Vec::new(),
            entered: BTreeSet::new(),
        };
        let others = &found.others;
        let measured = if others.is_empty() {
            Vec::new()
        } else if netns::may_enter(&begun.own.files) {
            visit.in_a_helper(others)
        } else {
            visit.all(others, Err(NO_WAY))
        };
        let mut left_out: LeftOut = Vec::new();
        for (spec, count) in visit.left_out {
            match left_out
                .iter_mut()
                .find(|(known, _)| std::ptr::eq(*known, spec))
            {
                Some((_, sum)) => *sum += count,
                None => left_out.push((spec, count)),
            }
        }
        self.tell(found, measured, own_is_well, batch);
        left_out
    }

    /// Writes how each namespace fared, and logs what has changed.
    fn tell(
        &mut self,
        found: &Found,
        measured: Vec<Measured>,
        own_is_well: bool,
        batch: &mut Batch,
    ) {
        let mut write = |label: &str, well: bool, source: Option<&str>| {
            let labels = batch.labels(&[(LABEL, label)]);
            batch.push(&SUCCESS, labels, f64::from(u8::from(well)));
            if let Some(source) = source {
                let labels = batch.labels(&[(LABEL, label), ("source", source)]);
                batch.push(&SOURCE, labels, 1.0);
            }
        };
        let mut failed = BTreeMap::new();
        write(&found.own, own_is_well, Some("own"));
        for (namespace, measured) in found.others.iter().zip(measured) {
            let label = &namespace.label;
            match measured {
                Measured::Well(source) => write(label, true, Some(source)),
                Measured::Badly(source, error) => {
                    write(label, false, source);
                    failed.insert(label.clone(), error);
                }
                Measured::Already => {}
                Measured::Gone => {
                    log::debug!(netns = label.as_str(); "network namespace went away");
                }
            }
        }
        for name in &found.missing {
            write(name, false, None);
            let error = "expected a network namespace of this name, found none";
            failed.insert(name.clone(), error.to_string());
        }
        let left_out = f64::from(u32::try_from(found.left_out).unwrap_or(u32::MAX));
        batch.push(&LEFT_OUT, NO_LABELS, left_out);
        let looked = f64::from(u8::from(found.error.is_none()));
        batch.push(&DISCOVERY_SUCCESS, NO_LABELS, looked);
        self.log(found, failed);
    }

    fn log(&mut self, found: &Found, failed: BTreeMap<String, String>) {
        for (label, error) in &failed {
            if self.failed.get(label) != Some(error) {
                log::error!(netns = label.as_str(), err = error.as_str(); "network namespace not measured");
            }
        }
        // One that is there no more did not heal.
        let present = |label: &String| found.others.iter().any(|other| other.label == *label);
        for label in self.failed.keys().filter(|label| present(label)) {
            if !failed.contains_key(label) {
                log::info!(netns = label.as_str(); "network namespace is measured again");
            }
        }
        self.failed = failed;
        match (&self.discovery_failed, &found.error) {
            (before, Some(error)) if before.as_ref() != Some(error) => {
                log::error!(err = error.as_str(); "network namespaces not found in full");
            }
            (Some(_), None) => log::info!("network namespaces are found in full again"),
            _ => {}
        }
        self.discovery_failed.clone_from(&found.error);
    }
}

/// One round through the namespaces.
struct Visit<'a> {
    config: &'a Config,
    files: Files,
    specs: &'a [&'static Spec],
    kept: &'a mut BTreeMap<(String, Option<u64>), Kept>,
    links: &'a mut Links,
    hosts: &'a Hosts,
    reverse: Option<&'a io::Result<ReverseNames>>,
    batch: &'a mut Batch,
    left_out: LeftOut,
    /// Which ones were entered.
    entered: BTreeSet<FileId>,
}

/// Who can enter a namespace, or why nobody can.
type Way<'a> = Result<&'a Traveller, &'a str>;

impl Visit<'_> {
    /// Measures in a thread that ends before this returns.
    fn in_a_helper(&mut self, others: &[Namespace]) -> Vec<Measured> {
        let mark = self.batch.mark();
        let ended = thread::scope(|scope| {
            let visit = &mut *self;
            let helper = thread::Builder::new().name("netns".to_string());
            let helper = helper.spawn_scoped(scope, move || match Traveller::begin(&visit.files) {
                Ok(traveller) => visit.all(others, Ok(&traveller)),
                Err(error) => visit.all(others, Err(&error.to_string())),
            });
            helper.map(thread::ScopedJoinHandle::join)
        });
        let error = match ended {
            Ok(Ok(measured)) => return measured,
            Err(error) => return self.all(others, Err(&format!("helper thread: {error}"))),
            // Collectors' panics are caught where they run; this is one of the round itself.
            Ok(Err(panic)) => format!("panic: {}", panic_message(panic.as_ref())),
        };
        self.batch.end_scope();
        self.batch.cut(mark);
        self.left_out.clear();
        let badly = |_| Measured::Badly(None, error.clone());
        others.iter().map(badly).collect()
    }

    fn all(&mut self, others: &[Namespace], way: Way<'_>) -> Vec<Measured> {
        others.iter().map(|other| self.one(other, way)).collect()
    }

    fn one(&mut self, namespace: &Namespace, way: Way<'_>) -> Measured {
        let measured = self.attempt(namespace, way);
        if !matches!(measured, Measured::Gone) {
            return measured;
        }
        // The process or the name that led there has gone; others may be in it still.
        let Some((_, id)) = namespace.process else {
            return measured;
        };
        let Some(process) = netns::another_process(&self.files, id) else {
            return measured;
        };
        let namespace = Namespace {
            entrance: self.files.net_link(Whose::Process(process)),
            process: Some((process, id)),
            ..namespace.clone()
        };
        self.attempt(&namespace, way)
    }

    fn attempt(&mut self, namespace: &Namespace, way: Way<'_>) -> Measured {
        let mark = self.batch.mark();
        let refused = match way.map(|traveller| traveller.enter(namespace)) {
            Ok(Ok((files, id))) => {
                self.entered.insert(id);
                return self.collect(namespace, files, "setns");
            }
            Ok(Err(EnterError::Gone)) => return Measured::Gone,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        let Some((process, id)) = namespace.process else {
            return Measured::Badly(None, refused);
        };
        // Who may enter but not see whose namespace a process is in learns only inside that it is the one of a name.
        if self.entered.contains(&id) {
            return Measured::Already;
        }
        let files = self.files.of_process(process);
        let left_out = self.left_out.len();
        let measured = self.collect(namespace, &files, "proc");
        // Its tables are absent from when it ends, which is no error to a collector.
        if self.files.net_id(Whose::Process(process)) != Some(id) {
            self.batch.cut(mark);
            self.left_out.truncate(left_out);
            return Measured::Gone;
        }
        measured
    }

    /// Runs the collectors. One that fails loses its own samples of this namespace.
    fn collect(&mut self, namespace: &Namespace, files: &Files, source: &'static str) -> Measured {
        let Some(kept) = self.kept.get_mut(&namespace.identity()) else {
            return Measured::Gone;
        };
        kept.sockets.begin();
        self.links.begin();
        self.batch.begin_scope(LABEL, &namespace.label);
        let sampler = Sampler::default();
        // Files of this machine, whatever the namespace: the own one tells them.
        let mut leases = Leases::default();
        let mut failed = None;
        for spec in self.specs {
            let mut context = Context {
                files,
                sampler: &sampler,
                counted: None,
                sockets: &mut kept.sockets,
                links: self.links,
                hosts: self.hosts,
                reverse: self.reverse,
                leases: &mut leases,
                source: None,
                left_out: None,
                verdict: None,
            };
            let before = self.batch.samples().len();
            let active = kept.collectors.entry(spec.name);
            let active = active.or_insert_with(|| Active::new(spec, self.config));
            let result = active.attempt(self.config, &mut context, self.batch);
            self.left_out
                .extend(context.left_out.map(|count| (*spec, count)));
            let wrote = self.batch.samples().len() > before;
            // Of what was not measured there is no verdict, such as of a port range that cannot be read from outside.
            if let Some(verdict) = spec.verdict.filter(|_| wrote || result.is_err()) {
                let verdict_value = f64::from(u8::from(result.is_ok()));
                self.batch.push(verdict, NO_LABELS, verdict_value);
            }
            if let Err(error) = result {
                failed.get_or_insert_with(|| format!("{}: {error}", spec.name));
            }
        }
        self.batch.end_scope();
        match failed {
            None => Measured::Well(source),
            Some(error) => Measured::Badly(Some(source), error),
        }
    }
}

#[cfg(test)]
mod tests;
