# SPDX-License-Identifier: GPL-2.0
"""How the functions fail that our modules call.

Which functions these are is not written here: it is what a module imports. Each one either can fail,
and FALLIBLE says how, or cannot, and is matched by INFALLIBLE. One that is in neither is an error of the
test that asks: a new call of the kernel has to be looked at.
"""
import dataclasses
import re

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
    Site("pci_enable_device_mem", flags=("through",)), Site("pci_alloc_irq_vectors", flags=("through",)),
    Site("pci_irq_vector"), Site("pci_request_region", -16, "EBUSY"), _pointer("pci_iomap"),
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
    _pointer("napi_alloc_skb", "0"), _pointer("skb_clone", "0"), Site("___pskb_trim", -12, "0"),
    _pointer("__pskb_pull_tail", "0"), Site("skb_copy_bits", -14, "0"),
    Site("__skb_flow_dissect", 0, "0"),
    _pointer("sock_alloc_send_pskb", "ENOBUFS"),
    # NET_XMIT_DROP; the packet is gone in any case.
    Site("__dev_queue_xmit", 1, "ENOBUFS", ("drops",)),
    Site("_raw_spin_trylock", 0, "0"),
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

INFALLIBLE = re.compile("|".join((
    # Faults of the tests' own (bindings/helpers/registers.c), in kernels that inject them.
    r"debugfs_\w+", r"fault_create_debugfs_attr", r"should_fail",
    # Locks, read sections, time, randomness, printing, and what the compiler and the sanitizers call.
    r"_raw_(spin_lock|spin_unlock|write_lock|write_unlock)\w*", r"__raw_spin_lock_init",
    r"mutex_\w+", r"__rcu_read_(un)?lock", r"rcu_\w+", r"call_rcu", r"\w+_state_synchronize_rcu",
    r"synchronize_(irq|net)", r"lock_(acquire|release|is_held_type|sock_nested)", r"release_sock",
    r"lockdep_\w+", r"debug_\w+", r"__local_bh_(dis|en)able_ip", r"migrate_(dis|en)able", r"__cant_migrate",
    r"rtnl_(un)?lock", r"__might_sleep", r"__SCT__might_resched", r"sched_clock", r"ktime_get_with_offset",
    r"jiffies", r"__msecs_to_jiffies", r"round_jiffies_relative", r"get_random_bytes",
    r"_printk", r"_dev_printk", r"netdev_(err|warn|notice|info)", r"net_ratelimit", r"skb_dump",
    r"seq_printf", r"__asan_\w+", r"__kasan_\w+", r"__ubsan_\w+", r"__sanitizer_\w+", r"bcmp",
    r"mem(cmp|cpy|move|set)", r"__fentry__", r"__(ref_)?stack_chk_\w+", r"__x86_\w+",
    r"__check_object_size", r"validate_usercopy_range",
    r"current_task", r"__per_cpu_offset", r"this_cpu_off", r"cpu_number", r"numa_node", r"__preempt_count",
    r"ref(count|_tracker)_\w+",
    # Without inlined helpers, the `kernel` crate has a function for each inline one of C.
    r"rust_helper_(__(spin_lock|mutex)_init|atomic|read[bwl]|write[bwl]|spin_|mutex_|rcu_|cpu_relax)\w*",
    r"rust_helper_(might_resched|dev_[gs]et_drvdata)",
    # How Rust allocates, and also how it frees, which must not be left out. What it allocates fails in
    # faults.py.
    r"krealloc_node_align_noprof", r"rust_helper_krealloc_node_align",
    # Undoing: whatever these answer, what was there is gone.
    r"(un|de)register_\w+", r"dev_[mu]c_del", r"\w+_unregister\w*", r"free_\w+", r"\w+_free",
    r"\w+_release(_\w+)?",
    r"pci_(clear_master|disable_device|free_irq_vectors|iounmap|release_region|unregister_driver)",
    r"dma_free_attrs", r"remove_proc_entry", r"timer_delete_sync", r"netif_napi_del\w*",
    r"__netif_napi_del_locked", r"dev_kfree_skb_any_reason", r"\w*skb_reason_drop", r"consume_skb",
    r"skb_free_datagram", r"skb_queue_purge_reason", r"sock_rfree", r"__dev_remove_pack",
    r"nf_conntrack_destroy",
    # Settings of a device and its queue that have no answer, or whose answer is a state.
    r"pci_(set_master|try_set_mwi)", r"netif_(carrier|napi|queue|tx|schedule|device)_\w+",
    r"__napi_schedule(_irqoff)?", r"napi_(complete_done|schedule_prep|consume_skb|(en|dis)able_locked)",
    r"dql_\w+", r"netdev_(work_sched|core_stats_inc)", r"mod_timer", r"timer_init_key", r"dev_addr_mod",
    r"eth_type_trans",
    r"eth_commit_mac_addr_change", r"gro_receive_skb",
    r"ethtool_convert_\w+", r"dev_add_pack",
    # The core calls these, through a table in which we name them.
    r"eth_validate_addr", r"ethtool_op_\w+", r"sock_(no_\w+|gettstamp)", r"datagram_poll",
    # Packets and sockets.
    r"skb_(put|push|pull|copy_and_csum_dev|tstamp_tx|clone_tx_timestamp)", r"__skb_tstamp_tx",
    r"__vlan_get_protocol_offset", r"dst_release", r"sk_(error_report|net_refcnt_upgrade)",
    r"__sock_(recv_cmsgs|tx_timestamp)", r"sock_init_data",
    r"from_kuid_munged", r"flow_keys_basic_dissector", r"inet_dgram_ops", r"init_net", r"\w+_key",
    # Only the KUnit tests of the layer call these.
    r"_*kunit_\w+", r"sock_create(_kern)?", r"kernel_(bind|sendmsg|recvmsg)", r"do_sock_[gs]etsockopt",
    r"dev_(open|close|get_stats)", r"__dev_direct_xmit", r"__netdev_alloc_skb",
    # Of the crates `core` and `kernel`: text, arithmetic, layouts, panics, registers in configuration
    # space, delays.
    r"_R\w+(4core|5print|3fmt|3str|5alloc|5kunit|5error|4time|2io|12module_param|6device|bindings_raw)\w*",
    r"_R\w+12resource_len",
)))


def of(imports):
    """({function: Site} of those that can fail, [what is not known])"""
    sites, unknown = {}, []
    for name in imports:
        crate = [c for rust, c in BY_THE_CRATE.items() if name.startswith("_R") and name.endswith(rust)]
        function = crate[0] if crate else name
        if function in FALLIBLE:
            sites[function] = FALLIBLE[function]
        elif not INFALLIBLE.fullmatch(name):
            unknown.append(name)
    return sites, unknown
