//! The collectors: one file per question. A collector reads through its [`Context`], writes into the batch and knows no
//! other collector. One line in [`ALL`] registers it.

pub mod arp;
pub mod bonding;
pub mod connections;
pub mod conntrack;
pub mod cpu;
pub mod dhcp;
pub mod dns;
pub mod entropy;
pub mod ephemeral_ports;
pub mod filefd;
pub mod filesystem;
pub mod ipvs;
pub mod listeners;
pub mod lnstat;
pub mod loadavg;
pub mod meminfo;
pub mod netclass;
pub mod netdev;
pub mod netstat;
pub mod network_route;
pub mod qdisc;
pub mod sockstat;
pub mod softnet;
pub mod sources;
pub mod stat;
pub mod tc;
pub mod tcpstat;
pub mod textfile;
pub mod thermal_zone;
pub mod throughput;
pub mod time;
#[cfg(test)]
mod tree;
pub mod udp_queues;
pub mod uname;
pub mod uptime;
pub mod wifi;
pub mod xfrm;

use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use crate::config::Config;
use crate::dns::reverse::ReverseNames;
use crate::files::FileError;
use crate::files::Files;
use crate::hosts::Hosts;
use crate::leases::Leases;
use crate::links::Links;
use crate::metric::Batch;
use crate::metric::Desc;
use crate::netlink::NetlinkError;
use crate::sampler::Device;
use crate::sampler::Sampler;
use crate::sockets::Sockets;
use crate::sockets::SurveyError;
use crate::tc::attach::AttachError;

/// Every collector, in the order in which they run and are listed.
pub static ALL: &[&Spec] = &[
    &arp::SPEC,
    &bonding::SPEC,
    &connections::SPEC,
    &conntrack::SPEC,
    &cpu::SPEC,
    &dhcp::SPEC,
    &dns::SPEC,
    &entropy::SPEC,
    &ephemeral_ports::SPEC,
    &filefd::SPEC,
    &filesystem::SPEC,
    &ipvs::SPEC,
    &listeners::SPEC,
    &lnstat::SPEC,
    &loadavg::SPEC,
    &meminfo::SPEC,
    &netclass::SPEC,
    &netdev::SPEC,
    &netstat::SPEC,
    &network_route::SPEC,
    &qdisc::SPEC,
    &sockstat::SPEC,
    &softnet::SPEC,
    &sources::SPEC,
    &stat::SPEC,
    &tc::SPEC,
    &tcpstat::SPEC,
    &textfile::SPEC,
    &thermal_zone::SPEC,
    &throughput::SPEC,
    &time::SPEC,
    &udp_queues::SPEC,
    &uname::SPEC,
    &uptime::SPEC,
    &wifi::SPEC,
    &xfrm::SPEC,
];

/// The collectors whose families are of one network namespace each, and can be measured in others (`--netns`).
pub static PER_NAMESPACE: &[&Spec] = &[
    &connections::SPEC,
    &ephemeral_ports::SPEC,
    &netdev::SPEC,
    &netstat::SPEC,
    &sockstat::SPEC,
    &tcpstat::SPEC,
];

/// What is known of a collector without making one.
pub struct Spec {
    /// Its name in flags, in `collect[]` and in the label `collector`.
    pub name: &'static str,
    /// What it answers, in half a sentence.
    pub help: &'static str,
    /// Whether it runs without being asked for.
    pub on_by_default: bool,
    /// The families it can export.
    pub families: &'static [&'static Desc],
    /// The families whose names are only known at run time: `<Field>` in the name stands for the kernel's word.
    pub patterns: &'static [&'static Desc],
    /// A family that says 1 when the collector succeeded and 0 when it failed, on top of the common success metric; the
    /// collector may say 0 without failing ([`Context::verdict`]).
    pub verdict: Option<&'static Desc>,
    /// Makes it.
    pub make: fn(&Config) -> Box<dyn Collector>,
}

impl Spec {
    /// Whether it is asked in every network namespace that is measured, so that its families have the label `netns` then.
    #[must_use]
    pub fn per_namespace(&self) -> bool {
        PER_NAMESPACE.iter().any(|spec| std::ptr::eq(*spec, self))
    }

