//! The page's sections. One whose collector is switched off, or found nothing to measure, is not there; one whose collector
//! failed says so, and shows no number.

use super::Listener;
use super::Peer;
use super::View;
use super::devices;
use super::endpoint;
use super::html::Html;
use super::html::Unit;
use super::problems::BACKLOG;
use super::problems::CONNTRACK;
use super::problems::POOL;
use super::problems::PORTS;
use super::problems::RETRANSMISSIONS;

/// The most listeners and destinations that are not folded away.
const ROWS: usize = 6;

pub(super) fn write(html: &mut Html, view: &View) {
    tiles(html, view);
    devices::write(html, view);
    html.raw("<div class=\"cards\">\n");
    tcp(html, view);
    ports(html, view);
    listeners(html, view);
    peers(html, view);
    dhcp(html, view);
    dns(html, view);
    collectors(html, view);
    html.raw("</div>\n");
}

/// The four numbers that tell most.
fn tiles(html: &mut Html, view: &View) {
    html.raw("<div class=\"tiles\">\n");
    if let Some(tcp) = &view.tcp {
        if let Some((_, count)) = tcp.states.iter().find(|(state, _)| state == "established") {
            html.within("tcp.states", None);
            tile(html, "TCP connections").value("established", Unit::Count, Some(*count));
            html.raw("<small>established</small></div>\n");
        }
        html.within("tcp", None);
        let ratio = tcp.retransmission_ratio;
        tile(html, "Retransmitted").value("retransmission_ratio", Unit::Percent, ratio);
        html.raw("<small>of segments sent</small>");
        html.bar(
            "retransmission_ratio_in_one_minute",
            Some(tcp.minute.map_or(0.0, |(ratio, _)| ratio)),
            RETRANSMISSIONS,
        );
        html.raw("</div>\n");
    }
    if let Some(ports) = &view.ports {
        html.within("ports", None);
        tile(html, "Ephemeral ports").value("used", Unit::Count, Some(ports.all.used));
        html.raw("<small>of ")
            .value("total", Unit::Count, Some(ports.all.limit));
        html.raw("</small>");
        html.bar("usage_ratio", ports.all.ratio(), PORTS);
        html.raw("</div>\n");
    }
    if let Some(found) = view.conntrack {
        html.within("conntrack", None);
        tile(html, "Connections tracked").value("entries", Unit::Count, Some(found.used));
        html.raw("<small>of ")
            .value("limit", Unit::Count, Some(found.limit));
        html.raw("</small>");
        html.bar("usage_ratio", found.ratio(), CONNTRACK);
        html.raw("</div>\n");
    }
    html.raw("</div>\n");
}

