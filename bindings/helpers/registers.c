// SPDX-License-Identifier: GPL-2.0
/*
 * Registers that lie: what is read from a card, or written to it, is changed or lost on the way.
 * Only in kernels that inject faults; others have no such object, and no access goes through here.
 *
 * The folders fail_register0 to fail_register7 in debugfs, below one named after the driver, have
 * the files of each kind of fault (Documentation/fault-injection/fault-injection.rst): probability,
 * interval, times, space. An access counts as one byte of space. Beside them:
 *
 *	offset	of the register, or ffffffff for any
 *	write	1: accesses that write are meant, else those that read
 *	clear	the bits that are taken out of the value
 *	set	the bits that are put in afterwards
 *	lost	1: a write does not reach the card; a read is of all ones without asking it
 */
#include <linux/debugfs.h>
#include <linux/fault-inject.h>
#include <linux/kernel.h>
#include "../helpers.h"

#define ANY_REGISTER (~0U)

struct rule {
	struct fault_attr attr;
	u32 offset;
	u32 clear;
	u32 set;
	bool write;
	bool lost;
};

static struct rule rules[8];
static struct dentry *folder;

/* Makes the folders. The caller sees to it that this and the following do not run at once. */
void rnet_helper_register_faults_create(const char *driver)
{
	static const struct fault_attr off = FAULT_ATTR_INITIALIZER;
	char name[] = "fail_register0";
	unsigned int i;

	folder = debugfs_create_dir(driver, NULL);
	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		struct rule *rule = &rules[i];
		struct dentry *dir;

		rule->attr = off;
		rule->attr.verbose = 0;
		name[sizeof(name) - 2] = '0' + i;
		dir = fault_create_debugfs_attr(name, folder, &rule->attr);
		debugfs_create_x32("offset", 0600, dir, &rule->offset);
		debugfs_create_x32("clear", 0600, dir, &rule->clear);
		debugfs_create_x32("set", 0600, dir, &rule->set);
		debugfs_create_bool("write", 0600, dir, &rule->write);
		debugfs_create_bool("lost", 0600, dir, &rule->lost);
	}
}

void rnet_helper_register_faults_remove(void)
{
	debugfs_remove(folder);
}

/*
 * Whether an access to the register at @offset reaches the card. All rules that are about it are
 * asked in turn; what they make of a value is said in @clear and @set.
 */
bool rnet_helper_register_fault(u32 offset, bool write, u32 *clear, u32 *set)
{
	bool reaches = true;
	unsigned int i;

	*clear = 0;
	*set = 0;
	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		struct rule *rule = &rules[i];

		/* Not left to should_fail(), which would take part in the faults of fail-nth. */
		if (!READ_ONCE(rule->attr.probability))
			continue;
		if (rule->write != write ||
		    (rule->offset != ANY_REGISTER && rule->offset != offset))
			continue;
		if (!should_fail(&rule->attr, 1))
			continue;
		*set = (*set & ~rule->clear) | rule->set;
		*clear |= rule->clear;
		reaches &= !rule->lost;
	}
	return reaches;
}
