//! The page's section of the devices: a row with a picture for each.

use super::Interface;
use super::Past;
use super::View;
use super::html::Html;
use super::html::Unit;
use super::interfaces;
use super::sections::close;
use super::sections::left_out;
use super::sections::open;
use super::units;

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
    let failed = DEVICES.iter().any(|name| view.error(name).is_some());
    if view.interfaces.is_empty() && !failed {
        html.raw("<p>There are none.</p>\n");
    }
    // Few are shown whatever they do.
    let mut room = FEW.saturating_sub(view.interfaces.iter().filter(|row| row.is_loud()).count());
    let (mut loud, mut quiet) = (Vec::new(), Vec::new());
    for (place, row) in view.interfaces.iter().enumerate() {
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

impl Interface {
    fn is_loud(&self) -> bool {
        let now = [interfaces::RECEIVE, interfaces::TRANSMIT].map(|place| self.number(place));
        let past = self.history.as_ref();
        let peak = past.map(|past| past.peak);
        let rates = peak.into_iter().chain(now.into_iter().flatten());
        past.is_some_and(|past| past.errors > 0.0)
            || rates.fold(0.0, f64::max) > f64::from(interfaces::LEAST_SCALE)
    }
}

fn interface(html: &mut Html, place: usize, row: &Interface) {
    html.within("interfaces", Some(place));
    let class = match row.state.as_deref() {
        Some("up") => "up",
        Some("off") | None => "off",
        Some(_) => "down",
    };
    html.raw("<li class=\"")
        .raw(class)
        .raw("\"><div><span>")
        .text(&row.name)
        .raw("</span><small>");
    html.text(row.state.as_deref().unwrap_or("state unknown"));
    // Some drivers go on telling the speed of a link that is gone.
    if let Some(speed) = row.number(interfaces::SPEED).filter(|_| class == "up") {
        html.raw(" · ").text(&units::speed(speed));
    }
    html.raw("</small>");
    losses(html, row);
    html.raw("</div><div class=\"r\">");
    html.value(
        "receive_bytes_per_second",
        Unit::Bits,
        row.number(interfaces::RECEIVE),
    );
    html.raw("</div><div class=\"t\">");
    html.value(
        "transmit_bytes_per_second",
        Unit::Bits,
        row.number(interfaces::TRANSMIT),
    );
    html.raw("</div>");
    if let Some(past) = &row.history {
        html.sparkline(past);
        html.raw("<small class=\"peak\">peak ").value(
            "history.peak_bytes_per_second",
            Unit::Bits,
            Some(past.peak),
        );
        html.raw("</small>");
    }
    html.raw("</li>\n");
}

fn losses(html: &mut Html, row: &Interface) {
    let recent = |of: fn(&Past) -> f64| row.history.as_ref().is_some_and(|past| of(past) > 0.0);
    for (key, places, word, recent) in [
        (
            "errors",
            interfaces::ERRORS,
            " errors",
            recent(|past| past.errors),
        ),
        (
            "drops",
            interfaces::DROPS,
            " dropped",
            recent(|past| past.drops),
        ),
    ] {
        if let Some(count) = row.sum(places).filter(|count| *count > 0.0) {
            html.raw(if recent {
                "<small class=\"lost\">"
            } else {
                "<small>"
            });
            html.value(key, Unit::Count, Some(count))
                .raw(word)
                .raw("</small>");
        }
    }
}
