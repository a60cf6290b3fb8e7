// SPDX-License-Identifier: GPL-2.0
/*
 * Makes the n-th call of a function fail, if it comes on the way through a given module: the call
 * returns a given value at once, and the function does not run.
 *
 * The kernel's own fail_function does that only for functions that say so (ALLOW_ERROR_INJECTION),
 * which of all that a driver and a family call are almost none; helpers of our own for the others
 * would be code in the product for the sake of tests. A kprobe needs no consent, so the modules
 * under test are the ones that users get.
 *
 * The same with `should_fail_ex`, where each allocation asks whether it is to fail, finds those
 * that no task makes: fail-nth is of a task, and the counter behind the knob `interval` cannot be
 * set back. Code is recognised by the name of its module, so that may just be being loaded.
 *
 * Where fail-nth makes the fault itself, its report is a stack in the kernel log, which takes
 * seconds to print on an emulated CPU, and which allocations with __GFP_NOWARN do not make: a probe
 * of `should_fail_ex` with `fail-nth` writes down the way to that call instead.
 *
 * /sys/kernel/debug/fail_call takes one command a write:
 *
 *	add FUNCTION MODULE VALUE [through] [except=CALLER] [task|elsewhere] [drops]
 *	add FUNCTION MODULE 0 fail-nth
 *	fail FUNCTION N		the N-th call from now on (0: none); all counts begin anew
 *	clear
 *
 * Without `through` the caller itself must be code of the module; with `except` no call counts that
 * comes on the way through that function as well. `task` is the task that has written last,
 * `elsewhere` all else: softirqs, other tasks. `drops` frees the packet that is the first argument,
 * for a function that does so also when it fails. `fail-nth` fails nothing: it notes which call of
 * the task that has written last the kernel's own fail-nth makes fail.
 *
 * A read gives for each function: name, calls, whether one has failed. Then, if one has, the
 * functions that led there, with where they return to, one a line after a space.
 */
#include <linux/debugfs.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/objtool.h>
#include <linux/pgtable.h>
#include <linux/seq_file.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/unwind.h>

#define DEPTH 48

struct site {
	struct list_head list;
	struct kprobe probe;
	char function[KSYM_NAME_LEN];
	char module[MODULE_NAME_LEN + 3]; /* as a symbol shows it, " [name]" */
	char except[KSYM_NAME_LEN];
	long value;
	bool through, task, elsewhere, drops, fail_nth;
	atomic_t calls;
	int nth;
	bool failed;
};

static LIST_HEAD(sites);
static DEFINE_MUTEX(lock);
static pid_t owner;

/* Of the one call that was made to fail: written by its probe, under `recorded`. */
static atomic_t recorded;
static char place[8192];

/* Where a call that is to fail goes on: as if it returned. */
asmlinkage void fail_call_return(void);
asm (".text\n"
	".type fail_call_return, @function\n"
	ASM_FUNC_ALIGN
	"fail_call_return:\n"
	ANNOTATE_NOENDBR "\n"
	ASM_RET
	".size fail_call_return, .-fail_call_return\n");

/* Like sprint_symbol(), of the call that a return address follows. */
static void symbol_of(unsigned long address, char *name)
{
	sprint_symbol_no_offset(name, address - 1);
}

static bool in_module(const struct site *site, unsigned long address)
{
	char name[KSYM_SYMBOL_LEN];
	size_t len, end = strlen(site->module);

	if (address < MODULES_VADDR || address >= MODULES_END)
		return false;
	symbol_of(address, name);
	len = strlen(name);
	return len >= end && !strcmp(name + len - end, site->module);
}

/* The probed function, and the return addresses up the stack from it; how many. */
static unsigned int callers(const struct site *site, struct pt_regs *regs, unsigned long *entries)
{
	unsigned long behind = instruction_pointer(regs);
	struct unwind_state state;
	unsigned int count = 0, frame;

	/*
	 * A probe comes with the address behind its breakpoint. That can be the second instruction,
	 * where the stack looks different from what it is now.
	 */
	instruction_pointer_set(regs, (unsigned long)site->probe.addr);
	entries[count++] = instruction_pointer(regs);
	/* Frame pointers do not tell who has called: the function has no frame yet. */
	entries[count++] = *(unsigned long *)kernel_stack_pointer(regs);
	unwind_start(&state, current, regs, NULL);
	for (frame = 0; !unwind_done(&state) && count < DEPTH; frame++) {
		unsigned long address = unwind_get_return_address(&state);

		if (!address)
			break;
		if (frame > 1 || address != entries[frame])
			entries[count++] = address;
		unwind_next_frame(&state);
	}
	instruction_pointer_set(regs, behind);
	return count;
}

static bool on_the_way(const struct site *site, const unsigned long *entries, unsigned int count)
{
	char name[KSYM_SYMBOL_LEN];
	bool found = false;
	unsigned int i;

	for (i = 0; i < count; i++) {
		found |= in_module(site, entries[i]);
		if (!site->except[0])
			continue;
		symbol_of(entries[i], name);
		if (str_has_prefix(name, site->except))
			return false;
	}
	return found;
}

static void record(const unsigned long *entries, unsigned int count)
{
	size_t used = 0;
	unsigned int i;

	if (atomic_cmpxchg(&recorded, 0, 1))
		return;
	/* The first is where the function begins, the others are behind a call. */
	for (i = 0; i < count; i++)
		used += scnprintf(place + used, sizeof(place) - used, i ? " %pB\n" : " %pS\n",
				  (void *)entries[i]);
}

/* Whether the kernel's fail-nth makes the next call fail that it counts. */
static bool is_next_of_fail_nth(void)
{
#ifdef CONFIG_FAULT_INJECTION
	return READ_ONCE(current->fail_nth) == 1;
#else
	return false;
#endif
}

