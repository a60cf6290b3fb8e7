# SPDX-License-Identifier: GPL-2.0
"""How the functions fail that our modules call.

Which functions these are is not written here: it is what is called in a module's code. Each one either
can fail, and FALLIBLE says how, or cannot, and INFALLIBLE says why. One that is in neither is an error of
the test that asks: a new call of the kernel has to be looked at.
"""
import dataclasses
import re

import module_code

EIO = -5


@dataclasses.dataclass(frozen=True)
class Site:
    """A function and the value that it returns when it fails, as a register holds it."""

    function: str
    # EIO where it can be told from what the kernel says by itself: it must come out as it went in.
    value: int = EIO
    # What the system call answers that could not be done because of that; "0" if it could.
    error: str = "EIO"
    flags: tuple = ()


def _pointer(function, error="ENOMEM"):
    return Site(function, 0, error)


FALLIBLE = {site.function: site for site in (
    # Modules and their registrations.
    Site("__pci_register_driver"), Site("sock_register"), Site("proto_register"),
    Site("register_pernet_subsys"), Site("register_netdevice_notifier"),
    _pointer("proc_create_net_single"),
    # A PCI device and its resources. Those of the `kernel` crate are called by it, for us.
    # Where the registers cannot be used in memory, ports are; where those fail, too, the error is that of memory.
    Site("pci_enable_device_mem", error="0", flags=("through",)), Site("pci_request_region", -16, "0"),
    _pointer("pci_iomap", "0"), Site("pci_enable_device", error="EBUSY"),
    Site("pci_alloc_irq_vectors", flags=("through",)), Site("pci_irq_vector"),
    # The second cannot fail where the first has not, and dma_set_mask_and_coherent() does not look.
    Site("dma_set_mask"), Site("dma_set_coherent_mask", error="0"),
    Site("rust_helper_dma_set_mask_and_coherent"), _pointer("dma_alloc_attrs"),
    Site("request_threaded_irq"),
    # A net device.
    _pointer("alloc_etherdev_mqs"), Site("register_netdev"), Site("eth_prepare_mac_addr_change"),
    # Memberships, and what finds a device.
    Site("dev_set_promiscuity"), Site("dev_set_allmulti"), Site("dev_mc_add"), Site("dev_uc_add"),
    _pointer("__dev_get_by_index", "ENODEV"), _pointer("dev_get_by_index_rcu", "ENXIO"),
    # Packets. Those that are lost are counted: the test that sends them looks.
    _pointer("napi_alloc_skb", "0"), _pointer("napi_build_skb", "0"), _pointer("skb_clone", "0"),
    # DMA_MAPPING_ERROR.
    Site("dma_map_page_attrs", -1, "0"), Site("__skb_pad", -12, "0"), Site("skb_checksum_help", error="0"),
    # Where the interface goes up, or its rings change, it is ENOMEM.
    Site("page_pool_create"), _pointer("page_pool_alloc_pages", "0"),
    # Where a program is attached. What it redirects and cannot go there is counted.
    Site("__xdp_rxq_info_reg"), Site("xdp_rxq_info_reg_mem_model"), Site("xdp_do_redirect", error="0"),
    Site("___pskb_trim", -12, "0"),
    _pointer("__pskb_pull_tail", "0"), Site("skb_copy_bits", -14, "0"),
    Site("__skb_flow_dissect", 0, "0"),
    _pointer("sock_alloc_send_pskb", "ENOBUFS"),
    # NET_XMIT_DROP; the packet is gone in any case.
    Site("__dev_queue_xmit", 1, "ENOBUFS", ("drops",)),
    Site("_raw_spin_trylock", 0, "0"), Site("rt_spin_trylock", 0, "0"),
    # Sockets.
    _pointer("sk_alloc", "ENOBUFS"), Site("ns_capable", 0, "EPERM"),
    # It tells the error by a pointer, too.
    _pointer("skb_recv_datagram", "EAGAIN"), Site("skb_copy_datagram_iter"),
    Site("skb_copy_datagram_from_iter"), Site("sock_cmsg_send"), Site("sock_recv_errqueue"),
    Site("put_cmsg", -14, "0"),
    # How many bytes were not copied, and how many were.
    Site("_copy_from_user", 1, "EFAULT"), Site("_copy_to_user", 1, "EFAULT"),
    Site("_copy_from_iter", 0, "EFAULT"), Site("_copy_to_iter", 0, "EFAULT"),
)}

# What the `kernel` crate calls for us, by what we call of the crate.
BY_THE_CRATE = {"enable_device_mem": "pci_enable_device_mem", "alloc_irq_vectors": "pci_alloc_irq_vectors"}

