// SPDX-License-Identifier: GPL-2.0
/*
 * What chooses one of several sockets for a packet.
 */
#include <linux/filter.h>
#include <linux/random.h>
#include <linux/skbuff.h>
#include <net/ip.h>
#include "../helpers.h"

unsigned int rnet_helper_packet_program_run(const struct bpf_prog *prog, struct sk_buff *skb)
{
	return bpf_prog_run_clear_cb(prog, skb);
}

unsigned int rnet_helper_skb_get_hash(struct sk_buff *skb)
{
	return skb_get_hash(skb);
}

u16 rnet_helper_skb_get_queue_mapping(const struct sk_buff *skb)
{
	return skb_get_queue_mapping(skb);
}

unsigned int rnet_helper_get_random_u32_below(unsigned int limit)
{
	return get_random_u32_below(limit);
}

/*
 * Collect the fragments of an IPv4 packet. Returns the packet itself, all of it when its last
 * fragment has come, or NULL: then it was taken. The caller's reference is gone unless the packet
 * comes back.
 */
struct sk_buff *rnet_helper_packet_defragment(struct net *net, struct sk_buff *skb)
{
	return ip_check_defrag(net, skb, IP_DEFRAG_AF_PACKET);
}
