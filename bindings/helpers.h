/* SPDX-License-Identifier: GPL-2.0 */
/*
 * C helpers: what is a macro or an inline function in C, and so has no symbol that Rust could call.
 *
 * Rust sees `rnet_helper_f` as `bindings::f`. A helper either wraps one inline function of that
 * name, or it is one whole step of the hot path, so that Rust pays for one call. No policy: a
 * helper decides nothing.
 */
#ifndef RNET_HELPERS_H
#define RNET_HELPERS_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>

/* helpers/netdevice.c */
void rnet_helper_dev_hold(struct net_device *dev);
void rnet_helper_dev_put(struct net_device *dev);
struct net *rnet_helper_dev_net(const struct net_device *dev);

/* helpers/netdriver.c */
void rnet_helper_netdev_add_priv_flags(struct net_device *dev, u32 flags);
void rnet_helper_eth_hw_addr_set(struct net_device *dev, const u8 *addr);
void rnet_helper_eth_hw_addr_random(struct net_device *dev);
bool rnet_helper_is_valid_ether_addr(const u8 *addr);
bool rnet_helper_netif_running(const struct net_device *dev);
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
					    unsigned int head_len, const void *tail, unsigned int tail_len);
struct netdev_queue *rnet_helper_netdev_get_tx_queue(const struct net_device *dev,
						     unsigned int index);
void rnet_helper_netif_tx_lock_queue(struct netdev_queue *txq);
bool rnet_helper_netif_tx_trylock_queue(struct netdev_queue *txq);
void rnet_helper_netif_tx_unlock_queue(struct netdev_queue *txq);
void rnet_helper_netif_tx_lock_queue_bh(struct netdev_queue *txq);
void rnet_helper_netif_tx_unlock_queue_bh(struct netdev_queue *txq);
void rnet_helper_netif_tx_stop_queue(struct netdev_queue *txq);
void rnet_helper_netif_tx_stop_queue_mb(struct netdev_queue *txq);
void rnet_helper_netif_tx_start_queue(struct netdev_queue *txq);
bool rnet_helper_netif_tx_queue_stopped(const struct netdev_queue *txq);
bool rnet_helper_netif_xmit_stopped(const struct netdev_queue *txq);
void rnet_helper_netdev_tx_sent_queue(struct netdev_queue *txq, unsigned int bytes);
void rnet_helper_netdev_txq_completed_mb(struct netdev_queue *txq, unsigned int packets,
					 unsigned int bytes);
void rnet_helper_netdev_tx_reset_queue(struct netdev_queue *txq);
void rnet_helper_txq_trans_update(struct netdev_queue *txq);
bool rnet_helper_netdev_work_sched(struct net_device *dev, unsigned long events);
void rnet_helper_skb_copy_and_csum_pad(const struct sk_buff *skb, u8 *to, unsigned int pad_to);

/* helpers/skbuff.c */
void rnet_helper_kfree_skb_reason(struct sk_buff *skb, enum skb_drop_reason reason);
bool rnet_helper_skb_shared(const struct sk_buff *skb);
unsigned int rnet_helper_skb_tailroom(const struct sk_buff *skb);
unsigned int rnet_helper_skb_headroom(const struct sk_buff *skb);
void rnet_helper_skb_tx_timestamp(struct sk_buff *skb);

#endif /* RNET_HELPERS_H */
