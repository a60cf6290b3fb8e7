// SPDX-License-Identifier: GPL-2.0
/*
 * Commits one defect when it is loaded, on a kernel that is built to notice: what the tests of the
 * runner use to see that they would see it.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <net/net_namespace.h>

static char *kind = "";
module_param(kind, charp, 0444);
MODULE_PARM_DESC(kind, "The defect");

static char *device = "";
module_param(device, charp, 0444);
MODULE_PARM_DESC(device, "The PCI device, for dma; the interface, for device-ref");

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

/* Lost for kmemleak, which finds no pointer to it. */
static void leak(void)
{
	void *data = kmalloc(1234, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(data);
}

static void dma(void)
{
	unsigned int domain, bus, slot, function;
	struct pci_dev *pdev;

	if (sscanf(device, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		return;
	pdev = pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(slot, function));
	if (!pdev)
		return;
	dma_unmap_single(&pdev->dev, 0x1000, 64, DMA_TO_DEVICE);
	pci_dev_put(pdev);
}

static struct net_device *held;

static void device_ref(void)
{
	held = dev_get_by_name(&init_net, device);
}

static const struct {
	const char *name;
	void (*commit)(void);
} defects[] = {
	{ "warning", warning },
	{ "use-after-free", use_after_free },
	{ "refcount", refcount },
	{ "sleep-in-atomic", sleep_in_atomic },
	{ "lock-order", lock_order },
	{ "lock-left", lock_left },
	{ "leak", leak },
	{ "dma", dma },
	{ "device-ref", device_ref },
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
	dev_put(held);
	if (mutex_is_locked(&left))
		mutex_unlock(&left);
}
module_exit(defect_exit);

MODULE_DESCRIPTION("Commits one defect");
MODULE_LICENSE("GPL");
