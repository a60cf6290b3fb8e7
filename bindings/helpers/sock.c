// SPDX-License-Identifier: GPL-2.0
#include <linux/if_arp.h>
#include <linux/skbuff.h>
#include <linux/user_namespace.h>
#include <net/inet_common.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <net/sock.h>
#include "../helpers.h"

void *rnet_helper_net_generic(const struct net *net, unsigned int id)
{
	return net_generic(net, id);
}

bool rnet_helper_net_ns_capable(const struct net *net, int cap)
{
	return ns_capable(net->user_ns, cap);
}

void rnet_helper_sock_hold(struct sock *sk)
{
	sock_hold(sk);
}

void rnet_helper_sock_put(struct sock *sk)
{
	sock_put(sk);
}

void rnet_helper_sock_orphan(struct sock *sk)
{
	sock_orphan(sk);
}

void rnet_helper_lock_sock(struct sock *sk)
{
	lock_sock(sk);
}

bool rnet_helper_sock_flag(const struct sock *sk, enum sock_flags flag)
{
	return sock_flag(sk, flag);
}

void rnet_helper_sock_inuse(struct sock *sk, int delta)
{
	sock_prot_inuse_add(sock_net(sk), sk->sk_prot, delta);
}

/* The list owns a reference of each socket on it. */
void rnet_helper_sock_list_add(struct sock *sk, struct hlist_head *list)
{
	sk_add_node_tail_rcu(sk, list);
}

bool rnet_helper_sock_list_del(struct sock *sk)
{
	return sk_del_node_init_rcu(sk);
}

struct sock *rnet_helper_sock_list_first(const struct hlist_head *list)
{
	return sk_head(list);
}

struct sock *rnet_helper_sock_list_next(const struct sock *sk)
{
	return sk_next(sk);
}

void rnet_helper_sock_report_error(struct sock *sk, int err)
{
	WRITE_ONCE(sk->sk_err, err);
	if (!sock_flag(sk, SOCK_DEAD))
		sk_error_report(sk);
}

void rnet_helper_sock_purge(struct sock *sk)
{
	skb_queue_purge(&sk->sk_receive_queue);
	skb_queue_purge(&sk->sk_error_queue);
}

int rnet_helper_sock_inq(struct sock *sk)
{
	const struct sk_buff *skb;
	int len = 0;

	spin_lock_bh(&sk->sk_receive_queue.lock);
	skb = skb_peek(&sk->sk_receive_queue);
	if (skb)
		len = skb->len;
	spin_unlock_bh(&sk->sk_receive_queue.lock);
	return len;
}

int rnet_helper_sock_outq(const struct sock *sk)
{
	return sk_wmem_alloc_get(sk);
}

unsigned int rnet_helper_sock_rmem(const struct sock *sk)
{
	return atomic_read(&sk->sk_rmem_alloc);
}

void rnet_helper_sock_queue_lock(struct sock *sk)
	__acquires(&sk->sk_receive_queue.lock)
{
	spin_lock_bh(&sk->sk_receive_queue.lock);
}

void rnet_helper_sock_queue_unlock(struct sock *sk)
	__releases(&sk->sk_receive_queue.lock)
{
	spin_unlock_bh(&sk->sk_receive_queue.lock);
}

unsigned int rnet_helper_sock_refcount(const struct sock *sk)
{
	return refcount_read(&sk->sk_refcnt);
}

unsigned long rnet_helper_sock_inode(const struct sock *sk)
{
	return sock_i_ino(sk);
}

unsigned int rnet_helper_sock_uid(struct seq_file *seq, const struct sock *sk)
{
	return from_kuid_munged(seq_user_ns(seq), sk_uid(sk));
}

int rnet_helper_copy_from_sockptr(void *to, sockptr_t from, size_t len)
{
	return copy_from_sockptr(to, from, len);
}

void rnet_helper_sockcm_init(struct sockcm_cookie *cookie, const struct sock *sk)
{
	sockcm_init(cookie, sk);
}

/*
 * An empty packet of @linear + @paged bytes behind @headroom reserved ones, charged to the socket.
 */
struct sk_buff *rnet_helper_sock_alloc_packet(struct sock *sk, unsigned int headroom,
					      unsigned int tailroom, unsigned int linear,
					      unsigned int paged, int noblock, int *err)
{
	struct sk_buff *skb;

	skb = sock_alloc_send_pskb(sk, headroom + tailroom + linear, paged, noblock, err,
				   PAGE_ALLOC_COSTLY_ORDER);
	if (!skb)
		return NULL;
	skb_reserve(skb, headroom);
	skb_put(skb, linear);
	skb->data_len = paged;
	skb->len += paged;
	return skb;
}

/* What dev_queue_xmit() and the queueing disciplines below it read from a packet. */
void rnet_helper_sock_prepare_packet(struct sock *sk, struct sk_buff *skb,
				     struct net_device *dev, const struct sockcm_cookie *cookie,
				     bool set_protocol, __be16 protocol, bool no_fcs)
{
	skb_setup_tx_timestamp(skb, cookie);
	if (set_protocol)
		skb->protocol = protocol;
	skb->dev = dev;
	skb->priority = cookie->priority;
	skb->mark = cookie->mark;
	skb_set_delivery_type_by_clockid(skb, cookie->transmit_time, sk->sk_clockid);
	skb->no_fcs = no_fcs;
}

int rnet_helper_inet_dgram_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	return inet_dgram_ops.ioctl(sock, cmd, arg);
}
