// SPDX-License-Identifier: GPL-2.0

//! Fanout: several sockets share the frames of one binding, each frame going to one of them.
//!
//! A program that captures with one thread for each CPU opens a socket in each thread, binds all of
//! them alike, and has them join one group by `PACKET_FANOUT`. From then on the group has the hook,
//! and a frame is given to one member:
//!
//! ```text
//!                    group 7 of this network namespace
//!               +-----------------------------------------------+
//!               | one hook for the protocol and the device      |
//!     frame --->|   |                                           |
//!               |   v                                           |
//!               | whole? (DEFRAG) --> which one? (mode) --> 1   |
//!               |                                           |   |
//!               | has it room? (ROLLOVER) <-----------------+   |
//!               |   | no: who has?                              |
//!               |   v                                           |
//!               | places   0        1        2        3   ...   |
//!               +----------|--------|--------|--------|---------+
//!                          v        v        v        (free)
//!                       socket A socket B socket C    socket D: joined, but its device is down
//! ```
//!
//! From there on all is as with a single socket: the member's own filter, queue and options.
//!
//! | mode | the member is chosen by | so that |
//! |---|---|---|
//! | `HASH` | a hash of the flow, the same in both directions | one thread sees all of a connection |
//! | `LB` | turn | all have the same load, of whatever |
//! | `CPU` | the CPU that received the frame | frame and thread stay in one cache |
//! | `ROLLOVER` | the first that has room | few threads work while little arrives |
//! | `RND` | chance | load is spread without a shared counter |
//! | `QM` | the queue of the device | as `CPU`, if the device does the hashing |
//! | `CBPF`, `EBPF` | a program that a member gave to the group | anything else |
//!
//! | file | what |
//! |---|---|
//! | [`request`] | what a program asks for, and whether that is possible |
//! | [`table`] | the groups of a namespace |
//! | [`members`] | how many sockets a group has, and when its hook is in place |
//! | [`choice`] | the modes |
//! | [`rollover`] | a member that is full, and who helps it |
//!
//! A socket joins once and leaves when it is closed. It cannot be bound to something else while it is
//! a member. When its device goes down it gives up its place among those who receive, not its
//! membership; when the device comes up it is given a place again, not always the same one. When a
//! member leaves, the last one takes its place: a member is not told which one it has.
//!
//! None of the files has kernel types beyond the prelude and atomics, so `selftests/host` runs all
//! of them.

#![forbid(unsafe_code)]

pub(crate) mod choice;
pub(crate) mod members;
pub(crate) mod request;
pub(crate) mod rollover;
pub(crate) mod table;
