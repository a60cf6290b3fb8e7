/* SPDX-License-Identifier: GPL-2.0 */
/*
 * C helpers: what is a macro or an inline function in C, and so has no symbol that Rust could call.
 *
 * Rust sees `rnet_helper_f` as `bindings::f`. A helper either wraps one inline function of that
 * name, or it is one whole step of the hot path, so that Rust pays for one call where helpers are
 * not inlined (inline.mk). No policy: a helper decides nothing.
 */
#ifndef RNET_HELPERS_H
#define RNET_HELPERS_H

#include <linux/dma-mapping.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/seq_file.h>
#include <linux/skbuff.h>
#include <linux/socket.h>
#include <linux/sockptr.h>
#include <linux/spinlock.h>
#include <net/sock.h>

struct bpf_prog;
struct xdp_rxq_info;

#ifdef RNET_INLINE_HELPERS
/*
 * LLVM would refuse to inline them into Rust, for no good reason: the same features of the CPU
 * have other names there (rust/helpers/helpers.c in the kernel).
 */
#pragma clang attribute push([[clang::always_inline]], apply_to = function)
#endif
/* helpers/memory.c */
unsigned long rnet_helper_get_compound_pages(unsigned int order, bool retry);
struct page *rnet_helper_memory_to_page(const void *addr);
void rnet_helper_skb_add_page(struct sk_buff *skb, struct page *page, unsigned int offset,
			      unsigned int len);
bool rnet_helper_skb_has_frag_room(const struct sk_buff *skb);

/* helpers/netdevice.c */
void rnet_helper_dev_hold(struct net_device *dev);
void rnet_helper_dev_put(struct net_device *dev);
struct net *rnet_helper_dev_net(const struct net_device *dev);

/* helpers/netdriver.c */
void rnet_helper_netdev_add_priv_flags(struct net_device *dev, u32 flags);
void rnet_helper_timer_setup(struct timer_list *timer, void (*func)(struct timer_list *));
void rnet_helper_timer_start_ms(struct timer_list *timer, unsigned int ms);
void rnet_helper_eth_hw_addr_set(struct net_device *dev, const u8 *addr);
void rnet_helper_eth_hw_addr_random(struct net_device *dev);
bool rnet_helper_is_valid_ether_addr(const u8 *addr);
bool rnet_helper_netif_running(const struct net_device *dev);
bool rnet_helper_netdev_registered(const struct net_device *dev);
bool rnet_helper_netif_carrier_ok(const struct net_device *dev);
bool rnet_helper_netif_device_present(const struct net_device *dev);
void rnet_helper_netdev_lock(struct net_device *dev);
void rnet_helper_netdev_unlock(struct net_device *dev);
void rnet_helper_netif_napi_add_config(struct net_device *dev, struct napi_struct *napi,
				       int (*poll)(struct napi_struct *, int), int index);
void rnet_helper_netif_napi_del(struct napi_struct *napi);
bool rnet_helper_napi_schedule_bh(struct napi_struct *napi);
void rnet_helper_napi_gro_receive(struct napi_struct *napi, struct sk_buff *skb);
struct sk_buff *rnet_helper_napi_copy_frame(struct napi_struct *napi, const void *head,
					    unsigned int head_len, const void *tail,
					    unsigned int tail_len);
void rnet_helper_netif_tx_lock_queue(struct netdev_queue *txq);
bool rnet_helper_netif_tx_trylock_queue(struct netdev_queue *txq);
void rnet_helper_netif_tx_unlock_queue(struct netdev_queue *txq);
void rnet_helper_netif_tx_lock_queue_bh(struct netdev_queue *txq);
void rnet_helper_netif_tx_unlock_queue_bh(struct netdev_queue *txq);
void rnet_helper_netif_tx_stop_queue(struct netdev_queue *txq);
void rnet_helper_netif_tx_stop_queue_mb(struct netdev_queue *txq);
void rnet_helper_netif_tx_start_queue(struct netdev_queue *txq);
bool rnet_helper_netif_tx_queue_stopped(const struct netdev_queue *txq);
void rnet_helper_netdev_tx_sent_queue(struct netdev_queue *txq, unsigned int bytes);
void rnet_helper_netdev_txq_completed_mb(struct netdev_queue *txq, unsigned int packets,
					 unsigned int bytes);
