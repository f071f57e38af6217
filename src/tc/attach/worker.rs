//! The thread itself: load, subscribe, list, attach one by one, listen.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use rustix::io::Errno;

use crate::config::TcAttach;
use crate::links::events::Event;
use crate::links::events::Events;
use crate::links::link;
use crate::netlink::settled;
use crate::sys::bpf;
use crate::sys::bpf::TcxAttach;
use crate::tc::Programs;
use crate::tc::clsact;
use crate::tc::counters::DEVICES;

use super::AttachError;
use super::Method;
use super::Settings;
use super::Shared;
use super::affordable;
use super::interfaces::Interfaces;
use super::interfaces::RETRY;
use super::interfaces::Step;
use super::wait;

/// The longest pause between two interfaces.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// What holds the programs to an interface.
enum Attachment {
    /// They are detached when these are closed.
    Tcx { links: [OwnedFd; 2] },
    /// They are detached by hand.
    Clsact,
}

/// The programs are to be detached: whoever started the thread closed its end.
struct Stopped;

struct Worker<'a> {
    settings: Settings,
    shared: &'a Shared,
    stop: &'a UnixStream,
    programs: Arc<Programs>,
    method: Option<Method>,
    interfaces: Interfaces<Attachment>,
    /// Whether what an earlier process left was looked for.
    swept: bool,
}

/// Runs until the other end of `stop` is closed. What cannot work is tried again from time to time: memory may come back,
/// a module may be loaded.
pub(super) fn run(settings: Settings, shared: &Shared, stop: &UnixStream) {
    let programs = loop {
        match Programs::load(settings.protocols) {
            Ok(programs) => break Arc::new(programs),
            Err(error) => {
                publish_error(shared, Some(error.into()));
                if wait(stop, None, Some(RETRY)) {
                    return;
                }
            }
        }
    };
    let loaded = Some(Arc::clone(&programs));
    shared.change(|state| state.programs = loaded);
    let limit = affordable(settings.limit.min(DEVICES as usize));
    let mut worker = Worker {
        interfaces: Interfaces::new(settings.devices.clone(), limit),
        settings,
        shared,
        stop,
        programs,
        method: None,
        swept: false,
    };
    loop {
        match worker.watch() {
            Ok(Stopped) => break,
            Err(error) => publish_error(shared, Some(error)),
        }
        if wait(stop, None, Some(RETRY)) {
            break;
        }
    }
    worker.release();
}

fn publish_error(shared: &Shared, error: Option<AttachError>) {
    let error = error.map(Arc::new);
    shared.change(|state| state.error = error);
}

