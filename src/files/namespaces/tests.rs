//! Processes, names and tables of hand-made trees.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

/// A tree of its own for each test, gone afterwards.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str) -> Self {
        let root =
            std::env::temp_dir().join(format!("weir-{}-namespaces-{name}", std::process::id()));
        fs::create_dir_all(root.join("proc")).unwrap();
        Self(root)
    }

    fn process(&self, number: &str, inode: &str) -> &Self {
        let directory = self.0.join("proc").join(number);
        fs::create_dir_all(directory.join("net")).unwrap();
        fs::create_dir_all(directory.join("ns")).unwrap();
        fs::write(directory.join("net/dev"), "").unwrap();
        symlink(format!("net:[{inode}]"), directory.join("ns/net")).unwrap();
        self
    }

    fn files(&self) -> Files {
        Files::open(&self.0.join("proc"), &self.0).unwrap()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn processes_are_numbers_in_their_order() {
    let tree = Tree::new("order");
    tree.process("10", "1").process("9", "1").process("1", "1");
    for other in ["self", "1x", "-1", "99999999999"] {
        fs::create_dir(tree.0.join("proc").join(other)).unwrap();
    }
    assert_eq!(tree.files().processes().unwrap(), [1, 9, 10]);
}

#[test]
fn a_namespace_is_told_by_its_link_or_only_by_its_files() {
    let tree = Tree::new("inode");
    tree.process("1", "4026531833").process("7", "garbage");
    let files = tree.files();
    let process = Whose::Process;
    assert_eq!(files.net_inode(Whose::Own), Some(4_026_531_833));
    assert_eq!(files.net_inode(process(1)), Some(4_026_531_833));
    assert_eq!(files.net_inode(process(7)), None);
    assert_eq!(files.net_id(Whose::Own), files.net_id(process(1)));
    assert_ne!(files.net_id(process(7)), files.net_id(process(1)));
    assert_eq!(files.net_id(process(8)), None);
}

#[test]
fn names_are_those_of_namespaces_only() {
    let tree = Tree::new("names");
    tree.process("1", "1");
    let directory = tree.0.join("run/netns");
    assert_eq!(tree.files().named_namespaces().unwrap(), []);
    let files = tree.files().with_rootfs(&tree.0);
    assert_eq!(files.named_namespaces().unwrap(), []);
    fs::create_dir_all(&directory).unwrap();
    symlink("net:[4026532281]", directory.join("red")).unwrap();
    symlink("net:[4026532280]", directory.join("blue")).unwrap();
    fs::write(directory.join("stale"), "").unwrap();
    let found = files.named_namespaces().unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|(name, inode, _)| (name.as_str(), *inode))
        .collect();
    assert_eq!(found, [("blue", 4_026_532_280), ("red", 4_026_532_281)]);
}

#[test]
fn of_another_process_only_its_tables_are_known() {
    let tree = Tree::new("tables");
    tree.process("1", "1").process("7", "2");
    let range = tree.0.join("proc/sys/net/ipv4");
    fs::create_dir_all(&range).unwrap();
    fs::write(range.join("ip_local_port_range"), "1 2\n").unwrap();
    fs::write(tree.0.join("proc/7/net/x"), "seven").unwrap();
    let own = tree.files();
    let other = own.of_process(7);
    let read = |files: &Files| files.net("x", |bytes| Ok(bytes.to_vec())).unwrap();
    assert_eq!((read(&own), read(&other)), (None, Some(b"seven".to_vec())));
    let range = |files: &Files| {
        let path = "sys/net/ipv4/ip_local_port_range";
        files.proc(path, |bytes| Ok(bytes.len())).unwrap()
    };
    assert_eq!((range(&own), range(&other)), (Some(4), None));
    assert!(other.sys_directory("proc").unwrap().is_none());
    assert!(!other.live());
}

#[test]
fn the_running_kernel_names_its_own() {
    let files = Files::open(Path::new("/proc"), Path::new("/sys")).unwrap();
    let own = Whose::Process(std::process::id());
    assert_eq!(files.net_id(Whose::Own), files.net_id(own));
    let inode = files.net_inode(Whose::Own).unwrap();
    let (_, opened) = open_namespace(&files.net_link(own).unwrap()).unwrap();
    assert_eq!(opened, inode);
    assert!(files.inside().net_id(Whose::Own).is_some());
}

#[test]
fn a_small_file_of_another_namespace_is_read_once_until_it_is_forgotten() {
    let tree = Tree::new("once");
    tree.process("1", "1").process("7", "2");
    let small = tree.0.join("proc/7/net/small");
    let large = tree.0.join("proc/7/net/large");
    let write = |text: &str| {
        fs::write(&small, text).unwrap();
        fs::write(&large, text.repeat(5000)).unwrap();
    };
    write("a");
    let other = tree.files().of_process(7);
    let first = |name: &str| other.net(name, |bytes| Ok(bytes[0])).unwrap();
    assert_eq!((first("small"), first("large")), (Some(b'a'), Some(b'a')));
    write("b");
    assert_eq!((first("small"), first("large")), (Some(b'a'), Some(b'b')));
    other.forget();
    assert_eq!(first("small"), Some(b'b'));
    // While one is parsed another may be read.
    let both = other.net("small", |_| {
        Ok(other.net("small", |bytes| Ok(bytes.len())).unwrap())
    });
    assert_eq!(both.unwrap(), Some(Some(1)));
    fs::remove_dir_all(tree.0.join("proc/7")).unwrap();
    other.forget();
    assert_eq!(first("small"), None);
    assert_eq!(
        tree.files().of_process(7).net("small", |_| Ok(())).unwrap(),
        None
    );
}
