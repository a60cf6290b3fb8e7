# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Library of the VM selftests that are shell scripts. A test looks like this:
#
#	#!/bin/bash
#	# SPDX-License-Identifier: GPL-2.0
#	# One paragraph that says what the file proves.
#	#
#	# subjects: rtl8139_rs 8139cp
#	. "$(dirname "$0")/../lib.sh"
#	topology_up
#	check "ping crosses the wire" in_peer ping -c 3 -i 0.2 "$DUT4"
#	ktap_finished
#
# Lines of the comments at the head that the runner (selftests/run) reads; all may be left out:
#
#	# subjects: LIST     what is under test; the file runs once for each, which it finds in
#	                     $SUBJECT. The first is ours; a C original may follow, whose failures are
#	                     recorded and do not fail the run, and which is left out on debug and rt, and
#	                     in `make test` unless KERNEL or TESTS is set.
#	                     Default: rtl8139_rs in drivers/, af_rpacket in net/, rpsniff in e2e/.
#	# modes: LIST        the ways of a frame that our driver is to take, cplus and classic ($MODE);
#	                     default: cplus, which is its own choice on QEMU's card. A test that has both
#	                     runs once in each, but in `make test`: there in the first on the stock
#	                     kernel and in the other one on debug
#	# kernels: LIST      stock, debug, rt (default: all); host: not in the VM (rig/host.sh alone)
#	# debug: chosen      `make test` runs it on the debug kernel too
#	# full: yes          only `make test-full` runs it (which sets RPACKET_FULL=1 for all tests)
#	# timeout: N [M]     seconds on the stock kernel (default 300), M in `make test-full`; on debug
#	                     four times as much, on rt twice
#	# nics: LIST         cards of the VM (default rtl8139,e1000); see scripts/vm --help
#	# machine: pc        for hot-plug (default q35)
#	# cpus: N            (default 2)
#	# trace: yes         accesses to registers can be counted (scripts/vm --trace)
#	# icount: yes        time is counted in instructions, on one CPU (scripts/vm --icount)
#	# qtest: yes         memory and registers can be changed behind the kernel's back
#	                     (selftests/qtest.py; scripts/vm --qtest)
#	# remaps: yes        regions of devices come and go; without KVM QEMU's CPUs share a thread then,
#	                     since those of two make it stumble (scripts/vm --one-thread)
#	# sleeps: yes        the machine can go to sleep, and is a pc; it has no more of the tree than selftests, and no
#	                     other programs than scripts/vm_sleeper.py names (scripts/vm --sleeps)
#	# memory: SIZE       of the VM (default 1G)
#	# append: ARG        one more argument for the kernel
#	# ruins: yes         the kernel is not fit for another test afterwards
#	# leak-scan: yes     on the debug kernel, kmemleak looks for leaks afterwards (in `make test-full`
#	                     it does so after all)
#	# log: REGEX         lines of the kernel log that the test provokes on purpose
#
# A test is a file that may be executed: that tells it from what tests share. It runs as root in the
# root of the tree, starts from a VM in which no network module is loaded, and leaves nothing behind: no
# module, namespace, device, process, and no knob of the kernel turned. `defer` does that. It
# must pass again when run twice. Results are KTAP on standard output and the exit status 0 (pass),
# 1 (fail) or 4 (skip); after each test the runner also looks into the kernel log.
#
# What follows is, in this order: results, waiting, modules and drivers, the two-host topology.
set -u

SUBJECT=${SUBJECT:-rtl8139_rs}
RPACKET_MODULES=${RPACKET_MODULES:-/rpacket/build/stock}
# Everything takes longer on the other kernels, and without KVM; heads.py has the same table.
case ${KERNEL:-stock} in debug) SLOW=4 ;; rt) SLOW=2 ;; *) SLOW=1 ;; esac

# ---- Results ------------------------------------------------------------------------------------

OUTPUT=$(mktemp)
KTAP_N=0 KTAP_FAILED=0 KTAP_SKIPPED=0 KTAP_PLAN=

ktap_header() {
	[ -n "${KTAP_HEADER:-}" ] || echo "KTAP version 1"
	KTAP_HEADER=1
}

# ktap_set_plan N: how many results there will be. Without it the plan is printed at the end, and
# a test that stops early has none, which the runner notices.
ktap_set_plan() { ktap_header; KTAP_PLAN=$1; echo "1..$1"; }

ktap_pass() { ktap_header; KTAP_N=$((KTAP_N + 1)); echo "ok $KTAP_N $1"; }

# ktap_fail NAME [REASON]
ktap_fail() {
	ktap_header
	KTAP_N=$((KTAP_N + 1)) KTAP_FAILED=$((KTAP_FAILED + 1))
	echo "not ok $KTAP_N $1${2:+ # $2}"
}

