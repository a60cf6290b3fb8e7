// SPDX-License-Identifier: GPL-2.0
/*
 * Spoils a region of a PCI device for its driver, until it is unloaded:
 *
 *	held	somebody else has it
 *	none	the bus has found no place for it, and has forgotten it
 *	short	it has 64 bytes only
 *
 * The device itself does not change, nor does what it answers to. It must have no driver when this
 * is loaded and unloaded.
 */
#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/pci.h>

#define SHORT 64

static char *device;
module_param(device, charp, 0444);
MODULE_PARM_DESC(device, "The address of the device, like 0000:00:10.0");

static int bar;
module_param(bar, int, 0444);
MODULE_PARM_DESC(bar, "The number of the region");

static char *how;
module_param(how, charp, 0444);
MODULE_PARM_DESC(how, "held, none or short");

static struct pci_dev *pdev;
static struct resource *region;
static struct resource *parent;
static struct resource before;

static int spoil(void)
{
	int err;

	if (sysfs_streq(how, "held"))
		return pci_request_region(pdev, bar, "pci_region");
	if (sysfs_streq(how, "short")) {
		region->end = region->start + SHORT - 1;
		return 0;
	}
	if (!sysfs_streq(how, "none"))
		return -EINVAL;
	err = release_resource(region);
	if (err)
		return err;
	region->start = 0;
	region->end = 0;
	region->flags = 0;
	return 0;
}

static int __init pci_region_init(void)
{
	unsigned int domain, bus, slot, function;
	int err;

	if (!device || !how || bar < 0 || bar >= PCI_STD_NUM_BARS)
		return -EINVAL;
	if (sscanf(device, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		return -EINVAL;
	pdev = pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(slot, function));
	if (!pdev)
		return -ENODEV;
	region = &pdev->resource[bar];
	before = *region;
	parent = region->parent;
	err = pdev->dev.driver || !parent ? -EBUSY : spoil();
	if (err)
		pci_dev_put(pdev);
	return err;
}
module_init(pci_region_init);

static void __exit pci_region_exit(void)
{
	if (sysfs_streq(how, "held")) {
		pci_release_region(pdev, bar);
	} else {
		region->start = before.start;
		region->end = before.end;
		region->flags = before.flags;
		if (!region->parent && request_resource(parent, region))
			pr_err("%s: the region is not free any more\n", device);
	}
	pci_dev_put(pdev);
}
module_exit(pci_region_exit);

MODULE_DESCRIPTION("Spoils a region of a PCI device for its driver");
MODULE_LICENSE("GPL");
