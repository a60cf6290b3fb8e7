// SPDX-License-Identifier: GPL-2.0
#include <linux/bpf_trace.h>
#include <linux/dma-mapping.h>
#include <linux/filter.h>
#include <linux/netdevice.h>
#include <net/page_pool/helpers.h>
#include <net/xdp.h>
#include "../helpers.h"

/* Programs that look at received frames first. */

static void rnet_xdp_buff(struct xdp_buff *xdp, struct xdp_rxq_info *rxq, struct page *page,
			  unsigned int order, const struct rnet_xdp_view *view)
{
	xdp_init_buff(xdp, PAGE_SIZE << order, rxq);
	xdp_prepare_buff(xdp, page_address(page), view->start, view->len, true);
	xdp->data_meta -= view->meta;
}

int rnet_helper_xdp_rxq_info_reg(struct xdp_rxq_info *rxq, struct net_device *dev,
				 struct page_pool *pool)
{
	int err = xdp_rxq_info_reg(rxq, dev, 0, 0);

	if (err)
		return err;
	err = xdp_rxq_info_reg_mem_model(rxq, MEM_TYPE_PAGE_POOL, pool);
	if (err)
		xdp_rxq_info_unreg(rxq);
	return err;
}

/* One whole step: @prog looks at the frame that is @view of @page, and says where it is then. */
u32 rnet_helper_xdp_run(const struct bpf_prog *prog, struct xdp_rxq_info *rxq,
			struct page_pool *pool, struct page *page, struct rnet_xdp_view *view)
{
	struct xdp_buff xdp;
	u32 action;

	page_pool_dma_sync_for_cpu(pool, page, 0, view->len);
	rnet_xdp_buff(&xdp, rxq, page, pool->p.order, view);
	action = bpf_prog_run_xdp(prog, &xdp);
	view->start = xdp.data - xdp.data_hard_start;
	view->len = xdp.data_end - xdp.data;
	view->meta = xdp.data - xdp.data_meta;
	return action;
}

/* Says that a frame could not be treated as @prog wants, or that it wants what there is not. */
void rnet_helper_xdp_report(struct net_device *dev, const struct bpf_prog *prog, u32 action)
{
	if (action > XDP_REDIRECT)
		bpf_warn_invalid_xdp_action(dev, prog, action);
	trace_xdp_exception(dev, prog, action);
}

int rnet_helper_xdp_redirect(struct net_device *dev, struct bpf_prog *prog,
			     struct xdp_rxq_info *rxq, struct page_pool *pool, struct page *page,
			     const struct rnet_xdp_view *view)
{
	struct xdp_buff xdp;

	rnet_xdp_buff(&xdp, rxq, page, pool->p.order, view);
	return xdp_do_redirect(dev, &xdp, prog);
}

/* The device may write to the page of a frame that was read, or changed. */
void rnet_helper_page_pool_give_again(const struct page_pool *pool, const struct page *page)
{
	dma_sync_single_for_device(pool->p.dev, page_pool_get_dma_addr(page) + pool->p.offset,
				   pool->p.max_len, pool->p.dma_dir);
}

/* Frames that are sent without being packets. */

struct xdp_frame *rnet_helper_xdp_to_frame(struct xdp_rxq_info *rxq, struct page_pool *pool,
					   struct page *page, const struct rnet_xdp_view *view)
{
	struct xdp_frame *frame = page_address(page);
	struct xdp_buff xdp;

	rnet_xdp_buff(&xdp, rxq, page, pool->p.order, view);
	if (xdp_update_frame_from_buff(&xdp, frame))
		return NULL;
	frame->mem_type = MEM_TYPE_PAGE_POOL;
	return frame;
}

unsigned int rnet_helper_xdp_frame_len(const struct xdp_frame *frame)
{
	return frame->len;
}

bool rnet_helper_xdp_frame_in_pieces(const struct xdp_frame *frame)
{
	return xdp_frame_has_frags(frame);
}

/* Fills up a short frame with zeros, if there is room. Its memory begins where @frame is. */
bool rnet_helper_xdp_frame_pad(struct xdp_frame *frame, unsigned int len)
{
	const void *end = (void *)frame + frame->frame_sz -
			  SKB_DATA_ALIGN(sizeof(struct skb_shared_info));

	if (frame->len >= len)
		return true;
	if (frame->data + len > end)
		return false;
	memset(frame->data + frame->len, 0, len - frame->len);
	frame->len = len;
	return true;
}

dma_addr_t rnet_helper_xdp_frame_map(struct device *dev, const struct xdp_frame *frame)
{
	return dma_map_page(dev, virt_to_page(frame->data), offset_in_page(frame->data), frame->len,
			    DMA_TO_DEVICE);
}

/* Where the device finds a frame in a page that @pool has mapped both ways. */
dma_addr_t rnet_helper_xdp_frame_address(const struct page_pool *pool,
					 const struct xdp_frame *frame)
{
	struct page *page = virt_to_head_page(frame->data);
	dma_addr_t address = page_pool_get_dma_addr(page) + (frame->data - page_address(page));

	dma_sync_single_for_device(pool->p.dev, address, frame->len, pool->p.dma_dir);
	return address;
}

bool rnet_helper_irqs_disabled(void)
{
	return irqs_disabled();
}
