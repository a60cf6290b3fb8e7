// SPDX-License-Identifier: GPL-2.0
/*
 * Commits one defect when it is loaded, on a kernel that is built to notice: what the tests of the
 * runner use to see that they would see it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/reboot.h>
#include <linux/refcount.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>

static char *kind = "";
module_param(kind, charp, 0444);
MODULE_PARM_DESC(kind, "The defect");

static char *device = "";
module_param(device, charp, 0444);
MODULE_PARM_DESC(device, "The PCI device, for dma and dma-left; the interface, for device-ref");

static unsigned long lost[16];
static int lost_count;
module_param_array(lost, ulong, &lost_count, 0444);
MODULE_PARM_DESC(lost, "Addresses that a leak has logged, for found");

static int namespace = -1;
module_param(namespace, int, 0444);
MODULE_PARM_DESC(namespace, "The descriptor of a network namespace, for namespace-ref");

static void none(void)
{
}

static void warning(void)
{
	WARN(1, "a defect on purpose");
}

static void use_after_free(void)
{
	char *data = kmalloc(64, GFP_KERNEL), *gone = data;

	if (!data)
		return;
	OPTIMIZER_HIDE_VAR(gone);
	kfree(data);
	pr_info("read %d\n", READ_ONCE(gone[3]));
}

static void refcount(void)
{
	refcount_t count = REFCOUNT_INIT(1);

	refcount_dec(&count);
	refcount_dec(&count);
}

static void sleep_in_atomic(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	msleep(20);
	spin_unlock(&lock);
}

static void lock_order(void)
{
	static DEFINE_SPINLOCK(a);
	static DEFINE_SPINLOCK(b);

	spin_lock(&a);
	spin_lock(&b);
	spin_unlock(&b);
	spin_unlock(&a);
	spin_lock(&b);
	spin_lock(&a);
	spin_unlock(&a);
	spin_unlock(&b);
}

static DEFINE_MUTEX(left);

static void lock_left(void)
{
	mutex_lock(&left);
}

/*
 * Lost for kmemleak, which finds no pointer to it. A word on a stack that nobody has written over
 * may look like one, so there are some of them. The log says where they are, for `found`.
 */
static void leak(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(lost); i++) {
		void *data = kmalloc(1234, GFP_KERNEL);

		pr_info("lost %lx\n", (unsigned long)data);
		OPTIMIZER_HIDE_VAR(data);
	}
}

/* What was lost is given back, lest a later scan finds those that an earlier one overlooked. */
static void found(void)
{
	int i;

	for (i = 0; i < lost_count; i++)
		kfree((void *)lost[i]);
}

/* Ten packets in a second, as long as the module is there: what nobody sees in a short test. */
static void lose_packet(struct work_struct *work);
static DECLARE_DELAYED_WORK(slow, lose_packet);

static void lose_packet(struct work_struct *work)
{
	struct sk_buff *skb = alloc_skb(100, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(skb);
	schedule_delayed_work(&slow, HZ / 10);
}

static void slow_leak(void)
{
	schedule_delayed_work(&slow, 0);
}

static struct pci_dev *pci_device(void)
{
	unsigned int domain, bus, slot, function;

	if (sscanf(device, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		return NULL;
	return pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(slot, function));
}

static void dma(void)
{
	struct pci_dev *pdev = pci_device();

	if (!pdev)
		return;
	dma_unmap_single(&pdev->dev, 0x1000, 64, DMA_TO_DEVICE);
	pci_dev_put(pdev);
}

/*
 * What a driver left mapped is the kernel's to see when the device is taken from the driver.
 * Given back with this module.
 */
static struct pci_dev *mapped_for;
static dma_addr_t mapped_at;
static void *mapped;

static void dma_left(void)
{
	struct pci_dev *pdev = pci_device();

	if (!pdev)
		return;
	mapped = kmalloc(64, GFP_KERNEL);
	if (mapped)
		mapped_at = dma_map_single(&pdev->dev, mapped, 64, DMA_TO_DEVICE);
	if (!mapped || dma_mapping_error(&pdev->dev, mapped_at))
		pci_dev_put(pdev);
	else
		mapped_for = pdev;
}

static struct net_device *held;
static netdevice_tracker held_tracker;

static void device_ref(void)
{
	held = netdev_get_by_name(&init_net, device, &held_tracker, GFP_KERNEL);
}

static struct net *room;
static netns_tracker room_tracker;

static void namespace_ref(void)
{
	room = get_net_ns_by_fd(namespace);
	if (IS_ERR(room))
		room = NULL;
	else
		netns_tracker_alloc(room, &room_tracker, GFP_KERNEL);
}

static int stay(struct notifier_block *nb, unsigned long action, void *data)
{
	msleep(MSEC_PER_SEC * 1000);
	return NOTIFY_DONE;
}

static struct notifier_block stays = { .notifier_call = stay };

/* The machine does not go off. The module is not to be unloaded. */
static void no_end(void)
{
	if (!register_reboot_notifier(&stays))
		__module_get(THIS_MODULE);
}

static const struct {
	const char *name;
	void (*commit)(void);
} defects[] = {
	{ "none", none },
	{ "warning", warning },
	{ "use-after-free", use_after_free },
	{ "refcount", refcount },
	{ "sleep-in-atomic", sleep_in_atomic },
	{ "lock-order", lock_order },
	{ "lock-left", lock_left },
	{ "leak", leak },
	{ "found", found },
	{ "slow-leak", slow_leak },
	{ "dma", dma },
	{ "dma-left", dma_left },
	{ "device-ref", device_ref },
	{ "namespace-ref", namespace_ref },
	{ "no-end", no_end },
};

static int __init defect_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(defects); i++) {
		if (!strcmp(kind, defects[i].name)) {
			defects[i].commit();
			return 0;
		}
	}
	return -EINVAL;
}
module_init(defect_init);

static void __exit defect_exit(void)
{
	cancel_delayed_work_sync(&slow);
	netdev_put(held, &held_tracker);
	if (room)
		put_net_track(room, &room_tracker);
	if (mutex_is_locked(&left))
		mutex_unlock(&left);
	if (mapped_for) {
		dma_unmap_single(&mapped_for->dev, mapped_at, 64, DMA_TO_DEVICE);
		pci_dev_put(mapped_for);
	}
	kfree(mapped);
}
module_exit(defect_exit);

MODULE_DESCRIPTION("Commits one defect");
MODULE_LICENSE("GPL");
