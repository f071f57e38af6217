//! Every captured host, measured with every collector there is, gives the page beside it. `make bless` rewrites the
//! pages; the difference is then reviewed as code is.

use crate::tree::Host;
use crate::tree::directories;
use crate::tree::golden;
use crate::tree::well_formed;

#[test]
fn captured_hosts_give_the_page_beside_them() {
    let mut wrong = Vec::new();
    for host in directories("hosts") {
        let page = Host::open(&host).report(&[]);
        wrong.extend(golden(&host.join("expected.prom"), &page).err());
        wrong.extend(well_formed(&page).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_fails_on_a_captured_host() {
    for root in directories("hosts") {
        let mut host = Host::open(&root);
        host.scrape(&[]);
        assert_eq!(host.errors(), [], "{}", root.display());
    }
}

#[test]
fn the_same_state_gives_the_same_bytes() {
    for root in directories("hosts") {
        let mut host = Host::open(&root);
        let first = host.page(&[]);
        assert_eq!(host.page(&[]), first, "{}: scraped twice", root.display());
        assert_eq!(
            Host::open(&root).page(&[]),
            first,
            "{}: opened twice",
            root.display()
        );
    }
}
