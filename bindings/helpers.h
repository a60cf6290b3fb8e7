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

/* helpers/skbuff.c */
void rnet_helper_kfree_skb_reason(struct sk_buff *skb, enum skb_drop_reason reason);
bool rnet_helper_skb_shared(const struct sk_buff *skb);
unsigned int rnet_helper_skb_tailroom(const struct sk_buff *skb);
unsigned int rnet_helper_skb_headroom(const struct sk_buff *skb);
void rnet_helper_skb_tx_timestamp(struct sk_buff *skb);

#endif /* RNET_HELPERS_H */
