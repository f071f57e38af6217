//! The page's section of the devices: a row with a picture for each.

use super::View;
use super::html::Html;
use super::interfaces;
use super::sections::close;
use super::sections::left_out;
use super::sections::open;
use super::table;
use super::table::Row;
use super::units::Unit;
use super::units::speed;

/// Up to so many devices all are shown; of more, the quiet ones are folded away.
const FEW: usize = 8;
const DEVICES: [&str; 3] = ["netclass", "netdev", "throughput"];

/// The section of the devices.
pub(super) fn write(html: &mut Html, view: &View) {
    let ran = view.about.collectors.iter();
    if !ran.clone().any(|run| DEVICES.contains(&run.name)) {
        return;
    }
    open(html, view, "Interfaces", &DEVICES);
    let rows = view.rows(table::INTERFACES);
    let failed = DEVICES.iter().any(|name| view.error(name).is_some());
    if rows.is_empty() && !failed {
        html.raw("<p>There are none.</p>\n");
    }
    // Few are shown whatever they do.
    let mut room = FEW.saturating_sub(rows.iter().filter(|row| row.is_loud()).count());
    let (mut loud, mut quiet) = (Vec::new(), Vec::new());
    for (place, row) in rows.iter().enumerate() {
        let loudly = row.is_loud();
        let list = if loudly || room > 0 {
            &mut loud
        } else {
            &mut quiet
        };
        room = room.saturating_sub(usize::from(!loudly));
        list.push((place, row));
    }
    html.raw("<ul class=\"ifs\">\n");
    for (place, row) in loud {
        interface(html, place, row);
    }
    html.raw("</ul>\n");
    if !quiet.is_empty() {
        html.raw("<details id=\"quiet\"><summary>")
            .text(&quiet.len().to_string());
        html.raw(
            " quiet ones, below 100 kbit/s in the last ten minutes</summary>\n<ul class=\"ifs\">\n",
        );
        for (place, row) in quiet {
            interface(html, place, row);
        }
        html.raw("</ul>\n</details>\n");
    }
    left_out(html, view.interfaces_left_out);
    close(html);
}

impl Row {
    fn is_loud(&self) -> bool {
        let errors = self.number(interfaces::RECENT_ERRORS).unwrap_or(0.0);
        errors > 0.0 || self.traffic() > f64::from(interfaces::LEAST_SCALE)
    }
}

fn interface(html: &mut Html, place: usize, row: &Row) {
    html.within("interfaces", Some(place));
    let state = row.text(interfaces::STATE);
    let class = match state {
        "up" => "up",
        "off" | "" => "off",
        _ => "down",
    };
    html.raw("<li class=\"").raw(class).raw("\"><div><span>");
    html.text(row.text(interfaces::NAME)).raw("</span><small>");
    html.text(if state.is_empty() {
        "state unknown"
    } else {
        state
    });
    // Some drivers go on telling the speed of a link that is gone.
    if let Some(value) = row.number(interfaces::SPEED).filter(|_| class == "up") {
        html.raw(" · ").text(&speed(value));
    }
    html.raw("</small>");
    losses(html, row);
    for (markup, key, place) in [
        (
            "</div><div class=\"r\">",
            "receive_bytes_per_second",
            interfaces::RECEIVE,
        ),
        (
            "</div><div class=\"t\">",
            "transmit_bytes_per_second",
            interfaces::TRANSMIT,
        ),
    ] {
        html.raw(markup).value(key, Unit::Bits, row.number(place));
    }
    html.raw("</div>");
    if let Some(past) = &row.history {
        html.sparkline(past);
        html.raw("<small class=\"peak\">peak ");
        html.value("history.peak_bytes_per_second", Unit::Bits, Some(past.peak));
        html.raw("</small>");
    }
    html.raw("</li>\n");
}

fn losses(html: &mut Html, row: &Row) {
    for (key, word, count, recent) in [
        (
            "errors",
            " errors</small>",
            interfaces::ERRORS,
            interfaces::RECENT_ERRORS,
        ),
        (
            "drops",
            " dropped</small>",
            interfaces::DROPS,
            interfaces::RECENT_DROPS,
        ),
    ] {
        if let Some(count) = row.number(count).filter(|count| *count > 0.0) {
            let recent = row.number(recent) > Some(0.0);
            html.raw(if recent {
                "<small class=\"lost\">"
            } else {
                "<small>"
            });
            html.value(key, Unit::Count, Some(count)).raw(word);
        }
    }
}
