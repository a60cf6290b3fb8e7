#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The rig on the host: a status comes through the build root and the VM; what is interrupted or
# killed leaves no process and no mount behind; two VMs run at once; a guest that crashes or hangs
# ends the run, with the guilty part of the console; what is in use is not deleted.
#
# Runs outside the build root, before the other tests, and needs nothing but the modules' build.
#
# kernels: host
export KERNEL=stock
. "$(dirname "$0")/../lib.sh"

TREE=$(cd "$(dirname "$0")/../.." && pwd -P)
SCRIPTS=$TREE/scripts
WORK=$(mktemp -d)
defer rm -rf "$WORK"
# Of this test alone: a command under test inherits it, and so does all that it starts.
export RPACKET_MARK=mark-$$-$RANDOM

# The processes that a command under test has started.
marked() { grep -lsz "^RPACKET_MARK=$RPACKET_MARK$" /proc/[0-9]*/environ | grep -v "^/proc/$$/" | cut -d/ -f3; }
# Those of other runs on this machine do not count.
CACHE=${RPACKET_CACHE:-$HOME/.cache/rpacket}
# The kernel writes a space of a path as \040.
mounts() { grep -F -e "${CACHE// /\\040}/" -e "${TREE// /\\040}/" /proc/self/mountinfo | sort; }
# Those of this script's own pipes are gone as soon as it looks at one of them alone.
nothing_runs() {
	local pid
	for pid in $(marked); do
		case $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null) in
		'' | *selftests/rig/host.sh*) ;;
		*) return 1 ;;
		esac
	done
}

# start COMMAND...: in the background, in a session of its own, with Ctrl-C as on a terminal
# (a shell makes its background jobs ignore it). Its output is in $WORK/out and $WORK/err.
start() {
	env --default-signal=INT,TERM,HUP setsid "$@" >"$WORK/out" 2>"$WORK/err" </dev/null &
	STARTED=$!
	defer kill -KILL -- "-$STARTED"
}

vm() { "$SCRIPTS/vm" --no-build --modules none --nics '' "$@"; }

# ends_with STATUS...: the started command ends soon, with one of these, and leaves nothing.
ends_with() {
	local status=0
	wait_for 20 eval "! alive $STARTED" || { echo "still running"; return 1; }
	wait "$STARTED" || status=$?
	wait_for 10 nothing_runs || { echo "still running:"; ps -o pid,args -p "$(marked | paste -sd,)"; return 1; }
	mounts | diff "$WORK/mounts" - || return 1
	case " $* " in *" $status "*) ;; *) echo "status $status"; cat "$WORK/err"; return 1 ;; esac
}

# Ctrl-C goes to all processes of the terminal, the other two to the command alone.
end_by() {
	if [ "$1" = INT ]; then kill -INT -- "-$STARTED"; else kill "-$1" "$STARTED"; fi
}

ends_in_the_root() {
	start "$SCRIPTS/root" run bash -c 'echo begun; exec sleep 1000'
	wait_for 30 grep -q begun "$WORK/out" || { cat "$WORK/err"; return 1; }
	end_by "$1"
	ends_with "$2"
}

ends_in_the_vm() {
	start "$SCRIPTS/vm" --no-build --modules none --nics '' -- 'echo begun; exec sleep 1000'
	wait_for 300 grep -q begun "$WORK/out" || { cat "$WORK/err"; return 1; }
	end_by "$1"
	ends_with "$2"
}

# comes_through STATUS COMMAND...
comes_through() {
	local expected=$1 status=0
	shift
	"$@" </dev/null || status=$?
	[ "$status" = "$expected" ] || { echo "status $status"; return 1; }
}

two_vms() {
	local first second=0 one=0 meet=build/$RPACKET_MARK
	mkdir -p "$TREE/$meet"
	defer rm -rf "$TREE/$meet"
	# Each ends when it has seen the other one.
	vm -- "touch $meet/1; until [ -e $meet/2 ]; do sleep 0.2; done; echo one; exit 3" >"$WORK/one" 2>&1 &
	first=$!
	vm -- "touch $meet/2; until [ -e $meet/1 ]; do sleep 0.2; done; echo two; exit 5" >"$WORK/two" 2>&1 ||
		second=$?
	wait "$first" || one=$?
	[ "$one $second" = "3 5" ] && grep -qx one "$WORK/one" && grep -qx two "$WORK/two" && return
	cat "$WORK/one" "$WORK/two"
	echo "status $one and $second"
	return 1
}

