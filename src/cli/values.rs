//! Values as flags have them, and what is said of one that cannot be taken.

use std::path::PathBuf;
use std::time::Duration;

use crate::config;
use crate::config::ExcludedKinds;

pub(super) fn refused(expected: &str, found: &str) -> String {
    format!("expected {expected}, found {found:?}")
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    config::duration(text).map_err(|expected| refused(expected, text))
}

pub(super) fn interval(text: &str) -> Result<Duration, String> {
    at_least(Duration::from_millis(100), "at least 100ms", text)
}

pub(super) fn at_least(least: Duration, expected: &str, text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration < least {
        Err(refused(expected, text))
    } else {
        Ok(duration)
    }
}

pub(super) fn number(text: &str, least: usize, most: usize) -> Result<usize, String> {
    let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits
        .and_then(|text| text.parse().ok())
        .filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| refused(&format!("a number from {least} to {most}"), text))
}

/// An empty list leaves nothing out.
pub(super) fn excluded_kinds(text: &str) -> Result<ExcludedKinds, String> {
    let mut kinds = ExcludedKinds::default();
    for name in text.split(',').filter(|_| !text.is_empty()) {
        match name {
            "veth" => kinds.veth = true,
            "bridge-port" => kinds.bridge_port = true,
            _ => return Err(refused("veth, bridge-port or veth,bridge-port", text)),
        }
    }
    Ok(kinds)
}

/// Every procfs has this one file, whatever else a kernel lacks; a mistyped path would measure nothing, and succeed.
pub(super) fn procfs(text: &str) -> Result<PathBuf, String> {
    let path = directory(text)?;
    let named = ["net/dev", "1/net/dev"];
    if named.iter().any(|name| path.join(name).exists()) {
        Ok(path)
    } else {
        Err(refused("a procfs, with net/dev or 1/net/dev in it", text))
    }
}

pub(super) fn directory(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() {
        Ok(path)
    } else {
        Err(refused("a directory", text))
    }
}
