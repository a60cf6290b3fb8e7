// SPDX-License-Identifier: GPL-2.0

//! Captures on real interfaces, in a network namespace of their own.
//!
//! Each test starts itself again under `unshare -n`, which takes root, and is skipped with a message
//! without. The family is `packet`; with `RPSNIFF_FAMILY=rpacket` in the environment it is that of
//! af_rpacket.ko, so that the same tests prove both.

#![allow(missing_docs)]

use std::{
    fs,
    io::{BufRead, BufReader},
    net::UdpSocket,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use pcap_parser::{parse_pcapng, Block, OptionCode};

mod bench;
#[path = "../common/mod.rs"]
mod common;
mod inject;

use bench::{bytes, in_namespace, ip, numbered, read, send_all, skip, Process};
use inject::Injector;

#[test]
fn what_is_sent_is_saved_in_order_with_nanoseconds_and_counted() {
    in_namespace(
        "what_is_sent_is_saved_in_order_with_nanoseconds_and_counted",
        |bench| {
            let frames = numbered(200);
            let capture = bench.start(&["-i", "rb", "-w", "file"]);
            assert!(
                capture.heading.contains("link-type EN10MB (Ethernet)"),
                "{}",
                capture.heading
            );
            send_all("ra", &frames);
            let finished = capture.stop();
            assert!(finished.status.success());
            finished.assert_counts(200, 200, 0);
            let (packets, complete) = read(&bench.path("file"));
            assert!(complete);
            assert!(packets.iter().map(|packet| &packet.2).eq(&frames));
            assert!(packets.windows(2).all(|pair| pair[0].0 <= pair[1].0));
            assert!(
                packets.iter().any(|packet| packet.0 % 1000 != 0),
                "only microseconds"
            );
            assert!(packets.iter().all(|packet| packet.1 == packet.2.len()));
        },
    );
}

#[test]
fn the_end_of_the_file_has_the_counters() {
    in_namespace("the_end_of_the_file_has_the_counters", |bench| {
        let capture = bench.start(&["-i", "rb", "-w", "file", "udp"]);
        send_all("ra", &numbered(5));
        capture.stop();
        let file = fs::read(bench.path("file")).unwrap();
        let (_, capture) = parse_pcapng(&file).unwrap();
        let Some(Block::InterfaceStatistics(statistics)) = capture.sections[0].blocks.last() else {
            panic!("no statistics");
        };
        for (code, expected) in [(4, 5u64), (6, 5), (7, 0), (8, 5)] {
            let option = statistics
                .options
                .iter()
                .find(|option| option.code == OptionCode(code))
                .unwrap();
            assert_eq!(option.as_bytes().unwrap(), expected.to_le_bytes(), "{code}");
        }
    });
}

#[test]
fn loopback_packets_are_shown_once() {
    in_namespace("loopback_packets_are_shown_once", |bench| {
        let capture = bench.start(&["-i", "lo", "-c", "3", "-t", "-l", "udp"]);
        let socket = UdpSocket::bind("127.0.0.1:4000").unwrap();
        for _ in 0..3 {
            socket.send_to(b"hello", "127.0.0.1:4000").unwrap();
        }
        let finished = capture.finish();
        assert!(finished.status.success());
        let line = "IP 127.0.0.1.4000 > 127.0.0.1.4000: UDP, length 5\n";
        assert_eq!(finished.out, line.repeat(3));
        finished.assert_counts(3, 3, 0);
    });
}

#[test]
fn the_count_is_exact_in_a_burst() {
    in_namespace("the_count_is_exact_in_a_burst", |bench| {
        let capture = bench.start(&["-i", "rb", "-c", "50", "-w", "file"]);
        let frames = numbered(300);
        send_all("ra", &frames);
        let finished = capture.finish();
        assert!(finished.status.success());
        assert!(
            finished.err.starts_with("50 packets captured\n"),
            "{}",
            finished.err
        );
        assert_eq!(bytes(&bench.path("file")), frames[..50]);
    });
}

#[test]
fn no_packet_is_seen_that_the_filter_refuses() {
    in_namespace("no_packet_is_seen_that_the_filter_refuses", |bench| {
        // A flood goes on while captures start: an unfiltered moment would show.
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let injector = Injector::new("ra");
                let refused = common::udp4(1000, 2001, b"refused");
                let wanted = common::udp4(1000, 2000, b"wanted");
                while !done.load(Ordering::Relaxed) {
                    for _ in 0..20 {
                        injector.send(&refused);
                    }
                    injector.send(&wanted);
                    thread::sleep(Duration::from_micros(200));
                }
            });
            for _ in 0..15 {
                let arguments = ["-i", "rb", "-c", "20", "-t", "udp dst port 2000"];
                let finished = bench.run(&arguments);
                assert!(finished.status.success());
                assert_eq!(finished.out.lines().count(), 20);
                let wanted = "IP 192.0.2.1.1000 > 192.0.2.2.2000: UDP, length 6";
                assert!(
                    finished.out.lines().all(|line| line == wanted),
                    "{}",
                    finished.out
                );
            }
            done.store(true, Ordering::Relaxed);
        });
    });
}