fn tile<'a>(html: &'a mut Html, title: &'static str) -> &'a mut Html {
    html.raw("<div><h2>").raw(title).raw("</h2>")
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

fn tcp(html: &mut Html, view: &View) {
    let states = view
        .tcp
        .as_ref()
        .map(|tcp| tcp.states.as_slice())
        .unwrap_or_default();
    if states.is_empty() && view.error("tcpstat").is_none() {
        return;
    }
    open(html, view, "TCP sockets", &["tcpstat"]);
    html.raw("<dl class=\"states\">\n");
    html.within("tcp.states", None);
    for (state, count) in states {
        html.raw("<div><dt>")
            .text(&state.replace('_', " "))
            .raw("</dt><dd>");
        html.value(state, Unit::Count, Some(*count))
            .raw("</dd></div>\n");
    }
    html.raw("</dl>\n");
    close(html);
}

/// Shows some rows and folds the others away.
fn folded(
    html: &mut Html,
    id: &'static str,
    words: &'static str,
    (shown, all): (usize, usize),
    row: &mut dyn FnMut(&mut Html, usize),
) {
    let mut table = |html: &mut Html, from: usize, to: usize| {
        html.raw("<table>\n");
        for place in from..to {
            row(html, place);
        }
        html.raw("</table>\n");
    };
    // A fold that holds one row takes as much room as the row.
    let shown = if all <= shown + 1 { all } else { shown };
    if shown > 0 {
        table(html, 0, shown);
    }
    if shown < all {
        html.raw("<details id=\"")
            .raw(id)
            .raw("\"><summary>")
            .text(&(all - shown).to_string());
        html.raw(words).raw("</summary>\n");
        table(html, shown, all);
        html.raw("</details>\n");
    }
}

fn ports(html: &mut Html, view: &View) {
    let rows = view
        .ports
        .as_ref()
        .map(|ports| ports.destinations.as_slice());
    let rows = rows.unwrap_or_default();
    if view.ports.is_none() && view.error("ephemeral_ports").is_none() {
        return;
    }
    open(
        html,
        view,
        "Ephemeral ports by destination",
        &["ephemeral_ports"],
    );
    if rows.is_empty() && view.ports.is_some() {
        html.raw("<p>No connection uses one.</p>\n");
    }
    folded(
        html,
        "destinations",
        " more destinations",
        (ROWS, rows.len()),
        &mut |html, place| {
            let Some(row) = rows.get(place) else { return };
            html.within("ports.destinations", Some(place));
            html.raw("<tr><td>")
                .text(&endpoint(&row.address, &row.port));
            html.raw("<small>from ").text(&row.source).raw("</small>");
            html.bar("usage_ratio", row.ports.ratio(), PORTS);
            html.raw("</td><td>")
                .value("used", Unit::Count, Some(row.ports.used))
                .raw("</td></tr>\n");
        },
    );
    close(html);
}

fn listeners(html: &mut Html, view: &View) {
    let rows = view.listeners.as_deref().unwrap_or_default();
    if view.listeners.is_none() && view.error("listeners").is_none() {
        return;
    }
    open(
        html,
        view,
        "Listeners and their accept queues",
        &["listeners"],
    );
    if rows.is_empty() && view.listeners.is_some() {
        html.raw("<p>Nothing listens.</p>\n");
    }
    let waiting = rows.iter().filter(|row| row.backlog > 0.0).count();
    // All on which somebody waits, but not more than are looked at.
    let shown = waiting.clamp(ROWS, 20);
    folded(
        html,
        "listeners",
        " more",
        (shown, rows.len()),
        &mut |html, place| {
            if let Some(row) = rows.get(place) {
                listener(html, place, row);
            }
        },
    );
    left_out(html, view.listeners_left_out);
    close(html);
}

fn listener(html: &mut Html, place: usize, row: &Listener) {
    html.within("listeners", Some(place));
    html.raw("<tr><td>").text(&row.name());
    if row.backlog > 0.0 {
        html.bar("usage_ratio", row.ratio(), BACKLOG);
    }
    html.raw("</td><td>")
        .value("backlog", Unit::Count, Some(row.backlog));
    if row.limit.is_some() {
        html.raw("<small>of ")
            .value("limit", Unit::Count, row.limit)
            .raw("</small>");
    }
    html.raw("</td></tr>\n");
}

fn peers(html: &mut Html, view: &View) {
    if view.peers.is_none() && view.error("connections").is_none() {
        return;
    }
    open(html, view, "Peers", &["connections"]);
    if let Some(peers) = &view.peers {
        for (list, id, rows, title) in [
            (
                "peers.input",
                "input",
                &peers.input,
                "Connected to this machine",
            ),
            (
                "peers.output",
                "output",
                &peers.output,
                "Connected to from here",
            ),
        ] {
            if !rows.is_empty() {
                html.raw("<h3>").raw(title).raw("</h3>\n");
            }
            folded(html, id, " more", (ROWS, rows.len()), &mut |html, place| {
                if let Some(row) = rows.get(place) {
                    html.within(list, Some(place));
                    peer(html, row);
                }
            });
        }
        if peers.input.is_empty() && peers.output.is_empty() {
            html.raw("<p>Nobody is connected.</p>\n");
        }
    }
    close(html);
}

fn peer(html: &mut Html, row: &Peer) {
    html.raw("<tr><td>");
    if row.name.is_empty() {
        html.text(&row.address);
    } else {
        html.text(&row.name);
        html.raw("<small>").text(&row.address).raw("</small>");
    }
    html.raw("</td><td>");
    html.value("connections", Unit::Count, Some(row.connections));
    html.raw("</td></tr>\n");
}

fn dhcp(html: &mut Html, view: &View) {
    if view.dhcp.is_empty() && view.error("dhcp").is_none() {
        return;
    }
    open(html, view, "DHCP leases", &["dhcp"]);
    html.raw("<table>\n");
    for (place, row) in view.dhcp.iter().enumerate() {
        html.within("dhcp", Some(place));
        html.raw("<tr><td>");
        html.text(if row.pool.is_empty() {
            "in no pool"
        } else {
            &row.pool
        });
        html.raw("<small>").text(&row.server).raw("</small>");
        html.bar("usage_ratio", row.ratio, POOL);
        html.raw("</td><td>")
            .value("leases", Unit::Count, Some(row.leases));
        if row.addresses.is_some() {
            html.raw("<small>of ")
                .value("addresses", Unit::Count, row.addresses)
                .raw("</small>");
        }
        html.raw("</td></tr>\n");
    }
    html.raw("</table>\n");
    close(html);
}

fn dns(html: &mut Html, view: &View) {
    if view.dns.is_empty() && view.error("dns").is_none() {
        return;
    }
    open(html, view, "DNS records", &["dns"]);
    html.raw("<table>\n");
    for (place, row) in view.dns.iter().enumerate() {
        html.within("dns", Some(place));
        html.raw("<tr><td>")
            .text(&row.name)
            .raw(" <small>")
            .text(&row.kind);
        html.raw("</small></td><td>");
        if row.valid {
            html.raw("valid");
        } else {
            let reason = row.reason.as_deref().unwrap_or("invalid").replace('_', " ");
            html.raw("<span class=\"failed\">")
                .text(&reason)
                .raw("</span>");
        }
        if row.ttl.is_some() {
            html.raw("<small>TTL ")
                .value("ttl_seconds", Unit::Seconds, row.ttl)
                .raw("</small>");
        }
        html.raw("</td></tr>\n");
    }
    html.raw("</table>\n");
    close(html);
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
