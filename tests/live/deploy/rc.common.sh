# What OpenWrt's /etc/rc.common, lib/functions.sh and procd.sh do for an init script, as far as weir's asks, for a shell
# without OpenWrt: ash rc.common.sh INIT EXPORT ACTION
#
# EXPORT is what `uci export weir` prints. Settings are shell variables by section and option, lists have a length and
# items, and an option that is absent or empty is its default, as there. What procd would be told over ubus is printed, a
# line for each word, so that it can be seen where one ends.

initscript=$1 export=$2 action=$3

# The settings. `uci export` prints a shell script of these four words.

package() { :; }

config() {
	sections="$sections ${2:-cfg$((count = count + 1))}"
	section=${sections##* }
	eval "CONFIG_${section}_TYPE=\$1"
}

option() {
	eval "CONFIG_${section}_$1=\$2"
}

list() {
	eval "length=\$((\${CONFIG_${section}_$1_LENGTH:-0} + 1))"
	eval "CONFIG_${section}_$1_LENGTH=$length CONFIG_${section}_$1_ITEM$length=\$2"
}

config_load() {
	[ "$1" = weir ] || die "config_load $1"
	. "$export"
}

config_get() {
	eval "$1=\${CONFIG_$2_$3:-\${4-}}"
}

config_get_bool() {
	config_get "$@"
	eval "set -- \$1 \"\$$1\" \"\$4\""
	case $2 in
	1 | on | true | yes | enabled) eval "$1=1" ;;
	0 | off | false | no | disabled) eval "$1=0" ;;
	*) eval "$1=\$3" ;;
	esac
}

config_foreach() {
	for name in $sections; do
		config_get type "$name" TYPE
		[ "$type" != "$2" ] || "$1" "$name"
	done
}

config_list_foreach() {
	config_get length "$1" "$2_LENGTH" 0
	each=0
	while [ "$each" -lt "$length" ]; do
		each=$((each + 1))
		config_get item "$1" "$2_ITEM$each"
		"$3" "$item" "$4"
	done
}

# procd. A parameter that is set again is told again, which there would be an error; append makes one that is missing.

procd_open_instance() {
	[ -z "$instance" ] || die "an instance within $instance"
	instance=$1
	echo "instance $1"
}

procd_set_param() {
	[ -n "$instance" ] || die "no instance for $1"
	case " $given " in *" $1 "*) die "$1 twice" ;; esac
	case $1 in
	command | file | respawn | user | no_new_privs | stderr) ;;
	*) die "$1: is it a parameter?" ;;
	esac
	given="$given $1"
	procd_append_param "$@"
}

procd_append_param() {
	type=$1
	shift
	for word; do printf '%s %s\n' "$type" "$word"; done
}

procd_close_instance() {
	instance=
	given=
	echo end
}

procd_add_reload_trigger() {
	echo "trigger $1"
}

die() {
	echo "rc.common.sh: $*" >&2
	exit 1
}

# rc.common itself: the script is read, not run, and asked to act.

set -u
sections= count=0 instance= given=
. "$initscript"
[ "$USE_PROCD" = 1 ] || die "not a service of procd's"
case $action in
start)
	start_service
	service_triggers
	;;
*) die "$action" ;;
esac