#[test]
fn vlan_tags_are_put_back_and_filters_see_them() {
    in_namespace("vlan_tags_are_put_back_and_filters_see_them", |bench| {
        let udp = &common::udp4(1000, 2000, b"tagged")[14..];
        let other = &common::udp4(1000, 2001, b"tagged")[14..];
        let frames = vec![
            common::ethernet(common::B, 0x0800, udp),
            common::tagged(&[(0x8100, 0x6005)], 0x0800, udp),
            common::tagged(&[(0x8100, 0x6005)], 0x0800, other),
            common::tagged(&[(0x8100, 6)], 0x0800, udp),
            common::tagged(&[(0x88a8, 7), (0x8100, 5)], 0x0800, udp),
            common::tagged(&[(0x8100, 0)], 0x0800, udp),
        ];
        for (expression, expected) in [
            ("", &[0, 1, 2, 3, 4, 5][..]),
            ("vlan", &[1, 2, 3, 4, 5]),
            ("not vlan", &[0]),
            ("vlan 5", &[1, 2]),
            ("vlan 5 and udp dst port 2000", &[1]),
            ("vlan 7 and vlan 5", &[4]),
            ("vlan and ether[14] & 0xe0 = 0x60", &[1, 2]),
            ("vlan and greater 56", &[4]),
            // As in tcpdump: the kernel has taken the tag out, and inside it is IP.
            ("ip", &[0, 1, 2, 3, 5]),
        ] {
            let capture = bench.start(&["-i", "rb", "-w", "file", expression]);
            send_all("ra", &frames);
            capture.stop();
            let wanted: Vec<Vec<u8>> = expected.iter().map(|at| frames[*at].clone()).collect();
            assert_eq!(bytes(&bench.path("file")), wanted, "{expression}");
            // The file, filtered again, has the same: what was saved is what was on the wire.
            if expression.contains("vlan") {
                let again = bench.run(&["-r", "file", "--count", expression]);
                assert!(again.out.starts_with(&format!("{} packet", wanted.len())));
            }
        }
        let capture = bench.start(&["-i", "rb", "-e", "-t", "-c", "1", "vlan 6"]);
        send_all("ra", &frames);
        assert_eq!(
            capture.finish().out,
            "02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype 802.1Q (0x8100), length 52: \
             vlan 6, p 0, ethertype IPv4 (0x0800), 192.0.2.1.1000 > 192.0.2.2.2000: \
             UDP, length 6\n"
        );
    });
}

