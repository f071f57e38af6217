//! `/proc/PID/ns/net`: which network namespace a process is in, as the text of a symbolic link.
//!
//! Documented in namespaces(7); written by `ns_get_name` in the kernel's fs/nsfs.c, since 3.8. The same text stands in
//! /proc/PID/mountinfo as the root of a mounted namespace.
//!
//! ```text
//! net:[4026531833]
//! ```
//!
//! The number is an inode of the file system nsfs, as `ip netns` and `lsns` know it: unique while the namespace lives, handed
//! out again afterwards.

use super::ParseError;
use super::decimal;

/// Reads the inode.
///
/// # Errors
/// When it is not the name of a network namespace.
pub fn parse(bytes: &[u8]) -> Result<u64, ParseError> {
    let digits = bytes
        .strip_prefix(b"net:[")
        .and_then(|rest| rest.strip_suffix(b"]"));
    digits
        .and_then(decimal)
        .ok_or_else(|| ParseError::new(1, "namespace", "net:[<inode>]", bytes))
}

#[cfg(test)]
mod tests {
    use super::super::hostile::survive;
    use super::*;

    fn error(bytes: &[u8]) -> String {
        parse(bytes).map_err(|error| error.to_string()).unwrap_err()
    }

    #[test]
    fn parses() {
        assert_eq!(parse(b"net:[4026531833]"), Ok(4_026_531_833));
        survive(b"net:[4026531833]", parse);
    }

    #[test]
    fn short() {
        assert_eq!(
            error(b"net:[]"),
            "1: namespace: expected net:[<inode>], found \"net:[]\""
        );
    }

    #[test]
    fn empty() {
        assert_eq!(
            error(b""),
            "1: namespace: expected net:[<inode>], found \"\""
        );
    }

    #[test]
    fn ends_abruptly() {
        assert_eq!(
            error(b"net:[4026531833"),
            "1: namespace: expected net:[<inode>], found \"net:[4026531833\""
        );
    }

    #[test]
    fn another_kind_of_namespace() {
        assert!(parse(b"mnt:[4026531832]").is_err());
        assert!(parse(b"net:[+1]").is_err());
    }
}