    /// Every family that it declares.
    pub fn declared(&self) -> impl Iterator<Item = &'static Desc> {
        let listed = self.families.iter().chain(self.patterns).copied();
        listed.chain(self.verdict)
    }

    /// Whether a name is that of a declared family; in a pattern `<Field>` stands for one word or more of the kernel's.
    #[must_use]
    pub fn fits(pattern: &str, name: &str) -> bool {
        let Some((head, rest)) = pattern.split_once('<') else {
            return pattern == name;
        };
        let Some((_, tail)) = rest.split_once('>') else {
            return false;
        };
        let Some(name) = name.strip_prefix(head) else {
            return false;
        };
        (1..=name.len()).any(|length| {
            name.get(length..)
                .is_some_and(|rest| Self::fits(tail, rest))
        })
    }
}

/// Whether a family is one of node_exporter's. Every name that begins with `node_` is: ours begin with `weir_` or are
/// the seeds'.
#[must_use]
pub fn is_node_exporters(family: &str) -> bool {
    family.starts_with("node_")
}

/// One question, asked at each scrape. Another network namespace is measured in a thread that goes there.
pub trait Collector: Send {
    /// Writes what it finds into the batch. What it wrote is taken back when it fails.
    ///
    /// # Errors
    /// When a source that this kernel has cannot be read or breaks its format. A source that this kernel lacks is no
    /// error: it gives no family.
    fn collect(&mut self, context: &mut Context<'_>, batch: &mut Batch)
    -> Result<(), CollectError>;
}

/// What a collector may use during one scrape.
pub struct Context<'a> {
    /// The trees of kernel files.
    pub files: &'a Files,
    /// What the ticks sampled.
    pub sampler: &'a Sampler,
    /// What the last tick counted, where that is new enough: for the page, which shows it beside the tick's rates.
    pub counted: Option<&'a [Device]>,
    /// The TCP sockets, walked at most once a scrape.
    pub sockets: &'a mut Sockets,
    /// The network devices, asked for at most once a scrape.
    pub links: &'a mut Links,
    /// The leases of the DHCP servers here, read when a file has changed.
    pub leases: &'a mut Leases,
    /// Names of addresses from /etc/hosts, where they are asked for.
    pub hosts: &'a Hosts,
    /// Names of addresses from reverse DNS, where they are asked for; or why no thread could be started for them.
    pub reverse: Option<&'a io::Result<ReverseNames>>,
    /// Which source the collector used, for `weir_source_info`.
    pub source: Option<&'static str>,
    /// How many series a limit left out, for `weir_series_left_out`; `None` where the collector has no limit.
    pub left_out: Option<usize>,
    /// What the family that carries the verdict says of a collector that did not fail, where that is not the same.
    pub verdict: Option<bool>,
}

/// Why a collector failed.
#[derive(Debug)]
pub enum CollectError {
    /// A file.
    File(FileError),
    /// The walk over the sockets.
    Sockets(SurveyError),
    /// Netlink.
    Netlink(NetlinkError),
    /// A file that the last tick sampled.
    Sampled(Rc<FileError>),
    /// The thread that the collector reads from: it could not be started, or ended.
    Thread(String),
    /// The programs at the TC layer.
    Tc(Arc<AttachError>),
    /// The collector panicked, with what it said.
    Panic(String),
}

impl fmt::Display for CollectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Sockets(error) => error.fmt(f),
            Self::Netlink(error) => error.fmt(f),
            Self::Sampled(error) => error.fmt(f),
            Self::Thread(message) => write!(f, "thread: {message}"),
            Self::Tc(error) => error.fmt(f),
            Self::Panic(message) => write!(f, "panic: {message}"),
        }
    }
}

impl std::error::Error for CollectError {}

impl From<FileError> for CollectError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl From<NetlinkError> for CollectError {
    fn from(error: NetlinkError) -> Self {
        Self::Netlink(error)
    }
}

impl From<SurveyError> for CollectError {
    fn from(error: SurveyError) -> Self {
        Self::Sockets(error)
    }
}
