//! The questions of people's dashboards and alerts, asked of a real Prometheus that scraped weir under the job and the
//! labels that they expect: each has an answer.
//!
//! The network panels of Node Exporter Full (1860), and the rules and alerts on the network of node-mixin; an alert is
//! asked without its threshold, so that its series exist. A question about what this kernel does not have (conntrack,
//! bonds, UDP-Lite) is passed over, and only then.

use std::process::Command;

use serde_json::Value;

use crate::prometheus::Prometheus;
use crate::prometheus::ask;
use crate::running::WEIR;
use crate::running::Weir;
use crate::running::installed;
use crate::support::skip;

/// As Grafana would fill them in.
const VARIABLES: [(&str, &str); 3] = [("$job", "node"), ("$__rate_interval", "10s"), ("$node", "")];

/// Families of what a kernel may lack.
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
    "sum by (mode) (rate(node_cpu_seconds_total{job=\"$job\"}[$__rate_interval]))",
];

const MIXIN: &[&str] = &[
    "sum without (device) (rate(node_network_receive_bytes_total{job=\"node\", device!=\"lo\"}[5m]))",
    "sum without (device) (rate(node_network_transmit_bytes_total{job=\"node\", device!=\"lo\"}[5m]))",
    "sum without (device) (rate(node_network_receive_drop_total{job=\"node\", device!=\"lo\"}[5m]))",
    "sum without (device) (rate(node_network_transmit_drop_total{job=\"node\", device!=\"lo\"}[5m]))",
    "rate(node_network_receive_errs_total{job=\"node\"}[2m])",
    "rate(node_network_transmit_errs_total{job=\"node\"}[2m])",
    "(node_nf_conntrack_entries{job=\"node\"} / node_nf_conntrack_entries_limit) >= 0",
    "(node_bonding_slaves{job=\"node\"} - node_bonding_active{job=\"node\"}) >= 0",
    "node_textfile_scrape_error{job=\"node\"} == 0",
    "rate(node_network_receive_packets_total{job=\"node\"}[2m])",
    "rate(node_network_transmit_packets_total{job=\"node\"}[2m])",
];

#[test]
fn dashboards_and_alerts_have_answers() {
    if !installed("prometheus") {
        return skip("prometheus is not installed");
    }
    let weir = Weir::start(&["--collect.interval=1s", "--collector.textfile"]);
    let once = Command::new(WEIR).args(["--once"]).output().unwrap();
    let page = String::from_utf8(once.stdout).unwrap();
    let prometheus = Prometheus::scraping("node", &weir);
    let nothing = ask(&prometheus.address, "node_nonesuch");
    assert_eq!(nothing, [Value::Null; 0]);
    let mut empty = Vec::new();
    for question in DASHBOARD.iter().chain(HOST).chain(MIXIN) {
        let mut query = (*question).to_string();
        for (name, value) in VARIABLES {
            let value = if name == "$node" {
                &weir.address
            } else {
                value
            };
            query = query.replace(name, value);
        }
        let lacking = MAY_LACK
            .iter()
            .any(|family| query.contains(family) && !page.contains(family));
        if !lacking && ask(&prometheus.address, &query) == [Value::Null; 0] {
            empty.push(query);
        }
    }
    assert!(empty.is_empty(), "no answer:\n{}", empty.join("\n"));
}
