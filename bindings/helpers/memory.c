// SPDX-License-Identifier: GPL-2.0
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/skbuff.h>
#include <net/sock.h>
#include "../helpers.h"

/* Zeroed pages in one piece. With @retry, others may have to give up memory for them. */
unsigned long rnet_helper_get_compound_pages(unsigned int order, bool retry)
{
	gfp_t gfp = GFP_KERNEL | __GFP_COMP | __GFP_ZERO | __GFP_NOWARN;

	return __get_free_pages(retry ? gfp : gfp | __GFP_NORETRY, order);
}

struct page *rnet_helper_memory_to_page(const void *addr)
{
	return is_vmalloc_addr(addr) ? vmalloc_to_page(addr) : virt_to_page(addr);
}

/*
 * Make @len bytes of @page the next data of the packet, which is charged to a socket. The packet
 * gets a reference of its own. Others may write to the page meanwhile.
 */
void rnet_helper_skb_add_page(struct sk_buff *skb, struct page *page, unsigned int offset,
			      unsigned int len)
{
	get_page(page);
	skb_fill_page_desc(skb, skb_shinfo(skb)->nr_frags, page, offset, len);
	skb_shinfo(skb)->flags |= SKBFL_SHARED_FRAG;
	skb->len += len;
	skb->data_len += len;
	skb->truesize += len;
	refcount_add(len, &skb->sk->sk_wmem_alloc);
}

bool rnet_helper_skb_has_frag_room(const struct sk_buff *skb)
{
	return skb_shinfo(skb)->nr_frags < MAX_SKB_FRAGS;
}
