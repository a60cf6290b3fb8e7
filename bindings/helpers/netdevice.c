// SPDX-License-Identifier: GPL-2.0
#include <linux/netdevice.h>
#include <net/net_namespace.h>
#include "../helpers.h"

void rnet_helper_dev_hold(struct net_device *dev)
{
	dev_hold(dev);
}

void rnet_helper_dev_put(struct net_device *dev)
{
	dev_put(dev);
}

struct net *rnet_helper_dev_net(const struct net_device *dev)
{
	return dev_net(dev);
}

