//! The text tables of sockets, read in pieces of 64 KiB: the source where there is no netlink, and for captured hosts.

use rustix::io::Errno;

use crate::files::Cause;
use crate::files::FileError;
use crate::files::Files;
use crate::parse::ParseError;
use crate::parse::net_tcp::Socket;
use crate::parse::net_tcp::Table;

/// One piece, in bytes: some 400 rows.
const PIECE: usize = 64 << 10;

/// Gives each socket of `PROCFS/net/NAME` to `each`; `None` when this kernel does not have that table.
///
/// # Errors
/// When it cannot be read or breaks its format. What was given until then stays given.
pub fn stream(
    files: &Files,
    name: &str,
    mut each: impl FnMut(&Socket),
) -> Result<Option<()>, FileError> {
    let Some(file) = files.open_net(name)? else {
        return Ok(None);
    };
    let failed = |cause| FileError {
        path: files.net_path(name).display().to_string(),
        cause,
    };
    let broken = |error: ParseError| failed(Cause::Parse(error));
    let mut table = Table::new(files.byte_order());
    // On the stack: musl's allocator would map and unmap it each time.
    let mut buffer = [0; PIECE];
    // The start of a line whose end has not been read yet.
    let mut held = 0;
    loop {
        let room = buffer.get_mut(held..).unwrap_or_default();
        if room.is_empty() {
            return Err(broken(table.endless(&buffer)));
        }
        let count = match rustix::io::read(&file, room) {
            Ok(count) => count,
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(failed(Cause::Io(errno))),
        };
        let filled = buffer.get(..held + count).unwrap_or_default();
        if count == 0 {
            return table.end(filled).map(Some).map_err(broken);
        }
        let used = table.piece(filled, &mut each).map_err(broken)?;
        held = filled.len() - used;
        buffer.copy_within(used..used + held, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n";
    const ROW: &str = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000\n";

    /// A tree of its own for each test, gone afterwards.
    struct Tree(std::path::PathBuf);

    impl Tree {
        fn new(name: &str, table: &str) -> Self {
            let root = std::env::temp_dir().join(format!("weir-{}-{name}", std::process::id()));
            fs::create_dir_all(root.join("net")).unwrap();
            fs::write(root.join("net/tcp"), table).unwrap();
            Self(root)
        }

        fn read(&self, name: &str) -> Result<Option<usize>, String> {
            let files = Files::open(&self.0, Path::new("/")).unwrap();
            let mut count = 0;
            stream(&files, name, |_| count += 1)
                .map(|found| found.map(|()| count))
                .map_err(|error| error.to_string().replace(self.0.to_str().unwrap(), ""))
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_table_longer_than_a_piece() {
        let tree = Tree::new("long", &(HEAD.to_string() + &ROW.repeat(5000)));
        assert_eq!(tree.read("tcp"), Ok(Some(5000)));
        assert_eq!(tree.read("tcp6"), Ok(None));
    }

    #[test]
    fn a_table_that_ends_abruptly() {
        let text = HEAD.to_string() + &ROW.repeat(5000);
        let tree = Tree::new("cut", &text[..text.len() - 1]);
        let error = tree.read("tcp").unwrap_err();
        assert!(
            error.starts_with("/net/tcp:5001: line: expected a line feed at its end, found"),
            "{error}"
        );
    }

    #[test]
    fn a_line_longer_than_a_piece() {
        let tree = Tree::new("endless", &(HEAD.to_string() + &"0".repeat(200_000)));
        let error = tree.read("tcp").unwrap_err();
        assert!(
            error.starts_with("/net/tcp:2: line: expected a line feed"),
            "{error}"
        );
    }

    #[test]
    fn an_empty_table() {
        let tree = Tree::new("empty", "");
        let error = tree.read("tcp").unwrap_err();
        assert!(
            error.starts_with("/net/tcp:1: sl: expected the header"),
            "{error}"
        );
    }

    #[test]
    fn a_broken_row_is_named_by_its_line() {
        let tree = Tree::new("broken", &(HEAD.to_string() + &ROW.repeat(2000) + "x\n"));
        assert_eq!(
            tree.read("tcp"),
            Err("/net/tcp:2002: sl: expected <number>:, found \"x\"".to_string())
        );
    }
}
