// SPDX-License-Identifier: GPL-2.0

//! The C structures that files of `net/` name which are compiled for the host.

macro_rules! structure {
    ($name:ident { $($field:ident)* }) => {
        #[allow(non_camel_case_types)]
        #[derive(Debug, Default)]
        pub(crate) struct $name {
            $(pub(crate) $field: u64,)*
        }
    };
}

structure! {
    rtnl_link_stats64 {
        rx_packets tx_packets rx_bytes tx_bytes rx_errors tx_errors rx_dropped tx_dropped multicast
        collisions rx_length_errors rx_over_errors rx_crc_errors rx_frame_errors rx_fifo_errors
        rx_missed_errors tx_aborted_errors tx_carrier_errors tx_fifo_errors tx_heartbeat_errors
        tx_window_errors
    }
}