impl Worker<'_> {
    /// Attaches what is there and what comes, until told to stop or something fails that is about more than one interface.
    fn watch(&mut self) -> Result<Stopped, AttachError> {
        // First the subscription, then the list: what changes in between is told twice, and nothing is missed.
        let events = Events::subscribe().map_err(AttachError::Links)?;
        self.scan()?;
        loop {
            let step = self.interfaces.step(Instant::now());
            let rest = match step {
                Step::Attach(ifindex, link_header) => {
                    if let Some(Stopped) = self.attach_one(ifindex, link_header)? {
                        return Ok(Stopped);
                    }
                    Some(Duration::ZERO)
                }
                Step::Detach(ifindex) => {
                    let begun = Instant::now();
                    if let Some(held) = self.interfaces.detached(ifindex) {
                        detach(ifindex, held);
                    }
                    self.forget_counters(ifindex);
                    if self.pause(begun.elapsed()) {
                        return Ok(Stopped);
                    }
                    Some(Duration::ZERO)
                }
                Step::Rest(rest) => {
                    if !std::mem::replace(&mut self.swept, true) {
                        self.sweep();
                    }
                    rest
                }
            };
            self.publish(matches!(step, Step::Rest(_)));
            if wait(self.stop, Some(&events), rest) {
                return Ok(Stopped);
            }
            self.listen(&events)?;
        }
    }

    fn scan(&mut self) -> Result<(), AttachError> {
        let mut links = Vec::new();
        settled(|| {
            links.clear();
            link::dump(|link| links.push(link))
        })
        .map_err(AttachError::Links)?;
        for (ifindex, held) in self.interfaces.scanned(&links) {
            self.forget(ifindex, held);
        }
        Ok(())
    }

    fn listen(&mut self, events: &Events) -> Result<(), AttachError> {
        let mut told = Vec::new();
        let lost = events
            .read(|event| told.push(event))
            .map_err(AttachError::Links)?;
        for event in told {
            match event {
                Event::There(link) => self.interfaces.there(&link),
                Event::Gone(ifindex) => {
                    if let Some(held) = self.interfaces.gone(ifindex) {
                        self.forget(ifindex, held);
                    }
                }
            }
        }
        if lost {
            log::debug!(
                "network devices changed faster than they could be followed: listing them anew"
            );
            self.scan()?;
        }
        Ok(())
    }

    /// Tells those who scrape.
    fn publish(&self, settled: bool) {
        let (interfaces, left_out) = self.interfaces.report();
        let method = self.method;
        let before = {
            let mut state = self.shared.state();
            let before = state.settled;
            state.interfaces = interfaces;
            state.left_out = left_out;
            state.method = method;
            state.settled |= settled;
            state.error = None;
            before
        };
        self.shared.changed.notify_all();
        if settled && !before {
            self.announce();
        }
    }

    /// Says once how it went. Why an interface is not counted was said when that was found.
    fn announce(&self) {
        let (interfaces, _) = self.interfaces.report();
        let attached = interfaces.iter().filter(|interface| interface.attached);
        let attached = attached.count();
        match self.method {
            Some(method) if attached > 0 => {
                log::info!(interfaces = attached, by = method.word(); "counting at the TC layer");
            }
            _ if interfaces.is_empty() => log::info!(
                "no interface to count at the TC layer: loopback and veth are left out unless --collector.tc.device-include brings them in"
            ),
            _ => {}
        }
    }

    /// Attaches to one interface, and gives others the kernel's lock afterwards.
    fn attach_one(
        &mut self,
        ifindex: u32,
        link_header: u32,
    ) -> Result<Option<Stopped>, AttachError> {
        let attached = match self.programs.add(ifindex, link_header) {
            Ok(()) => self.attach(ifindex),
            Err(error) => Err(error.into()),
        };
        match attached {
            Ok(Some(attachment)) => {
                log::debug!(interface = self.interfaces.name(ifindex); "attached");
                self.interfaces.attached(ifindex, attachment);
                Ok(None)
            }
            Ok(None) => Ok(Some(Stopped)),
            Err(error) => {
                self.forget_counters(ifindex);
                // Once one interface was attached to, whatever another one is refused for is its own.
                if error.is_everywhere() && self.method.is_none() {
                    return Err(error);
                }
                let (gone, text) = (error.is_gone(), error.to_string());
                let new = self
                    .interfaces
                    .failed(ifindex, Instant::now(), Arc::new(error));
                if new && !gone {
                    let interface = self.interfaces.name(ifindex);
                    log::warn!(interface = interface, err = text.as_str(); "interface not counted");
                }
                Ok(None)
            }
        }
    }

    /// `None` when told to stop in the middle of it.
    fn attach(&mut self, ifindex: u32) -> Result<Option<Attachment>, AttachError> {
        let tcx = match (self.settings.attach, self.method) {
            (TcAttach::Auto, method) => method != Some(Method::Clsact),
            (TcAttach::Tcx, _) => true,
            (TcAttach::Clsact, _) => false,
        };
        if tcx {
            match self.attach_tcx(ifindex) {
                Ok(held) => {
                    self.method = Some(Method::Tcx);
                    return Ok(held);
                }
                Err(AttachError::Tcx(error))
                    if error.errno == Errno::INVAL && self.falls_back() =>
                {
                    log::info!("no TCX before Linux 6.6: attaching with clsact");
                }
                Err(error) => return Err(error),
            }
        }
        let begun = Instant::now();
        clsact::attach(ifindex, [self.programs.ingress(), self.programs.egress()])?;
        self.method = Some(Method::Clsact);
        self.pause(begun.elapsed());
        Ok(Some(Attachment::Clsact))
    }

    fn falls_back(&self) -> bool {
        self.settings.attach == TcAttach::Auto && self.method.is_none()
    }

    fn attach_tcx(&self, ifindex: u32) -> Result<Option<Attachment>, AttachError> {
        let attach = |program, side| -> Result<_, AttachError> {
            let begun = Instant::now();
            let link = bpf::link_create_tcx(program, ifindex, side)?;
            Ok((link, self.pause(begun.elapsed())))
        };
        let (ingress, stopped) = attach(self.programs.ingress(), TcxAttach::Ingress)?;
        if stopped {
            return Ok(None);
        }
        let (egress, _) = attach(self.programs.egress(), TcxAttach::Egress)?;
        let links = [ingress, egress];
        Ok(Some(Attachment::Tcx { links }))
    }

    /// Leaves the kernel's lock for devices to others for twice as long as it was held; says whether to stop.
    fn pause(&self, held: Duration) -> bool {
        if !self.settings.pauses {
            return wait(self.stop, None, Some(Duration::ZERO));
        }
        let pause = held.saturating_mul(2).min(LONGEST_PAUSE);
        wait(self.stop, None, Some(pause.max(Duration::from_millis(1))))
    }

    /// The device is gone, and with it whatever stood on it.
    fn forget(&self, ifindex: u32, held: Attachment) {
        drop(held);
        self.forget_counters(ifindex);
    }

    fn forget_counters(&self, ifindex: u32) {
        if let Err(error) = self.programs.remove(ifindex) {
            let text = error.to_string();
            log::warn!(ifindex = ifindex, err = text.as_str(); "counters not removed");
        }
    }

    /// Removes what an earlier process left where this one attaches nothing, or by links.
    fn sweep(&self) {
        let by_clsact = self.method == Some(Method::Clsact);
        let result = clsact::devices().and_then(|devices| {
            for ifindex in devices {
                if !(by_clsact && self.interfaces.is_attached(ifindex)) {
                    clsact::detach(ifindex)?;
                }
            }
            Ok(())
        });
        if let Err(error) = result {
            let text = error.to_string();
            log::warn!(err = text.as_str(); "filters of an earlier process not looked for");
        }
    }

    fn release(&mut self) {
        for (ifindex, held) in self.interfaces.clear() {
            detach(ifindex, held);
        }
    }
}

/// Takes the programs off an interface that is still there.
fn detach(ifindex: u32, held: Attachment) {
    match held {
        Attachment::Tcx { links } => drop(links),
        Attachment::Clsact => {
            if let Err(error) = clsact::detach(ifindex) {
                let text = error.to_string();
                log::warn!(ifindex = ifindex, err = text.as_str(); "filters not removed");
            }
        }
    }
}
