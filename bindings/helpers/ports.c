// SPDX-License-Identifier: GPL-2.0
/* Registers that may be I/O ports: functions on some architectures, inline on others. */
#include <linux/io.h>
#include <linux/pci.h>
#include "../helpers.h"

unsigned int rnet_helper_ioread8(const void __iomem *addr)
{
	return ioread8(addr);
}

unsigned int rnet_helper_ioread16(const void __iomem *addr)
{
	return ioread16(addr);
}

unsigned int rnet_helper_ioread32(const void __iomem *addr)
{
	return ioread32(addr);
}

void rnet_helper_iowrite8(u8 value, void __iomem *addr)
{
	iowrite8(value, addr);
}

void rnet_helper_iowrite16(u16 value, void __iomem *addr)
{
	iowrite16(value, addr);
}

void rnet_helper_iowrite32(u32 value, void __iomem *addr)
{
	iowrite32(value, addr);
}

unsigned long rnet_helper_pci_resource_flags(const struct pci_dev *pdev, unsigned int bar)
{
	return pci_resource_flags(pdev, bar);
}