#[test]
fn packets_are_cut_by_the_kernel_and_keep_their_length() {
    in_namespace(
        "packets_are_cut_by_the_kernel_and_keep_their_length",
        |bench| {
            let long = common::udp4(1000, 2000, &[7; 1000]);
            let tagged = common::tagged(&[(0x8100, 5)], 0x0800, &long[14..]);
            let capture = bench.start(&["-i", "rb", "-s", "60", "-w", "file"]);
            send_all("ra", &[long.clone(), tagged.clone()]);
            capture.stop();
            let (packets, _) = read(&bench.path("file"));
            let expected = [&long, &tagged].map(|frame| (frame.len(), frame[..60].to_vec()));
            let read: Vec<_> = packets
                .into_iter()
                .map(|packet| (packet.1, packet.2))
                .collect();
            assert_eq!(read, expected);
        },
    );
}

#[test]
fn direction_selects_what_is_sent_or_received() {
    in_namespace("direction_selects_what_is_sent_or_received", |bench| {
        let sent = common::udp4(1000, 2000, b"from ra");
        let mut received = common::udp4(1000, 2001, b"from rb");
        received[..6].copy_from_slice(&common::A);
        for (direction, expected) in [
            ("in", vec![received.clone()]),
            ("out", vec![sent.clone()]),
            ("inout", vec![sent.clone(), received.clone()]),
        ] {
            let capture = bench.start(&["-i", "ra", "-Q", direction, "-w", "file"]);
            send_all("ra", &[sent.clone()]);
            send_all("rb", &[received.clone()]);
            let finished = capture.stop();
            assert_eq!(bytes(&bench.path("file")), expected, "{direction}");
            finished.assert_counts(expected.len(), expected.len(), 0);
        }
    });
}

#[test]
fn any_shows_the_interface_and_the_way() {
    in_namespace("any_shows_the_interface_and_the_way", |bench| {
        let capture = bench.start(&["-i", "any", "-t", "-l", "--print", "-w", "file", "udp"]);
        assert!(
            capture.heading.contains("LINUX_SLL2"),
            "{}",
            capture.heading
        );
        send_all("ra", &[common::udp4(1000, 2000, b"hello")]);
        let socket = UdpSocket::bind("127.0.0.1:4000").unwrap();
        socket.send_to(b"hello", "127.0.0.1:4000").unwrap();
        let finished = capture.stop();
        assert_eq!(
            finished.out,
            "ra    Out IP 192.0.2.1.1000 > 192.0.2.2.2000: UDP, length 5\n\
             rb    In  IP 192.0.2.1.1000 > 192.0.2.2.2000: UDP, length 5\n\
             lo    In  IP 127.0.0.1.4000 > 127.0.0.1.4000: UDP, length 5\n"
        );
        finished.assert_counts(3, 3, 0);
        // What the file says is what the filter saw.
        let again = bench.run(&["-r", "file", "-t", "udp"]);
        assert_eq!(again.out, finished.out);
    });
}

#[test]
fn each_signal_ends_the_capture_with_a_whole_file() {
    in_namespace("each_signal_ends_the_capture_with_a_whole_file", |bench| {
        for signal in ["-INT", "-TERM", "-HUP"] {
            let capture = bench.start(&["-i", "rb", "-w", "file"]);
            let frames = numbered(40);
            send_all("ra", &frames);
            // What was queued before the signal belongs to the capture.
            capture.signal(signal);
            let finished = capture.finish();
            assert_eq!(finished.status.code(), Some(0), "{signal}");
            finished.assert_counts(40, 40, 0);
            let (packets, complete) = read(&bench.path("file"));
            assert!(complete && packets.len() == 40, "{signal}");
        }
    });
}

#[test]
fn a_signal_shows_the_counters_and_the_capture_goes_on() {
    in_namespace(
        "a_signal_shows_the_counters_and_the_capture_goes_on",
        |bench| {
            let mut capture = bench.start(&["-i", "rb", "-w", "file", "-U"]);
            send_all("ra", &numbered(2));
            let deadline = Instant::now() + Duration::from_secs(10);
            loop {
                capture.signal("-USR1");
                let mut line = String::new();
                capture.errors.read_line(&mut line).unwrap();
                assert!(
                    line.starts_with("rpsniff: ") && line.contains(" captured, "),
                    "{line}"
                );
                if line
                    == "rpsniff: 2 packets captured, 2 packets received by filter, \
                    0 packets dropped by kernel\n"
                {
                    break;
                }
                assert!(Instant::now() < deadline, "{line}");
                thread::sleep(Duration::from_millis(10));
            }
            send_all("ra", &numbered(1));
            // The counters go on from where they were.
            capture.stop().assert_counts(3, 3, 0);
        },
    );
}

