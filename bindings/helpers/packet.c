// SPDX-License-Identifier: GPL-2.0
/*
 * The steps of a packet through a packet socket: one call each on the hot path.
 */
#include <linux/filter.h>
#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/sock.h>
#include "../helpers.h"

/*
 * Move the data pointer of a packet that a hook received: to the link header, or to the network
 * header. Incoming packets come with it at the network header, outgoing ones at the link header.
 *
 * False if the header offsets contradict the data; then nothing was moved.
 */
bool rnet_helper_packet_view(struct sk_buff *skb, bool link)
{
	int offset;

	if (link) {
		if (!skb_mac_header_was_set(skb))
			return false;
		offset = skb_mac_offset(skb);
		if (offset > 0 || skb_headroom(skb) < -offset)
			return false;
		__skb_push(skb, -offset);
	} else if (skb->pkt_type == PACKET_OUTGOING) {
		offset = skb_network_offset(skb);
		if (offset < 0 || skb_headlen(skb) < offset)
			return false;
		__skb_pull(skb, offset);
	}
	return true;
}

/*
 * Whether the socket wants the packet, and if so how many bytes of it: what its filter says, or
 * all that can be read. A filter may want a packet that has no bytes.
 */
bool rnet_helper_packet_filter(struct sk_buff *skb, const struct sock *sk, unsigned int *wanted)
{
	unsigned int len = skb_frags_readable(skb) ? skb->len : skb_headlen(skb);
	unsigned int verdict = len;
	struct sk_filter *filter;

	rcu_read_lock();
	filter = rcu_dereference(sk->sk_filter);
	if (filter)
		verdict = bpf_prog_run_clear_cb(filter->prog, skb);
	rcu_read_unlock();
	*wanted = min(len, verdict);
	return verdict;
}

/*
 * Make the packet the caller's own, as it is seen now, and cut it to @snaplen bytes. If others have
 * it too, they get it back with its old @data and @len. The caller's reference is gone in any case.
 */
struct sk_buff *rnet_helper_packet_take(struct sk_buff *skb, unsigned char *data,
					unsigned int len, unsigned int snaplen,
					enum skb_drop_reason reason)
{
	if (skb_shared(skb)) {
		struct sk_buff *clone = skb_clone(skb, GFP_ATOMIC);

		skb->data = data;
		skb->len = len;
		if (!clone) {
			kfree_skb_reason(skb, reason);
			return NULL;
		}
		consume_skb(skb);
		skb = clone;
	}
	if (pskb_trim(skb, snaplen)) {
		kfree_skb_reason(skb, reason);
		return NULL;
	}
	return skb;
}

/* Charge the packet to the socket and take the lock of the receive queue. */
void rnet_helper_packet_queue_begin(struct sock *sk, struct sk_buff *skb)
	__acquires(&sk->sk_receive_queue.lock)
{
	skb_set_owner_r(skb, sk);
	skb->dev = NULL;
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	spin_lock(&sk->sk_receive_queue.lock);
}

/* Queue the packet, release the lock, wake the reader. */
void rnet_helper_packet_queue_commit(struct sock *sk, struct sk_buff *skb)
	__releases(&sk->sk_receive_queue.lock)
{
	sock_skb_set_dropcount(sk, skb);
	skb_clear_delivery_time(skb);
	__skb_queue_tail(&sk->sk_receive_queue, skb);
	spin_unlock(&sk->sk_receive_queue.lock);
	sk->sk_data_ready(sk);
}

bool rnet_helper_sock_rcvbuf_full(const struct sock *sk)
{
	return atomic_read(&sk->sk_rmem_alloc) >= READ_ONCE(sk->sk_rcvbuf);
}

void rnet_helper_sk_drops_inc(struct sock *sk)
{
	sk_drops_inc(sk);
}

void rnet_helper_sock_recv_cmsgs(struct msghdr *msg, struct sock *sk, struct sk_buff *skb)
{
	sock_recv_cmsgs(msg, sk, skb);
}

