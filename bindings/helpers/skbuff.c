// SPDX-License-Identifier: GPL-2.0
#include <linux/skbuff.h>
#include "../helpers.h"

void rnet_helper_kfree_skb_reason(struct sk_buff *skb, enum skb_drop_reason reason)
{
	kfree_skb_reason(skb, reason);
}

bool rnet_helper_skb_shared(const struct sk_buff *skb)
{
	return skb_shared(skb);
}

unsigned int rnet_helper_skb_tailroom(const struct sk_buff *skb)
{
	return skb_tailroom(skb);
}

unsigned int rnet_helper_skb_headroom(const struct sk_buff *skb)
{
	return skb_headroom(skb);
}

void rnet_helper_skb_tx_timestamp(struct sk_buff *skb)
{
	skb_tx_timestamp(skb);
}

void rnet_helper_skb_reset_network_header(struct sk_buff *skb)
{
	skb_reset_network_header(skb);
}

/* Give back @len bytes of headroom of a packet that has no content yet. */
void rnet_helper_skb_shift_data(struct sk_buff *skb, unsigned int len)
{
	skb_reserve(skb, -(int)len);
}
