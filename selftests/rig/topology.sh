#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The two hosts that the other tests use really are two, on one wire: what one sends is received by
# the other's card and counted there, and a pulled cable is seen. Runs on Debian's own driver, so
# that a failure here is the rig's and not ours.
#
# subjects: 8139cp
. "$(dirname "$0")/../lib.sh"

packets() { ip netns exec "$1" cat "/sys/class/net/$2/statistics/$3"; }

ktap_set_plan 6
topology_up
check_equal "nic0 has the driver that was asked for" 8139cp "$(driver_of nic0)"
before=$(packets peer eth1 rx_packets)
check "IPv4 crosses the wire" in_dut ping -c 3 -i 0.2 -W 5 "$PEER4"
check "IPv6 crosses the wire" in_dut ping -6 -c 3 -i 0.2 -W 5 "$PEER6"
after=$(packets peer eth1 rx_packets)
check "the peer's card counted it" test "$((after - before))" -ge 6
qmp set_link nic0 off
check "a pulled cable is seen" wait_for 10 eval '! carrier dut eth0'
qmp set_link nic0 on
check "and so is a plugged one" wait_for 10 carrier dut eth0
ktap_finished
