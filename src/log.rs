//! The `log` facade to stderr, one line an event, in logfmt or JSON:
//! `ts=2026-01-02T03:04:05.678Z level=info msg="listening" address=127.0.0.1:2112`.
//!
//! Lines are written whole, unbuffered. What stderr refuses is lost: there is nowhere left to say so.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use log::Level;
use log::LevelFilter;
use log::Log;
use log::Metadata;
use log::Record;
use log::kv;

use crate::config::LogFormat;

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
    fields.add("ts", &rfc3339(now));
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

/// A point in time as RFC 3339 writes it, in UTC with milliseconds. Times before 1970 are shown as 1970.
#[must_use]
pub fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
        since.subsec_millis()
    )
}

/// Year, month and day of a count of days since 1970-01-01. Years are counted from March, so that the leap day is the
/// last day of one, in eras of 400 years, which all have 146,097 days.
fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn dates_of_leap_years_and_centuries() {
        let at = |seconds| rfc3339(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.000Z");
        assert_eq!(at(1_709_251_199), "2024-02-29T23:59:59.000Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00.000Z");
        assert_eq!(at(1_735_689_599), "2024-12-31T23:59:59.000Z");
    }
}
