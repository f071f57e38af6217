//! The page's sections. One whose collector is switched off, or found nothing to measure, is not there; one whose collector
//! failed says so, and shows no number.

use super::View;
use super::devices;
use super::endpoint;
use super::html::Html;
use super::problems::BACKLOG;
use super::problems::CONNTRACK;
use super::problems::POOL;
use super::problems::PORTS;
use super::problems::RETRANSMISSIONS;
use super::read;
use super::table;
use super::table::Row;
use super::table::SPECS;
use super::table::Table;
use super::units::Unit;

/// The most rows of a list that are not folded away.
const ROWS: usize = 6;
/// The most listeners on which somebody waits that are not.
const WAITING: usize = 20;

pub(super) fn write(html: &mut Html, view: &View) {
    tiles(html, view);
    devices::write(html, view);
    html.raw("<div class=\"cards\">\n");
    states(html, view);
    for section in &SECTIONS {
        section.write(html, view);
    }
    collectors(html, view);
    html.raw("</div>\n");
}

/// A number that tells much, what it is of, and how full that is.
struct Tile {
    title: &'static str,
    within: &'static str,
    value: (&'static str, Unit, usize),
    of: &'static str,
    limit: Option<(&'static str, usize)>,
    bar: (&'static str, usize, f64),
}

const TILES: [Tile; 3] = [
    Tile {
        title: "Retransmitted",
        within: "tcp",
        value: ("retransmission_ratio", Unit::Percent, read::RETRANSMITTED),
        of: "of segments sent",
        limit: None,
        bar: (
            "retransmission_ratio_in_one_minute",
            read::RETRANSMITTED_IN_A_MINUTE,
            RETRANSMISSIONS,
        ),
    },
    Tile {
        title: "Ephemeral ports",
        within: "ports",
        value: ("used", Unit::Count, read::PORTS_USED),
        of: "of ",
        limit: Some(("total", read::PORTS)),
        bar: ("usage_ratio", read::PORTS_RATIO, PORTS),
    },
    Tile {
        title: "Connections tracked",
        within: "conntrack",
        value: ("entries", Unit::Count, read::TRACKED),
        of: "of ",
        limit: Some(("limit", read::TRACKED_LIMIT)),
        bar: ("usage_ratio", read::TRACKED_RATIO, CONNTRACK),
    },
];

fn tiles(html: &mut Html, view: &View) {
    html.raw("<div class=\"tiles\">\n");
    let states = view.rows(table::STATES);
    if let Some(row) = states.iter().find(|row| row.text(0) == "established") {
        html.within("tcp.states", None);
        html.raw("<div><h2>TCP connections</h2>");
        html.value("established", Unit::Count, row.number(0));
        html.raw("<small>established</small></div>\n");
    }
    for tile in &TILES {
        let (key, unit, place) = tile.value;
        let value = view.single(place);
        // Of segments there is no share while none are sent, and that is told.
        if value.is_none() && (tile.within != "tcp" || states.is_empty()) {
            continue;
        }
        html.within(tile.within, None);
        html.raw("<div><h2>").raw(tile.title).raw("</h2>");
        html.value(key, unit, value).raw("<small>").raw(tile.of);
        if let Some((key, place)) = tile.limit {
            html.value(key, Unit::Count, view.single(place));
        }
        html.raw("</small>");
        let (key, place, limit) = tile.bar;
        html.bar(key, Some(view.single(place).unwrap_or(0.0)), limit);
        html.raw("</div>\n");
    }
    html.raw("</div>\n");
}

/// Opens a section; says why a collector of it failed.
pub(super) fn open(html: &mut Html, view: &View, title: &'static str, collectors: &[&str]) {
    html.raw("<section>\n<h2>").raw(title).raw("</h2>\n");
    for error in collectors.iter().filter_map(|name| view.error(name)) {
        html.raw("<p class=\"failed\">Not measured: ")
            .text(error)
            .raw("</p>\n");
    }
}

pub(super) fn close(html: &mut Html) {
    html.raw("</section>\n");
}

pub(super) fn left_out(html: &mut Html, count: usize) {
    if count > 0 {
        html.raw("<p class=\"more\">").text(&count.to_string());
        html.raw(" more are not shown here.</p>\n");
    }
}

fn states(html: &mut Html, view: &View) {
    let states = view.rows(table::STATES);
    if states.is_empty() && view.error("tcpstat").is_none() {
        return;
    }
    open(html, view, "TCP sockets", &["tcpstat"]);
    html.raw("<dl class=\"states\">\n");
    html.within("tcp.states", None);
    for row in states {
        html.raw("<div><dt>").text(&row.text(0).replace('_', " "));
        html.raw("</dt><dd>")
            .value(row.text(0), Unit::Count, row.number(0));
        html.raw("</dd></div>\n");
    }
    html.raw("</dl>\n");
    close(html);
}

/// A section of lists.
struct Section {
    title: &'static str,
    collector: &'static str,
    /// What there is, each list with its headline.
    lists: &'static [(Table, &'static str)],
    /// What is said where there is nothing; where that is nothing, the section is not there.
    empty: &'static str,
    measured: fn(&View) -> bool,
}

const SECTIONS: [Section; 5] = [
    Section {
        title: "Ephemeral ports by destination",
        collector: "ephemeral_ports",
        lists: &[(table::DESTINATIONS, "")],
        empty: "<p>No connection uses one.</p>\n",
        measured: |view| view.single(read::PORTS_USED).is_some(),
    },
    Section {
        title: "Listeners and their accept queues",
        collector: "listeners",
        lists: &[(table::LISTENERS, "")],
        empty: "<p>Nothing listens.</p>\n",
        measured: |view| view.listens,
    },
    Section {
        title: "Peers",
        collector: "connections",
        lists: &[
            (table::INPUT, "<h3>Connected to this machine</h3>\n"),
            (table::OUTPUT, "<h3>Connected to from here</h3>\n"),
        ],
        empty: "<p>Nobody else is connected.</p>\n",
        measured: |view| view.connects,
    },
    Section {
        title: "DHCP leases",
        collector: "dhcp",
        lists: &[(table::POOLS, "")],
        empty: "",
        measured: |_| false,
    },
    Section {
        title: "DNS records",
        collector: "dns",
        lists: &[(table::RECORDS, "")],
        empty: "",
        measured: |_| false,
    },
];

impl Section {
    fn write(&self, html: &mut Html, view: &View) {
        let none = self
            .lists
            .iter()
            .all(|(table, _)| view.rows(*table).is_empty());
        let measured = (self.measured)(view);
        if none && !measured && view.error(self.collector).is_none() {
            return;
        }
        open(html, view, self.title, &[self.collector]);
        if none && measured {
            html.raw(self.empty);
        }
        for (table, headline) in self.lists {
            let rows = view.rows(*table);
            if !rows.is_empty() {
                html.raw(headline);
                list(html, *table, rows);
            }
        }
        if self.collector == "listeners" {
            left_out(html, view.listeners_left_out);
        }
        close(html);
    }
}

/// Shows some rows and folds the others away.
fn list(html: &mut Html, table: Table, rows: &[Row]) {
    let Some(spec) = SPECS.get(table) else { return };
    let waiting = rows.iter().filter(|row| row.number(0) > Some(0.0)).count();
    let shown = match table {
        table::LISTENERS => waiting.clamp(ROWS, WAITING),
        table::POOLS | table::RECORDS => WAITING,
        _ => ROWS,
    };
    // A fold that holds one row takes as much room as the row.
    let shown = if rows.len() <= shown + 1 {
        rows.len()
    } else {
        shown
    };
    html.raw("<table>\n");
    for (place, found) in rows.iter().enumerate() {
        if place == shown {
            html.raw("</table>\n<details id=\"")
                .raw(spec.list.rsplit('.').next().unwrap_or_default());
            html.raw("\"><summary>")
                .text(&(rows.len() - shown).to_string());
            html.raw(" more</summary>\n<table>\n");
        }
        html.within(spec.list, Some(place));
        row(html, table, found);
    }
    html.raw(if shown < rows.len() {
        "</table>\n</details>\n"
    } else {
        "</table>\n"
    });
}

fn row(html: &mut Html, table: Table, row: &Row) {
    let [first, second, third] = [0, 1, 2].map(|place| row.text(place));
    let end = endpoint(first, second);
    let (from, main, sub) = match table {
        table::DESTINATIONS => ("from ", end.as_str(), third),
        table::LISTENERS => ("", end.as_str(), ""),
        table::POOLS if first.is_empty() => ("", "in no pool", second),
        table::POOLS | table::RECORDS => ("", first, second),
        // Peers: the name, where there is one.
        _ if second.is_empty() => ("", first, ""),
        _ => ("", second, first),
    };
    html.raw("<tr><td>").text(main);
    if !sub.is_empty() {
        html.raw("<small>").raw(from).text(sub).raw("</small>");
    }
    let bar = match table {
        table::DESTINATIONS => Some(PORTS),
        table::LISTENERS if row.number(0) > Some(0.0) => Some(BACKLOG),
        table::POOLS => Some(POOL),
        _ => None,
    };
    if let Some(limit) = bar {
        html.bar("usage_ratio", row.number(2), limit);
    }
    html.raw("</td><td>");
    let keys = SPECS
        .get(table)
        .into_iter()
        .flat_map(|spec| spec.number_keys());
    let mut keys = keys.enumerate();
    if table == table::RECORDS {
        if row.number(0) == Some(0.0) {
            html.raw("<span class=\"failed\">")
                .text(third)
                .raw("</span>");
        } else {
            html.raw("valid");
        }
        if let Some((place, key)) = keys
            .nth(1)
            .filter(|(place, _)| row.number(*place).is_some())
        {
            html.raw("<small>TTL ")
                .value(key, Unit::Seconds, row.number(place))
                .raw("</small>");
        }
    } else if let Some((place, key)) = keys.next() {
        html.value(key, Unit::Count, row.number(place));
        let limited = [table::LISTENERS, table::POOLS].contains(&table);
        if let Some((place, key)) = keys
            .next()
            .filter(|(place, _)| limited && row.number(*place).is_some())
        {
            html.raw("<small>of ")
                .value(key, Unit::Count, row.number(place))
                .raw("</small>");
        }
    }
    html.raw("</td></tr>\n");
}

fn collectors(html: &mut Html, view: &View) {
    open(html, view, "Collectors", &[]);
    let (failed, well): (Vec<_>, Vec<_>) = view
        .about
        .collectors
        .iter()
        .enumerate()
        .filter(|(_, run)| run.enabled || run.error.is_some())
        .partition(|(_, run)| run.error.is_some());
    if !failed.is_empty() {
        html.raw("<table>\n");
        for (_, run) in &failed {
            html.raw("<tr><td>")
                .text(run.name)
                .raw("<small class=\"failed\">");
            html.text(run.error.as_deref().unwrap_or_default())
                .raw("</small></td></tr>\n");
        }
        html.raw("</table>\n");
    }
    html.raw("<details id=\"collectors\"><summary>")
        .text(&well.len().to_string());
    html.raw(if failed.is_empty() {
        " enabled, none failed</summary>\n<table>\n"
    } else {
        " others</summary>\n<table>\n"
    });
    for (place, run) in well {
        html.within("collectors", Some(place));
        html.raw("<tr><td>")
            .text(run.name)
            .raw("<small>")
            .text(run.help)
            .raw("</small></td><td>");
        match run.duration {
            Some(duration) => html.value(
                "duration_seconds",
                Unit::Milliseconds,
                Some(duration.as_secs_f64()),
            ),
            None => html.raw("<small>not asked yet</small>"),
        };
        html.raw("</td></tr>\n");
    }
    html.raw("</table>\n</details>\n");
    close(html);
}