# What is called and cannot fail, or answers no error: why, and which functions. A new name is looked at
# before it is added, so there are patterns only for families of which that is so by their nature.
INFALLIBLE = {
    "takes or gives back a lock, or a section in which something must not happen": (
        r"_raw_(spin|write)_(un)?lock(_bh|_irq_disable|_irq_enable|_irqsave|_irqrestore)?",
        r"rt_(spin|write)_(un)?lock", r"mutex_(un)?lock(_nested)?", r"rtnl_(un)?lock", r"__rcu_read_(un)?lock",
        r"lock_sock_nested", r"release_sock", r"migrate_(dis|en)able",
        r"__local_bh_(dis|en)able_ip"),
    "makes a lock, or notes it for lockdep": (
        r"__(raw|rt)_spin_lock_init", r"__(rt_)?rwlock_init", r"rt_mutex_base_init",
        r"mutex_(rt_)?init_(generic|lockdep)", r"lockdep_(init_map_type|(un)?register_key|rcu_suspicious)",
        r"lock_(acquire|release|is_held_type)", r"debug_lockdep_rcu_enabled",
        r"rcu_(is_watching|read_lock_held)"),
    "waits, or asks whether a wait is over": (
        r"synchronize_(irq|net|rcu)", r"rcu_barrier", r"(get|poll)_state_synchronize_rcu", r"call_rcu",
        r"_RNv\w+_6kernel4time5delay(6fsleep|6udelay)"),
    "answers with a time or a number": (
        r"sched_clock", r"ktime_get_with_offset", r"__msecs_to_jiffies", r"round_jiffies_relative",
        r"get_random_bytes", r"__get_random_u32_below", r"__skb_get_hash_(symmetric_)?net",
        r"_RNvX\w+9Monotonic\w+9ktime_get", r"from_kuid_munged"),
    "prints": (
        r"_printk", r"_dev_printk", r"netdev_(err|warn|notice|info)", r"skb_dump", r"dump_page",
        r"bpf_warn_invalid_xdp_action", r"xdp_warn", r"__SCT__tp_func_xdp_exception",
        r"_RNv\w+_6kernel5print11call_printk",
        # An overflow is noted in the file, which then gets more room.
        r"seq_printf"),
    "makes text, which the caller has room for": (
        r"_RNvX\w+(7Display|5Debug|8LowerHex|8UpperHex)3fmt", r"_RNv\w+4core3fmt\w+"),
    "is called by what the compiler, a sanitizer or the kernel's checks add": (
        r"__asan_\w+", r"__kasan_\w+", r"__ubsan_\w+", r"__x86_return_thunk",
        r"__SCT__might_resched", r"__SCT__WARN_trap", r"__might_(sleep|resched)", r"__cant_(sleep|migrate)",
        r"__check_object_size", r"refcount_warn_saturate", r"debug_smp_processor_id",
        r"__this_cpu_preempt_check", r"debug_dma_mapping_error",
        r"mem(cmp|cpy|move|set)", r"bcmp"),
    "is how a pointer is called: what may be behind it, by_pointer() asks": (r"__x86_indirect_thunk\w*",),
    "does not return": (r"_RNv\w+4core9panicking\w+",),
    "turns a value into another": (
        r"_RNv\w+_6kernel5error(5Error10from_errno|9to_result)", r"_RNvMNtCs\w+_6kernel5errorNtB2_5Error\w+",
        r"_RNv\w+(19is_size_align_valid|14aligned_layout|20dangling_from_layout)",
        r"_RNvX\w+(10pci_driver|15ethtool_tunable)\w+7Default7default", r"ethtool_convert_legacy_u32_to_link_mode",
        r"ethtool_convert_link_mode_to_legacy_u32", r"__vlan_get_protocol_offset", r"eth_type_trans"),
    "counts a reference, or notes it for the debug kernel, which may have no memory for its note": (
        r"ref_tracker_(alloc|free)",
        r"_RNvX\w+_6kernel6device\w+(7inc_ref|7dec_ref|4from)", r"sk_net_refcnt_upgrade"),
    "reads what the PCI core has noted, or the configuration space, where nobody answers with ones": (
        r"_RNv\w+_6kernel3pci\w+12resource_len", r"_RNv\w+_6kernel3pci\w+12config_space",
        r"io(read|write)(8|16|32)",
        r"_RNvX\w+18ConfigSpaceBackend\w+(7io_read|8io_write)"),
    # krealloc() is how Rust allocates, and also how it frees: with it made to fail, memory would stay for
    # ever. That allocations fail is for faults.py.
    "allocates, which fails in faults.py": (r"(rust_helper_)?kv?realloc_node_align(_noprof)?",),
    "undoes: whatever it answers, what was there is gone": (
        r"unregister_(netdev|netdevice_notifier|pernet_subsys)", r"(proto|sock)_unregister",
        r"pci_(clear_master|disable_device|free_irq_vectors|iounmap|release_region|unregister_driver)",
        r"free_(irq|netdev)", r"dma_free_attrs", r"remove_proc_entry", r"timer_delete_sync",
        r"__netif_napi_del_locked", r"dev_[mu]c_del", r"__dev_remove_pack", r"dma_unmap_page_attrs",
        r"page_pool_(destroy|put_unrefed_netmem)", r"bpf_prog_put", r"xdp_rxq_info_unreg", r"xdp_return_frame"),
    "sets the flags of a device as they are": (r"netif_get_flags", r"dev_change_flags"),
    "gives memory to the device, or takes it back": (r"__dma_sync_single_for_(cpu|device)",),
    "gives a packet back, or has taken it: one that waits for its fragments is no loss": (r"ip_check_defrag",),
    "gives a packet, a socket or a route back": (
        r"dev_kfree_skb_any_reason", r"sk_skb_reason_drop", r"consume_skb",
        r"skb_free_datagram", r"skb_queue_purge_reason", r"sk_free", r"dst_release", r"nf_conntrack_destroy"),
    "has the bus wake the machine, which goes to sleep or off anyway": (
        r"device_set_wakeup_enable", r"pci_prepare_to_sleep"),
    "sets up or changes what is there; no answer": (
        r"pci_(set_master|restore_state)", r"netif_carrier_(on|off)", r"netif_device_(attach|detach)",
        r"netif_napi_(add_weight|set_irq)_locked", r"napi_(en|dis)able_locked", r"netif_queue_set_napi",
        r"netif_tx_wake_queue", r"netif_schedule_queue", r"netdev_(work_sched|core_stats_inc)",
        r"dql_(completed|reset)", r"timer_init_key", r"mod_timer", r"dev_addr_mod",
        r"netdev_update_features", r"xdp_set_features_flag_locked", r"netif_set_tso_max_size", r"page_pool_(en|dis)able_direct_recycling",
        r"eth_commit_mac_addr_change", r"dev_add_pack", r"sock_init_data", r"sk_error_report",
        r"__sock_(recv_cmsgs|tx_timestamp)"),
    "asks the stack to do something later, or tells whether that is asked for already": (
        r"__napi_schedule(_irqoff)?", r"napi_(schedule_prep|complete_done)"),
    "hands a packet on, which is then the stack's to count": (r"gro_receive_skb", r"xdp_do_flush"),
    "runs a program, whose answer is an action (xdp.py)": (r"bpf_dispatcher_xdp_func", r"xdp_master_redirect"),
    "works on a packet that has room for it": (
        r"skb_(put|push|pull)", r"skb_copy_and_csum_dev"),
    "takes the time of a packet, which goes on without if there is no memory (faults.py)": (
        r"skb_tstamp_tx", r"skb_clone_tx_timestamp"),
    "has the answer of a device without a clock": (r"ethtool_op_get_ts_info",),
    "is inline in C, for a kernel without inlined helpers": (
        r"rust_helper_(__(spin_lock|mutex)_init|atomic_\w+|(read|write)[bwl]\w*|(spin|mutex)_(un)?lock\w*)",
        r"rust_helper_(rcu_read_(un)?lock|cpu_relax|might_resched|dev_[gs]et_drvdata)"),
    "is of the tests' own faults of registers (bindings/helpers/registers.c)": (
        r"debugfs_\w+", r"fault_create_debugfs_attr", r"should_fail"),
}
_INFALLIBLE = re.compile("|".join(name for names in INFALLIBLE.values() for name in names))


