// SPDX-License-Identifier: GPL-2.0
/*
 * Sends frames through a network device in bursts: the driver hears before the last one of a
 * burst that more will follow, so that it can tell the card of them at once.
 *
 * What is written to the parameter `send` is "INTERFACE ADDRESS SIZE FRAMES BURST"; the
 * interface is looked for in the network namespace of the writer. The write returns when all
 * have been given to the driver, and fails with ENOBUFS if the device's queue stays stopped.
 * pktgen does likewise, but in a thread, which can be measured neither exactly nor for a single
 * frame.
 */
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/rtnetlink.h>

#define MOST 64

static struct sk_buff *make(struct net_device *dev, const u8 *to, unsigned int size)
{
	unsigned int room = LL_RESERVED_SPACE(dev);
	struct sk_buff *skb = alloc_skb(room + size + dev->needed_tailroom, GFP_KERNEL);
	struct ethhdr *header;

	if (!skb)
		return NULL;
	skb_reserve(skb, room);
	skb_reset_mac_header(skb);
	header = skb_put_zero(skb, size);
	ether_addr_copy(header->h_dest, to);
	ether_addr_copy(header->h_source, dev->dev_addr);
	/* A local experimental ethertype, which no handler takes. */
	header->h_proto = htons(0x88b5);
	skb->protocol = header->h_proto;
	skb_set_network_header(skb, ETH_HLEN);
	skb->dev = dev;
	return skb;
}

/* Gives frames to the driver until its queue is stopped; returns how many it took. */
static unsigned int give(struct net_device *dev, struct netdev_queue *queue, struct sk_buff **skbs,
			 unsigned int count)
{
	unsigned int i;

	local_bh_disable();
	HARD_TX_LOCK(dev, queue, smp_processor_id());
	for (i = 0; i < count; i++) {
		if (netif_xmit_frozen_or_drv_stopped(queue))
			break;
		if (netdev_start_xmit(skbs[i], dev, queue, i + 1 < count) != NETDEV_TX_OK)
			break;
	}
	HARD_TX_UNLOCK(dev, queue);
	local_bh_enable();
	return i;
}

static int burst(struct net_device *dev, const u8 *to, unsigned int size, unsigned int count)
{
	struct sk_buff *skbs[MOST];
	unsigned int made, given = 0, patience = 1000;

	for (made = 0; made < count; made++) {
		skbs[made] = make(dev, to, size);
		if (!skbs[made])
			break;
	}
	while (given < made) {
		given += give(dev, netdev_get_tx_queue(dev, 0), skbs + given, made - given);
		if (given < made && !patience--)
			break;
		if (given < made)
			usleep_range(50, 100);
	}
	if (given == count)
		return 0;
	while (made > given)
		kfree_skb(skbs[--made]);
	return -ENOBUFS;
}

static int send_set(const char *value, const struct kernel_param *param)
{
	unsigned int size, frames, at_once, at;
	struct net_device *dev;
	char name[IFNAMSIZ];
	u8 to[ETH_ALEN];
	int err = 0;

	if (sscanf(value, "%15s %hhx:%hhx:%hhx:%hhx:%hhx:%hhx %u %u %u", name, &to[0], &to[1],
		   &to[2], &to[3], &to[4], &to[5], &size, &frames, &at_once) != 10)
		return -EINVAL;
	if (size < ETH_ZLEN || size > ETH_FRAME_LEN || !at_once || at_once > MOST)
		return -EINVAL;
	dev = dev_get_by_name(current->nsproxy->net_ns, name);
	if (!dev)
		return -ENODEV;
	/* The interface stays up under the lock, which who sends a packet need not take. */
	rtnl_lock();
	if (!netif_running(dev) || !netif_device_present(dev))
		err = -ENETDOWN;
	for (at = 0; at < frames && !err; at += at_once)
		err = burst(dev, to, size, min(at_once, frames - at));
	rtnl_unlock();
	dev_put(dev);
	return err;
}

static const struct kernel_param_ops send_ops = {
	.set = send_set,
};
module_param_cb(send, &send_ops, NULL, 0200);
MODULE_PARM_DESC(send, "INTERFACE ADDRESS SIZE FRAMES BURST: sends them now");

MODULE_DESCRIPTION("Sends frames in bursts");
MODULE_LICENSE("GPL");
