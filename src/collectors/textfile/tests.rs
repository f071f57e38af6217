use std::fs;
use std::os::unix::fs::symlink;

use super::super::tree::Tree;
use super::*;

const HELP: &str = "# HELP a Whatever there is to tell.\n";

/// One scrape of these files, without the times.
fn scraped(test: &str, files: &[(&str, &str)]) -> (Tree, Box<dyn Collector>, String) {
    let tree = Tree::new(test);
    for (name, text) in files {
        tree.write(format!("text/{name}"), text);
    }
    let mut collector = Tree::make(&SPEC, |config| {
        config.textfile_directories = vec![tree.path("t?xt")];
    });
    let text = again(&tree, &mut *collector);
    (tree, collector, text)
}

fn again(tree: &Tree, collector: &mut dyn Collector) -> String {
    let text = tree.scrape(&SPEC, collector).expect("never fails");
    text.lines()
        .filter(|line| !line.starts_with("node_textfile_mtime_seconds"))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn a_bad_file_costs_no_other_and_heals() {
    let good = format!("{HELP}a{{x=\"1\",b=\"2\"}} 1\n");
    let (tree, mut collector, text) = scraped(
        "textfile-bad",
        &[
            ("bad.prom", "a 1 170\n"),
            ("good.prom", &good),
            ("no.txt", "x"),
        ],
    );
    assert_eq!(text, "a{b=\"2\",x=\"1\"} 1\nnode_textfile_scrape_error 1\n");
    fs::remove_file(tree.path("text/bad.prom")).expect("a file");
    assert_eq!(
        again(&tree, &mut *collector),
        "a{b=\"2\",x=\"1\"} 1\nnode_textfile_scrape_error 0\n"
    );
}

#[test]
fn the_own_file_is_passed_over() {
    let own = format!("{HELP}a 1\n# HELP weir_build_info Build.\nweir_build_info 1\n");
    let files = [
        (TEXTFILE, own.as_str()),
        (
            "other.prom",
            "# HELP b Something of another program.\nb 1\n",
        ),
    ];
    let (tree, mut collector, text) = scraped("textfile-own", &files);
    assert_eq!(text, "b 1\nnode_textfile_scrape_error 1\n", "another's");
    symlink(tree.path("text"), tree.path("link")).expect("a link");
    symlink(TEXTFILE, tree.path("text/linked.prom")).expect("a link");
    for output in ["text", "text/", "link"] {
        collector = Tree::make(&SPEC, |config| {
            config.textfile_directories = vec![tree.path("t?xt")];
            config.textfile_output = Some(tree.path(output));
        });
        let text = again(&tree, &mut *collector);
        assert_eq!(text, "b 1\nnode_textfile_scrape_error 0\n", "{output}");
    }
    // It may not be written yet.
    fs::remove_file(tree.path("text/linked.prom")).expect("a link");
    fs::remove_file(tree.path("text").join(TEXTFILE)).expect("a file");
    let text = again(&tree, &mut *collector);
    assert_eq!(text, "b 1\nnode_textfile_scrape_error 0\n");
}

#[test]
fn no_series_and_no_type_line_twice() {
    let second = format!("{HELP}a{{x=\"2\"}} 2\n");
    let other_help = "# HELP a Another sentence about it.\na{x=\"3\"} 3\n";
    let (tree, mut collector, text) = scraped(
        "textfile-twice",
        &[
            ("1.prom", &format!("{HELP}a 1\n")),
            ("2.prom", &second),
            (
                "3.prom",
                "# HELP b Lost with its file.\nb 1\na{x=\"2\"} 5\n",
            ),
            ("4.prom", other_help),
            ("5.prom", "# TYPE a gauge\na{x=\"5\"} 5\n"),
        ],
    );
    assert_eq!(
        text,
        "a 1\na{x=\"2\"} 2\na{x=\"3\"} 3\nnode_textfile_scrape_error 1\n"
    );
    for gone in ["3", "5"] {
        fs::remove_file(tree.path(&format!("text/{gone}.prom"))).expect("a file");
    }
    let left = again(&tree, &mut *collector);
    assert!(left.ends_with("node_textfile_scrape_error 1\n"), "{left}");
    fs::remove_file(tree.path("text/4.prom")).expect("a file");
    let left = again(&tree, &mut *collector);
    assert!(left.ends_with("node_textfile_scrape_error 0\n"), "{left}");
    let mut batch = Batch::default();
    let mut taken = Taken::default();
    for file in ["1", "2"] {
        let path = tree.path(&format!("text/{file}.prom"));
        taken.read(&reader::read(path), &mut batch);
    }
    assert_eq!((batch.families().len(), batch.samples().len()), (1, 2));
}

#[test]
fn families_of_ours_and_names_of_others_are_refused() {
    for text in [
        "node_network_up{device=\"x\"} 1\n",
        "node_netstat_Tcp_InSegs 1\n",
        "weir_anything 1\n",
        "process_open_fds 1\n",
        "# TYPE node_scrape_collector histogram\nnode_scrape_collector_count 1\n",
        "# TYPE process summary\nprocess_sum 1\n",
        "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\n",
    ] {
        let first = "# HELP h_count A family of that name.\nh_count 1\n";
        let (_, _, page) = scraped("textfile-ours", &[("a.prom", first), ("b.prom", text)]);
        let refused = "h_count 1\nnode_textfile_scrape_error 1\n";
        assert_eq!(page, refused, "{text}");
    }
}

#[test]
fn what_is_no_regular_file_or_too_large_is_refused() {
    let (tree, mut collector, text) = scraped("textfile-kinds", &[("a.prom", "")]);
    assert_eq!(text, "node_textfile_scrape_error 0\n");
    let odd = tree.path("text/b.prom");
    let refused = "node_textfile_scrape_error 1\n";
    fs::create_dir(&odd).expect("a directory");
    assert_eq!(again(&tree, &mut *collector), refused);
    fs::remove_dir(&odd).expect("a directory");
    for target in ["/dev/tty", "gone", "b.prom"] {
        symlink(target, &odd).expect("a link");
        assert_eq!(again(&tree, &mut *collector), refused, "{target}");
        fs::remove_file(&odd).expect("a link");
    }
    let fifo = rustix::fs::Mode::RUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &odd, rustix::fs::FileType::Fifo, fifo, 0)
        .expect("a FIFO");
    assert_eq!(again(&tree, &mut *collector), refused, "a FIFO");
    fs::remove_file(&odd).expect("a FIFO");
    let large = fs::File::create(&odd).expect("a file");
    large.set_len(reader::FILE as u64 + 1).expect("a hole");
    assert_eq!(again(&tree, &mut *collector), refused, "too large");
}

#[test]
fn too_many_series_are_counted() {
    let many = |name: &str, count: usize| {
        let head = format!("# HELP {name} Whatever there is to tell.\n");
        let rows: String = (0..count)
            .map(|n| format!("{name}{{n=\"{n}\"}} 1\n"))
            .collect();
        head + &rows
    };
    let (_, _, text) = scraped(
        "textfile-many",
        &[("a.prom", &many("a", SERIES)), ("b.prom", &many("b", 2))],
    );
    assert_eq!(text.lines().count(), SERIES + 1);
    assert!(text.ends_with("node_textfile_scrape_error 1\n"));
}

#[test]
fn a_directory_that_is_not_there_is_an_error_and_none_is_not() {
    let tree = Tree::new("textfile-none");
    assert_eq!(
        tree.once(&SPEC),
        Ok("node_textfile_scrape_error 0\n".into())
    );
    let mut collector = Tree::make(&SPEC, |config| {
        config.textfile_directories = vec![tree.path("gone*")];
    });
    assert_eq!(
        again(&tree, &mut *collector),
        "node_textfile_scrape_error 1\n"
    );
}
