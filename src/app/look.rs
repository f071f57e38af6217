//! The page and its JSON, rendered together and kept for a moment: however many look, and however often, the machine is
//! looked at once a second at most, and for no more than a fiftieth of one processor's time.

use std::rc::Rc;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use crate::cli;
use crate::http::Page;
use crate::scrape::Outcome;
use crate::sys::clock::Whose;
use crate::sys::clock::processor_time;
use crate::view;
use crate::view::About;
use crate::view::Run;
use crate::view::View;

use super::App;
use super::host;

/// How long what was seen is good for, at the least and at the most.
const LEAST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(60);
/// What a look took of the processor, this many times, is how long it is good for.
const SPARING: u32 = 50;
/// After this long without a request nobody looks any more.
const AWAY: Duration = Duration::from_secs(30);

/// What was last seen.
pub(super) struct Seen {
    html: Rc<Vec<u8>>,
    json: Rc<Vec<u8>>,
    /// For its memory.
    view: View,
    taken: Instant,
    good_for: Duration,
    asked: Instant,
}

impl App {
    /// Forgets what only the page needs when nobody has asked for it lately; else says when to see again.
    pub(super) fn look_away(&mut self, now: Instant) -> Option<Instant> {
        let seen = self.seen.as_ref()?;
        let until = seen.asked + AWAY.max(seen.good_for * 2);
        if now < until {
            return Some(until);
        }
        self.seen = None;
        self.engine.look_away();
        None
    }

    /// What there is to see, looked at anew where the last look is too long ago.
    pub(super) fn look(&mut self) -> &Seen {
        let now = Instant::now();
        let before = self.seen.take();
        let fresh = |seen: &Seen| now.saturating_duration_since(seen.taken) < seen.good_for;
        let seen = match before {
            Some(seen) if fresh(&seen) => Seen { asked: now, ..seen },
            before => self.look_anew(now, before),
        };
        self.seen.insert(seen)
    }

    fn look_anew(&mut self, now: Instant, before: Option<Seen>) -> Seen {
        let begun = processor_time(Whose::Thread);
        let (last, room, view) = match before {
            // While a client still takes the last page, its memory is not free.
            Some(seen) => {
                let room = [seen.html, seen.json];
                let room = room.map(|text| Rc::try_unwrap(text).unwrap_or_default());
                (seen.good_for, room, Some(seen.view))
            }
            None => (LEAST, <[Vec<u8>; 2]>::default(), None),
        };
        let time = SystemTime::now();
        self.engine.look(&view::COLLECTORS, &self.sampler);
        let run = |enabled| {
            move |(spec, outcome): (&'static crate::collectors::Spec, Option<&Outcome>)| Run {
                name: spec.name,
                help: spec.help,
                enabled,
                duration: outcome.map(|outcome| outcome.duration),
                error: outcome.and_then(|outcome| outcome.error.clone()),
            }
        };
        let runs = self.engine.outcomes().map(run(true));
        let about = About {
            collectors: runs.chain(self.engine.beside().map(run(false))).collect(),
            host: host(self.engine.files()),
            version: cli::version_text().trim_end().to_string(),
            uptime: self.started.elapsed(),
            time,
            refresh: last.max(self.config.interval).clamp(LEAST, MOST),
            telemetry_path: self.config.telemetry_path.clone(),
            bridges: self.engine.bridges(),
        };
        let view = View::new(about, self.engine.seen(), &self.sampler, view);
        let [html, json] = view.render(room);
        let cost = processor_time(Whose::Thread).saturating_sub(begun);
        Seen {
            html: Rc::new(html),
            json: Rc::new(json),
            view,
            taken: now,
            good_for: (cost * SPARING).clamp(LEAST, MOST),
            asked: now,
        }
    }
}

impl Seen {
    pub(super) fn page(&self) -> Page {
        Page {
            html: Rc::clone(&self.html),
            policy: view::POLICY,
        }
    }

    pub(super) fn json(&self) -> Rc<Vec<u8>> {
        Rc::clone(&self.json)
    }
}