# says REGEX STATUS COMMAND...: the command fails with the status, and its messages say this.
says() {
	local regex=$1
	shift
	comes_through "$@" >"$WORK/said" 2>&1 && grep -qE "$regex" "$WORK/said" && return
	cat "$WORK/said"
	return 1
}

# The guest says on the console what QEMU says when it finds a defect of its own; and then it ends so.
qemu_ends_itself() {
	local pid
	start "$SCRIPTS/vm" --no-build --modules none --nics '' -- \
		'echo "qemu-system-x86_64: a.c:1: f: Assertion of nothing failed." >/dev/ttyS0; echo begun; exec sleep 1000'
	wait_for 300 grep -q begun "$WORK/out" || { cat "$WORK/err"; return 1; }
	for pid in $(marked); do
		case $(readlink "/proc/$pid/exe") in *qemu-system*) kill -ABRT "$pid" ;; esac
	done
	ends_with 249 && grep -q 'QEMU ended itself: qemu-system' "$WORK/err"
}

# At a terminal, where somebody types.
a_shell_is_for_people() {
	local screen=$WORK/screen keys=$WORK/keys
	mkfifo "$keys"
	# shellcheck disable=SC2016 # The inner shell's.
	start bash -c 'exec script -qefc "$0" "$1" <>"$2"' \
		"$SCRIPTS/vm --no-build --modules none --nics ''" "$screen" "$keys"
	wait_for 300 grep -q 'rpacket:/rpacket#' "$screen" || { cat "$screen"; return 1; }
	echo 'type -P qmp; exit' >"$keys"
	ends_with 0 && grep -q '/rpacket/scripts/guest/qmp' "$screen" && return
	cat "$screen"
	return 1
}

# What the runner finds in the kernel log of the boot is a failed result, though its one test passes.
a_boot_is_judged() {
	local quiet=build/$RPACKET_MARK.sh
	cat >"$TREE/$quiet" <<-'EOF'
		#!/bin/sh

		echo 1..1
		echo ok 1 all is well
	EOF
	defer rm -f "$TREE/$quiet"
	says '"kernel log: clean before the first test".*WARNING: on the way up' 1 vm -- "
		echo 'WARNING: on the way up' >/dev/kmsg
		install -D $quiet /tmp/rig/quiet.sh
		selftests/run --results /tmp/results /tmp/rig/quiet.sh
		status=\$?; cat /tmp/results; exit \$status" &&
		grep -q '^ok 1 .*rig/quiet.sh' "$WORK/said"
}

boots() { wc -l <"$CACHE/boots.csv"; }
a_boot_is_counted() {
	local before
	before=$(boots)
	vm -- true && [ "$(boots)" -gt "$before" ]
}

in_use_stays() {
	local cache=$WORK/cache holder
	mkdir -p "$cache"/{root-used,root-old}
	(exec 9<"$cache/root-used"; flock -s 9; exec sleep 1000 >/dev/null 2>&1) &
	holder=$!
	defer kill "$holder"
	wait_for 5 eval "! flock -n '$cache/root-used' true"
	comes_through 1 env RPACKET_CACHE="$cache" "$SCRIPTS/root" prune || return 1
	kill "$holder"; wait "$holder" 2>/dev/null
	[ "$(cd "$cache" && echo root-*)" = root-used ] || { ls "$cache"; return 1; }
	comes_through 0 env RPACKET_CACHE="$cache" "$SCRIPTS/root" prune && [ ! -e "$cache/root-used" ]
}

