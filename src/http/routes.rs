//! Paths to answers. Nothing here waits or knows a socket: a request in, an [`Answer`] out.

use tiny_http::Method;

use super::Answer;
use super::Gzip;
use super::Request;
use super::Selection;
use super::Settings;
use super::Source;
use super::selection;
use crate::exposition;

const METHODS: &str = "GET, HEAD, OPTIONS";

/// Answers one request.
pub fn answer(
    request: &Request,
    source: &mut dyn Source,
    settings: &Settings,
    gzip: &mut Gzip,
) -> Answer {
    let (path, query) = split(&request.target);
    let mut answer = match request.method {
        Method::Get | Method::Head => get(path, query, request, source, settings, gzip),
        Method::Options => options(settings),
        _ => {
            let mut answer = Answer::text("other", 405, "method not allowed");
            answer.add_header("Allow", METHODS);
            answer
        }
    };
    if let Some(origin) = &settings.cors_origin {
        answer.add_header("Access-Control-Allow-Origin", origin);
    }
    answer
}

fn get(
    path: &str,
    query: &str,
    request: &Request,
    source: &mut dyn Source,
    settings: &Settings,
    gzip: &mut Gzip,
) -> Answer {
    let mut answer = match path {
        path if path == settings.telemetry_path => metrics(query, source),
        "/health" | "/healthz" => health(query, request, source),
        "/" => {
            let page = source.page();
            let mut answer = Answer::shared("page", 200, "text/html; charset=utf-8", page.html);
            answer.add_header("Content-Security-Policy", page.policy);
            answer.add_header("Referrer-Policy", "no-referrer");
            answer
        }
        "/api/now" => Answer::shared("api", 200, "application/json", source.now()),
        _ => return Answer::text("other", 404, "not found"),
    };
    answer.add_header("Cache-Control", "no-store");
    if settings.compression && answer.handler() != "health" {
        answer.add_header("Vary", "Accept-Encoding");
        if request.accepts_gzip {
            answer.compress(gzip);
        }
    }
    answer
}

fn metrics(query: &str, source: &mut dyn Source) -> Answer {
    let body = Selection::parse(query)
        .map_err(str::to_string)
        .and_then(|selection| source.metrics(&selection));
    match body {
        Ok(body) => Answer::new("metrics", 200, exposition::CONTENT_TYPE, body),
        Err(text) => Answer::text("metrics", 400, &text),
    }
}

fn health(query: &str, request: &Request, source: &mut dyn Source) -> Answer {
    let health = source.health();
    let asked = selection::pairs(query).any(|pair| pair == ("format", "json"));
    let mut answer = if asked || request.prefers_json {
        let body = health.json().into_bytes();
        Answer::new("health", health.code(), "application/json", body)
    } else {
        Answer::text("health", health.code(), health.word())
    };
    answer.add_header("Vary", "Accept");
    answer
}

/// What may be asked here; for a browser's preflight, too, where an origin is configured.
fn options(settings: &Settings) -> Answer {
    let mut answer = Answer::new("other", 200, "text/plain; charset=utf-8", Vec::new());
    answer.add_header("Allow", METHODS);
    if settings.cors_origin.is_some() {
        answer.add_header("Access-Control-Allow-Methods", METHODS);
        answer.add_header("Access-Control-Allow-Headers", "Accept, Content-Type");
        answer.add_header("Access-Control-Max-Age", "86400");
    }
    answer
}

/// A request target's path and query. A proxy sends the whole URL (RFC 9112, 3.2.2): scheme and host are left out.
fn split(target: &str) -> (&str, &str) {
    let without_scheme = target
        .strip_prefix("http://")
        .or_else(|| target.strip_prefix("https://"));
    let target = match without_scheme {
        Some(rest) => rest
            .find(['/', '?'])
            .map_or("/", |at| rest.get(at..).unwrap_or("/")),
        None => target,
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    (if path.is_empty() { "/" } else { path }, query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_split_into_path_and_query() {
        for (target, expected) in [
            ("/metrics", ("/metrics", "")),
            ("/metrics?a=b?c", ("/metrics", "a=b?c")),
            ("http://router:2112/metrics?x", ("/metrics", "x")),
            ("http://router:2112", ("/", "")),
            ("http://router?x", ("/", "x")),
            ("*", ("*", "")),
        ] {
            assert_eq!(split(target), expected, "{target}");
        }
    }
}
