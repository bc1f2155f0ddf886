# What cluster-start, cluster-check and cluster-stop have in common. Sourced, not run.
# They set $here, the directory of the scripts, $dir, that of the cluster, $tacit and $cluster, a client's file.
# shellcheck shell=sh disable=SC2154

fail() {
	echo "error: $1" >&2
	[ $# -lt 2 ] || echo "hint: $2" >&2
	exit 1
}

misused() {
	echo "error: $1" >&2
	echo "hint: see $0 --help" >&2
	exit 2
}

# find_tacit prints the tacit binary: what was asked for, else the one built in this tree, else that in the path.
find_tacit() {
	if [ -n "$1" ]; then
		[ -x "$1" ] || fail "$1 is not a program"
		echo "$1"
	elif [ -x "$here/../bin/tacit" ]; then
		echo "$here/../bin/tacit"
	elif ! command -v tacit; then
		fail "there is no tacit" "build it with: go build -o bin/tacit ./cmd/tacit"
	fi
}

# parties prints the directories of the parties.
parties() {
	for config in "$dir"/*/party.yaml; do
		[ -e "$config" ] && dirname "$config"
	done
}

# pid prints the process of a party, if it runs. A number that another process has now is not taken for it.
pid() {
	[ -s "$1/pid" ] || return 1
	read -r number <"$1/pid"
	if [ -d /proc/self ]; then
		[ -r "/proc/$number/cmdline" ] || return 1
		args=$(tr '\000' ' ' <"/proc/$number/cmdline")
	else
		args=$(ps -p "$number" -o args=) || return 1
	fi
	case "$args" in
	*" party --config $1/party.yaml"*) echo "$number" ;;
	*) return 1 ;;
	esac
}

# client_file prints the cluster file of the first client.
client_file() {
	for file in "$dir"/*/cluster.yaml; do
		[ -e "$file" ] || fail "$dir has no client" "list one under clients: in the deployment"
		echo "$file"
		return
	done
}

# reached prints the state of all parties, and fails unless a client reaches them and they reach each other.
reached() {
	state=$("$tacit" status --cluster "$cluster") || { echo "$state" && return 1; }
	echo "$state"
	case "$state" in *"does not reach"*) return 1 ;; esac
}
