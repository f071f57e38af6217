//! The same *.prom files read by weir and by Debian's node_exporter 1.5.0: each case of fixtures/cases/textfile alone, and
//! files that share families. Families, types, HELP, series, values, the time of the file and whether something was refused
//! must be equal but for what is listed, with its reason.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use crate::client::Client;
use crate::running::Directory;
use crate::running::Process;
use crate::running::Weir;
use crate::running::free_address;
use crate::running::wait_until;
use crate::support::skip;
use crate::text::Page;

const NODE_EXPORTER: &str = "/usr/bin/prometheus-node-exporter";

/// What differs, by the case's name.
const DIFFERENCES: &[(&str, &str)] = &[
    ("a series twice", DROPPED),
    ("series-twice", DROPPED),
    ("series-twice-in-another-order", DROPPED),
    ("a type of its own in the second file", DROPPED),
    (
        "another HELP in the second file",
        "1.5.0 drops the second file's series silently; later versions take them, with node_textfile_scrape_error, as weir",
    ),
    ("family-of-ours", OURS),
    ("family-of-ours-disabled", OURS),
    ("family-of-the-engine", OURS),
    ("histogram-bucket-without-le", ZEROS),
    ("histogram-without-suffix", ZEROS),
    ("summary-without-quantile", ZEROS),
];
const DROPPED: &str = "dropped there without node_textfile_scrape_error; the file is refused here";
const OURS: &str =
    "taken there while its collector is off; a family that weir can export is refused here";
const ZEROS: &str =
    "a sample that its family's type cannot have becomes zeros there; the file is refused here";

/// Several files at a time.
const TOGETHER: &[(&str, &[(&str, &str)])] = &[
    (
        "one family in two files",
        &[
            (
                "a.prom",
                "# HELP a_bytes Bytes.\n# TYPE a_bytes gauge\na_bytes{of=\"a\"} 1\n",
            ),
            (
                "b.prom",
                "# HELP a_bytes Bytes.\n# TYPE a_bytes gauge\na_bytes{of=\"b\"} 2\n",
            ),
        ],
    ),
    (
        "other labels in the second file",
        &[
            ("a.prom", "# HELP a_bytes Bytes.\na_bytes{of=\"a\"} 1\n"),
            ("b.prom", "# HELP a_bytes Bytes.\na_bytes{by=\"b\"} 2\n"),
        ],
    ),
    (
        "another HELP in the second file",
        &[
            ("a.prom", "# HELP a_bytes Bytes.\na_bytes{of=\"a\"} 1\n"),
            (
                "b.prom",
                "# HELP a_bytes Other bytes.\na_bytes{of=\"b\"} 2\n",
            ),
        ],
    ),
    (
        "no HELP",
        &[("a.prom", "a_bytes 1\n"), ("b.prom", "b_bytes 1\n")],
    ),
    (
        "a broken file beside a good one",
        &[
            ("a.prom", "a_bytes 1 1\n"),
            ("b.prom", "# HELP b_bytes Bytes.\nb_bytes 1\n"),
        ],
    ),
    (
        "other names",
        &[
            ("a.prom~", "a_bytes 1\n"),
            (".b.prom", "# HELP b_bytes Bytes.\nb_bytes 1\n"),
            ("c.txt", "c"),
        ],
    ),
    (
        "a type of its own in the second file",
        &[
            (
                "a.prom",
                "# HELP a_bytes Bytes.\n# TYPE a_bytes gauge\na_bytes{of=\"a\"} 1\n",
            ),
            (
                "b.prom",
                "# HELP a_bytes Bytes.\n# TYPE a_bytes counter\na_bytes{of=\"b\"} 2\n",
            ),
        ],
    ),
    (
        "a series twice",
        &[
            ("a.prom", "# HELP a_bytes Bytes.\na_bytes{of=\"a\"} 1\n"),
            ("b.prom", "# HELP a_bytes Bytes.\na_bytes{of=\"a\"} 2\n"),
        ],
    ),
];

/// The files of each case.
fn cases() -> BTreeMap<String, Vec<(String, Vec<u8>)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cases/textfile");
    let mut cases: BTreeMap<_, _> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_string();
            let file = ("case.prom".to_string(), fs::read(&path).unwrap());
            (name, vec![file])
        })
        .collect();
    for (name, files) in TOGETHER {
        let files = files.iter();
        let files = files.map(|(file, text)| ((*file).to_string(), text.as_bytes().to_vec()));
        cases.insert((*name).to_string(), files.collect());
    }
    cases
}

#[test]
fn the_same_files_give_the_same_families() {
    if !Path::new(NODE_EXPORTER).exists() {
        return skip("prometheus-node-exporter is not installed");
    }
    let directory = Directory::new();
    let flag = format!("--collector.textfile.directory={}", directory.0.display());
    let flags = [
        "--collector.disable-defaults",
        "--collector.textfile",
        &flag,
    ];
    let address = free_address();
    let child = Command::new(NODE_EXPORTER)
        .arg(format!("--web.listen-address={address}"))
        .arg("--web.disable-exporter-metrics")
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _node_exporter = Process(child);
    wait_until("node_exporter", || Client::connect(&address).is_ok());
    let weir = Weir::start(&[&flags[..], &["--web.disable-exporter-metrics"]].concat());
    let mut there = Client::connect(&address).unwrap();
    let mut here = Client::connect(&weir.address).unwrap();
    let mut found = Vec::new();
    for (name, files) in cases() {
        for (file, bytes) in &files {
            fs::write(directory.0.join(file), bytes).unwrap();
        }
        let (theirs, ours) = (told(&mut there), told(&mut here));
        let known = DIFFERENCES.iter().any(|(case, _)| *case == name);
        if (theirs != ours) != known {
            let only = |these: &BTreeSet<String>, others| {
                let only: Vec<_> = these.difference(others).map(String::as_str).collect();
                only.join("\n    ")
            };
            found.push(format!(
                "{name}: listed as different: {known}\n  only there:\n    {}\n  only here:\n    {}",
                only(&theirs, &ours),
                only(&ours, &theirs)
            ));
        }
        for (file, _) in &files {
            fs::remove_file(directory.0.join(file)).unwrap();
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Types, sentences and series of a page, a line each, but for what the programs tell of themselves. A label with an empty
/// value is none.
fn told(client: &mut Client<TcpStream>) -> BTreeSet<String> {
    let answer = client.get("/metrics", "").unwrap();
    assert_eq!(answer.status, 200);
    let page = Page::parse(answer.text().unwrap()).unwrap();
    let of_itself = [
        "node_scrape_collector_",
        "node_exporter_",
        "promhttp_",
        "weir_",
    ];
    let mut told = BTreeSet::new();
    for (name, family) in &page.families {
        if of_itself.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        told.insert(format!("{name} is a {}", family.kind));
        if !name.starts_with("node_textfile_") {
            told.insert(format!("{name}: {}", family.help));
        }
        for ((sample, labels), value) in &family.samples {
            let labels: Vec<_> = labels
                .iter()
                .filter(|(_, value)| !value.is_empty())
                .collect();
            told.insert(format!("{sample} {labels:?} {value}"));
        }
    }
    told
}
