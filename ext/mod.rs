// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions beside networking that the `kernel` crate lacks.
//!
//! Each module here is written as if it were in `rust/kernel/` of the kernel's tree.
//!
//! | module | what | in C |
//! |---|---|---|
//! | [`bound`] | values that must end before their device is unbound | `devm_*` |
//! | [`claim`] | the right to a `static` that is registered with C | a flag |
//! | [`dma`] | checked access to coherent memory that a device writes | pointers |
//! | [`irq`] | an interrupt line that is requested while an interface is up | `request_irq()` |
//! | [`lock`] | a spinlock that only tasks take | `spin_lock()` |
//! | [`procfs`] | files in `/proc/net` | `proc_create_net_single()` |
//! | [`pci`] | PCI drivers with all ids, shutdown, power management and error handlers | `struct pci_driver` |
//! | [`published`] | a value that softirqs read without a lock, and a task replaces | `rcu_dereference()` |
//! | [`registers`] | registers in memory or I/O ports, which a debug kernel can have lie | `pci_iomap()` |
//! | [`static_ref`] | a `static` that a trait names by a constant | `static struct` |
//! | [`timer`] | a timer that fires in a softirq, and can be armed anywhere | `struct hrtimer` |

#![allow(unsafe_code)]
// Both modules of this project compile this folder; each uses its own part of it.
#![allow(dead_code)]

pub(crate) mod bound;
pub(crate) mod claim;
pub(crate) mod dma;
pub(crate) mod irq;
pub(crate) mod lock;
pub(crate) mod pci;
pub(crate) mod procfs;
pub(crate) mod published;
pub(crate) mod registers;
pub(crate) mod static_ref;
pub(crate) mod timer;
