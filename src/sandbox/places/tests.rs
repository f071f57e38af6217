use super::*;

use std::fs;

/// A root file system of its own, with /etc, /run and /var.
struct Root(PathBuf);

impl Root {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("weir-{}-places-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        for directory in ["etc", "run", "usr", "var/lib", "srv/data", "tmp"] {
            fs::create_dir_all(path.join(directory)).expect("a temporary directory");
        }
        Self(path)
    }

    fn config(&self) -> Config {
        Config {
            rootfs: self.0.clone(),
            ..Config::default()
        }
    }

    /// The directories that may be read below the root; `None` where everything may.
    fn read(&self, config: &Config) -> Option<Vec<String>> {
        let places = Places::of(config, &Mounts::default());
        let read = places.0.iter().map(|place| place.directory.as_path());
        if read.clone().any(|path| path == Path::new("/")) {
            return None;
        }
        let below = |path: &Path| Some(path.strip_prefix(&self.0).ok()?.display().to_string());
        let mut found: Vec<_> = read.filter_map(below).collect();
        found.sort_unstable();
        Some(found)
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn source(path: &str) -> crate::config::sources::Source {
    use crate::config::sources::Kind;
    use crate::config::sources::Pattern;
    crate::config::sources::Source {
        name: "x".to_string(),
        file: Pattern {
            path: PathBuf::from(path),
            labels: Vec::new(),
        },
        format: crate::config::sources::Format::Number,
        metric: "x".to_string(),
        place: crate::config::node::Place { line: 1, column: 1 },
        help: String::new(),
        kind: Kind::Gauge,
        labels: Vec::new(),
        scale: 1.0,
    }
}

#[test]
fn directories_at_the_top_are_read_and_what_links_lead_to() {
    let root = Root::new("top");
    let mut config = root.config();
    let usual = ["etc", "run", "tmp", "usr", "var"].map(str::to_string);
    assert_eq!(root.read(&config), Some(usual.to_vec()));
    config.sources = vec![source("/var/lib/later/number")];
    assert_eq!(root.read(&config), Some(usual.to_vec()), "not there yet");
    fs::write(root.0.join("srv/data/number"), "1").expect("a file");
    config.sources = vec![source("/srv/data/number")];
    let mut more = usual.to_vec();
    more.insert(2, "srv".to_string());
    assert_eq!(root.read(&config), Some(more.clone()));
    std::os::unix::fs::symlink("/srv/data", root.0.join("var/lib/link")).expect("a link");
    config.sources = vec![source("/var/lib/link/number")];
    assert_eq!(root.read(&config), Some(more), "a link leads there");
}

#[test]
fn what_patterns_stand_for_is_followed() {
    let root = Root::new("patterns");
    let mut config = root.config();
    let number = root.0.join("srv/data/number.prom");
    fs::write(&number, "x 1\n").expect("a file");
    config.textfile_directories = vec![root.0.join("var/lib")];
    let top = |config: &Config| {
        let places = Places::of(config, &Mounts::default());
        let mut read = places.0.iter().map(|place| place.directory.as_path());
        read.any(|path| path == Path::new("/tmp"))
    };
    assert!(top(&config), "the directory itself is below /tmp");
    config.textfile_directories.clear();
    config.sources = vec![source("/var/lib/*.prom")];
    let usual = ["etc", "run", "tmp", "usr", "var"].map(str::to_string);
    assert_eq!(root.read(&config), Some(usual.to_vec()), "nothing fits");
    std::os::unix::fs::symlink("/srv/data/number.prom", root.0.join("var/lib/x.prom"))
        .expect("a link");
    let mut more = usual.to_vec();
    more.insert(2, "srv".to_string());
    assert_eq!(root.read(&config), Some(more), "a link fits");
    // Directories that fit may be links one day.
    config.sources = vec![source("/var/*/number")];
    assert_eq!(root.read(&config), None);
}

#[test]
fn where_it_cannot_be_known_everything_is_read() {
    let root = Root::new("all");
    let mut config = root.config();
    // Something may be mounted there.
    config.sources = vec![source("/srv/usb/number")];
    assert_eq!(root.read(&config), None);
    // The file is at the top itself.
    fs::write(root.0.join("number"), "1").expect("a file");
    config.sources = vec![source("/number")];
    assert_eq!(root.read(&config), None);
}

#[test]
fn what_another_configuration_needs_more_is_named() {
    let root = Root::new("lacks");
    fs::write(root.0.join("srv/data/number"), "1").expect("a file");
    let lacks = |before: &Places, after: &Places| {
        let place = before.lacks(after)?;
        Some((place.path.clone(), place.access))
    };
    let places = |config: &Config| Places::of(config, &Mounts::default());
    let before = places(&root.config());
    assert_eq!(lacks(&before, &places(&root.config())), None);
    let mut config = root.config();
    config.sources = vec![source("/srv/data/number")];
    let expected = Some((PathBuf::from("/srv/data/number"), Access::READ));
    assert_eq!(lacks(&before, &places(&config)), expected);
    config.sources = vec![source("/nonesuch/number")];
    let expected = Some((PathBuf::from("/nonesuch/number"), Access::READ));
    assert_eq!(lacks(&before, &places(&config)), expected);
    assert_eq!(lacks(&places(&config), &before), None, "everything is read");
    let mut config = root.config();
    config.textfile_output = Some(root.0.join("srv/data"));
    let expected = Some((root.0.join("srv/data"), Access::REPLACE));
    assert_eq!(lacks(&before, &places(&config)), expected);
    let before = places(&config);
    // Made later, below what is there.
    config.textfile_output = Some(root.0.join("srv/data/later"));
    assert_eq!(lacks(&before, &places(&config)), None);
    assert_eq!(lacks(&places(&config), &before), None);
}
