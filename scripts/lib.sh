# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the commands in scripts/ share: messages, the cache, locks, and the way into the build root.
# Source it after `set -euo pipefail`.

# The death of the caller, of whatever cause, is this process's SIGTERM, so that a killed `make`
# leaves nothing running. (`exec` keeps the process number, by which a script knows that it is tied.)
if [ "${RPACKET_TIED:-}" != $$ ]; then
	RPACKET_TIED=$$ exec setpriv --pdeathsig TERM -- bash "$0" "$@"
fi

TREE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
SCRIPTS=$TREE/scripts
CACHE=${RPACKET_CACHE:-${HOME:-/root}/.cache/rpacket}

# The kernel series that the project is written for. Everything else about the kernel's version is
# found out when the build root is made (scripts/root).
# shellcheck disable=SC2034 # Read by the scripts that source this file.
SERIES=7.3

# The kernels of the project: the one that the build root has, and those that have an entry of their
# own in the cache (scripts/kernel).
# shellcheck disable=SC2034
KERNELS=(stock debug rt)

# The places at which the tree, the cache and the kernels outside the root appear in the build root
# and in the VM. They are the same for every user and clone, so that what Kbuild and cargo cache is
# valid in all of them.
# shellcheck disable=SC2034
IN_TREE=/rpacket IN_CACHE=/cache IN_KERNELS=/kernels

# A user's roots and kernels are made in another way than root's.
# shellcheck disable=SC2034
OWNER=$([ "$EUID" = 0 ] || echo user)

# Messages go to standard error: standard output belongs to the command's result.
say() { printf '%s\n' "rpacket: $*" >&2; }
die() { printf '%s\n' "rpacket: error: $*" >&2; exit 1; }
# What was asked for cannot be: said before anything is made.
misuse() { printf '%s\n' "rpacket: error: $*" >&2; exit 2; }
# For a verb that exists but whose substance does not: one line, exit 2.
unavailable() { printf '%s\n' "rpacket: $*" >&2; exit 2; }

# no_verb VERB FILE: ends the script whose first argument is none of those that its help names.
no_verb() {
	[ -z "$1" ] || say "error: there is no $1 here:"
	usage "$2" >&2
	exit 2
}

# writable FOLDER WHAT: makes a folder, or ends the script and says what to do.
writable() {
	{ mkdir -p "$1" && [ -w "$1" ]; } 2>/dev/null || die "$1 cannot be written: $2"
}
CACHE_ELSEWHERE="RPACKET_CACHE names another folder for the cache"

# usage FILE: prints the comment block at the head of a script as its help text.
usage() { sed -n '2,/^[^#]/{/^# SPDX/d;/^#/!d;s/^#\( \|$\)//;p}' "$1"; }

