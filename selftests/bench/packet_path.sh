#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What a packet costs in either family, on a veth, in a VM of `scripts/vm --icount`: see packet_path.c.
# Prints "FAMILY SIZE WORKLOAD MIN MEDIAN", and what a socket takes.
set -euo pipefail

insmod "$RPACKET_MODULES/af_rpacket.ko"
trap 'ip link del va 2>/dev/null; rmmod af_rpacket' EXIT
sysctl -qw net.ipv6.conf.default.disable_ipv6=1
ip link add va type veth peer name vb
ip link set va up
ip link set vb up
# A veth sends when the kernel has noticed its carrier.
until [ "$(cat /sys/class/net/va/operstate)" = up ]; do sleep 0.1; done
sleep 1
# In turns, so that neither family has the better half of the run.
for size in 60 1514; do
	for family in 17 25 25 17; do
		build/bench/packet_path "$family" va vb "$size" | sed "s/^/path $family $size /"
	done
done
awk '$1 == "PACKET" || $1 == "RPACKET" {print "object", $1, $2}' /proc/net/protocols
