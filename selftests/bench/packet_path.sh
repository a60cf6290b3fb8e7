#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What a packet costs in either family and in null_family.ko, on a veth each: see packet_path.c. In a
# VM of `scripts/vm --icount` the times are instructions.
#
# usage: packet_path.sh ROUNDS SIZE     prints "path SIZE WORKLOAD FAMILY TIME..."
#        packet_path.sh profile SIZE    prints "path SIZE WORKLOAD FAMILY {"return": {"log": PATH}}",
#                                       and writes the kernel's symbols to build/bench/kallsyms
set -euo pipefail

insmod "$RPACKET_MODULES/af_rpacket.ko"
insmod "$RPACKET_MODULES-tests/null_family.ko"
clean_up() {
	local family
	for family in 25 17 12; do ip link del "out$family" 2>/dev/null || :; done
	rmmod null_family af_rpacket
}
trap clean_up EXIT
sysctl -qw net.ipv6.conf.default.disable_ipv6=1
pairs=()
for family in 25 17 12; do
	ip link add "out$family" type veth peer name "in$family"
	ip link set "out$family" up
	ip link set "in$family" up
	pairs+=("$family:out$family:in$family")
done
# A veth sends when the kernel has noticed its carrier.
for family in 25 17 12; do
	until [ "$(cat "/sys/class/net/out$family/operstate")" = up ]; do sleep 0.1; done
done
sleep 1
[ "$1" != profile ] || cat /proc/kallsyms >build/bench/kallsyms
build/bench/packet_path "$1" "$2" "${pairs[@]}" | sed "s/^/path $2 /"
