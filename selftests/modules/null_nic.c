// SPDX-License-Identifier: GPL-2.0
/*
 * A network device without hardware, which does no more for a frame than each driver must: what a
 * driver costs is measured as what it takes beyond this one.
 *
 * To receive, it allocates a buffer, fills it, names its protocol and gives it to NAPI; to send, it
 * frees the buffer. A number written to the parameter `receive` is the number of frames that come
 * in at once: by an interrupt, and NAPI, like those of a card.
 *
 * With the parameter `pages` the frame is not copied: it is in a page of a pool already, as if a
 * card had written it there; the page is given away, and comes back to the pool.
 */
#include <linux/etherdevice.h>
#include <linux/irq_work.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <net/page_pool/helpers.h>

static unsigned int size = ETH_ZLEN;
module_param(size, uint, 0644);
MODULE_PARM_DESC(size, "The length of the frames that come in");

static bool gro = true;
module_param(gro, bool, 0644);
MODULE_PARM_DESC(gro, "They are given to GRO; without, to the stack one by one");

static bool pages;
module_param(pages, bool, 0444);
MODULE_PARM_DESC(pages, "They are in pages, which the stack gets; without, they are copied");

static unsigned long received;
module_param(received, ulong, 0444);
MODULE_PARM_DESC(received, "How many frames have come in");

static unsigned long sent;
module_param(sent, ulong, 0444);
MODULE_PARM_DESC(sent, "How many frames have gone out");

static struct net_device *dev;
static struct napi_struct napi;
static unsigned int pending;
static u8 frame[ETH_FRAME_LEN];
static struct page_pool *pool;

static struct sk_buff *null_copy(struct napi_struct *instance)
{
	struct sk_buff *skb = napi_alloc_skb(instance, size);

	if (skb)
		skb_put_data(skb, frame, size);
	return skb;
}

static struct sk_buff *null_take(void)
{
	struct page *page = page_pool_dev_alloc_pages(pool);
	struct sk_buff *skb;

	if (!page)
		return NULL;
	skb = napi_build_skb(page_address(page), PAGE_SIZE);
	if (!skb) {
		page_pool_put_full_page(pool, page, true);
		return NULL;
	}
	skb_mark_for_recycle(skb);
	skb_reserve(skb, XDP_PACKET_HEADROOM);
	skb_put(skb, size);
	/* Of the rest nobody asks what it is. */
	memcpy(skb->data, frame, ETH_HLEN);
	return skb;
}

static int null_poll(struct napi_struct *instance, int budget)
{
	int done = 0;

	while (done < budget && pending) {
		struct sk_buff *skb = pool ? null_take() : null_copy(instance);

		if (!skb)
			break;
		skb->protocol = eth_type_trans(skb, dev);
		if (gro)
			napi_gro_receive(instance, skb);
		else
			netif_receive_skb(skb);
		received++;
		pending--;
		done++;
	}
	if (done < budget)
		napi_complete_done(instance, done);
	return done;
}

/* In the context of an interrupt, as a card's handler is. */
static void null_interrupt(struct irq_work *work)
{
	napi_schedule(&napi);
}

static DEFINE_IRQ_WORK(interrupt, null_interrupt);

/* The parameter's lock serializes the writers; nobody else touches `pending` but the poll. */
static int receive_set(const char *value, const struct kernel_param *param)
{
	unsigned int frames;
	int err = kstrtouint(value, 10, &frames);

	if (err)
		return err;
	if (!dev || !netif_running(dev))
		return -ENETDOWN;
	if (size < ETH_HLEN || size > sizeof(frame))
		return -EMSGSIZE;
	pending = frames;
	if (frames)
		irq_work_queue(&interrupt);
	return 0;
}

static const struct kernel_param_ops receive_ops = {
	.set = receive_set,
};
module_param_cb(receive, &receive_ops, NULL, 0200);
MODULE_PARM_DESC(receive, "That many frames come in now");

static int null_open(struct net_device *device)
{
	const struct page_pool_params params = {
		.pool_size = 64,
		.nid = NUMA_NO_NODE,
		.napi = &napi,
	};

	if (pages) {
		pool = page_pool_create(&params);
		if (IS_ERR(pool)) {
			int err = PTR_ERR(pool);

			pool = NULL;
			return err;
		}
	}
	napi_enable(&napi);
	netif_start_queue(device);
	return 0;
}

static int null_stop(struct net_device *device)
{
	netif_stop_queue(device);
	irq_work_sync(&interrupt);
	napi_disable(&napi);
	pending = 0;
	if (pool)
		page_pool_destroy(pool);
	pool = NULL;
	return 0;
}

static netdev_tx_t null_xmit(struct sk_buff *skb, struct net_device *device)
{
	sent++;
	dev_consume_skb_any(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops null_ops = {
	.ndo_open = null_open,
	.ndo_stop = null_stop,
	.ndo_start_xmit = null_xmit,
};

static int __init null_init(void)
{
	struct net_device *made = alloc_netdev(0, "null%d", NET_NAME_ENUM, ether_setup);
	int err;

	if (!made)
		return -ENOMEM;
	made->netdev_ops = &null_ops;
	eth_hw_addr_random(made);
	netif_napi_add(made, &napi, null_poll);

	ether_addr_copy(frame, made->dev_addr);
	frame[ETH_ALEN] = 2;
	/* A local experimental ethertype, which no handler takes. */
	frame[2 * ETH_ALEN] = 0x88;
	frame[2 * ETH_ALEN + 1] = 0xb5;

	err = register_netdev(made);
	if (err) {
		netif_napi_del(&napi);
		free_netdev(made);
		return err;
	}
	WRITE_ONCE(dev, made);
	return 0;
}
module_init(null_init);

static void __exit null_exit(void)
{
	unregister_netdev(dev);
	netif_napi_del(&napi);
	free_netdev(dev);
}
module_exit(null_exit);

MODULE_DESCRIPTION("The least that a network driver can be");
MODULE_LICENSE("GPL");
