//! Tests of what the program says of itself.

use super::*;
use crate::metric::Kind;

fn written(counts: Option<Counts>) -> String {
    let parts = ["capabilities", "no_new_privs", "landlock", "seccomp"];
    let sandbox = parts.map(|part| (part, "off".to_string()));
    let instruments =
        Instruments::new("unknown", "test".to_string(), sandbox).expect("names are unique");
    instruments.answered("metrics", 200);
    instruments.answered("metrics", 200);
    instruments.scraped(Duration::from_millis(2));
    let mut batch = Batch::default();
    instruments.write(&mut batch, counts);
    let mut out = Vec::new();
    crate::exposition::encode(&batch, &mut out);
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn every_family_is_written_and_histograms_are_cumulative() {
    let text = written(Some(Counts {
        ticks: 3,
        http: Some(HttpCounts {
            connections: 1,
            accepted: 5,
            ..HttpCounts::default()
        }),
        textfile: Some(TextfileCounts {
            replaced: Some(UNIX_EPOCH + Duration::from_millis(1500)),
            errors: 2,
        }),
        config: Some(ConfigCounts {
            successful: false,
            last_success: UNIX_EPOCH + Duration::from_millis(2500),
        }),
        web: Some(WebCounts {
            file: ConfigCounts {
                successful: true,
                last_success: UNIX_EPOCH + Duration::from_millis(3500),
            },
            unauthorized: 6,
            limited: 7,
            busy: 8,
            handshakes: Some((9, 10)),
        }),
    }));
    for desc in FAMILIES {
        assert!(
            text.contains(&format!("# TYPE {} {}\n", desc.name, desc.kind.word())),
            "{}",
            desc.name
        );
    }
    for line in [
        "weir_http_requests_total{code=\"200\",handler=\"metrics\"} 2",
        "weir_scrape_duration_seconds_bucket{le=\"0.001\"} 0",
        "weir_scrape_duration_seconds_bucket{le=\"0.0025\"} 1",
        "weir_scrape_duration_seconds_bucket{le=\"+Inf\"} 1",
        "weir_scrape_duration_seconds_count 1",
        "weir_http_connections_accepted_total 5",
        "weir_ticks_total 3",
        "weir_textfile_last_write_timestamp_seconds 1.5",
        "weir_textfile_write_errors_total 2",
        "weir_config_last_reload_successful 0",
        "weir_web_config_last_reload_successful 1",
        "weir_web_config_last_reload_success_timestamp_seconds 3.5",
        "weir_web_requests_refused_total{reason=\"unauthorized\"} 6",
        "weir_web_requests_refused_total{reason=\"limited\"} 7",
        "weir_web_requests_refused_total{reason=\"busy\"} 8",
        "weir_web_tls_handshakes_total{result=\"done\"} 9",
        "weir_web_tls_handshakes_total{result=\"failed\"} 10",
        "weir_config_last_reload_success_timestamp_seconds 2.5",
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line} in\n{text}");
    }
    assert!(
        FAMILIES
            .iter()
            .filter(|desc| desc.kind == Kind::Histogram)
            .count()
            == 1
    );
}

#[test]
fn what_is_not_there_is_not_told() {
    let text = written(Some(Counts::default()));
    assert!(text.contains("weir_ticks_total 0\n") && text.contains("weir_scrape_duration"));
    for absent in ["weir_http_", "weir_textfile_", "weir_config_", "weir_web_"] {
        assert!(!text.contains(absent), "{absent}");
    }
    let text = written(Some(Counts {
        textfile: Some(TextfileCounts::default()),
        ..Counts::default()
    }));
    assert!(text.contains("weir_textfile_write_errors_total 0\n"));
    assert!(
        !text.contains("weir_textfile_last_write"),
        "it was never written"
    );
}

#[test]
fn without_exporter_metrics_only_the_build_is_left() {
    let text = written(None);
    assert_eq!(
        text.lines().filter(|line| !line.starts_with('#')).count(),
        1
    );
    assert!(text.contains("weir_build_info{version="));
}
