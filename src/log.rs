//! The `log` facade to stderr, one line an event, in logfmt or JSON:
//! `ts=2026-01-02T03:04:05.678Z level=info msg="listening" address=127.0.0.1:2112`.
//!
//! Lines are written whole, unbuffered. What stderr refuses is lost: there is nowhere left to say so.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::SystemTime;

use log::Level;
use log::LevelFilter;
use log::Log;
use log::Metadata;
use log::Record;
use log::kv;

use crate::config::LogFormat;
use crate::rfc3339;

struct Stderr {
    format: LogFormat,
}

/// Directs the facade, and the messages of panics, to stderr. Only the first call of a process has an effect: tests start
/// more than one program.
pub fn start(level: LevelFilter, format: LogFormat) {
    if log::set_boxed_logger(Box::new(Stderr { format })).is_err() {
        return;
    }
    log::set_max_level(level);
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        log::error!(place = place.as_str(); "panic: {}", panic_message(panic.payload()));
    }));
}

/// Changes the least severe lines that are logged.
pub fn set_level(level: LevelFilter) {
    log::set_max_level(level);
}

/// What a panic said, if it said it in words.
#[must_use]
pub fn panic_message(payload: &dyn std::any::Any) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // tiny_http logs requests that it does not like; our routes do that.
        metadata.target().starts_with("weir")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = line(self.format, SystemTime::now(), record);
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}

fn line(format: LogFormat, now: SystemTime, record: &Record<'_>) -> String {
    let mut fields = Fields {
        format,
        line: String::with_capacity(128),
    };
    if format == LogFormat::Json {
        fields.line.push('{');
    }
    fields.add("ts", &rfc3339::milliseconds(now));
    fields.add("level", level(record.level()));
    fields.quoted("msg", &record.args().to_string());
    // The visitor never fails.
    let _ = record.key_values().visit(&mut fields);
    fields.line.push_str(if format == LogFormat::Json {
        "}\n"
    } else {
        "\n"
    });
    fields.line
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug | Level::Trace => "debug",
    }
}

struct Fields {
    format: LogFormat,
    line: String,
}

impl Fields {
    fn add(&mut self, key: &str, value: &str) {
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=');
        if self.format == LogFormat::Json || value.is_empty() || !value.bytes().all(plain) {
            self.quoted(key, value);
        } else {
            self.key(key);
            self.line.push_str(value);
        }
    }

    fn quoted(&mut self, key: &str, value: &str) {
        self.key(key);
        self.line.push('"');
        for character in value.chars() {
            match character {
                '"' => self.line.push_str("\\\""),
                '\\' => self.line.push_str("\\\\"),
                '\n' => self.line.push_str("\\n"),
                // A log line never carries control characters: they would reach a terminal.
                other if other.is_control() => {
                    let _ = write!(self.line, "\\u{:04x}", u32::from(other));
                }
                other => self.line.push(other),
            }
        }
        self.line.push('"');
    }

    fn key(&mut self, key: &str) {
        match self.format {
            LogFormat::Logfmt => {
                self.line
                    .push_str(if self.line.is_empty() { "" } else { " " });
                self.line.push_str(key);
                self.line.push('=');
            }
            LogFormat::Json => {
                self.line
                    .push_str(if self.line.len() == 1 { "\"" } else { ",\"" });
                self.line.push_str(key);
                self.line.push_str("\":");
            }
        }
    }
}

impl<'kvs> kv::VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: kv::Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        self.add(key.as_str(), &value.to_string());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use std::time::UNIX_EPOCH;

    fn written(format: LogFormat) -> String {
        let time = UNIX_EPOCH + Duration::from_millis(1_767_323_045_678);
        let pairs = [("path", "/a b"), ("port", "80")];
        let args = format_args!("it \"said\"\n\x1b");
        line(
            format,
            time,
            &Record::builder()
                .level(Level::Warn)
                .args(args)
                .key_values(&pairs)
                .build(),
        )
    }

    #[test]
    fn logfmt_quotes_what_needs_it() {
        let expected = "ts=2026-01-02T03:04:05.678Z level=warn msg=\"it \\\"said\\\"\\n\\u001b\" path=\"/a b\" port=80\n";
        assert_eq!(written(LogFormat::Logfmt), expected);
    }

    #[test]
    fn json_is_one_object_a_line() {
        let expected = "{\"ts\":\"2026-01-02T03:04:05.678Z\",\"level\":\"warn\",\"msg\":\"it \\\"said\\\"\\n\\u001b\",\"path\":\"/a b\",\"port\":\"80\"}\n";
        assert_eq!(written(LogFormat::Json), expected);
    }
}