static int before(struct kprobe *probe, struct pt_regs *regs)
{
	struct site *site = container_of(probe, struct site, probe);
	unsigned long entries[DEPTH];
	bool own = !in_serving_softirq() && current->tgid == owner;
	unsigned int count;

	if (site->fail_nth) {
		/* The kernel counts not all of them: the last one is the one that fails. */
		if (own && is_next_of_fail_nth()) {
			count = callers(site, regs, entries);
			atomic_set(&recorded, 0);
			record(entries, count);
		}
		return 0;
	}
	if ((site->task && !own) || (site->elsewhere && own))
		return 0;
	if (!site->through && !in_module(site, *(unsigned long *)kernel_stack_pointer(regs)))
		return 0;
	count = 0;
	if (site->through) {
		count = callers(site, regs, entries);
		if (!on_the_way(site, entries, count))
			return 0;
	}
	if (atomic_inc_return(&site->calls) != READ_ONCE(site->nth))
		return 0;

	if (!count)
		count = callers(site, regs, entries);
	record(entries, count);
	WRITE_ONCE(site->failed, true);
	if (site->drops)
		dev_kfree_skb_irq((struct sk_buff *)regs_get_kernel_argument(regs, 0));
	regs_set_return_value(regs, site->value);
	instruction_pointer_set(regs, (unsigned long)fail_call_return);
	return 1;
}
NOKPROBE_SYMBOL(before);

/* That there is one keeps the probe from becoming a jump, which could not skip the function. */
static void after(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}

static struct site *find(const char *function)
{
	struct site *site;

	list_for_each_entry(site, &sites, list) {
		if (!strcmp(site->function, function))
			return site;
	}
	return NULL;
}

static int add(char *words)
{
	char *function = strsep(&words, " "), *module = strsep(&words, " ");
	char *value = strsep(&words, " "), *word;
	struct site *site;
	int err;

	if (!value)
		return -EINVAL;
	if (find(function))
		return -EEXIST;
	site = kzalloc_obj(*site, GFP_KERNEL);
	if (!site)
		return -ENOMEM;
	strscpy(site->function, function);
	snprintf(site->module, sizeof(site->module), " [%s]", module);
	err = kstrtol(value, 0, &site->value);
	while (!err && (word = strsep(&words, " "))) {
		if (!strcmp(word, "through"))
			site->through = true;
		else if (!strcmp(word, "task"))
			site->task = true;
		else if (!strcmp(word, "elsewhere"))
			site->elsewhere = true;
		else if (!strcmp(word, "drops"))
			site->drops = true;
		else if (!strcmp(word, "fail-nth"))
			site->fail_nth = true;
		else if (str_has_prefix(word, "except="))
			strscpy(site->except, word + strlen("except="));
		else
			err = -EINVAL;
	}
	site->probe.symbol_name = site->function;
	site->probe.pre_handler = before;
	site->probe.post_handler = after;
	if (!err)
		err = register_kprobe(&site->probe);
	if (err) {
		kfree(site);
		return err;
	}
	list_add_tail(&site->list, &sites);
	return 0;
}

static int fail(char *words)
{
	char *function = strsep(&words, " ");
	struct site *site, *chosen = find(function);
	int nth, err;

	if (!chosen)
		return -ENOENT;
	if (!words)
		return -EINVAL;
	err = kstrtoint(words, 0, &nth);
	if (err)
		return err;
	list_for_each_entry(site, &sites, list)
		WRITE_ONCE(site->nth, 0);
	list_for_each_entry(site, &sites, list) {
		atomic_set(&site->calls, 0);
		WRITE_ONCE(site->failed, false);
	}
	place[0] = '\0';
	atomic_set(&recorded, 0);
	WRITE_ONCE(chosen->nth, nth);
	return 0;
}

static void clear(void)
{
	struct site *site, *next;

	list_for_each_entry_safe(site, next, &sites, list) {
		unregister_kprobe(&site->probe);
		list_del(&site->list);
		kfree(site);
	}
}

static ssize_t command(struct file *file, const char __user *from, size_t len, loff_t *offset)
{
	char *text, *words, *verb;
	int err = 0;

	text = memdup_user_nul(from, len);
	if (IS_ERR(text))
		return PTR_ERR(text);
	words = strim(text);
	verb = strsep(&words, " ");
	mutex_lock(&lock);
	owner = current->tgid;
	if (!strcmp(verb, "clear"))
		clear();
	else if (!strcmp(verb, "add") && words)
		err = add(words);
	else if (!strcmp(verb, "fail") && words)
		err = fail(words);
	else
		err = -EINVAL;
	mutex_unlock(&lock);
	kfree(text);
	return err ?: len;
}

static int show(struct seq_file *file, void *unused)
{
	const struct site *site;

	mutex_lock(&lock);
	list_for_each_entry(site, &sites, list)
		seq_printf(file, "%s %d %d\n", site->function, atomic_read(&site->calls),
			   READ_ONCE(site->failed));
	seq_puts(file, place);
	mutex_unlock(&lock);
	return 0;
}

static int open(struct inode *inode, struct file *file)
{
	return single_open(file, show, NULL);
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.open = open,
	.read = seq_read,
	.write = command,
	.llseek = seq_lseek,
	.release = single_release,
};

static struct dentry *entry;

static int __init fail_call_init(void)
{
	entry = debugfs_create_file("fail_call", 0600, NULL, NULL, &operations);
	return PTR_ERR_OR_ZERO(entry);
}
module_init(fail_call_init);

static void __exit fail_call_exit(void)
{
	debugfs_remove(entry);
	clear();
}
module_exit(fail_call_exit);

MODULE_DESCRIPTION("Makes one call on the way through a module fail");
MODULE_LICENSE("GPL");
