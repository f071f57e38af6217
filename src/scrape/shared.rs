//! What the collectors share in a scrape.

use std::io;

use crate::collectors::Context;
use crate::config::Config;
use crate::dns::reverse::ReverseNames;
use crate::files::Files;
use crate::hosts::Hosts;
use crate::leases::Leases;
use crate::links::Links;
use crate::metric::Batch;
use crate::sampler::Device;
use crate::sampler::Sampler;
use crate::sockets::Sockets;

use super::active::Active;
use super::health::Health;

/// What the ticks sampled, and what of it is new enough to be counted anew no more.
#[derive(Clone, Copy)]
pub(super) struct Sampled<'a> {
    pub(super) sampler: &'a Sampler,
    pub(super) counted: Option<&'a [Device]>,
}

/// What the collectors share.
pub(super) struct Shared {
    pub(super) files: Files,
    pub(super) sockets: Sockets,
    pub(super) links: Links,
    pub(super) leases: Leases,
    /// One for all namespaces: its thread stays in the own one.
    pub(super) reverse: Option<io::Result<ReverseNames>>,
    pub(super) hosts: Hosts,
}

impl Shared {
    /// What is asked of the kernel once is asked anew from here on.
    pub(super) fn begin(&mut self) {
        self.begin_with_devices();
        self.links.begin();
    }

    /// The same without the devices: their list stands.
    pub(super) fn begin_with_devices(&mut self) {
        self.sockets.begin();
    }

    /// Runs a collector, and says what is to be told of it beside its families.
    pub(super) fn run<'a>(
        &mut self,
        active: &'a mut Active,
        config: &Config,
        sampled: Sampled<'_>,
        batch: &mut Batch,
    ) -> Health<'a> {
        let mut context = Context {
            files: &self.files,
            sampler: sampled.sampler,
            counted: sampled.counted,
            sockets: &mut self.sockets,
            links: &mut self.links,
            hosts: &self.hosts,
            reverse: self.reverse.as_ref(),
            leases: &mut self.leases,
            source: None,
            left_out: None,
            verdict: None,
        };
        active.run(config, &mut context, batch);
        Health {
            spec: active.spec,
            outcome: active.outcome.as_ref(),
            source: context.source,
            left_out: context.left_out,
        }
    }
}