# What is of this version stays: the root, the other kernels, and what is half made of them.
own_stays() {
	local cache=$WORK/own root kernel own=()
	mkdir -p "$cache"
	root=$cache/$(basename "$("$SCRIPTS/root" path)")
	mkdir -p "$root/var/lib/rpacket" "$root.partial" "$cache/root-other.partial"
	echo release >"$root/var/lib/rpacket/release"
	echo version >"$root/var/lib/rpacket/version"
	for kernel in debug rt; do
		own+=("$(RPACKET_CACHE="$cache" "$SCRIPTS/kernel" path "$kernel")")
		mkdir -p "$cache/$kernel-other"
	done
	own+=("$root")
	mkdir -p "${own[@]}" "${own[@]/%/.partial}"
	comes_through 0 env RPACKET_CACHE="$cache" "$SCRIPTS/root" prune || return 1
	ls -d "${own[@]}" "${own[@]/%/.partial}" || return 1
	! ls -d "$cache"/*-other*
}

a_root_in_use_is_locked() {
	local root
	root=$("$SCRIPTS/root" path)
	start "$SCRIPTS/root" run bash -c 'echo begun; exec sleep 1000'
	wait_for 30 grep -q begun "$WORK/out" || return 1
	! flock -n "$root" true || { echo "not locked"; return 1; }
	end_by TERM
	ends_with 143
}

# scripts_with NAME...: a tree of these scripts alone, in $STUBS; what they call beside each other is made up
# by `stub`. Nothing is built there, and no VM boots.
STUBS=$WORK/stubs
scripts_with() {
	local name
	rm -rf "$STUBS"
	mkdir -p "$STUBS/scripts" "$STUBS/build"
	for name in lib.sh "$@"; do cp "$SCRIPTS/$name" "$STUBS/scripts/"; done
}
# stub NAME: a script of that tree, from standard input.
stub() { { echo '#!/bin/bash'; cat; } >"$STUBS/scripts/$1"; chmod +x "$STUBS/scripts/$1"; }

what_was_seen_is_told() {
	scripts_with test
	echo exit | stub kernel
	echo exit | stub build
	stub root <<-'EOF'
		cd "$(dirname "$0")/../build/results"
		case "$*" in
		*--plan*) printf '%s\n' kernel,test,subject none,host/loom, stock,drivers/a.py,rig >not-run.csv ;;
		*--first*)
			printf '%s\n' head one two three >tests.csv
			echo begun
			exec setpriv --pdeathsig TERM sleep 1000
			;;
		esac
	EOF
	start env -u TESTS "$STUBS/scripts/test"
	wait_for 20 grep -q begun "$WORK/out" || { cat "$WORK/err"; return 1; }
	end_by "$1"
	ends_with "$2" &&
		grep -q 'not come to their end: the 3 results .*/tests.csv; 2 tests .*/not-run.csv' "$WORK/err" && return
	cat "$WORK/err"
	return 1
}

# a_root_in_the_making SIGNAL STATUS REGEX [packages]: is interrupted, in the first of its two long steps or,
# with its packages there, in the second. Nothing is fetched: what would do it is made up.
a_root_in_the_making() {
	local cache=$WORK/making bin=$WORK/bin partial name version
	version=$(sed -n 's/^SERIES=//p' "$SCRIPTS/lib.sh").1
	rm -rf "$cache" "$bin" "$WORK/begun"
	mkdir -p "$cache" "$bin"
	for name in apt-get apt-cache mmdebstrap unshare; do
		cat >"$bin/$name" <<-EOF
			#!/bin/bash
			case "$name \$*" in
			apt-cache*)
				for name in {binary,modules,headers}-$version+deb13-amd64 source-${version%.*}; do
					printf '%s\n' "Package: linux-\$name" "Version: $version-1" ""
				done ;;
			unshare*enter-root*) touch "$WORK/begun"; read -r -u 8 ;;
			*mmdebstrap*) touch "$WORK/begun"; exec sleep 1000 ;;
			unshare*) exec "$(type -P unshare)" "\$@" ;;
			esac
		EOF
		chmod +x "$bin/$name"
	done
	partial=$cache/$(basename "$("$SCRIPTS/root" path)").partial
	if [ $# = 4 ]; then
		mkdir -p "$partial"/{etc,var/lib/rpacket}
		echo "$version+deb13-amd64" >"$partial/var/lib/rpacket/release"
		echo "$version-1" >"$partial/var/lib/rpacket/version"
	fi
	start env PATH="$bin:$PATH" RPACKET_CACHE="$cache" "$SCRIPTS/root" make
	wait_for 30 test -e "$WORK/begun" || { cat "$WORK/err"; return 1; }
	end_by "$1"
	ends_with "$2" && grep -qE "build root is not complete.*$3" "$WORK/err" && return
	cat "$WORK/err"
	return 1
}

# a_demo STATUS LEFT WORD COMMAND: ends with the status and says the word; its VM does this, and what is then
# build/demo.pcapng is the last demo's (old) or its own (new).
a_demo() {
	scripts_with demo
	echo exit | stub build
	stub vm <<-EOF
		cd "$STUBS/build"
		mkdir demo.new
		echo new >demo.new/demo.pcapng
		$4
	EOF
	echo old >"$STUBS/build/demo.pcapng"
	mkdir "$STUBS/build/demo.new"
	says "$3" "$1" "$STUBS/scripts/demo" || return 1
	[ "$(cat "$STUBS/build/demo.pcapng")" = "$2" ] || { echo "not the $2 capture"; return 1; }
}
demos() {
	a_demo 0 new 'the demo worked' 'mv demo.new/* .; rmdir demo.new' &&
		a_demo 1 old 'is in build/demo.new' 'exit 1' && [ -e "$STUBS/build/demo.new/demo.pcapng" ] &&
		a_demo 1 old 'was interrupted' 'exit 130' && [ ! -e "$STUBS/build/demo.new" ] &&
		a_demo 1 old 'left no build/demo.pcapng' 'exit 0'
}

