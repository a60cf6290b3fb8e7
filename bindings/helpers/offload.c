// SPDX-License-Identifier: GPL-2.0
#include <linux/dma-mapping.h>
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include "../helpers.h"

/* What a frame that is to be sent asks of the device. */

bool rnet_helper_netdev_xmit_more(void)
{
	return netdev_xmit_more();
}

unsigned int rnet_helper_skb_headlen(const struct sk_buff *skb)
{
	return skb_headlen(skb);
}

unsigned int rnet_helper_skb_nr_frags(const struct sk_buff *skb)
{
	return skb_shinfo(skb)->nr_frags;
}

unsigned int rnet_helper_skb_gso_size(const struct sk_buff *skb)
{
	return skb_shinfo(skb)->gso_size;
}

unsigned int rnet_helper_skb_gso_segs(const struct sk_buff *skb)
{
	return skb_shinfo(skb)->gso_segs;
}

/* What stands before the payload in each segment of TCP that a packet is to be cut into, or 0. */
unsigned int rnet_helper_skb_tcp_headers(const struct sk_buff *skb)
{
	int at;

	if (!(skb_shinfo(skb)->gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6)) ||
	    !skb_transport_header_was_set(skb))
		return 0;
	at = skb_transport_offset(skb);
	if (at < 0 || at + sizeof(struct tcphdr) > skb_headlen(skb))
		return 0;
	return skb_tcp_all_headers(skb);
}

bool rnet_helper_skb_vlan_tag(const struct sk_buff *skb, u16 *tci)
{
	if (!skb_vlan_tag_present(skb))
		return false;
	*tci = skb_vlan_tag_get(skb);
	return true;
}

/* Whether the frame has a tag that @features do not insert: the stack puts it into the data. */
bool rnet_helper_skb_tagged_in_band(const struct sk_buff *skb, netdev_features_t features)
{
	if (eth_type_vlan(skb->protocol))
		return true;
	return skb_vlan_tag_present(skb) &&
	       (skb->vlan_proto != htons(ETH_P_8021Q) || !(features & NETIF_F_HW_VLAN_CTAG_TX));
}

netdev_features_t rnet_helper_vlan_features_check(struct sk_buff *skb, netdev_features_t features)
{
	return vlan_features_check(skb, features);
}

bool rnet_helper_skb_csum_partial(const struct sk_buff *skb)
{
	return skb->ip_summed == CHECKSUM_PARTIAL;
}

/*
 * The protocol whose sum a device can compute that looks for it itself: where the frame is IPv4
 * right behind the Ethernet header, and the sum is that of the segment or datagram in it. 0
 * otherwise.
 */
u8 rnet_helper_skb_csum_ipv4_protocol(const struct sk_buff *skb)
{
	const struct iphdr *ip;
	u8 at;

	if (skb->protocol != htons(ETH_P_IP) || skb_headlen(skb) < ETH_HLEN + sizeof(*ip) ||
	    ((const struct ethhdr *)skb->data)->h_proto != htons(ETH_P_IP))
		return 0;
	ip = (const struct iphdr *)(skb->data + ETH_HLEN);
	if (ip->version != 4 || skb_checksum_start_offset(skb) != ETH_HLEN + ip->ihl * 4)
		return 0;
	at = ip->protocol == IPPROTO_TCP ? offsetof(struct tcphdr, check) :
	     ip->protocol == IPPROTO_UDP ? offsetof(struct udphdr, check) : 0;
	return at && skb->csum_offset == at ? ip->protocol : 0;
}

int rnet_helper_skb_pad_keep(struct sk_buff *skb, unsigned int len)
{
	return __skb_put_padto(skb, len, false);
}

/* Streaming mappings for a device that reads. */

dma_addr_t rnet_helper_skb_map_head(struct device *dev, const struct sk_buff *skb)
{
	return dma_map_page(dev, virt_to_page(skb->data), offset_in_page(skb->data),
			    skb_headlen(skb), DMA_TO_DEVICE);
}

dma_addr_t rnet_helper_skb_map_frag(struct device *dev, const struct sk_buff *skb,
				    unsigned int frag, unsigned int *len)
{
	const skb_frag_t *piece = &skb_shinfo(skb)->frags[frag];

	*len = skb_frag_size(piece);
	return skb_frag_dma_map(dev, piece, 0, *len, DMA_TO_DEVICE);
}

bool rnet_helper_dma_map_failed(struct device *dev, dma_addr_t addr)
{
	return dma_mapping_error(dev, addr);
}

void rnet_helper_dma_unmap_to_device(struct device *dev, dma_addr_t addr, unsigned int len)
{
	dma_unmap_page(dev, addr, len, DMA_TO_DEVICE);
}