int rnet_helper_packet_link_address(const struct sk_buff *skb, unsigned char *addr)
{
	return dev_parse_header(skb, addr);
}

__be16 rnet_helper_packet_inner_protocol(const struct sk_buff *skb)
{
	if (!eth_type_vlan(skb->protocol))
		return skb->protocol;
	return vlan_get_protocol_offset_inline(skb, skb->protocol, skb_mac_offset(skb),
					       NULL);
}

bool rnet_helper_packet_header_copy(const struct sk_buff *skb, unsigned int mac_offset,
				    void *to, unsigned int len)
{
	const void *from;

	if (!skb_mac_header_was_set(skb))
		return false;
	from = skb_header_pointer(skb, skb_mac_offset(skb) + (int)mac_offset, len, to);
	if (!from)
		return false;
	if (from != to)
		memcpy(to, from, len);
	return true;
}

bool rnet_helper_packet_vlan_tag(const struct sk_buff *skb, u16 *tci, u16 *tpid)
{
	if (!skb_vlan_tag_present(skb))
		return false;
	*tci = skb_vlan_tag_get(skb);
	*tpid = ntohs(skb->vlan_proto);
	return true;
}

bool rnet_helper_skb_csum_unnecessary(const struct sk_buff *skb)
{
	return skb_csum_unnecessary(skb);
}

bool rnet_helper_skb_is_gso_tcp(const struct sk_buff *skb)
{
	return skb_is_gso(skb) && skb_is_gso_tcp(skb);
}

bool rnet_helper_dev_has_header(const struct net_device *dev)
{
	return dev_has_header(dev);
}

bool rnet_helper_is_vlan_dev(const struct net_device *dev)
{
	return is_vlan_dev(dev);
}

unsigned int rnet_helper_ll_reserved_space(const struct net_device *dev, unsigned int header)
{
	return LL_RESERVED_SPACE_EX(dev, header);
}

bool rnet_helper_netif_supports_nofcs(struct net_device *dev)
{
	return netif_supports_nofcs(dev);
}

int rnet_helper_dev_hard_header(struct sk_buff *skb, struct net_device *dev,
				unsigned short type, const void *daddr, unsigned int len)
{
	return dev_hard_header(skb, dev, type, daddr, NULL, len);
}

bool rnet_helper_packet_validate_header(struct sk_buff *skb, const struct net_device *dev)
{
	unsigned int header_len = READ_ONCE(dev->hard_header_len);

	/* A privileged sender's short header is filled up in place, so there must be room. */
	if (skb->len < header_len && skb_headlen(skb) + skb_tailroom(skb) < header_len)
		return false;
	return dev_validate_header(dev, skb->data, skb->len);
}

bool rnet_helper_packet_is_vlan(const struct sk_buff *skb, const struct net_device *dev)
{
	const struct ethhdr *header = (const void *)skb->data;

	return dev->type == ARPHRD_ETHER && skb_headlen(skb) >= ETH_HLEN &&
	       header->h_proto == htons(ETH_P_8021Q);
}

/* Find the headers of a packet whose data begins with the link header, for who reads it below. */
void rnet_helper_packet_parse_headers(struct sk_buff *skb, struct net_device *dev,
				      bool find_protocol)
{
	int depth;

	skb->dev = dev;
	skb_reset_mac_header(skb);
	if (find_protocol && !skb->protocol)
		skb->protocol = dev_parse_header_protocol(skb);
	skb_probe_transport_header(skb);
	if (dev->type == ARPHRD_ETHER && eth_type_vlan(skb->protocol) &&
	    vlan_get_protocol_and_depth(skb, skb->protocol, &depth))
		skb_set_network_header(skb, depth);
}

int rnet_helper_packet_xmit(struct sk_buff *skb, struct net_device *dev)
{
	int err;

	skb->dev = dev;
	err = dev_queue_xmit(skb);
	return err > 0 ? net_xmit_errno(err) : err;
}
