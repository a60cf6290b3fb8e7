// SPDX-License-Identifier: GPL-2.0
#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/timer.h>
#include <linux/unaligned.h>
#include <net/checksum.h>
#include <net/netdev_lock.h>
#include <net/netdev_queues.h>
#include "../helpers.h"

/* What a driver's own device is set up with. */

void rnet_helper_netdev_add_priv_flags(struct net_device *dev, u32 flags)
{
	dev->priv_flags |= flags;
}

void rnet_helper_timer_setup(struct timer_list *timer, void (*func)(struct timer_list *))
{
	timer_setup(timer, func, 0);
}

/* To the full second, so that timers that need not be exact fire together. */
void rnet_helper_timer_start_ms(struct timer_list *timer, unsigned int ms)
{
	mod_timer(timer, jiffies + round_jiffies_relative(msecs_to_jiffies(ms)));
}

void rnet_helper_eth_hw_addr_set(struct net_device *dev, const u8 *addr)
{
	eth_hw_addr_set(dev, addr);
}

void rnet_helper_eth_hw_addr_random(struct net_device *dev)
{
	eth_hw_addr_random(dev);
}

bool rnet_helper_is_valid_ether_addr(const u8 *addr)
{
	return is_valid_ether_addr(addr);
}

bool rnet_helper_netdev_registered(const struct net_device *dev)
{
	return dev->reg_state == NETREG_REGISTERED;
}

bool rnet_helper_netif_running(const struct net_device *dev)
{
	return netif_running(dev);
}

bool rnet_helper_netif_carrier_ok(const struct net_device *dev)
{
	return netif_carrier_ok(dev);
}

bool rnet_helper_netif_device_present(const struct net_device *dev)
{
	return netif_device_present(dev);
}

void rnet_helper_netdev_lock(struct net_device *dev)
{
	netdev_lock(dev);
}

void rnet_helper_netdev_unlock(struct net_device *dev)
{
	netdev_unlock(dev);
}

/* NAPI. */

void rnet_helper_netif_napi_add_config(struct net_device *dev, struct napi_struct *napi,
				       int (*poll)(struct napi_struct *, int), int index)
{
	netif_napi_add_config(dev, napi, poll, index);
}

void rnet_helper_netif_napi_del(struct napi_struct *napi)
{
	netif_napi_del(napi);
}

/* Schedules the poll and lets it run on this CPU before returning, if it can. */
bool rnet_helper_napi_schedule_bh(struct napi_struct *napi)
{
	bool scheduled;

	local_bh_disable();
	scheduled = napi_schedule(napi);
	local_bh_enable();
	return scheduled;
}

void rnet_helper_napi_gro_receive(struct napi_struct *napi, struct sk_buff *skb)
{
	napi_gro_receive(napi, skb);
}

/* One whole step: an Ethernet frame in one or two pieces becomes a packet of @napi's device. */
struct sk_buff *rnet_helper_napi_copy_frame(struct napi_struct *napi, const void *head,
					    unsigned int head_len, const void *tail,
					    unsigned int tail_len)
{
	struct sk_buff *skb = napi_alloc_skb(napi, head_len + tail_len);

	if (unlikely(!skb))
		return NULL;
	skb_put_data(skb, head, head_len);
	if (tail_len)
		skb_put_data(skb, tail, tail_len);
	skb->protocol = eth_type_trans(skb, napi->dev);
	return skb;
}

/* Transmit queue. */

void rnet_helper_netif_tx_lock_queue(struct netdev_queue *txq)
{
	__netif_tx_lock(txq, smp_processor_id());
}

bool rnet_helper_netif_tx_trylock_queue(struct netdev_queue *txq)
{
	return __netif_tx_trylock(txq);
}

void rnet_helper_netif_tx_unlock_queue(struct netdev_queue *txq)
{
	__netif_tx_unlock(txq);
}

void rnet_helper_netif_tx_lock_queue_bh(struct netdev_queue *txq)
{
	__netif_tx_lock_bh(txq);
}

void rnet_helper_netif_tx_unlock_queue_bh(struct netdev_queue *txq)
{
	__netif_tx_unlock_bh(txq);
}

void rnet_helper_netif_tx_stop_queue(struct netdev_queue *txq)
{
	netif_tx_stop_queue(txq);
}

/* First half of netif_txq_try_stop(): the caller looks at its ring again and may undo it. */
void rnet_helper_netif_tx_stop_queue_mb(struct netdev_queue *txq)
{
	netif_tx_stop_queue(txq);
	/* Pairs with the barrier in rnet_helper_netdev_txq_completed_mb(). */
	smp_mb__after_atomic();
}

void rnet_helper_netif_tx_start_queue(struct netdev_queue *txq)
{
	netif_tx_start_queue(txq);
}

bool rnet_helper_netif_tx_queue_stopped(const struct netdev_queue *txq)
{
	return netif_tx_queue_stopped(txq);
}

void rnet_helper_netdev_tx_sent_queue(struct netdev_queue *txq, unsigned int bytes)
{
	netdev_tx_sent_queue(txq, bytes);
}

/* First half of netif_txq_completed_wake(): the caller then looks at its ring and may wake. */
void rnet_helper_netdev_txq_completed_mb(struct netdev_queue *txq, unsigned int packets,
					 unsigned int bytes)
{
	netdev_txq_completed_mb(txq, packets, bytes);
}

void rnet_helper_netdev_tx_reset_queue(struct netdev_queue *txq)
{
	netdev_tx_reset_queue(txq);
}

void rnet_helper_txq_trans_update(struct netdev_queue *txq)
{
	txq_trans_cond_update(txq);
}

void rnet_helper_dev_core_stats_tx_dropped_inc(struct net_device *dev)
{
	dev_core_stats_tx_dropped_inc(dev);
}

/*
 * One whole step: copies a packet to where the device reads it, sums included, and pads it.
 *
 * A sum that comes to zero is written as ones, which is the same number to who adds it up. In UDP
 * zero says that there is no sum, and IPv6 does not take that. skb_copy_and_csum_dev() leaves the
 * zero; where it finds no place for the sum in the packet, it writes none.
 */
void rnet_helper_skb_copy_and_csum_pad(const struct sk_buff *skb, u8 *to, unsigned int pad_to)
{
	skb_copy_and_csum_dev(skb, to);
	if (skb->ip_summed == CHECKSUM_PARTIAL) {
		int start = skb_checksum_start_offset(skb);
		int at = start + skb->csum_offset;

		if (start >= 0 && start <= skb_headlen(skb) && at + sizeof(__sum16) <= skb->len &&
		    !get_unaligned((__sum16 *)(to + at)))
			put_unaligned(CSUM_MANGLED_0, (__sum16 *)(to + at));
	}
	if (skb->len < pad_to)
		memset(to + skb->len, 0, pad_to - skb->len);
}