void rnet_helper_netdev_tx_reset_queue(struct netdev_queue *txq);
void rnet_helper_txq_trans_update(struct netdev_queue *txq);
void rnet_helper_dev_core_stats_tx_dropped_inc(struct net_device *dev);
void rnet_helper_skb_copy_and_csum_pad(const struct sk_buff *skb, u8 *to, unsigned int pad_to);

/* helpers/offload.c */
bool rnet_helper_netdev_xmit_more(void);
unsigned int rnet_helper_skb_headlen(const struct sk_buff *skb);
unsigned int rnet_helper_skb_nr_frags(const struct sk_buff *skb);
unsigned int rnet_helper_skb_gso_size(const struct sk_buff *skb);
unsigned int rnet_helper_skb_gso_segs(const struct sk_buff *skb);
unsigned int rnet_helper_skb_tcp_headers(const struct sk_buff *skb);
bool rnet_helper_skb_vlan_tag(const struct sk_buff *skb, u16 *tci);
bool rnet_helper_skb_tagged_in_band(const struct sk_buff *skb, netdev_features_t features);
netdev_features_t rnet_helper_vlan_features_check(struct sk_buff *skb, netdev_features_t features);
bool rnet_helper_skb_csum_partial(const struct sk_buff *skb);
u8 rnet_helper_skb_csum_ipv4_protocol(const struct sk_buff *skb);
int rnet_helper_skb_pad_keep(struct sk_buff *skb, unsigned int len);
dma_addr_t rnet_helper_skb_map_head(struct device *dev, const struct sk_buff *skb);
dma_addr_t rnet_helper_skb_map_frag(struct device *dev, const struct sk_buff *skb,
				    unsigned int frag, unsigned int *len);
bool rnet_helper_dma_map_failed(struct device *dev, dma_addr_t addr);
void rnet_helper_dma_unmap_to_device(struct device *dev, dma_addr_t addr, unsigned int len);

/* helpers/page_pool.c */
struct page_pool *rnet_helper_page_pool_new(struct net_device *netdev, struct device *dev,
					    unsigned int order, unsigned int pages,
					    unsigned int headroom, unsigned int len, bool both);
struct napi_struct *rnet_helper_page_pool_napi(const struct page_pool *pool);
unsigned int rnet_helper_page_pool_capacity(unsigned int order, unsigned int headroom);
dma_addr_t rnet_helper_page_pool_get_dma_addr(const struct page *page);
void rnet_helper_page_pool_put_full_page(struct page_pool *pool, struct page *page, bool direct);
struct sk_buff *rnet_helper_page_pool_copy_frame(struct napi_struct *napi, struct page_pool *pool,
						 struct page *page, unsigned int headroom,
						 unsigned int len, bool seen);
struct sk_buff *rnet_helper_page_pool_build_frame(struct napi_struct *napi, struct page_pool *pool,
						  struct page *page, unsigned int headroom,
						  unsigned int len, bool seen, unsigned int meta);
void rnet_helper_skb_set_vlan_tag(struct sk_buff *skb, u16 tci);
void rnet_helper_skb_set_csum_unnecessary(struct sk_buff *skb);

/* helpers/ports.c */
unsigned int rnet_helper_ioread8(const void __iomem *addr);
unsigned int rnet_helper_ioread16(const void __iomem *addr);
unsigned int rnet_helper_ioread32(const void __iomem *addr);
void rnet_helper_iowrite8(u8 value, void __iomem *addr);
void rnet_helper_iowrite16(u16 value, void __iomem *addr);
void rnet_helper_iowrite32(u32 value, void __iomem *addr);
unsigned long rnet_helper_pci_resource_flags(const struct pci_dev *pdev, unsigned int bar);

