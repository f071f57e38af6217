//! `/proc/sys/kernel/ostype`, `osrelease`, `version`, `hostname` and `domainname`: what uname(2) answers, a line each.
//!
//! Documented in proc_sys_kernel(5); written by `proc_do_uts_string` in the kernel's kernel/utsname_sysctl.c, since 1.3. The
//! last two are of the reader's UTS namespace.
//!
//! ```text
//! #1 SMP PREEMPT_DYNAMIC @0
//! ```
//!
//! Traps: a name may be empty, and hold any bytes (sethostname(2) looks at none of them).

use super::ParseError;
use super::lines;
use super::printable;

/// Reads the name; `field` is the file's name.
///
/// # Errors
/// When the file is empty: even an empty name has a line.
pub fn name(bytes: &[u8], field: &'static str) -> Result<String, ParseError> {
    let line = lines(bytes).expect(field, "a line")?;
    Ok(printable(line.text()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::hostile::survive;
    use super::*;

    fn read(bytes: &[u8]) -> Result<String, String> {
        name(bytes, "version").map_err(|error| error.to_string())
    }

    #[test]
    fn parses() {
        let sample = b"#1 SMP PREEMPT_DYNAMIC @0\n";
        assert_eq!(read(sample).as_deref(), Ok("#1 SMP PREEMPT_DYNAMIC @0"));
        assert_eq!(read(b"r\xfcter\n").as_deref(), Ok("r\\xfcter"));
        survive(sample, |bytes| name(bytes, "version"));
    }

    #[test]
    fn short() {
        assert_eq!(read(b"\n").as_deref(), Ok(""));
    }

    #[test]
    fn empty() {
        assert_eq!(
            read(b""),
            Err("1: version: expected a line, found \"\"".to_string())
        );
    }

    #[test]
    fn ends_abruptly() {
        assert!(read(b"#1 SM").is_err_and(|error| error.contains("a line feed at its end")));
    }
}
