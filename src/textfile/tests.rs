use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::thread;

use super::*;

/// A directory that is removed when it goes out of scope; `name` keeps the tests of one process apart.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("weir-textfile-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a temporary directory");
        Self(path)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.join(below)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("a directory");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<_> = names
            .map(|name| name.into_string().expect("UTF-8"))
            .collect();
        names.sort();
        names
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path(TEXTFILE)).expect("the file")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn refused(textfile: &mut Textfile) -> String {
    let error = textfile.replace(b"a 2\n").expect_err("refused");
    error.to_string()
}

#[test]
fn the_file_is_readable_for_all_and_alone() {
    let directory = Directory::new("modes");
    let mut textfile = Textfile::new(&directory.0);
    assert!(textfile.replaced().is_none());
    for text in ["a 1\nb 2\n", "a 1\n"] {
        textfile.replace(text.as_bytes()).expect("written");
        assert_eq!(directory.text(), text);
    }
    let mode = fs::metadata(directory.path(TEXTFILE))
        .expect("the file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o644);
    assert_eq!(directory.names(), [TEXTFILE]);
    assert!(textfile.replaced().is_some() && textfile.errors() == 0);
}

#[test]
fn a_directory_that_comes_later_heals_it() {
    let parent = Directory::new("later");
    let missing = parent.path("not/yet");
    let mut textfile = Textfile::new(&missing);
    let said = refused(&mut textfile);
    assert!(
        said.starts_with(&format!("{}: open: No such file", missing.display())),
        "{said}"
    );
    textfile.update(b"a 1\n");
    assert_eq!(
        (textfile.errors(), textfile.broken),
        (2, Some(Errno::NOENT))
    );
    assert!(textfile.replaced().is_none());
    fs::create_dir_all(&missing).expect("made");
    textfile.update(b"a 1\n");
    assert_eq!((textfile.errors(), textfile.broken), (2, None));
    assert!(textfile.replaced().is_some() && missing.join(TEXTFILE).is_file());
}

#[test]
fn what_is_no_directory_is_told() {
    let parent = Directory::new("file");
    fs::write(parent.path("file"), "kept").expect("a file");
    let said = refused(&mut Textfile::new(&parent.path("file")));
    assert!(said.contains("file: open: Not a directory"), "{said}");
    let kept = fs::read_to_string(parent.path("file")).expect("a file");
    assert_eq!(kept, "kept");
}

#[test]
fn what_a_killed_process_left_is_written_over() {
    let directory = Directory::new("stale");
    fs::write(directory.path(TEMPORARY), "half a pa").expect("a file");
    let mut textfile = Textfile::new(&directory.0);
    textfile.replace(b"a 1\n").expect("written");
    assert_eq!(directory.names(), [TEXTFILE]);
    assert_eq!(directory.text(), "a 1\n");
}

/// Whoever may write into the directory must not lead weir, which may be root, to another file.
#[test]
fn no_link_is_followed() {
    let directory = Directory::new("links");
    let victim = directory.path("victim");
    fs::write(&victim, "kept").expect("a file");
    fs::set_permissions(&victim, fs::Permissions::from_mode(0o600)).expect("changed");
    for name in [TEMPORARY, TEXTFILE] {
        for hard in [false, true] {
            let link = directory.path(name);
            let _ = fs::remove_file(&link);
            let made = if hard {
                fs::hard_link(&victim, &link)
            } else {
                symlink(&victim, &link)
            };
            made.expect("a link");
            let mut textfile = Textfile::new(&directory.0);
            textfile.replace(b"a 1\n").expect("written");
            assert_eq!(directory.text(), "a 1\n");
            let found = fs::symlink_metadata(directory.path(TEXTFILE)).expect("the file");
            assert!(found.is_file(), "{name}");
            assert_eq!(fs::read_to_string(&victim).expect("a file"), "kept");
            let mode = fs::metadata(&victim).expect("a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
}

#[test]
fn a_directory_under_either_name_is_told_and_nothing_is_left() {
    let directory = Directory::new("blocked");
    let mut textfile = Textfile::new(&directory.0);
    for (name, step) in [(TEMPORARY, "remove"), (TEXTFILE, "rename to")] {
        fs::create_dir(directory.path(name)).expect("made");
        let said = refused(&mut textfile);
        let begin = format!("{}: {step}: ", directory.path(name).display());
        assert!(said.starts_with(&begin), "{said}");
        assert_eq!(directory.names(), [name]);
        fs::remove_dir(directory.path(name)).expect("removed");
    }
    textfile.replace(b"a 1\n").expect("healed");
}

#[test]
fn a_reader_never_sees_a_part() {
    let directory = Directory::new("reader");
    let pages = ["a 1\n".repeat(30_000), "b 22\n".repeat(10_000)];
    let mut textfile = Textfile::new(&directory.0);
    textfile.replace(pages[0].as_bytes()).expect("written");
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for page in pages.iter().cycle().take(300) {
                textfile.replace(page.as_bytes()).expect("written");
            }
        });
        while !writer.is_finished() {
            let text = directory.text();
            assert!(pages.contains(&text), "{} bytes", text.len());
        }
        writer.join().expect("every page was written");
    });
}
