// SPDX-License-Identifier: GPL-2.0
/*
 * Has the bus do to one PCI device what it does to all when the machine goes to sleep, wakes up
 * or goes off, or when it has found an error of it: a guest with its root on a shared folder
 * cannot sleep itself, and a conventional card has nobody who reports its errors.
 *
 * Written to the parameter `to`: suspend, resume, shutdown, frozen, dead, reset, recovered. The
 * steps are those of the PM core, without its switching off of interrupts in between, and of the
 * recovery of PCI errors.
 */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm.h>

static char *device;
module_param(device, charp, 0444);
MODULE_PARM_DESC(device, "The address of the device, like 0000:00:10.0");

static struct pci_dev *pdev;

static int steps(struct device *dev, int (*const *step)(struct device *dev), unsigned int count)
{
	unsigned int i;
	int err;

	for (i = 0; i < count; i++) {
		err = step[i] ? step[i](dev) : 0;
		if (err)
			return err;
	}
	return 0;
}

/* What the driver answers to a step of the recovery has to be what lets it go on. */
static int error_step(const char *value)
{
	const struct pci_error_handlers *handler = to_pci_driver(pdev->dev.driver)->err_handler;

	if (!handler || !handler->error_detected || !handler->slot_reset || !handler->resume)
		return -EOPNOTSUPP;
	if (sysfs_streq(value, "frozen"))
		return handler->error_detected(pdev, pci_channel_io_frozen) ==
			       PCI_ERS_RESULT_NEED_RESET ? 0 : -EPROTO;
	if (sysfs_streq(value, "dead"))
		return handler->error_detected(pdev, pci_channel_io_perm_failure) ==
			       PCI_ERS_RESULT_DISCONNECT ? 0 : -EPROTO;
	if (sysfs_streq(value, "reset"))
		return handler->slot_reset(pdev) == PCI_ERS_RESULT_RECOVERED ? 0 : -EIO;
	if (sysfs_streq(value, "recovered")) {
		handler->resume(pdev);
		return 0;
	}
	return -EINVAL;
}

static int to_set(const char *value, const struct kernel_param *param)
{
	const struct dev_pm_ops *pm = pdev ? pdev->dev.bus->pm : NULL;
	int err;

	if (!pm)
		return -ENODEV;
	device_lock(&pdev->dev);
	if (!pdev->dev.driver) {
		err = -ENODEV;
	} else if (sysfs_streq(value, "suspend")) {
		err = steps(&pdev->dev, (int (*[])(struct device *)) {
			pm->suspend, pm->suspend_late, pm->suspend_noirq
		}, 3);
	} else if (sysfs_streq(value, "resume")) {
		err = steps(&pdev->dev, (int (*[])(struct device *)) {
			pm->resume_noirq, pm->resume_early, pm->resume
		}, 3);
	} else if (sysfs_streq(value, "shutdown")) {
		pdev->dev.bus->shutdown(&pdev->dev);
		err = 0;
	} else {
		err = error_step(value);
	}
	device_unlock(&pdev->dev);
	return err;
}

static const struct kernel_param_ops to_ops = { .set = to_set };
module_param_cb(to, &to_ops, NULL, 0200);
MODULE_PARM_DESC(to, "suspend, resume, shutdown, frozen, dead, reset or recovered");

static int __init bus_power_init(void)
{
	unsigned int domain, bus, slot, function;

	if (!device || sscanf(device, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		return -EINVAL;
	pdev = pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(slot, function));
	return pdev ? 0 : -ENODEV;
}
module_init(bus_power_init);

static void __exit bus_power_exit(void)
{
	pci_dev_put(pdev);
}
module_exit(bus_power_exit);

MODULE_DESCRIPTION("Suspends, resumes, shuts down and recovers one PCI device");
MODULE_LICENSE("GPL");