#ifdef CONFIG_FAULT_INJECTION_DEBUG_FS
/* helpers/registers.c */
void rnet_helper_register_faults_create(const char *driver);
void rnet_helper_register_faults_remove(void);
bool rnet_helper_register_fault(u32 offset, bool write, u32 *clear, u32 *set);
#endif

/* helpers/skbuff.c */
void rnet_helper_kfree_skb_reason(struct sk_buff *skb, enum skb_drop_reason reason);
bool rnet_helper_skb_shared(const struct sk_buff *skb);
unsigned int rnet_helper_skb_tailroom(const struct sk_buff *skb);
unsigned int rnet_helper_skb_headroom(const struct sk_buff *skb);
void rnet_helper_skb_reset_network_header(struct sk_buff *skb);
void rnet_helper_skb_shift_data(struct sk_buff *skb, unsigned int len);
void rnet_helper_skb_tx_timestamp(struct sk_buff *skb);

/* helpers/sock.c */
void *rnet_helper_net_generic(const struct net *net, unsigned int id);
bool rnet_helper_net_ns_capable(const struct net *net, int cap);
void rnet_helper_sock_hold(struct sock *sk);
void rnet_helper_sock_put(struct sock *sk);
void rnet_helper_sock_orphan(struct sock *sk);
void rnet_helper_lock_sock(struct sock *sk);
bool rnet_helper_sock_flag(const struct sock *sk, enum sock_flags flag);
void rnet_helper_sock_inuse(struct sock *sk, int delta);
void rnet_helper_sock_list_add(struct sock *sk, struct hlist_head *list);
bool rnet_helper_sock_list_del(struct sock *sk);
struct sock *rnet_helper_sock_list_first(const struct hlist_head *list);
struct sock *rnet_helper_sock_list_next(const struct sock *sk);
void rnet_helper_sock_report_error(struct sock *sk, int err);
void rnet_helper_sock_purge(struct sock *sk);
int rnet_helper_sock_inq(struct sock *sk);
int rnet_helper_sock_outq(const struct sock *sk);
unsigned int rnet_helper_sock_rmem(const struct sock *sk);
void rnet_helper_sock_queue_lock(struct sock *sk);
void rnet_helper_sock_queue_unlock(struct sock *sk);
unsigned int rnet_helper_sock_refcount(const struct sock *sk);
unsigned long rnet_helper_sock_inode(const struct sock *sk);
unsigned int rnet_helper_sock_uid(struct seq_file *seq, const struct sock *sk);
int rnet_helper_copy_from_sockptr(void *to, sockptr_t from, size_t len);
void rnet_helper_sockcm_init(struct sockcm_cookie *cookie, const struct sock *sk);
struct sk_buff *rnet_helper_sock_alloc_packet(struct sock *sk, unsigned int headroom,
					      unsigned int tailroom, unsigned int linear,
					      unsigned int paged, int noblock, int *err);
void rnet_helper_sock_prepare_packet(struct sock *sk, struct sk_buff *skb,
				     struct net_device *dev, const struct sockcm_cookie *cookie,
				     bool set_protocol, __be16 protocol, bool no_fcs);
int rnet_helper_inet_dgram_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg);

/* helpers/packet.c */
bool rnet_helper_packet_view(struct sk_buff *skb, bool link);
bool rnet_helper_packet_filter(struct sk_buff *skb, const struct sock *sk, unsigned int *wanted);
struct sk_buff *rnet_helper_packet_take(struct sk_buff *skb, unsigned char *data,
					unsigned int len, unsigned int snaplen,
					enum skb_drop_reason reason);