def c_name(function):
    """The function of C that fails when this one does that the module calls."""
    if function.startswith("_R"):
        for rust, c in BY_THE_CRATE.items():
            if function.endswith(rust):
                return c
    return function


@dataclasses.dataclass(frozen=True)
class Pointer:
    """Calls through a pointer in the functions of ours whose names fit: how many at most, of which the compiler
    can make one, and what of."""

    callers: str
    number: int
    what: str
    # Which test makes it fail, if it can.
    test: str
    # How it fails, or why it does not.
    why: str


def by_pointer(module, known):
    """([(caller, Pointer) for each call through a pointer that is `known`], [what is not], [what is known and
    not there]). No symbol says what is called: so it is said in a list, function by function."""
    rows, unknown, there = [], [], set()
    for caller, number in sorted(module_code.by_pointer(module).items()):
        name = module_code.readable(caller)
        found = [pointer for pointer in known if re.fullmatch(pointer.callers, name)]
        there.update(found)
        rows += [(name, pointer) for pointer in found]
        understood = sum(pointer.number for pointer in found)
        if number > understood:
            unknown.append(f"{name}: {number} calls through pointers, of {understood} it is known what they are")
    return rows, unknown, [f"{pointer.what} in {pointer.callers}" for pointer in known if pointer not in there]


def of(module):
    """({function: Site} of those that the module calls and that can fail, [what is not known])

    A function that the module only names, in a table of the kernel's, is called by others."""
    sites, unknown = {}, set()
    for call in module_code.calls(module):
        function = c_name(call.function)
        if function in FALLIBLE:
            sites[function] = FALLIBLE[function]
        elif not call.tests and not _INFALLIBLE.fullmatch(call.function):
            unknown.add(call.function)
    return sites, sorted(unknown)