#[test]
fn packets_reach_the_file_at_once_if_asked() {
    in_namespace("packets_reach_the_file_at_once_if_asked", |bench| {
        let capture = bench.start(&["-i", "rb", "-w", "file", "-U"]);
        let empty = fs::metadata(bench.path("file")).unwrap().len();
        assert!(empty > 0, "the head of the file is written at once");
        send_all("ra", &numbered(1));
        let deadline = Instant::now() + Duration::from_secs(10);
        while fs::metadata(bench.path("file")).unwrap().len() == empty {
            assert!(Instant::now() < deadline, "nothing is written");
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(bytes(&bench.path("file")), numbered(1));
        capture.stop();
    });
}

#[test]
fn losses_are_counted() {
    in_namespace("losses_are_counted", |bench| {
        let capture = bench.start(&["-i", "rb", "-B", "4", "-w", "file"]);
        capture.signal("-STOP");
        send_all("ra", &numbered(500));
        capture.signal("-CONT");
        let finished = capture.stop();
        let packets = bytes(&bench.path("file")).len();
        assert!(packets > 0 && packets < 500, "{packets}");
        finished.assert_counts(packets, 500, 500 - packets);
    });
}

#[test]
fn promiscuous_mode_lasts_as_long_as_the_capture() {
    in_namespace("promiscuous_mode_lasts_as_long_as_the_capture", |bench| {
        let is_promiscuous = || {
            let output = Command::new("ip")
                .args(["-d", "link", "show", "rb"])
                .output()
                .unwrap();
            String::from_utf8_lossy(&output.stdout).contains("promiscuity 1")
        };
        assert!(!is_promiscuous());
        let capture = bench.start(&["-i", "rb"]);
        assert!(is_promiscuous());
        capture.stop();
        assert!(!is_promiscuous());
        let capture = bench.start(&["-i", "rb", "-p"]);
        assert!(!is_promiscuous());
        capture.stop();
    });
}

#[test]
fn an_interface_that_goes_ends_the_capture_with_counters() {
    in_namespace(
        "an_interface_that_goes_ends_the_capture_with_counters",
        |bench| {
            for (command, message) in [
                ("link set rb down", "rpsniff: rb: the interface went down\n"),
                ("link del rb", "rpsniff: rb: the interface disappeared\n"),
            ] {
                assert!(ip("link set rb up"));
                let capture = bench.start(&["-i", "rb", "-w", "file"]);
                send_all("ra", &numbered(3));
                assert!(ip(command));
                let finished = capture.finish();
                assert_eq!(finished.status.code(), Some(1), "{command}");
                finished.assert_counts(3, 3, 0);
                assert!(finished.err.ends_with(message), "{}", finished.err);
                let (packets, complete) = read(&bench.path("file"));
                assert!(complete && packets.len() == 3, "{command}");
            }
        },
    );
}

#[test]
fn what_cannot_be_captured_is_refused_with_a_reason() {
    in_namespace(
        "what_cannot_be_captured_is_refused_with_a_reason",
        |bench| {
            assert!(ip("link set rb down"));
            for (arguments, message) in [
                (&["-i", "nosuch0"][..], "nosuch0: no such device exists"),
                (&["-i", "a-name-that-is-too-long"], "no such device exists"),
                (&["-i", "rb"], "rb: that device is not up"),
                (&["-i", "lo", "udp and"], "syntax error"),
                (&["-i", "any", "vlan"], "no VLAN support"),
                (&["-i", "lo", "-w", "/no/such/file"], "/no/such/file"),
            ] {
                let finished = bench.run(arguments);
                assert_eq!(finished.status.code(), Some(1), "{arguments:?}");
                assert!(
                    finished.err.contains(message),
                    "{arguments:?}: {}",
                    finished.err
                );
                assert_eq!(finished.out, "");
            }
            assert!(ip("link set lo down") && ip("link set ra down"));
            let finished = bench.run(&[]);
            assert!(
                finished.err.contains("no interface to capture on is up"),
                "{}",
                finished.err
            );
        },
    );
}

#[test]
fn without_the_capability_the_message_names_it() {
    in_namespace("without_the_capability_the_message_names_it", |_| {
        let output = Command::new("setpriv")
            .args(["--bounding-set=-net_raw", "--inh-caps=-net_raw"])
            .arg(env!("CARGO_BIN_EXE_rpsniff"))
            .args(["--family", "packet", "-i", "lo"])
            .output();
        let Ok(output) = output else {
            skip("no setpriv");
            return;
        };
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{err}");
        assert!(err.contains("CAP_NET_RAW"), "{err}");
    });
}

#[test]
fn the_first_interface_that_is_up_is_the_default() {
    in_namespace("the_first_interface_that_is_up_is_the_default", |bench| {
        let capture = bench.start(&["-c", "1"]);
        let named = ["ra", "rb"].map(|name| capture.heading.contains(&format!("on {name},")));
        assert!(named.contains(&true), "{}", capture.heading);
        send_all("ra", &numbered(1));
        assert!(capture.finish().status.success());
        assert!(ip("link del ra"));
        let capture = bench.start(&[]);
        assert!(capture.heading.contains("on lo,"), "{}", capture.heading);
        capture.stop();
    });
}

#[test]
fn tcpdump_captures_the_same_at_the_same_time() {
    in_namespace("tcpdump_captures_the_same_at_the_same_time", |bench| {
        let tcpdump = Command::new("tcpdump")
            .args([
                "-i",
                "rb",
                "-U",
                "--immediate-mode",
                "-s",
                "2000",
                "-Z",
                "root",
                "-w",
            ])
            .arg(bench.path("theirs"))
            .stderr(Stdio::piped())
            .spawn();
        let Ok(tcpdump) = tcpdump else {
            skip("no tcpdump");
            return;
        };
        let mut tcpdump = Process(tcpdump);
        let mut errors = BufReader::new(tcpdump.0.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("listening on") {
            line.clear();
            assert!(
                errors.read_line(&mut line).unwrap() > 0,
                "tcpdump does not start"
            );
        }
        let capture = bench.start(&["-i", "rb", "-w", "ours"]);
        let frames: Vec<Vec<u8>> = common::corpus()
            .into_iter()
            .filter(|frame| frame.len() >= 14)
            .collect();
        send_all("ra", &frames);
        let finished = capture.stop();
        finished.assert_counts(frames.len(), frames.len(), 0);
        // On a signal tcpdump stops at once: it is to have all packets before.
        let deadline = Instant::now() + Duration::from_secs(20);
        let all = format!("{} packets\n", frames.len());
        while bench.run(&["-r", "theirs", "--count"]).out != all {
            assert!(Instant::now() < deadline, "tcpdump has too few packets");
            thread::sleep(Duration::from_millis(50));
        }
        let pid = tcpdump.0.id().to_string();
        assert!(Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success());
        assert!(tcpdump.0.wait().unwrap().success());
        let lines = |file: &str| {
            let finished = bench.run(&["-r", file, "-t", "-e", "-XX"]);
            assert!(finished.status.success(), "{file}: {}", finished.err);
            finished.out
        };
        assert_eq!(bytes(&bench.path("ours")), frames);
        for (ours, theirs) in lines("ours").lines().zip(lines("theirs").lines()) {
            assert_eq!(ours, theirs);
        }
        assert_eq!(
            lines("ours").lines().count(),
            lines("theirs").lines().count()
        );
    });
}
