//! The questions of people's dashboards and alerts, asked of a real Prometheus that scraped weir under the job and the
//! labels that they expect: each has an answer.
//!
//! The network panels of Node Exporter Full (1860), and the rules and alerts on the network of node-mixin. Two weirs are
//! scraped: one measures this machine, where an alert is asked with a threshold that it meets, so that its series exist.
//! The other reads a fixture host in trouble, which has what this kernel may lack (conntrack, bonds, UDP-Lite, neighbours):
//! there the alerts stand as node-mixin has them, and each must fire.

use std::fs;
use std::process::Command;

use crate::prometheus::Prometheus;
use crate::prometheus::ask;
use crate::running::Directory;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::installed;
use crate::running::success;
use crate::running::wait_until;
use crate::support::skip;

/// As Grafana would fill them in.
const VARIABLES: [(&str, &str); 3] = [("$job", "node"), ("$__rate_interval", "10s"), ("$node", "")];

/// Families of what a kernel may lack: the fixture host must have them, this machine only where its page does.
const MAY_LACK: [&str; 5] = [
    "node_nf_conntrack_",
    "node_bonding_",
    "node_sockstat_UDPLITE_",
    "node_netstat_UdpLite_",
    "node_arp_entries",
];

const DASHBOARD: &[&str] = &[
    // Network Traffic
    "rate(node_network_receive_bytes_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])*8",
    "rate(node_network_receive_bytes_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "rate(node_network_receive_packets_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "rate(node_network_receive_errs_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "rate(node_network_receive_drop_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "rate(node_network_receive_fifo_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "rate(node_network_receive_compressed_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "rate(node_network_transmit_bytes_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "rate(node_network_transmit_packets_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "rate(node_network_transmit_errs_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "rate(node_network_transmit_drop_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "rate(node_network_transmit_fifo_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "rate(node_network_transmit_compressed_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "rate(node_network_receive_frame_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "rate(node_network_receive_nohandler_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "rate(node_network_receive_multicast_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "rate(node_network_transmit_colls_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "rate(node_network_transmit_carrier_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "node_network_carrier{instance=\"$node\",job=\"$job\"}",
    "node_network_mtu_bytes{instance=\"$node\",job=\"$job\"}",
    "node_network_up{instance=\"$node\",job=\"$job\"}",
    "node_network_speed_bytes{instance=\"$node\",job=\"$job\"}",
    "node_arp_entries{instance=\"$node\",job=\"$job\"}",
    // Conntrack, softnet
    "node_nf_conntrack_entries{instance=\"$node\",job=\"$job\"}",
    "node_nf_conntrack_entries_limit{instance=\"$node\",job=\"$job\"}",
    "rate(node_softnet_processed_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "rate(node_softnet_dropped_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "rate(node_softnet_times_squeezed_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "rate(node_softnet_received_rps_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "rate(node_softnet_flow_limit_count_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    // Sockstat
    "node_sockstat_sockets_used{instance=\"$node\",job=\"$job\"}",
    "node_sockstat_TCP_alloc{instance=\"$node\",job=\"$job\"}",
    "node_sockstat_TCP_inuse{instance=\"$node\",job=\"$job\"}",
    "node_sockstat_TCP_mem{instance=\"$node\",job=\"$job\"}",
    "node_sockstat_TCP_mem_bytes{instance=\"$node\",job=\"$job\"}",
    "node_sockstat_TCP_orphan{instance=\"$node\",job=\"$job\"}",
    "node_sockstat_TCP_tw{instance=\"$node\",job=\"$job\"}",
    "node_sockstat_UDP_inuse{instance=\"$node\",job=\"$job\"}",
    "node_sockstat_UDP_mem{instance=\"$node\",job=\"$job\"}",
    "node_sockstat_UDP_mem_bytes{instance=\"$node\",job=\"$job\"}",
    "node_sockstat_UDPLITE_inuse{instance=\"$node\",job=\"$job\"}",
    "node_sockstat_RAW_inuse{instance=\"$node\",job=\"$job\"}",
    "node_sockstat_FRAG_inuse{instance=\"$node\",job=\"$job\"}",
    "node_sockstat_FRAG_memory{instance=\"$node\",job=\"$job\"}",
    // Netstat
    "node_netstat_Tcp_CurrEstab{instance=\"$node\",job=\"$job\"}",
    "node_netstat_Tcp_MaxConn{instance=\"$node\",job=\"$job\"}",
    "irate(node_netstat_Tcp_ActiveOpens{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_Tcp_InErrs{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_Tcp_InSegs{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_Tcp_OutRsts{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_Tcp_OutSegs{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_Tcp_PassiveOpens{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_Tcp_RetransSegs{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_TcpExt_ListenDrops{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_TcpExt_ListenOverflows{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_TcpExt_SyncookiesFailed{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_TcpExt_SyncookiesRecv{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_TcpExt_SyncookiesSent{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_TcpExt_TCPOFOQueue{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_TcpExt_TCPRcvQDrop{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_TcpExt_TCPSynRetrans{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_TcpExt_TCPTimeouts{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_Udp_InDatagrams{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_Udp_InErrors{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_Udp_NoPorts{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_Udp_OutDatagrams{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_Udp_RcvbufErrors{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_Udp_SndbufErrors{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_UdpLite_InErrors{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_Icmp_InErrors{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_Icmp_InMsgs{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_Icmp_OutMsgs{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_IpExt_InOctets{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "irate(node_netstat_IpExt_OutOctets{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    // TCP and UDP sockets
    "node_tcp_connection_states{state=\"established\",instance=\"$node\",job=\"$job\"}",
    "node_tcp_connection_states{state=\"syn_sent\",instance=\"$node\",job=\"$job\"}",
    "node_tcp_connection_states{state=\"syn_recv\",instance=\"$node\",job=\"$job\"}",
    "node_tcp_connection_states{state=\"fin_wait1\",instance=\"$node\",job=\"$job\"}",
    "node_tcp_connection_states{state=\"fin_wait2\",instance=\"$node\",job=\"$job\"}",
    "node_tcp_connection_states{state=\"time_wait\",instance=\"$node\",job=\"$job\"}",
    "node_tcp_connection_states{state=\"close\",instance=\"$node\",job=\"$job\"}",
    "node_tcp_connection_states{state=\"close_wait\",instance=\"$node\",job=\"$job\"}",
    "node_tcp_connection_states{state=\"last_ack\",instance=\"$node\",job=\"$job\"}",
    "node_tcp_connection_states{state=\"listen\",instance=\"$node\",job=\"$job\"}",
    "node_tcp_connection_states{state=\"closing\",instance=\"$node\",job=\"$job\"}",
    "node_tcp_connection_states{state=\"rx_queued_bytes\",instance=\"$node\",job=\"$job\"}",
    "node_tcp_connection_states{state=\"tx_queued_bytes\",instance=\"$node\",job=\"$job\"}",
    "node_udp_queues{instance=\"$node\",job=\"$job\",ip=\"v4\"}",
    // Exporter
    "node_scrape_collector_duration_seconds{instance=\"$node\",job=\"$job\"}",
    "node_scrape_collector_success{instance=\"$node\",job=\"$job\"}",
    "node_textfile_scrape_error{instance=\"$node\",job=\"$job\"}",
    "rate(process_cpu_seconds_total{instance=\"$node\",job=\"$job\"}[$__rate_interval])",
    "process_resident_memory_bytes{instance=\"$node\",job=\"$job\"}",
    "process_virtual_memory_bytes{instance=\"$node\",job=\"$job\"}",
    "process_open_fds{instance=\"$node\",job=\"$job\"}",
    "process_max_fds{instance=\"$node\",job=\"$job\"}",
];

/// What the page's variables, its head and the host's alerts ask.
const HOST: &[&str] = &[
    "node_uname_info{job=\"$job\"}",
    "node_uname_info{job=\"$job\",sysname!=\"Darwin\"}",
    "node_time_seconds{instance=\"$node\",job=\"$job\"} - node_boot_time_seconds{instance=\"$node\",job=\"$job\"}",
    "node_load1{instance=\"$node\",job=\"$job\"}",
    "node_memory_MemAvailable_bytes{job=\"$job\"} / node_memory_MemTotal_bytes{job=\"$job\"}",
    "node_filesystem_avail_bytes{job=\"$job\",fstype!=\"\"} / node_filesystem_size_bytes{job=\"$job\",fstype!=\"\"}",
    "sum by (mode, instance) (rate(node_cpu_seconds_total{job=\"$job\"}[$__rate_interval]))",
    "node_load1{job=\"$job\"} / count without (cpu, mode) (node_cpu_seconds_total{job=\"$job\", mode=\"idle\"})",
    "node_filefd_allocated{job=\"$job\"} * 100 / node_filefd_maximum{job=\"$job\"}",
];

/// node-mixin's recording rules, and its alerts with thresholds that a healthy machine meets.
const MIXIN: &[&str] = &[
    "sum without (device) (rate(node_network_receive_bytes_total{job=\"node\", device!=\"lo\"}[5m]))",
    "sum without (device) (rate(node_network_transmit_bytes_total{job=\"node\", device!=\"lo\"}[5m]))",
    "sum without (device) (rate(node_network_receive_drop_total{job=\"node\", device!=\"lo\"}[5m]))",
    "sum without (device) (rate(node_network_transmit_drop_total{job=\"node\", device!=\"lo\"}[5m]))",
    "rate(node_network_receive_errs_total{job=\"node\"}[2m]) / rate(node_network_receive_packets_total{job=\"node\"}[2m]) >= 0",
    "rate(node_network_transmit_errs_total{job=\"node\"}[2m]) / rate(node_network_transmit_packets_total{job=\"node\"}[2m]) >= 0",
    "(node_nf_conntrack_entries{job=\"node\"} / node_nf_conntrack_entries_limit) >= 0",
    "(node_bonding_slaves{job=\"node\"} - node_bonding_active{job=\"node\"}) >= 0",
    "node_textfile_scrape_error{job=\"node\"} >= 0",
];

/// node-mixin's alerts on the network as they are: NodeNetworkReceiveErrs, NodeNetworkTransmitErrs,
/// NodeHighNumberConntrackEntriesUsed, NodeBondingDegraded, NodeTextFileCollectorScrapeError.
const ALERTS: [&str; 5] = [
    "rate(node_network_receive_errs_total{job=\"node\"}[2m]) / rate(node_network_receive_packets_total{job=\"node\"}[2m]) > 0.01",
    "rate(node_network_transmit_errs_total{job=\"node\"}[2m]) / rate(node_network_transmit_packets_total{job=\"node\"}[2m]) > 0.01",
    "(node_nf_conntrack_entries{job=\"node\"} / node_nf_conntrack_entries_limit) > 0.75",
    "(node_bonding_slaves{job=\"node\"} - node_bonding_active{job=\"node\"}) != 0",
    "node_textfile_scrape_error{job=\"node\"} == 1",
];

/// Of eth0 on the fixture host before and after a bad minute: 1000 packets each way, a tenth of them with errors.
const ETH0: [&str; 2] = [
    "  eth0: 424943046   11158    0    0    0     0          0         0   615873    7516    0    0    0     0       0          0\n",
    "  eth0: 424943046   12158  100    0    0     0          0         0   615873    8516  100    0    0     0       0          0\n",
];

#[test]
fn dashboards_and_alerts_have_answers() {
    if !installed("prometheus") {
        return skip("prometheus is not installed");
    }
    let weir = Weir::start(&["--collect.interval=1s", "--collector.textfile"]);
    let once = Command::new(WEIR).args(["--once"]).output().unwrap();
    let page = String::from_utf8(once.stdout).unwrap();
    let tree = host_in_trouble();
    let root = tree.0.display();
    let troubled = Weir::start(&[
        &format!("--path.procfs={root}/proc"),
        &format!("--path.sysfs={root}/sys"),
        "--collector.textfile",
        &format!("--collector.textfile.directory={root}/textfile"),
    ]);
    let prometheus = Prometheus::scraping_all("node", &[&weir, &troubled], "");
    let answered = |question: &str, target: &Weir| answered(&prometheus, question, target);
    assert!(!answered("node_nonesuch", &weir) && !answered("node_nonesuch", &troubled));

    let mut empty = Vec::new();
    for question in DASHBOARD.iter().chain(HOST).chain(MIXIN) {
        let mut about = MAY_LACK.iter().filter(|family| question.contains(*family));
        let family = about.next();
        if family.is_none_or(|family| page.contains(family)) && !answered(question, &weir) {
            empty.push(format!("of this machine: {question}"));
        }
        if family.is_some() && !answered(question, &troubled) {
            empty.push(format!("of the fixture host: {question}"));
        }
    }
    assert!(empty.is_empty(), "no answer:\n{}", empty.join("\n"));

    let [before, after] = ETH0;
    let path = tree.0.join("proc/net/dev");
    let devices = fs::read_to_string(&path).unwrap();
    assert!(devices.contains(before), "{devices}");
    let beside = tree.0.join("dev");
    fs::write(&beside, devices.replace(before, after)).unwrap();
    fs::rename(&beside, &path).unwrap();
    for alert in ALERTS {
        wait_until(alert, || answered(alert, &troubled));
    }
}

/// A captured host, made up with a degraded bond, a connection tracker that is nearly full and a broken text file.
fn host_in_trouble() -> Directory {
    let tree = Directory::new();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
    for host in ["hosts/x86_64-vm", "cases/hosts/bonding"] {
        let from = format!("{fixtures}/{host}/.");
        let copied = Command::new("cp").args(["-R", &from]).arg(&tree.0).output();
        success(copied.unwrap(), "cp");
    }
    fs::create_dir(tree.0.join("textfile")).unwrap();
    for (path, content) in [
        ("proc/sys/net/netfilter/nf_conntrack_count", "200000\n"),
        ("proc/sys/net/netfilter/nf_conntrack_max", "262144\n"),
        ("textfile/broken.prom", "backup_bytes one\n"),
    ] {
        fs::write(tree.0.join(path), content).unwrap();
    }
    tree
}

/// Whether a question, with the variables filled in, has a series of this target in its answer.
fn answered(prometheus: &Prometheus, question: &str, target: &Weir) -> bool {
    let mut query = question.to_string();
    for (name, value) in VARIABLES {
        let value = if name == "$node" {
            &target.address
        } else {
            value
        };
        query = query.replace(name, value);
    }
    let series = ask(&prometheus.address, &query);
    series
        .iter()
        .any(|series| series["metric"]["instance"] == target.address.as_str())
}
