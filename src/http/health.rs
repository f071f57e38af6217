//! The answer at /health: a word, or NetProbe's JSON object.

use std::time::SystemTime;

use crate::rfc3339;

/// How the program is; filled by the application.
#[derive(Clone, Copy, Debug)]
pub struct Health {
    /// Whether the last successful sample is too old: the status is then `stale` and 503.
    pub stale: bool,
    /// Now.
    pub now: SystemTime,
    /// The first TCP listener's port, else 0.
    pub port: u16,
    /// The requests answered so far.
    pub requests: u64,
    /// The samples in the last answer.
    pub metrics: u64,
    /// The ticks so far.
    pub collections: u64,
    /// When the last tick succeeded, if one has.
    pub last_collection: Option<SystemTime>,
}

impl Health {
    /// The status code of the answer.
    pub(super) fn code(&self) -> u16 {
        if self.stale { 503 } else { 200 }
    }

    /// The answer in one word.
    pub(super) fn word(&self) -> &'static str {
        if self.stale { "stale" } else { "OK" }
    }

    /// The answer as a JSON object.
    pub(super) fn json(&self) -> String {
        let last = self.last_collection.map_or_else(
            || "null".to_string(),
            |time| format!("\"{}\"", rfc3339::seconds(time)),
        );
        format!(
            "{{\"status\":\"{}\",\"timestamp\":\"{}\",\"server\":{{\"running\":true,\"port\":{},\"requests\":{},\
             \"metrics\":{},\"collections\":{},\"last_collection\":{last}}}}}\n",
            if self.stale { "stale" } else { "ok" },
            rfc3339::seconds(self.now),
            self.port,
            self.requests,
            self.metrics,
            self.collections,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use std::time::UNIX_EPOCH;

    #[test]
    fn the_object_is_netprobes() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let mut health = Health {
            stale: false,
            now: at(1_701_945_000),
            port: 8081,
            requests: 42,
            metrics: 16,
            collections: 8,
            last_collection: Some(at(1_701_944_995)),
        };
        let expected = "{\"status\":\"ok\",\"timestamp\":\"2023-12-07T10:30:00Z\",\"server\":{\"running\":true,\"port\":8081,\
            \"requests\":42,\"metrics\":16,\"collections\":8,\"last_collection\":\"2023-12-07T10:29:55Z\"}}\n";
        assert_eq!(health.json(), expected);
        health.last_collection = None;
        assert!(health.json().ends_with("\"last_collection\":null}}\n"));
    }
}
