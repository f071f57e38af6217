//! Reads the files of one directory, or of those that a pattern stands for, in a thread of its own: looking for a file is
//! enough to hang where the directory, something above it, or what a link leads to is on a mount whose server is gone.

use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;
use std::time::SystemTime;

use crate::files::regular;
use crate::probes::Answer;
use crate::probes::OnDemand;

/// The largest file, in bytes.
pub(super) const FILE: usize = 2 << 20;
/// The most files.
pub(super) const FILES: usize = 256;
/// The most bytes of all files: they are held until the next reading.
const BYTES: usize = 8 << 20;

/// What stood in the directories.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: Vec<File>,
    /// What is wrong with directories, and files that were not read.
    pub(super) refused: Vec<String>,
}

/// A file with its content and when it was last written, or why there is none.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) content: Result<(Vec<u8>, SystemTime), String>,
}

/// One `--collector.textfile.directory`, with its thread from the first question on.
pub(super) struct Reader {
    pattern: PathBuf,
    /// The file that this program writes, which is passed over under whatever name it is found.
    own: Option<PathBuf>,
    thread: Option<Result<OnDemand<Found>, String>>,
}

impl Reader {
    pub(super) fn new(pattern: &Path, own: Option<PathBuf>) -> Self {
        Self {
            pattern: pattern.to_path_buf(),
            own,
            thread: None,
        }
    }

    pub(super) fn ask(&mut self) {
        let started = self.thread.take().filter(Result::is_ok);
        let thread = started.unwrap_or_else(|| {
            let (pattern, own) = (self.pattern.clone(), self.own.clone());
            let started = OnDemand::start("textfile", move || read_all(&pattern, own.as_deref()));
            started.map_err(|error| format!("{}: no thread: {error}", self.pattern.display()))
        });
        if let Ok(thread) = &thread {
            thread.ask();
        }
        self.thread = Some(thread);
    }

    /// What was read, and what is wrong with the reading itself.
    pub(super) fn answer(&self, until: Instant) -> (Option<Answer<Found>>, Option<String>) {
        match &self.thread {
            None => (None, None),
            Some(Err(error)) => (None, Some(error.clone())),
            Some(Ok(thread)) => {
                let answer = thread.answer(until);
                let hangs = answer.is_stuck().then(|| {
                    let pattern = self.pattern.display();
                    format!("{pattern}: expected an answer of the file system, found none")
                });
                (Some(answer), hangs)
            }
        }
    }
}

/// Told once for a directory, however many files there are: each of them a line would be for the log to drown in.
pub(super) fn too_many(directory: &Path) -> String {
    let directory = directory.display();
    format!("{directory}: expected at most {FILES} *.prom files, found more")
}

fn read_all(pattern: &Path, own: Option<&Path>) -> Found {
    let mut found = Found::default();
    let own = own.and_then(regular::identity);
    let mut room = BYTES;
    for directory in regular::matching(pattern).0 {
        let paths = match regular::with_suffix(&directory, ".prom") {
            Ok(paths) => paths,
            Err(error) => {
                found.refused.push(error.to_string());
                continue;
            }
        };
        for path in paths {
            if own.is_some() && own == regular::identity(&path) {
                continue;
            }
            if found.files.len() >= FILES {
                found.refused.push(too_many(pattern));
                return found;
            }
            let content = match regular::read(&path, FILE) {
                Ok((bytes, _)) if bytes.len() > room => Err(format!(
                    "{}: expected at most {BYTES} bytes in all files",
                    path.display()
                )),
                Ok((bytes, modified)) => {
                    room -= bytes.len();
                    Ok((bytes, modified))
                }
                Err(error) => Err(error.to_string()),
            };
            found.files.push(File { path, content });
        }
    }
    found
}

#[cfg(test)]
pub(super) fn read(path: PathBuf) -> File {
    let content = regular::read(&path, FILE).map_err(|error| error.to_string());
    File { path, content }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_files_one_line_is_told() {
        let root = std::env::temp_dir().join(format!("weir-{}-many", std::process::id()));
        std::fs::create_dir_all(&root).expect("a directory");
        for number in 0..FILES + 3 {
            std::fs::write(root.join(format!("{number:03}.prom")), "a 1\n").expect("a file");
        }
        let found = read_all(&root, None);
        let least = read_all(&root, Some(&root.join("000.prom")));
        std::fs::remove_dir_all(&root).expect("the directory");
        assert_eq!(found.files.len(), FILES);
        assert_eq!(found.refused, [too_many(&root)]);
        // The own one counts as none.
        assert_eq!(least.files.len(), FILES);
        assert_eq!(least.refused.len(), 1);
    }
}
