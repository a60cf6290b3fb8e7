// SPDX-License-Identifier: GPL-2.0
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/page_pool/helpers.h>
#include "../helpers.h"

/* Pages that a device writes received frames to. */

struct page_pool *rnet_helper_page_pool_new(struct net_device *netdev, struct device *dev,
					    unsigned int order, unsigned int pages,
					    unsigned int headroom, unsigned int len, bool both)
{
	const struct page_pool_params params = {
		.flags = PP_FLAG_DMA_MAP | PP_FLAG_DMA_SYNC_DEV,
		.order = order,
		.pool_size = pages,
		.nid = NUMA_NO_NODE,
		.dev = dev,
		.netdev = netdev,
		.dma_dir = both ? DMA_BIDIRECTIONAL : DMA_FROM_DEVICE,
		.offset = headroom,
		.max_len = len,
	};

	return page_pool_create(&params);
}

struct napi_struct *rnet_helper_page_pool_napi(const struct page_pool *pool)
{
	return READ_ONCE(pool->p.napi);
}

unsigned int rnet_helper_page_pool_capacity(unsigned int order, unsigned int headroom)
{
	return SKB_MAX_ORDER(headroom, order);
}

dma_addr_t rnet_helper_page_pool_get_dma_addr(const struct page *page)
{
	return page_pool_get_dma_addr(page);
}

void rnet_helper_page_pool_put_full_page(struct page_pool *pool, struct page *page, bool direct)
{
	page_pool_put_full_page(pool, page, direct);
}

/*
 * One whole step: a frame in @page, @headroom behind its start, is copied to a packet. Who has
 * @seen it before may have changed it, so that it must not be fetched from the device again.
 */
struct sk_buff *rnet_helper_page_pool_copy_frame(struct napi_struct *napi, struct page_pool *pool,
						 struct page *page, unsigned int headroom,
						 unsigned int len, bool seen)
{
	struct sk_buff *skb = napi_alloc_skb(napi, len);

	if (unlikely(!skb))
		return NULL;
	if (!seen)
		page_pool_dma_sync_for_cpu(pool, page, 0, len);
	skb_put_data(skb, page_address(page) + headroom, len);
	dma_sync_single_for_device(pool->p.dev, page_pool_get_dma_addr(page) + pool->p.offset,
				   pool->p.max_len, pool->p.dma_dir);
	skb->protocol = eth_type_trans(skb, napi->dev);
	return skb;
}

/* One whole step: the page becomes a packet, which takes it along. On failure it is as it was. */
struct sk_buff *rnet_helper_page_pool_build_frame(struct napi_struct *napi, struct page_pool *pool,
						  struct page *page, unsigned int headroom,
						  unsigned int len, bool seen, unsigned int meta)
{
	struct sk_buff *skb = napi_build_skb(page_address(page), PAGE_SIZE << pool->p.order);

	if (unlikely(!skb))
		return NULL;
	if (!seen)
		page_pool_dma_sync_for_cpu(pool, page, 0, len);
	skb_mark_for_recycle(skb);
	skb_reserve(skb, headroom);
	skb_put(skb, len);
	if (meta)
		skb_metadata_set(skb, meta);
	skb->protocol = eth_type_trans(skb, napi->dev);
	return skb;
}

/* What the device has found out about a received frame. */

void rnet_helper_skb_set_vlan_tag(struct sk_buff *skb, u16 tci)
{
	__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), tci);
}

void rnet_helper_skb_set_csum_unnecessary(struct sk_buff *skb)
{
	skb->ip_summed = CHECKSUM_UNNECESSARY;
}
