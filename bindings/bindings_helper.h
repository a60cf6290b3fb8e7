/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The C headers that bindgen reads to make `bindings/generated.rs`.
 *
 * Sorted alphabetically, but for hrtimer_types.h, which must be complete before the rest.
 */
#include <linux/hrtimer_types.h>

#include <asm/ioctls.h>
#include <linux/errqueue.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/if_arp.h>
#include <linux/if_packet.h>
#include <linux/if_vlan.h>
#include <linux/inetdevice.h>
#include <linux/interrupt.h>
#include <linux/mii.h>
#include <linux/mman.h>
#include <linux/net_tstamp.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/proc_fs.h>
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>
#include <linux/skbuff.h>
#include <linux/sockios.h>
#include <linux/u64_stats_sync.h>
#include <net/net_namespace.h>
#include <net/netdev_queues.h>
#include <net/netns/generic.h>
#include <net/page_pool/helpers.h>
#include <net/sock.h>
#include <net/xdp.h>

#include "helpers.h"