void rnet_helper_packet_queue_begin(struct sock *sk, struct sk_buff *skb);
void rnet_helper_packet_queue_commit(struct sock *sk, struct sk_buff *skb);
bool rnet_helper_sock_rcvbuf_full(const struct sock *sk);
void rnet_helper_sk_drops_inc(struct sock *sk);
void rnet_helper_sock_recv_cmsgs(struct msghdr *msg, struct sock *sk, struct sk_buff *skb);
int rnet_helper_packet_link_address(const struct sk_buff *skb, unsigned char *addr);
__be16 rnet_helper_packet_inner_protocol(const struct sk_buff *skb);
bool rnet_helper_packet_header_copy(const struct sk_buff *skb, unsigned int mac_offset,
				    void *to, unsigned int len);
bool rnet_helper_packet_vlan_tag(const struct sk_buff *skb, u16 *tci, u16 *tpid);
bool rnet_helper_skb_csum_unnecessary(const struct sk_buff *skb);
bool rnet_helper_skb_is_gso_tcp(const struct sk_buff *skb);
bool rnet_helper_dev_has_header(const struct net_device *dev);
bool rnet_helper_is_vlan_dev(const struct net_device *dev);
unsigned int rnet_helper_ll_reserved_space(const struct net_device *dev, unsigned int header);
bool rnet_helper_netif_supports_nofcs(struct net_device *dev);
int rnet_helper_dev_hard_header(struct sk_buff *skb, struct net_device *dev,
				unsigned short type, const void *daddr, unsigned int len);
bool rnet_helper_packet_validate_header(struct sk_buff *skb, const struct net_device *dev);
bool rnet_helper_packet_is_vlan(const struct sk_buff *skb, const struct net_device *dev);
void rnet_helper_packet_parse_headers(struct sk_buff *skb, struct net_device *dev,
				      bool find_protocol);
int rnet_helper_packet_xmit(struct sk_buff *skb, struct net_device *dev);

/* helpers/packet_group.c */
unsigned int rnet_helper_packet_program_run(const struct bpf_prog *prog, struct sk_buff *skb);
unsigned int rnet_helper_skb_get_hash(struct sk_buff *skb);
u16 rnet_helper_skb_get_queue_mapping(const struct sk_buff *skb);
unsigned int rnet_helper_get_random_u32_below(unsigned int limit);
struct sk_buff *rnet_helper_packet_defragment(struct net *net, struct sk_buff *skb);

/* helpers/xdp.c */

/* Where in its page a frame is: its first byte, and what of a program's own stands before it. */
struct rnet_xdp_view {
	unsigned int start;
	unsigned int len;
	unsigned int meta;
};

int rnet_helper_xdp_rxq_info_reg(struct xdp_rxq_info *rxq, struct net_device *dev,
				 struct page_pool *pool);
u32 rnet_helper_xdp_run(const struct bpf_prog *prog, struct xdp_rxq_info *rxq,
			struct page_pool *pool, struct page *page, struct rnet_xdp_view *view);
void rnet_helper_xdp_report(struct net_device *dev, const struct bpf_prog *prog, u32 action);
int rnet_helper_xdp_redirect(struct net_device *dev, struct bpf_prog *prog,
			     struct xdp_rxq_info *rxq, struct page_pool *pool, struct page *page,
			     const struct rnet_xdp_view *view);
void rnet_helper_page_pool_give_again(const struct page_pool *pool, const struct page *page);
struct xdp_frame *rnet_helper_xdp_to_frame(struct xdp_rxq_info *rxq, struct page_pool *pool,
					   struct page *page, const struct rnet_xdp_view *view);
unsigned int rnet_helper_xdp_frame_len(const struct xdp_frame *frame);
bool rnet_helper_xdp_frame_in_pieces(const struct xdp_frame *frame);
bool rnet_helper_xdp_frame_pad(struct xdp_frame *frame, unsigned int len);
dma_addr_t rnet_helper_xdp_frame_map(struct device *dev, const struct xdp_frame *frame);
dma_addr_t rnet_helper_xdp_frame_address(const struct page_pool *pool,
					 const struct xdp_frame *frame);
bool rnet_helper_irqs_disabled(void);

#ifdef RNET_INLINE_HELPERS
#pragma clang attribute pop
#endif

#endif /* RNET_HELPERS_H */