# ktap_skip NAME REASON
ktap_skip() {
	ktap_header
	KTAP_N=$((KTAP_N + 1)) KTAP_SKIPPED=$((KTAP_SKIPPED + 1))
	echo "ok $KTAP_N $1 # SKIP $2"
}

diag() { printf '%s\n' "$*" | sed 's/^/# /'; }
diag_file() { sed 's/^/# /' "$1"; }

# check NAME COMMAND...: passes if the command succeeds; shows its output if it does not.
check() {
	local name=$1 status
	shift
	"$@" >"$OUTPUT" 2>&1
	status=$?
	if [ "$status" = 0 ]; then
		ktap_pass "$name"
	else
		diag_file "$OUTPUT"
		ktap_fail "$name" "status $status: $*"
		return 1
	fi
}

# check_fails NAME COMMAND...: passes if the command fails.
check_fails() {
	local name=$1
	shift
	if "$@" >/dev/null 2>&1; then ktap_fail "$name" "succeeded: $*"; else ktap_pass "$name"; fi
}

# check_equal NAME EXPECTED ACTUAL
check_equal() {
	if [ "$2" = "$3" ]; then ktap_pass "$1"; else ktap_fail "$1" "expected '$2', got '$3'"; fi
}

# Ends the test with what the results say.
ktap_finished() {
	ktap_header
	if [ -z "$KTAP_PLAN" ]; then
		echo "1..$KTAP_N"
	elif [ "$KTAP_PLAN" != "$KTAP_N" ]; then
		diag "planned $KTAP_PLAN results, gave $KTAP_N"
		exit 1
	fi
	[ "$KTAP_N" != 0 ] || exit 1
	[ "$KTAP_FAILED" = 0 ] || exit 1
	[ "$KTAP_SKIPPED" != "$KTAP_N" ] || exit 4
	exit 0
}

# skip_all REASON: the whole test cannot run here.
skip_all() { ktap_header; echo "1..0 # SKIP $*"; exit 4; }

# require COMMAND...: a precondition. A test whose preconditions do not hold has failed: what it
# would show afterwards is worth nothing.
require() {
	local status
	"$@" >"$OUTPUT" 2>&1
	status=$?
	[ "$status" = 0 ] && return
	diag_file "$OUTPUT"
	ktap_fail "precondition: $*" "status $status"
	exit 1
}

