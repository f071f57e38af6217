//! What it costs to check 500 DNS records once a minute, against a server that answers at once.
//!
//! Nobody scrapes meanwhile: what a page with so many series costs is another question. The first checks come in a row; what
//! is measured begins when they are over, and holds the second check of each record and none of the third.

use std::io;
use std::net::UdpSocket;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::client;
use crate::cost;
use crate::report;
use crate::report::Goals;
use crate::rivals;
use crate::rivals::Set;

const RECORDS: u32 = 500;
const MINUTE: Duration = Duration::from_secs(60);
/// The second check of the last record comes so much later than the end of the first checks, at most.
const WATCHED: Duration = Duration::from_secs(70);
/// Per cent of one core.
const CEILING: f64 = 1.0;
const WHAT: &str = "500 DNS records a minute: % of one core";

pub(crate) fn goals(goals: &mut Goals) {
    match percent() {
        Ok(found) => goals.at_most(WHAT, CEILING, found),
        Err(error) => goals.missing(&format!("{WHAT}: {error}")),
    }
}

fn percent() -> io::Result<f64> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let resolver = format!("--collector.dns.resolver={}", socket.local_addr()?);
    // It ends with this program.
    thread::spawn(move || serve(&socket));
    let records: Vec<String> = (0..RECORDS)
        .map(|number| format!("--collector.dns.record=host{number}.bench.test,A,192.0.2.1"))
        .collect();
    let mut flags = vec!["--collector.dns.interval=1m", &resolver];
    flags.extend(records.iter().map(String::as_str));
    let weir = rivals::weir(Set::Dns, &flags)?;
    let id = weir.process.id();
    let begun = Instant::now();
    let mut first = 0;
    while first < u64::from(RECORDS) {
        if begun.elapsed() > MINUTE / 2 {
            return Err(io::Error::other(format!(
                "{first} records were valid at first"
            )));
        }
        thread::sleep(Duration::from_secs(1));
        first = valid(&weir.address)?;
    }
    let before = (Instant::now(), cost::cpu(id)?);
    thread::sleep(WATCHED);
    let (passed, spent) = (before.0.elapsed(), cost::cpu(id)? - before.1);
    let checks = valid(&weir.address)? - first;
    println!(
        "\n{RECORDS} DNS records: {checks} checks in {passed:.1?} took {spent:.2?} of CPU, {:.0?} each.",
        spent.div_f64(report::float(checks.max(1)))
    );
    if checks < u64::from(RECORDS) * 9 / 10 {
        return Err(io::Error::other(format!("{checks} checks in {passed:?}")));
    }
    // What was spent between checks is spent for them.
    let each = spent.as_secs_f64() / report::float(checks);
    Ok(100.0 * each * f64::from(RECORDS) / MINUTE.as_secs_f64())
}

/// How many checks found what they should.
fn valid(address: &str) -> io::Result<u64> {
    const VALID: &str = "dns_record_validation_total{status=\"valid\"} ";
    let answer = client::get(address, "/metrics")?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let count = text.lines().find_map(|line| line.strip_prefix(VALID));
    let count = count.and_then(|count| count.parse().ok());
    count.ok_or_else(|| io::Error::other(format!("no {VALID}")))
}

/// Answers 192.0.2.1 to whatever is asked.
fn serve(socket: &UdpSocket) {
    let mut buffer = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        let Some(answer) = buffer.get(..length).and_then(answer) else {
            continue;
        };
        // Whoever asked may be gone.
        let _ = socket.send_to(&answer, from);
    }
}

/// The question again, and a record behind it (RFC 1035, section 4.1).
fn answer(question: &[u8]) -> Option<Vec<u8>> {
    let name = question.get(12..)?.iter().position(|byte| *byte == 0)?;
    let asked = question.get(12..12 + name + 5)?;
    let mut answer = question.get(..2)?.to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    answer.extend(asked);
    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1]);
    Some(answer)
}
