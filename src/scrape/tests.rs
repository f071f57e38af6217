//! Tests of the engine with collectors of their own.

use std::path::Path;

use crate::collectors::CollectError;
use crate::collectors::Collector;
use crate::collectors::Context;
use crate::metric::NO_LABELS;

use super::*;

static GOOD: Desc = Desc::gauge("good", &[], "Good.");
static LOST: Desc = Desc::gauge("lost", &[], "Lost.");
static VERDICT: Desc = Desc::gauge("verdict", &[], "Verdict.");

struct Fixed(fn(&mut Batch, &mut Context<'_>) -> Result<(), CollectError>);

impl Collector for Fixed {
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        batch: &mut Batch,
    ) -> Result<(), CollectError> {
        (self.0)(batch, context)
    }
}

const fn spec(
    name: &'static str,
    verdict: Option<&'static Desc>,
    make: fn(&Config) -> Box<dyn Collector>,
) -> Spec {
    Spec {
        name,
        help: "",
        on_by_default: true,
        families: &[],
        patterns: &[],
        verdict,
        make,
    }
}

static WORKS: Spec = spec("works", None, |_| {
    Box::new(Fixed(|batch, context| {
        batch.push(&GOOD, NO_LABELS, 1.0);
        context.left_out = Some(3);
        context.source = Some("proc");
        Ok(())
    }))
});
static FAILS: Spec = spec("fails", Some(&VERDICT), |_| {
    Box::new(Fixed(|batch, context| {
        batch.push(&LOST, NO_LABELS, 1.0);
        context.files.proc("no/such", |_| Ok(()))?;
        let error = crate::parse::ParseError::new(2, "x", "y", b"z");
        Err(crate::files::FileError {
            path: "p".into(),
            cause: crate::files::Cause::Parse(error),
        }
        .into())
    }))
});
static DOUBTS: Spec = spec("doubts", Some(&VERDICT), |_| {
    Box::new(Fixed(|batch, context| {
        batch.push(&GOOD, NO_LABELS, 1.0);
        context.verdict = Some(false);
        Ok(())
    }))
});
static PANICS: Spec = spec("panics", None, |_| {
    Box::new(Fixed(|batch, _| {
        batch.push(&LOST, NO_LABELS, 1.0);
        panic!("on purpose")
    }))
});

fn engine(list: &[&'static Spec]) -> Engine {
    let config = Config {
        collectors: list.iter().map(|spec| spec.name).collect(),
        ..Config::default()
    };
    let files = Files::open(Path::new("/proc"), Path::new("/sys")).expect("this machine has both");
    Engine::with(&config, files, list)
}

fn text(batch: &Batch) -> String {
    let mut out = Vec::new();
    crate::exposition::encode(batch, &mut out);
    let text = String::from_utf8(out).expect("UTF-8");
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.contains("duration"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_failure_and_a_panic_lose_their_own_samples_only() {
    let mut engine = engine(&[&FAILS, &PANICS, &WORKS]);
    let sampler = Sampler::default();
    let (batch, _) = engine.scrape(&[], &[], &sampler).expect("no names");
    let expected = "verdict 0\ngood 1\n\
        node_scrape_collector_success{collector=\"fails\"} 0\n\
        node_scrape_collector_success{collector=\"panics\"} 0\n\
        node_scrape_collector_success{collector=\"works\"} 1\n\
        weir_series_left_out{collector=\"works\"} 3\n\
        weir_source_info{collector=\"works\",source=\"proc\"} 1";
    assert_eq!(text(batch), expected);
    let errors: Vec<_> = engine
        .outcomes()
        .map(|(_, outcome)| outcome.and_then(|outcome| outcome.error.clone()))
        .collect();
    assert_eq!(
        errors,
        [
            Some("p:2: x: expected y, found \"z\"".to_string()),
            Some("panic: on purpose".to_string()),
            None
        ]
    );
}

#[test]
fn a_verdict_may_be_no_without_a_failure() {
    let mut engine = engine(&[&DOUBTS]);
    let sampler = Sampler::default();
    let (batch, _) = engine.scrape(&[], &[], &sampler).expect("no names");
    let expected = "good 1\nverdict 0\nnode_scrape_collector_success{collector=\"doubts\"} 1";
    assert_eq!(text(batch), expected);
}

#[test]
fn names_choose_collectors_and_unknown_ones_are_refused() {
    let mut engine = engine(&[&FAILS, &WORKS]);
    let sampler = Sampler::default();
    let works = ["works".to_string()];
    let fails = ["fails".to_string()];
    for (wanted, unwanted) in [(&works[..], &[][..]), (&[], &fails)] {
        let (batch, _) = engine
            .scrape(wanted, unwanted, &sampler)
            .expect("known names");
        assert!(!text(batch).contains("fails"));
        assert!(text(batch).contains("good 1"));
    }
    let refused = engine
        .scrape(&["nonesuch".to_string()], &[], &sampler)
        .map(|_| ());
    assert_eq!(refused, Err("missing collector: nonesuch".to_string()));
}

/// What ran before and still runs is known by its outcome, which a collector made anew does not have.
#[test]
fn a_reload_makes_anew_what_was_touched_and_nothing_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hosts/no-ipv6");
    let (procfs, sysfs) = (root.join("proc"), root.join("sys"));
    let mut config = Config {
        collectors: vec!["arp", "loadavg", "netdev"],
        ..Config::default()
    };
    let files = Files::open(&procfs, &sysfs).expect("the fixture");
    let mut engine = Engine::new(&config, files);
    engine
        .scrape(&[], &[], &Sampler::default())
        .expect("all run");
    config.collectors = vec!["arp", "netdev", "uname"];
    config.limit_devices = 1;
    engine.reload(&config, |collector| collector == "netdev");
    let ran: Vec<_> = engine
        .outcomes()
        .map(|(spec, outcome)| (spec.name, outcome.is_some()))
        .collect();
    assert_eq!(ran, [("arp", true), ("netdev", false), ("uname", false)]);
    let (batch, _) = engine
        .scrape(&[], &[], &Sampler::default())
        .expect("all run");
    let mut text = Vec::new();
    crate::exposition::encode(batch, &mut text);
    let text = String::from_utf8(text).expect("UTF-8");
    assert!(
        text.contains("node_uname_info{") && !text.contains("node_load1"),
        "{text}"
    );
    assert_eq!(text.matches("node_network_receive_bytes_total{").count(), 1);
    config.companion = true;
    engine.reload(&config, |_| true);
    assert!(engine.outcomes().all(|(spec, _)| spec.name != "uname"));
}

#[test]
fn what_a_look_keeps_ends_with_a_failure_and_a_reload() {
    let mut engine = engine(&[&crate::collectors::netclass::SPEC]);
    let sampler = Sampler::default();
    engine.look(&["netclass"], &sampler);
    let mtu = |engine: &Engine| text(engine.seen()).contains("node_network_mtu_bytes");
    assert!(mtu(&engine));
    // Twice from what was kept, unless a device changed meanwhile.
    engine.look(&["netclass"], &sampler);
    assert!(mtu(&engine));
    // As a scrape leaves it that could not ask.
    engine.collectors[0].outcome = Some(Outcome {
        duration: Duration::ZERO,
        error: Some("EMFILE".to_string()),
    });
    engine.look(&["netclass"], &sampler);
    let outcome = engine.collectors[0].outcome.as_ref().expect("it ran");
    assert_eq!(outcome.error, None);
    assert!(mtu(&engine));
    let config = engine.config.clone();
    engine.reload(&config, |_| false);
    assert!(engine.seen().samples().is_empty() && engine.looking.is_none());
}