DEFERRED=()
# defer COMMAND...: to be run at the end of the test, however it ends; last in, first out.
defer() { DEFERRED+=("$(printf '%q ' "$@")"); }
run_deferred() {
	local status=$? i
	trap - EXIT INT TERM
	for ((i = ${#DEFERRED[@]} - 1; i >= 0; i--)); do
		eval "${DEFERRED[i]}" >/dev/null 2>&1
	done
	rm -f "$OUTPUT"
	exit "$status"
}
trap run_deferred EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# ---- Waiting ------------------------------------------------------------------------------------

# wait_for SECONDS COMMAND...: until the command succeeds; fails after that time (SLOW times as
# much, by the kernel).
wait_for() {
	local until=$(($(date +%s%N) + $1 * SLOW * 1000000000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s%N)" -lt "$until" ] || return 1
		sleep 0.1
	done
}

# alive PID: the process runs (and is not a zombie).
alive() { [ -e "/proc/$1" ] && ! grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null; }

# background COMMAND...: starts it, checks that it runs, leaves its id in $BACKGROUND; it is killed
# at the end of the test.
background() {
	"$@" &
	BACKGROUND=$!
	sleep 0.2
	alive "$BACKGROUND" || { ktap_fail "precondition: $* keeps running"; exit 1; }
	defer stop "$BACKGROUND"
}

# stop PID [SIGNAL]: ends a process of this test and waits until it has.
stop() {
	kill "-${2:-TERM}" "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	! alive "$1"
}

# ---- Modules and drivers ------------------------------------------------------------------------

loaded() { grep -q "^$1 " /proc/modules; }

# load MODULE [PARAMETER=VALUE...]: one of ours from the build, any other with what it depends on.
load() {
	local module=$1
	shift
	if [ -e "$RPACKET_MODULES/$module.ko" ]; then
		insmod "$RPACKET_MODULES/$module.ko" "$@"
	else
		modprobe "$module" "$@"
	fi
}

unload() {
	# What a module's users gave back can take an RCU period to arrive.
	wait_for 10 unload_now "$1"
}
unload_now() { ! loaded "$1" || modprobe -r "$1" 2>/dev/null || rmmod "$1"; }

# pci_of CARD: the PCI address of nic0, nic1, ... (scripts/vm puts them there; a card that a test
# adds itself has another address).
pci_of() { printf '0000:00:%02x.0' $((0x10 + ${1#nic})); }

driver_of() {
	local link
	link=$(readlink "/sys/bus/pci/devices/$(pci_of "$1")/driver") && echo "${link##*/}"
}

# netdev_of CARD: the name of its net device, in the namespace of the caller.
netdev_of() {
	local dir
	for dir in "/sys/bus/pci/devices/$(pci_of "$1")/net"/*; do
		[ ! -e "$dir" ] || { echo "${dir##*/}"; return; }
	done
	return 1
}

# bind_card CARD DRIVER: gives a card to a driver and to no other, loading it if necessary.
bind_card() {
	local address sys
	address=$(pci_of "$1") sys=/sys/bus/pci/devices/$(pci_of "$1")
	[ -e "$sys" ] || return 1
	[ ! -e "$sys/driver" ] || echo "$address" >"$sys/driver/unbind" || return 1
	echo "$2" >"$sys/driver_override" || return 1
	loaded "$2" || load "$2" || return 1
	[ "$(driver_of "$1")" = "$2" ] || echo "$address" >/sys/bus/pci/drivers_probe || return 1
	[ "$(driver_of "$1")" = "$2" ] && wait_for 5 netdev_of "$1"
}

# release_card CARD: takes it from its driver, and makes it anyone's again.
release_card() {
	local address sys
	address=$(pci_of "$1") sys=/sys/bus/pci/devices/$(pci_of "$1")
	[ ! -e "$sys/driver" ] || echo "$address" >"$sys/driver/unbind"
	[ ! -e "$sys" ] || echo >"$sys/driver_override"
}

# ---- Two hosts ----------------------------------------------------------------------------------
#
#	namespace dut                              namespace peer
#	eth0: nic0, driver $SUBJECT  <-- hub -->   eth1: nic1, e1000 (another driver on purpose)
#	$DUT4 $DUT6, MAC $DUT_MAC                  $PEER4 $PEER6, MAC $PEER_MAC
#
# When $SUBJECT is no driver (a test of the socket family), nic0 is rtl8139_rs's.
# shellcheck disable=SC2034 # The tests read these.
{
	DUT4=10.8.13.1 DUT6=fd00:8139::1 DUT_MAC=52:54:00:00:00:01
	PEER4=10.8.13.9 PEER6=fd00:8139::9 PEER_MAC=52:54:00:00:00:02
}

in_dut() { ip netns exec dut "$@"; }
in_peer() { ip netns exec peer "$@"; }

driver_under_test() {
	case $SUBJECT in
	rtl8139_rs | 8139cp | 8139too) echo "$SUBJECT" ;;
	*) echo rtl8139_rs ;;
	esac
}

# carrier NAMESPACE DEVICE
carrier() { [ "$(ip netns exec "$1" cat "/sys/class/net/$2/carrier" 2>/dev/null)" = 1 ]; }

# host_up CARD NAMESPACE DEVICE IPV4 IPV6
host_up() {
	local card=$1 ns=$2 dev=$3 name
	ip netns add "$ns" || return 1
	name=$(netdev_of "$card") || return 1
	ip link set "$name" netns "$ns" || return 1
	# Multicast joins and router solicitations would be in every capture.
	ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.router_solicitations=0 \
		net.ipv6.conf.default.router_solicitations=0 || return 1
	[ "$name" = "$dev" ] || ip -n "$ns" link set "$name" name "$dev" || return 1
	ip -n "$ns" link set lo up &&
		ip -n "$ns" addr add "$4/24" dev "$dev" &&
		ip -n "$ns" addr add "$5/64" dev "$dev" nodad &&
		ip -n "$ns" link set "$dev" up
}

host_down() {
	local ns=$1 dev=$2 pids
	pids=$(ip netns pids "$ns" 2>/dev/null)
	# shellcheck disable=SC2086 # A list.
	[ -z "$pids" ] || kill -9 $pids
	ip -n "$ns" link set "$dev" down
	# Under a name that is free there; else it would come back by itself, but later.
	ip -n "$ns" link set "$dev" netns 1 name "back-$dev"
	ip netns del "$ns"
}

# topology_up: both hosts, cards bound, addresses set, links up. A failure fails the test.
topology_up() {
	local driver loaded_before
	driver=$(driver_under_test)
	for loaded_before in e1000 "$driver"; do
		loaded "$loaded_before" || defer unload "$loaded_before"
	done
	defer release_card nic1
	defer release_card nic0
	require bind_card nic0 "$driver"
	require bind_card nic1 e1000
	defer host_down dut eth0
	require host_up nic0 dut eth0 "$DUT4" "$DUT6"
	defer host_down peer eth1
	require host_up nic1 peer eth1 "$PEER4" "$PEER6"
	require wait_for 20 carrier dut eth0
	require wait_for 20 carrier peer eth1
	require test "$driver" = "$(driver_of nic0)"
}