# refused REGEX NAME=VALUE COMMAND...: what nobody has, before anything is made: there is no root here.
refused() {
	says "$1" 2 env RPACKET_CACHE="$WORK/none" "$2" timeout 30 "${@:3}" && [ ! -e "$WORK/none" ]
}

# The list of cards is what QEMU says of itself. A rocker is a switch with other options.
cards_are_qemus() {
	"$SCRIPTS/root" run qemu-system-x86_64 -device help |
		sed -nE '/^Network devices/,/^$/ {
			/bus PCI/! d
			s/^name "([^"]*)".* alias "([^"]*)".*/\1\n\2/
			s/^name "([^"]*)".*/\1/
			p
		}' | grep -vx rocker | sort >"$WORK/qemus"
	# shellcheck disable=SC2016 # The inner shell's.
	bash -c 'RPACKET_TIED=$$; . "$0"; printf "%s\n" "${CARDS[@]}"' "$SCRIPTS/lib.sh" |
		sort | diff "$WORK/qemus" -
}

ktap_set_plan 31
mounts >"$WORK/mounts"
check "a status comes through the build root" comes_through 7 "$SCRIPTS/root" run bash -c 'exit 7'
check "a status comes through the VM" comes_through 9 vm -- 'exit 9'
check "Ctrl-C ends a command in the root" ends_in_the_root INT 130
check "so does SIGTERM" ends_in_the_root TERM 143
check "so does SIGKILL" ends_in_the_root KILL 137
check "Ctrl-C ends a VM" ends_in_the_vm INT 130
check "so does SIGTERM, too" ends_in_the_vm TERM 143
check "so does SIGKILL, too" ends_in_the_vm KILL 137
check "Ctrl-C ends the tests, and it says what was seen" what_was_seen_is_told INT 130
check "so does SIGTERM, which ends them" what_was_seen_is_told TERM 143
check "two VMs run at once" two_vms
check "a guest that crashes ends the run" says 'sysrq triggered crash' 254 \
	vm -- 'echo c >/proc/sysrq-trigger; sleep 1000'
check "what the kernel says after the command is judged" says 'WARNING: on the way down' 250 \
	vm -- 'printf "rpacket: end of the command\n" >/dev/kmsg; echo "WARNING: on the way down" >/dev/kmsg'
check "a guest that does not go off is no success" says 'does not go off' 253 \
	vm -- 'insmod $RPACKET_MODULES-tests/defect.ko kind=no-end'
check "a guest that hangs ends the run, and it says where" says 'no sign of life.*CPUs in .*halt' 253 \
	vm -- 'pkill -STOP -P $PPID -f guest/start && sleep 1000'
check "a defect of QEMU's is told from one of the guest" qemu_ends_itself
check "a shell in the VM finds what is for it" a_shell_is_for_people
check "without a terminal it is refused" says "needs a terminal.*CMD='" 2 \
	timeout 30 "$SCRIPTS/vm" --no-build --modules none --nics ''
check "so is a pattern that picks no test" refused "no test has 'no/such'" TESTS=no/such "$SCRIPTS/test"
check "so is a card that QEMU has not" refused 'no card nosuch' NICS=e1000,nosuch "$SCRIPTS/vm" -- true
check "so is what QEMU does not take of a card" says 'does not take.*nosuch' 2 \
	timeout 60 "$SCRIPTS/vm" --no-build --nics rtl8139+nosuch=1 -- true
check "the cards that are known are QEMU's" cards_are_qemus
check "what the kernel says before the first test is judged" a_boot_is_judged
check "the capture of the last demo stays until the next is complete" demos
check "each boot is counted" a_boot_is_counted
check "prune leaves what is in use" in_use_stays
check "prune leaves what is of this version" own_stays
check "Ctrl-C ends a root in the making, and it says that nothing of it is of use" \
	a_root_in_the_making INT 130 'interrupted; the same command takes away'
check "so does SIGTERM, also with what fetches the packages" \
	a_root_in_the_making TERM 143 'the same command takes away'
check "Ctrl-C ends it later, and it says that the packages stay" \
	a_root_in_the_making INT 130 'interrupted; its packages are kept' packages
check "a root in use is locked" a_root_in_use_is_locked
ktap_finished
