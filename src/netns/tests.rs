//! Discovery in hand-made trees.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

/// A root with `proc` and `run/netns`, removed when it goes out of scope.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("weir-{}-netns-{name}", std::process::id()));
        fs::create_dir_all(root.join("proc")).unwrap();
        fs::create_dir_all(root.join("run/netns")).unwrap();
        Self(root)
    }

    /// A process in a namespace of its own, or in that of an earlier process; without the inode's text the namespace
    /// cannot be seen, as of another user's process.
    fn process(&self, number: u32, like: Option<u32>, inode: Option<u64>) -> &Self {
        let directory = self.0.join(format!("proc/{number}"));
        fs::create_dir_all(directory.join("ns")).unwrap();
        match like {
            Some(other) => {
                symlink(format!("../{other}/net"), directory.join("net")).unwrap();
            }
            None => {
                fs::create_dir_all(directory.join("net")).unwrap();
                fs::write(directory.join("net/dev"), "").unwrap();
            }
        }
        if let Some(inode) = inode {
            symlink(format!("net:[{inode}]"), directory.join("ns/net")).unwrap();
        }
        self
    }

    fn name(&self, name: &str, inode: u64) -> &Self {
        let path = self.0.join("run/netns").join(name);
        symlink(format!("net:[{inode}]"), path).unwrap();
        self
    }

    fn files(&self) -> Files {
        let files = Files::open(&self.0.join("proc"), &self.0).unwrap();
        files.with_rootfs(&self.0)
    }

    fn all(&self) -> Found {
        discover(&self.files(), &Netns::All, 100, &mut Seen::default())
    }

    fn named(&self, names: &[&str]) -> Found {
        let names = names.iter().map(ToString::to_string).collect();
        discover(
            &self.files(),
            &Netns::Named(names),
            100,
            &mut Seen::default(),
        )
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn labels_of(found: &Found) -> Vec<&str> {
    let others = found
        .others
        .iter()
        .map(|namespace| namespace.label.as_str());
    [found.own.as_str()].into_iter().chain(others).collect()
}

#[test]
fn one_label_for_each_namespace_in_a_fixed_order() {
    let tree = Tree::new("order");
    tree.process(1, None, Some(10))
        .process(2, Some(1), Some(10))
        .process(30, None, Some(13))
        .process(31, None, Some(12))
        .process(32, Some(30), Some(13))
        .process(40, None, Some(11))
        .name("red", 11)
        .name("blue", 14)
        .name("azure", 14);
    let found = tree.all();
    assert_eq!(labels_of(&found), ["init", "azure", "red", "12", "13"]);
    assert_eq!((found.left_out, found.error.as_deref()), (0, None));
    let processes: Vec<_> = found
        .others
        .iter()
        .map(|namespace| namespace.process.map(|(process, _)| process))
        .collect();
    assert_eq!(processes, [None, Some(40), Some(31), Some(30)]);
    let entrance = found.others[1].entrance.as_deref();
    assert_eq!(entrance, Some(tree.0.join("run/netns/red").as_path()));
    let entrance = found.others[3].entrance.as_deref();
    assert_eq!(entrance, Some(tree.0.join("proc/30/ns/net").as_path()));
    assert_eq!(tree.all(), found);
}

#[test]
fn what_may_not_be_seen_is_told_by_its_files() {
    let tree = Tree::new("unseen");
    tree.process(1, None, Some(10))
        .process(20, None, None)
        .process(21, Some(20), None)
        .name("red", 11);
    let found = tree.all();
    let id = tree.files().net_id(Whose::Process(20)).unwrap();
    let label = format!("proc/{}", id.inode());
    assert_eq!(labels_of(&found), ["init", "red", label.as_str()]);
    assert_eq!(found.others[0].process, None);
    assert_eq!(found.others[1].process, Some((20, id)));
    assert_eq!(another_process(&tree.files(), id), Some(20));
    fs::remove_dir_all(tree.0.join("proc/20/ns")).unwrap();
    assert_eq!(another_process(&tree.files(), id), Some(20));
}

#[test]
fn only_what_was_asked_for_and_what_of_it_is_missing() {
    let tree = Tree::new("asked");
    tree.process(1, None, Some(10))
        .process(20, None, Some(12))
        .process(21, None, Some(13))
        .name("red", 11)
        .name("blue", 11)
        .name("green", 12);
    let found = tree.named(&["red", "12", "nonesuch", "13"]);
    assert_eq!(labels_of(&found), ["init", "green", "red", "13"]);
    assert_eq!(found.missing, ["nonesuch"]);
    assert_eq!(labels_of(&tree.named(&["init"])), ["init"]);
    assert_eq!(tree.named(&["init"]).missing, Vec::<String>::new());
    assert_eq!(labels_of(&tree.named(&["blue", "red"])), ["init", "blue"]);
}

#[test]
fn names_that_look_like_ours_keep_their_meaning() {
    let tree = Tree::new("names");
    tree.process(1, None, Some(10))
        .process(20, None, Some(12))
        .name("init", 11)
        .name("12", 13);
    assert_eq!(labels_of(&tree.all()), ["own", "12", "init", "net/12"]);
    tree.name("own", 14);
    assert_eq!(labels_of(&tree.all())[0], "10");
}

#[test]
fn the_own_namespace_may_have_a_name() {
    let tree = Tree::new("own");
    tree.process(1, None, Some(10)).name("red", 10);
    assert_eq!(labels_of(&tree.all()), ["red"]);
}

#[test]
fn the_limit_keeps_names_before_numbers() {
    let tree = Tree::new("limit");
    tree.process(1, None, Some(10))
        .process(20, None, Some(12))
        .process(21, None, Some(13))
        .name("red", 11);
    let found = discover(&tree.files(), &Netns::All, 2, &mut Seen::default());
    assert_eq!(labels_of(&found), ["init", "red", "12"]);
    assert_eq!(found.left_out, 1);
}

#[test]
fn a_capture_of_one_namespace_has_no_others() {
    let tree = Tree::new("capture");
    fs::create_dir_all(tree.0.join("proc/net")).unwrap();
    fs::write(tree.0.join("proc/net/dev"), "").unwrap();
    let found = tree.all();
    assert_eq!(labels_of(&found), ["own"]);
    let empty = Tree::new("empty");
    assert_eq!(labels_of(&empty.all()), ["own"]);
}

#[test]
fn the_running_kernels_own_namespace_is_found_once() {
    let files = Files::open(Path::new("/proc"), Path::new("/sys")).unwrap();
    let found = discover(&files, &Netns::All, 1000, &mut Seen::default());
    let own = files.net_inode(Whose::Own);
    let all: Vec<_> = labels_of(&found);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    assert!(found.others.iter().all(|other| other.inode != own));
    assert!(!found.own.is_empty());
}

#[test]
fn a_captured_tree_is_never_entered() {
    let tree = Tree::new("entered");
    assert!(!may_enter(&tree.files()));
}

/// The processes that stand for the others.
fn representatives(found: &Found) -> Vec<u32> {
    let processes = found.others.iter().filter_map(|other| other.process);
    let mut processes: Vec<_> = processes.map(|(process, _)| process).collect();
    processes.sort_unstable();
    processes
}

#[test]
fn processes_that_were_seen_before_are_looked_at_in_turn() {
    let tree = Tree::new("seen");
    tree.process(1, None, Some(10)).process(20, None, Some(12));
    for process in 21..60 {
        tree.process(process, Some(20), None);
    }
    let files = tree.files();
    let mut seen = Seen::default();
    let mut again = || discover(&files, &Netns::All, 100, &mut seen);
    for _ in 0..40 {
        assert_eq!(representatives(&again()), [20]);
    }
    // The one that stands for the others ends, and its directory with it, which here is the others' too.
    let moved = tree.0.join("proc/20/net");
    fs::rename(&moved, tree.0.join("kept")).unwrap();
    for process in 21..60 {
        let link = tree.0.join(format!("proc/{process}/net"));
        fs::remove_file(&link).unwrap();
        symlink("../../kept", link).unwrap();
    }
    assert_eq!(representatives(&again()), [21]);
    // New ones are noticed at once, others that went elsewhere when it is their turn.
    tree.process(100, None, Some(13));
    assert_eq!(representatives(&again()), [21, 100]);
    fs::remove_file(tree.0.join("proc/50/net")).unwrap();
    tree.process(50, None, Some(14));
    let noticed = (1..=16).find(|_| representatives(&again()).contains(&50));
    assert!(noticed.is_some());
    assert_eq!(representatives(&again()), [21, 50, 100]);
    // And those that ended are forgotten.
    for process in 1..=100 {
        let _ = fs::remove_dir_all(tree.0.join(format!("proc/{process}")));
    }
    assert_eq!(representatives(&again()), [0; 0]);
    assert!(seen.processes.is_empty());
}
