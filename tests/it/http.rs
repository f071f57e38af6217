//! The HTTP server as a client sees it.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod attacks;
mod config;
mod connections;
#[cfg(feature = "tls")]
mod guard;
mod harness;
mod listening;
mod once;
mod process;
mod textfile;

use std::io::Read;
use std::io::Write;

use harness::Fake;
use harness::Reply;
use harness::connect;
use harness::exchange;
use harness::get;
use harness::here;
use harness::reply;
use harness::settings;

use weir::http::Settings;

fn fake(size: usize) -> Fake {
    Fake {
        size,
        ..Fake::default()
    }
}

#[test]
fn metrics_are_served_with_their_content_type() {
    let done = here(settings(), fake(0), |address| {
        let reply = get(address, "/metrics", "");
        assert_eq!(reply.code, 200);
        let content_type = "text/plain; version=0.0.4; charset=utf-8";
        assert_eq!(reply.header("content-type"), Some(content_type));
        assert_eq!(reply.header("connection"), Some("close"));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert!(reply.header("date").is_some());
        assert!(reply.text().ends_with("# end\n"));
    });
    assert_eq!(done.source.answered, [("metrics", 200)]);
}

#[test]
fn collectors_are_selected_by_the_query() {
    here(settings(), fake(0), |address| {
        let ask = |query: &str| {
            let reply = get(address, &format!("/metrics?{query}"), "");
            (reply.code, reply.text())
        };
        let (code, text) = ask("collect%5B%5D=a&collect[]=b");
        assert_eq!(code, 200);
        assert!(
            text.contains(r#"collect: ["a", "b"], exclude: []"#),
            "{text}"
        );
        let (code, text) = ask("exclude[]=%61");
        assert_eq!(code, 200);
        assert!(text.contains(r#"collect: [], exclude: ["a"]"#), "{text}");
        let both = "Combined collect and exclude queries are not allowed.\n";
        assert_eq!(ask("collect[]=a&exclude[]=b"), (400, both.to_string()));
        let unknown = "missing collector: zz\n";
        assert_eq!(ask("collect[]=zz"), (400, unknown.to_string()));
    });
}

#[test]
fn gzip_is_given_to_who_accepts_it_and_only_when_it_pays() {
    here(settings(), fake(50_000), |address| {
        let plain = get(address, "/metrics", "");
        assert_eq!(plain.header("content-encoding"), None);
        assert_eq!(plain.header("vary"), Some("Accept-Encoding"));
        let packed = get(address, "/metrics", "Accept-Encoding: gzip\r\n");
        assert_eq!(packed.header("content-encoding"), Some("gzip"));
        assert_eq!(packed.header("vary"), Some("Accept-Encoding"));
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&packed.body[..])
            .read_to_end(&mut unpacked)
            .expect("gzip");
        assert_eq!(unpacked, plain.body);
        let refused = get(address, "/metrics", "Accept-Encoding: gzip;q=0, *\r\n");
        assert_eq!(refused.header("content-encoding"), None);
    });
    here(settings(), fake(100), |address| {
        let small = get(address, "/metrics", "Accept-Encoding: gzip\r\n");
        assert_eq!(small.header("content-encoding"), None);
    });
    let off = Settings {
        compression: false,
        ..settings()
    };
    here(off, fake(50_000), |address| {
        let plain = get(address, "/metrics", "Accept-Encoding: gzip\r\n");
        assert_eq!(
            (plain.header("content-encoding"), plain.header("vary")),
            (None, None)
        );
    });
}

#[test]
fn head_has_the_length_of_the_body_that_it_leaves_out() {
    here(settings(), fake(3000), |address| {
        let full = get(address, "/metrics", "");
        let mut stream = connect(address);
        let request =
            b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(request).expect("sent");
        let head = reply(&mut stream, true).expect("an answer");
        let length = full.body.len().to_string();
        assert_eq!(head.header("content-length"), Some(length.as_str()));
        assert_eq!(reply(&mut stream, false).expect("the next").text(), "OK\n");
    });
}

#[test]
fn health_in_both_forms() {
    here(settings(), fake(0), |address| {
        for path in ["/health", "/healthz"] {
            let text = get(address, path, "");
            assert_eq!((text.code, text.text().as_str()), (200, "OK\n"));
        }
        for (target, lines) in [
            ("/health?format=json", ""),
            ("/healthz", "Accept: application/json\r\n"),
        ] {
            let json = get(address, target, lines);
            assert_eq!(json.header("content-type"), Some("application/json"));
            let text = json.text();
            assert!(
                text.starts_with("{\"status\":\"ok\",\"timestamp\":\"2"),
                "{text}"
            );
            assert!(
                text.contains("\"server\":{\"running\":true,\"port\":2112,"),
                "{text}"
            );
        }
    });
    let stale = Fake {
        stale: true,
        ..Fake::default()
    };
    here(settings(), stale, |address| {
        let text = get(address, "/health", "");
        assert_eq!((text.code, text.text().as_str()), (503, "stale\n"));
        let json = get(address, "/health?format=json", "");
        assert_eq!(json.code, 503);
        assert!(json.text().starts_with("{\"status\":\"stale\","));
    });
}

#[test]
fn the_page_and_its_json_under_their_policy() {
    let done = here(settings(), fake(0), |address| {
        let page = get(address, "/?unknown=1", "");
        let html = Some("text/html; charset=utf-8");
        assert_eq!((page.code, page.header("content-type")), (200, html));
        let policy = page.header("content-security-policy");
        assert_eq!(policy, Some("default-src 'none'"));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert_eq!(page.text(), "<h1>router</h1>");
        let now = get(address, "/api/now?unknown=1", "");
        assert_eq!((now.code, now.text().as_str()), (200, "{}\n"));
        assert_eq!(now.header("content-type"), Some("application/json"));
        assert_eq!(now.header("cache-control"), Some("no-store"));
        for (path, length) in [("/", "15"), ("/api/now", "3")] {
            let mut stream = connect(address);
            let request = format!("HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n");
            stream.write_all(request.as_bytes()).expect("sent");
            let head = reply(&mut stream, true).expect("an answer");
            assert_eq!(
                (head.code, head.header("content-length")),
                (200, Some(length))
            );
        }
        for path in ["/api", "/api/", "/api/now/", "/api/now/x"] {
            assert_eq!(get(address, path, "").code, 404, "{path}");
        }
    });
    let handlers: Vec<_> = done.source.answered.iter().take(4).collect();
    let (page, api) = (("page", 200), ("api", 200));
    assert_eq!(handlers, [&page, &api, &page, &api]);
    let at_root = Settings {
        telemetry_path: "/".to_string(),
        ..settings()
    };
    here(at_root, fake(0), |address| {
        assert!(get(address, "/", "").text().ends_with("# end\n"));
        assert_eq!(get(address, "/metrics", "").code, 404);
    });
}

#[test]
fn what_is_not_served_is_refused_with_a_short_text() {
    let done = here(settings(), fake(0), |address| {
        assert_eq!(get(address, "/nothing", "").code, 404);
        assert_eq!(get(address, "/metrics/", "").code, 404);
        for method in ["POST", "PUT", "DELETE", "TRACE", "CONNECT", "BREW", "get"] {
            let request = format!("{method} /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
            let refused = exchange(address, request.as_bytes()).expect("an answer");
            assert_eq!(refused.code, 405, "{method}");
            assert_eq!(refused.header("allow"), Some("GET, HEAD, OPTIONS"));
        }
        let long = "a".repeat(9000);
        for (request, code) in [
            ("GET /metrics\r\n\r\n".to_string(), 400),
            ("GET /metrics HTTP/1.1\r\nX : 1\r\n\r\n".to_string(), 400),
            (
                "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx".to_string(),
                413,
            ),
            (format!("GET /{long} HTTP/1.1\r\n\r\n"), 414),
            (format!("GET / HTTP/1.1\r\nX: {long}\r\n\r\n"), 431),
            ("GET / HTTP/2.0\r\n\r\n".to_string(), 505),
        ] {
            let refused = exchange(address, request.as_bytes()).expect("an answer");
            assert_eq!(refused.code, code, "{request:.40}");
            assert_eq!(refused.header("connection"), Some("close"));
            assert!((5..100).contains(&refused.body.len()));
        }
    });
    assert_eq!((done.stats.requests, done.stats.refused), (9, 6));
}

#[test]
fn other_origins_are_let_in_only_when_configured() {
    let options = b"OPTIONS /metrics HTTP/1.1\r\nHost: x\r\nOrigin: https://a\r\n\r\n";
    here(settings(), fake(0), |address| {
        let reply = exchange(address, options).expect("an answer");
        assert_eq!(
            (reply.code, reply.header("allow")),
            (200, Some("GET, HEAD, OPTIONS"))
        );
        assert!(!reply.head.to_lowercase().contains("access-control"));
        assert!(
            !get(address, "/metrics", "")
                .head
                .to_lowercase()
                .contains("access-control")
        );
    });
    let open = Settings {
        cors_origin: Some("https://a".to_string()),
        ..settings()
    };
    here(open, fake(0), |address| {
        let allowed =
            |reply: &Reply| reply.header("access-control-allow-origin") == Some("https://a");
        let reply = exchange(address, options).expect("an answer");
        assert!(allowed(&reply) && reply.header("access-control-allow-methods").is_some());
        assert!(allowed(&get(address, "/metrics", "")) && allowed(&get(address, "/none", "")));
    });
}
