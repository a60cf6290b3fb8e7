// SPDX-License-Identifier: GPL-2.0
/*
 * A socket family that carries packets and does nothing else: what a packet family costs is
 * measured as what it takes beyond this one.
 *
 * A socket is bound to one interface and one protocol. What comes in passes the socket's filter
 * and is queued with its link header; what is sent is a whole frame. There are no addresses,
 * counters, options, auxiliary data, or events of the device: the interface must outlive the
 * socket.
 */
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <net/sock.h>

/* A number that no family of the kernel has. */
#define FAMILY 12

struct null_sock {
	struct sock sk;
	struct packet_type hook;
	struct net_device *dev;
};

static struct null_sock *null_sk(struct sock *sk)
{
	return container_of(sk, struct null_sock, sk);
}

static struct proto null_proto = {
	.name = "NULL",
	.owner = THIS_MODULE,
	.obj_size = sizeof(struct null_sock),
};

static int null_hook(struct sk_buff *skb, struct net_device *dev, struct packet_type *hook,
		     struct net_device *original)
{
	struct sock *sk = hook->af_packet_priv;
	struct sk_filter *filter;

	skb = skb_share_check(skb, GFP_ATOMIC);
	if (!skb)
		return 0;
	skb_push(skb, skb->data - skb_mac_header(skb));
	/* Receive hooks run under RCU. */
	filter = rcu_dereference(sk->sk_filter);
	if ((filter && !bpf_prog_run_clear_cb(filter->prog, skb)) ||
	    atomic_read(&sk->sk_rmem_alloc) >= sk->sk_rcvbuf) {
		consume_skb(skb);
		return 0;
	}
	skb_set_owner_r(skb, sk);
	spin_lock(&sk->sk_receive_queue.lock);
	__skb_queue_tail(&sk->sk_receive_queue, skb);
	spin_unlock(&sk->sk_receive_queue.lock);
	sk->sk_data_ready(sk);
	return 0;
}

static int null_bind(struct socket *sock, struct sockaddr_unsized *address, int len)
{
	struct sockaddr_ll *to = (struct sockaddr_ll *)address;
	struct null_sock *null = null_sk(sock->sk);

	if (len < sizeof(*to) || null->dev)
		return -EINVAL;
	null->dev = dev_get_by_index(sock_net(sock->sk), to->sll_ifindex);
	if (!null->dev)
		return -ENODEV;
	if (to->sll_protocol) {
		null->hook.type = to->sll_protocol;
		null->hook.dev = null->dev;
		null->hook.func = null_hook;
		null->hook.af_packet_priv = sock->sk;
		dev_add_pack(&null->hook);
	}
	return 0;
}

static int null_recvmsg(struct socket *sock, struct msghdr *message, size_t len, int flags)
{
	struct sk_buff *skb;
	int err;

	skb = skb_recv_datagram(sock->sk, flags, &err);
	if (!skb)
		return err;
	len = min_t(size_t, len, skb->len);
	err = skb_copy_datagram_msg(skb, 0, message, len);
	skb_free_datagram(sock->sk, skb);
	return err ?: len;
}

static int null_sendmsg(struct socket *sock, struct msghdr *message, size_t len)
{
	struct net_device *dev = null_sk(sock->sk)->dev;
	unsigned int room;
	struct sk_buff *skb;
	int err;

	if (!dev || !netif_running(dev))
		return -ENETDOWN;
	if (len < ETH_HLEN || len > dev->mtu + ETH_HLEN)
		return -EMSGSIZE;
	room = LL_RESERVED_SPACE(dev);
	skb = sock_alloc_send_skb(sock->sk, room + len + dev->needed_tailroom,
				  message->msg_flags & MSG_DONTWAIT, &err);
	if (!skb)
		return err;
	skb_reserve(skb, room);
	err = memcpy_from_msg(skb_put(skb, len), message, len);
	if (err) {
		kfree_skb(skb);
		return err;
	}
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	skb->protocol = eth_hdr(skb)->h_proto;
	skb->dev = dev;
	err = dev_queue_xmit(skb);
	if (err > 0)
		err = net_xmit_errno(err);
	return err ?: len;
}

static int null_release(struct socket *sock)
{
	struct sock *sk = sock->sk;

	if (!sk)
		return 0;
	/* Waits until no hook runs. */
	if (null_sk(sk)->hook.func)
		dev_remove_pack(&null_sk(sk)->hook);
	dev_put(null_sk(sk)->dev);
	sock_orphan(sk);
	sock->sk = NULL;
	skb_queue_purge(&sk->sk_receive_queue);
	sock_put(sk);
	return 0;
}

static const struct proto_ops null_ops = {
	.family = FAMILY,
	.owner = THIS_MODULE,
	.release = null_release,
	.bind = null_bind,
	.connect = sock_no_connect,
	.socketpair = sock_no_socketpair,
	.accept = sock_no_accept,
	.getname = sock_no_getname,
	.poll = datagram_poll,
	.ioctl = sock_no_ioctl,
	.listen = sock_no_listen,
	.shutdown = sock_no_shutdown,
	.sendmsg = null_sendmsg,
	.recvmsg = null_recvmsg,
	.mmap = sock_no_mmap,
};

static int null_create(struct net *net, struct socket *sock, int protocol, int kern)
{
	struct sock *sk;

	if (!ns_capable(net->user_ns, CAP_NET_RAW))
		return -EPERM;
	if (sock->type != SOCK_RAW)
		return -ESOCKTNOSUPPORT;
	sk = sk_alloc(net, FAMILY, GFP_KERNEL, &null_proto, kern);
	if (!sk)
		return -ENOBUFS;
	sock_init_data(sock, sk);
	sock->ops = &null_ops;
	return 0;
}

static const struct net_proto_family null_family = {
	.family = FAMILY,
	.create = null_create,
	.owner = THIS_MODULE,
};

static int __init null_init(void)
{
	int err = proto_register(&null_proto, 0);

	if (err)
		return err;
	err = sock_register(&null_family);
	if (err)
		proto_unregister(&null_proto);
	return err;
}
module_init(null_init);

static void __exit null_exit(void)
{
	sock_unregister(FAMILY);
	proto_unregister(&null_proto);
}
module_exit(null_exit);

MODULE_DESCRIPTION("The least that a packet family can be");
MODULE_LICENSE("GPL");
