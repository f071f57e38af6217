# bash completion for weir, made by `make bless` from the flags in src/cli

_weir() {
    local word=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD - 1]} before=
    local valued=(
        --web.listen-address
        --web.config.file
        --web.telemetry-path
        --web.cors-origin
        --web.max-connections
        --web.read-timeout
        --web.write-timeout
        --web.max-header-bytes
        --collect.interval
        --textfile.output
        --textfile.interval
        --path.procfs
        --path.sysfs
        --path.rootfs
        --sockets.source
        --netns
        --limit.netns
        --limit.devices
        --devices.exclude-kinds
        --config.file
        --sandbox
        --user
        --log.level
        --log.format
        --collector.netdev.device-include
        --collector.netdev.device-exclude
        --collector.netclass.ignored-devices
        --collector.arp.device-include
        --collector.arp.device-exclude
        --collector.netstat.fields
        --collector.textfile.directory
        --collector.filesystem.mount-points-exclude
        --collector.filesystem.fs-types-exclude
        --collector.qdisc.device-include
        --collector.qdisc.device-exclude
        --collector.dhcp.leases
        --collector.dhcp.pool
        --collector.dhcp.per-lease-limit
        --collector.ipvs.backend-labels
        --collector.connections.max-series
        --collector.connections.exclude
        --collector.connections.include
        --collector.connections.group
        --collector.connections.hostnames
        --collector.tc.device-include
        --collector.tc.device-exclude
        --collector.tc.attach
        --collector.dns.record
        --collector.dns.resolver
        --collector.dns.interval
        --collector.dns.timeout
    )
    local bare=(
        --web.disable-compression
        --web.disable-exporter-metrics
        --companion
        --check-config
        --once
        --version
        --help
        --collector.disable-defaults
        --collector.netdev.address-info
        --collector.netdev.label-ifalias
        --collector.netclass.ignore-invalid-speed
        --collector.dhcp.per-lease
        --collector.connections.tcp-info
        --collector.tc.active-only
        --collector.tc.protocols
        --collector.arp
        --no-collector.arp
        --collector.bonding
        --no-collector.bonding
        --collector.connections
        --no-collector.connections
        --collector.conntrack
        --no-collector.conntrack
        --collector.cpu
        --no-collector.cpu
        --collector.dhcp
        --no-collector.dhcp
        --collector.dns
        --no-collector.dns
        --collector.entropy
        --no-collector.entropy
        --collector.ephemeral_ports
        --no-collector.ephemeral_ports
        --collector.filefd
        --no-collector.filefd
        --collector.filesystem
        --no-collector.filesystem
        --collector.ipvs
        --no-collector.ipvs
        --collector.listeners
        --no-collector.listeners
        --collector.lnstat
        --no-collector.lnstat
        --collector.loadavg
        --no-collector.loadavg
        --collector.meminfo
        --no-collector.meminfo
        --collector.netclass
        --no-collector.netclass
        --collector.netdev
        --no-collector.netdev
        --collector.netstat
        --no-collector.netstat
        --collector.network_route
        --no-collector.network_route
        --collector.qdisc
        --no-collector.qdisc
        --collector.sockstat
        --no-collector.sockstat
        --collector.softnet
        --no-collector.softnet
        --collector.sources
        --no-collector.sources
        --collector.stat
        --no-collector.stat
        --collector.tc
        --no-collector.tc
        --collector.tcpstat
        --no-collector.tcpstat
        --collector.textfile
        --no-collector.textfile
        --collector.thermal_zone
        --no-collector.thermal_zone
        --collector.throughput
        --no-collector.throughput
        --collector.time
        --no-collector.time
        --collector.udp_queues
        --no-collector.udp_queues
        --collector.uname
        --no-collector.uname
        --collector.uptime
        --no-collector.uptime
        --collector.wifi
        --no-collector.wifi
        --collector.xfrm
        --no-collector.xfrm
    )
    COMPREPLY=()
    if [ "$word" = = ]; then
        word=
    elif [ "$flag" = = ] && [ "$COMP_CWORD" -ge 2 ]; then
        flag=${COMP_WORDS[COMP_CWORD - 2]}
    elif [[ $word == --*=* ]]; then
        flag=${word%%=*}
        before=$flag=
        word=${word#*=}
    fi
    case $flag in
        --sockets.source) mapfile -t COMPREPLY < <(compgen -W 'auto netlink proc' -- "$word") ;;
        --devices.exclude-kinds) mapfile -t COMPREPLY < <(compgen -W 'veth bridge-port veth,bridge-port' -- "$word") ;;
        --sandbox) mapfile -t COMPREPLY < <(compgen -W 'auto off require' -- "$word") ;;
        --log.level) mapfile -t COMPREPLY < <(compgen -W 'debug info warn error' -- "$word") ;;
        --log.format) mapfile -t COMPREPLY < <(compgen -W 'logfmt json' -- "$word") ;;
        --collector.connections.hostnames) mapfile -t COMPREPLY < <(compgen -W 'off hosts dns' -- "$word") ;;
        --collector.tc.attach) mapfile -t COMPREPLY < <(compgen -W 'auto tcx clsact' -- "$word") ;;
        --textfile.output | --path.procfs | --path.sysfs | --path.rootfs | --collector.textfile.directory)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
        --web.config.file | --config.file)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
        *)
            local name
            for name in "${valued[@]}"; do
                # Its value is anybody's guess.
                if [ "$flag" = "$name" ]; then return; fi
            done
            mapfile -t COMPREPLY < <(
                compgen -S = -W "${valued[*]}" -- "$word"
                compgen -W "${bare[*]}" -- "$word"
            )
            # Where only one is left and it wants a value, the value follows at once.
            if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace; fi
            ;;
    esac
    if [ -n "$before" ]; then COMPREPLY=("${COMPREPLY[@]/#/$before}"); fi
}

complete -F _weir weir
