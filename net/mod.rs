// SPDX-License-Identifier: GPL-2.0

//! Networking: what `rust/kernel/net/` lacks.
//!
//! Each module here is written as if it were in `rust/kernel/net/` of the kernel's tree. The types
//! of one side of the network stack do not need those of the other; both need the first three:
//!
//! | module | what | in C |
//! |---|---|---|
//! | [`context`] | tokens: proof that code runs where it may call what it calls | comments |
//! | [`skbuff`] | a packet with one owner | `struct sk_buff` |
//! | [`device`] | a network interface, as anyone may see it | `struct net_device` |
//!
//! A driver begins with [`driver`], which says what it must do. It uses:
//!
//! | module | what | in C |
//! |---|---|---|
//! | [`driver`] | a driver's own interface: operations, private data, registration | `struct net_device_ops` |
//! | [`napi`] | the poll, with its budget | `struct napi_struct` |
//! | [`page_pool`] | pages that a device writes received frames to | `struct page_pool` |
//! | [`xdp`] | programs that look at received frames first; frames that are no packets | `struct xdp_buff`, `struct xdp_frame` |
//! | [`queue`] | the transmit queue and its flow control | `struct netdev_queue` |
//! | [`offload`] | what a frame to send asks of the device | `CHECKSUM_PARTIAL`, `gso_size` |
//! | [`flow`] | stopping and waking it without its lock | `netdev_queues.h` |
//! | [`stats`] | counters | `struct u64_stats_sync` |
//! | [`ethtool`] | what `ethtool` asks of a driver | `struct ethtool_ops` |
//! | [`print`] | messages with the name of their interface | `netdev_info()` |
//!
//! A socket family begins with [`socket`], which says what it must do. It uses:
//!
//! | module | what | in C |
//! |---|---|---|
//! | [`socket`] | family, registration, list of sockets | `struct net_proto_family` |
//! | [`sock`] | a socket with Rust state | `struct sock`, `struct proto` |
//! | [`operations`] | system calls on a socket | `struct proto_ops` |
//! | [`message`], [`sockopt`] | what these calls carry | `struct msghdr`, `sockopt_t` |
//! | [`packet_type`], [`filter`] | packet hooks, and what a socket wants to see | `struct packet_type` |
//! | [`packet_group`], [`places`] | one hook for several sockets | `struct packet_fanout` |
//! | [`flow_hash`], [`bpf_program`] | what they choose by | `skb_get_hash()`, `struct bpf_prog` |
//! | [`packet`], [`datagram`] | packets that others may have too; those in the receive queue | `struct sk_buff` |
//! | [`transmit`] | packets on their way to a device | `sock_alloc_send_pskb()` |
//! | [`shared_memory`], [`mapping`] | the memory of a ring, and `mmap()` of it | `vm_insert_page()` |
//! | [`membership`] | having a device receive more | `dev_set_promiscuity()` |
//! | [`namespace`], [`pernet`] | network namespaces, and what is kept for each | `struct net` |
//! | [`notifier`], [`rtnl`] | what happens to devices, and the mutex that serialises it | `struct notifier_block` |

#![allow(unsafe_code)]
// Both modules of this project compile this folder; each uses its own part of it.
#![allow(dead_code, unused_imports)]

pub(crate) mod bpf_program;
pub(crate) mod context;
pub(crate) mod datagram;
pub(crate) mod device;
pub(crate) mod driver;
pub(crate) mod ethtool;
pub(crate) mod filter;
pub(crate) mod flow;
pub(crate) mod flow_hash;
pub(crate) mod mapping;
pub(crate) mod membership;
pub(crate) mod message;
pub(crate) mod namespace;
pub(crate) mod napi;
pub(crate) mod notifier;
pub(crate) mod offload;
pub(crate) mod operations;
pub(crate) mod packet;
pub(crate) mod packet_group;
pub(crate) mod packet_type;
pub(crate) mod page_pool;
pub(crate) mod pernet;
pub(crate) mod places;
pub(crate) mod print;
pub(crate) mod queue;
pub(crate) mod rtnl;
pub(crate) mod shared_memory;
pub(crate) mod skbuff;
pub(crate) mod sock;
pub(crate) mod socket;
pub(crate) mod sockopt;
pub(crate) mod stats;
pub(crate) mod transmit;
pub(crate) mod xdp;
