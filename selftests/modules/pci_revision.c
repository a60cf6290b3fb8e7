// SPDX-License-Identifier: GPL-2.0
/*
 * Shows a PCI device to its drivers with another revision, until it is unloaded.
 *
 * 8139too and 8139cp divide the cards of one id by the revision, so that on one and the same card
 * only one of them can be measured. Nothing of the device itself changes.
 */
#include <linux/module.h>
#include <linux/pci.h>

static char *device;
module_param(device, charp, 0444);
MODULE_PARM_DESC(device, "The address of the device, like 0000:00:10.0");

static int revision;
module_param(revision, int, 0444);
MODULE_PARM_DESC(revision, "The revision to show");

static struct pci_dev *pdev;
static u8 before;

static int __init pci_revision_init(void)
{
	unsigned int domain, bus, slot, function;

	if (!device || revision < 0 || revision > 0xff)
		return -EINVAL;
	if (sscanf(device, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		return -EINVAL;
	pdev = pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(slot, function));
	if (!pdev)
		return -ENODEV;
	before = pdev->revision;
	pdev->revision = revision;
	return 0;
}
module_init(pci_revision_init);

static void __exit pci_revision_exit(void)
{
	pdev->revision = before;
	pci_dev_put(pdev);
}
module_exit(pci_revision_exit);

MODULE_DESCRIPTION("Shows a PCI device with another revision");
MODULE_LICENSE("GPL");