# logged NAME COMMAND...: runs a long step with its output in a log; says how long it took, and
# when it fails shows the end of the log and where the rest is. Says each minute that it is still at
# work, and on what. V=1 shows the output as it comes. The log is this process's own until the step has
# ended.
# The command is a program or a function that returns the status of each of its steps.
logged() {
	local name=$1 kept log ticker messages began=$SECONDS rc=0
	shift
	writable "$CACHE/log" "$CACHE_ELSEWHERE"
	kept=$CACHE/log/${name//[^A-Za-z0-9._-]/-}.log
	log=$kept.$$
	# Ctrl-C ends the command as well. (By a trap on SIGTERM this would wait for it.)
	# In a function its messages would be in the log, too.
	exec {messages}>&2
	trap 'rm -f "$log"; say "$name: interrupted after $((SECONDS - began)) s" 2>&"$messages"; exit 130' INT
	say "$name ..."
	if [ "${V:-}" = 1 ]; then
		"$@" 2>&1 | tee "$log" >&2 || rc=${PIPESTATUS[0]}
	else
		# Ends with this process, however that ends; waits by a pipe that nobody writes to.
		setpriv --pdeathsig TERM -- bash -c 'exec 9<> <(:)
			for ((minute = 1; ; minute++)); do
				read -r -t 60 -u 9
				echo "rpacket:   $minute min: $(tail -qn 1 "$0" | tr -d "\r" | cut -c 1-80)"
			done' "$log" >&2 &
		ticker=$!
		"$@" >"$log" 2>&1 </dev/null || rc=$?
		kill "$ticker" 2>/dev/null || :
		wait "$ticker" 2>/dev/null || :
	fi
	trap - INT
	exec {messages}>&-
	mv "$log" "$kept"
	if [ "$rc" != 0 ]; then
		tail -n 25 "$kept" | sed 's/^/    /' >&2
		die "$name failed with status $rc after $((SECONDS - began)) s; all of its output: $kept"
	fi
	say "$name: done in $((SECONDS - began)) s"
}

# hash_of FILE...: the key of what is made from the content of these files (and of $HASH_EXTRA).
hash_of() { { cat -- "$@"; printf '%s' "${HASH_EXTRA:-}"; } | sha256sum | cut -c1-16; }

# with_lock NAME FUNCTION...: runs the function while this process alone holds the named lock.
# Not in a condition, which would take `set -e` away from the function.
with_lock() {
	local fd name=$1
	shift
	writable "$CACHE/lock" "$CACHE_ELSEWHERE"
	exec {fd}>"$CACHE/lock/$name"
	if ! flock -n "$fd"; then
		say "another run holds the lock for $name; waiting for it"
		flock "$fd"
	fi
	"$@"
	exec {fd}>&-
}

in_root() { [ "${RPACKET_IN_ROOT:-}" = 1 ]; }

# enter_root SCRIPT ARGS...: continues the calling script in the build root, which is made if it
# does not exist yet. Returns at once in the root.
enter_root() {
	! in_root || return 0
	local script
	script=$(realpath --relative-to="$TREE" "$1")
	shift
	exec "$SCRIPTS/root" run "$IN_TREE/$script" "$@"
}

# check_kernel NAME: ends the script, before anything is made, unless the project has such a kernel.
check_kernel() {
	local name
	for name in "${KERNELS[@]}"; do [ "$name" != "$1" ] || return 0; done
	die "there is no kernel $1: ${KERNELS[*]} are known"
}

# The cards of QEMU that scripts/vm can put in: of PCI, with a wire at their other end. They are asked for
# before there is a QEMU; rig/host.sh compares this with what it says itself.
CARDS=(rtl8139 e1000 e1000-82540em e1000-82544gc e1000-82545em e1000e igb
	i82550 i82551 i82557a i82557b i82557c i82558a i82558b i82559a i82559b i82559c i82559er i82562 i82801
	ne2k_pci pcnet tulip virtio-net virtio-net-pci virtio-net-pci-non-transitional virtio-net-pci-transitional
	vmxnet3)

# check_nics LIST: ends the script, before anything is made, if QEMU has not each card of the list. What it
# says of their properties is known when there is a QEMU, that of the root: scripts/vm then asks it first.
check_nics() {
	local card cards
	IFS=, read -ra cards <<<"$1"
	for card in "${cards[@]%%+*}"; do
		case " ${CARDS[*]} " in
		*" ${card:-rtl8139} "*) ;;
		*) misuse "NICS: there is no card $card: ${CARDS[*]} are known" ;;
		esac
	done
}

# check_number VARIABLE: ends the script unless the variable is empty or a whole number.
check_number() {
	[[ ${!1:-0} =~ ^[0-9]+$ ]] || die "$1 is a whole number, not ${!1}"
}

# alone NAME: until this command and what it starts have ended, no other one of the name runs in this
# tree, where it would write the same files.
alone() {
	local fd
	writable "$TREE/build" "clone the tree to a place that is yours"
	exec {fd}>"$TREE/build/.$1.lock"
	flock -n "$fd" || die "another make $1 is running in this tree"
}

# select_kernel NAME: makes a kernel that was prepared visible to what is run in the root from now,
# beside those that were selected before: RPACKET_KERNEL_<name> says where it is.
select_kernel() {
	local path
	[ "$1" != stock ] || return 0
	path=$("$SCRIPTS/kernel" path "$1")
	export "RPACKET_KERNEL_$1=$path"
}
