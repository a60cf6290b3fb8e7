// SPDX-License-Identifier: GPL-2.0

//! Tests of the list of memberships, against devices that count what they were told.

use crate::packet::membership::{
    Admission,
    Filter,
    List,
    Request, //
};
use kernel::prelude::*;
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

const MULTICAST: u16 = 0;
const PROMISC: u16 = 1;
const ALLMULTI: u16 = 2;
const UNICAST: u16 = 3;

fn bytes(ifindex: i32, kind: u16, alen: u16, address: &[u8]) -> Vec<u8> {
    let mut bytes = ifindex.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(alen.to_ne_bytes());
    bytes.extend(address);
    bytes
}

fn parse(bytes: &[u8]) -> Result<Request> {
    Request::parse(bytes.len(), |to| {
        to.copy_from_slice(&bytes[..to.len()]);
        Ok(())
    })
}

fn request(ifindex: i32, kind: u16, address: &[u8]) -> Request {
    let mut padded = address.to_vec();
    padded.resize(address.len().max(8), 0xee);
    let alen = u16::try_from(address.len()).unwrap();
    parse(&bytes(ifindex, kind, alen, &padded)).unwrap()
}

/// What a device was told and must be given back.
#[derive(Debug)]
struct Joined {
    ifindex: i32,
    what: String,
    told: Told,
}

type Told = Rc<RefCell<HashMap<(i32, String), usize>>>;

impl Joined {
    fn leave(self) {
        let mut told = self.told.borrow_mut();
        let key = (self.ifindex, self.what);
        let count = told.get_mut(&key).expect("left without having joined");
        *count -= 1;
        if *count == 0 {
            told.remove(&key);
        }
    }
}

fn join(told: &Told, ifindex: i32, filter: Filter) -> Joined {
    let what = match filter {
        Filter::Multicast(address) => format!("multicast {:x?}", &address[..7]),
        Filter::Unicast(address) => format!("unicast {:x?}", &address[..7]),
        other => format!("{other:?}"),
    };
    *told
        .borrow_mut()
        .entry((ifindex, what.clone()))
        .or_default() += 1;
    Joined {
        ifindex,
        what,
        told: told.clone(),
    }
}

fn add(list: &mut List<Joined>, told: &Told, request: Request) -> Result {
    let ifindex = request.ifindex();
    let (place, joined) = match list.admit(&request, Some(6))? {
        Admission::Counted => return Ok(()),
        Admission::Noted(place) => (place, None),
        Admission::Join(filter, place) => (place, Some(join(told, ifindex, filter))),
    };
    list.insert(place, joined);
    Ok(())
}

fn clear(list: &mut List<Joined>) {
    while let Some(joined) = list.pop() {
        joined.leave();
    }
    assert!(list.is_empty());
}

fn clear_device(list: &mut List<Joined>, ifindex: i32) {
    let mut leaving = List::new();
    list.move_device(ifindex, &mut leaving);
    while let Some(joined) = leaving.pop() {
        assert_eq!(joined.ifindex, ifindex);
        joined.leave();
    }
}

#[test]
fn request_needs_the_structure_and_the_address() {
    for length in 0..16 {
        let parsed = Request::parse(length, |_| panic!("nothing to read"));
        assert_eq!(parsed, Err(EINVAL));
    }
    assert_eq!(Request::parse(16, |_| Err(EFAULT)), Err(EFAULT));
    assert!(parse(&bytes(1, MULTICAST, 8, &[0; 8])).is_ok());
    assert_eq!(parse(&bytes(1, MULTICAST, 9, &[0; 8])), Err(EINVAL));
    assert!(parse(&bytes(1, MULTICAST, 32, &[0; 32])).is_ok());
    // What is longer than the longest address is not read.
    assert!(parse(&bytes(1, MULTICAST, 32, &[0; 100])).is_ok());
    assert_eq!(parse(&bytes(1, MULTICAST, 33, &[0; 100])), Err(EINVAL));
    assert_eq!(
        parse(&bytes(1, MULTICAST, u16::MAX, &[0; 100])),
        Err(EINVAL)
    );
}

#[test]
fn each_kind_tells_the_device_what_it_asks_for() {
    let told = Told::default();
    let mut list = List::new();
    for kind in [MULTICAST, UNICAST] {
        add(&mut list, &told, request(3, kind, &[1, 0, 0x5e, 0, 0, 1])).unwrap();
    }
    for kind in [PROMISC, ALLMULTI] {
        add(&mut list, &told, request(3, kind, &[])).unwrap();
    }
    let mut what: Vec<_> = told.borrow().keys().map(|(_, what)| what.clone()).collect();
    what.sort();
    assert_eq!(
        what,
        [
            "AllMulti",
            "Promiscuous",
            "multicast [1, 0, 5e, 0, 0, 1, 0]",
            "unicast [1, 0, 5e, 0, 0, 1, 0]"
        ]
    );
    clear(&mut list);
    assert!(list.is_empty() && told.borrow().is_empty());
}

#[test]
fn errors_come_in_their_order() {
    let told = Told::default();
    let mut list: List<Joined> = List::new();
    let long = request(1, PROMISC, &[0; 7]);
    assert_eq!(list.admit(&long, None).err(), Some(ENODEV));
    assert_eq!(list.admit(&long, Some(6)).err(), Some(EINVAL));
    for kind in [MULTICAST, UNICAST] {
        let short = request(1, kind, &[0; 5]);
        assert_eq!(list.admit(&short, Some(6)).err(), Some(EINVAL));
    }
    // What a device refused was not inserted.
    let fits = request(1, UNICAST, &[0; 6]);
    assert!(matches!(
        list.admit(&fits, Some(6)),
        Ok(Admission::Join(Filter::Unicast(_), _))
    ));
    assert!(list.is_empty());
    // A shorter address does not matter where none is needed.
    assert_eq!(add(&mut list, &told, request(1, ALLMULTI, &[9; 3])), Ok(()));
    clear(&mut list);
}

#[test]
fn without_memory_nothing_is_lost() {
    let mut list: List<Joined> = List::new();
    let wanted = request(1, PROMISC, &[]);

    kernel::alloc::exhaust(true);
    assert_eq!(list.admit(&wanted, Some(6)).err(), Some(ENOBUFS));
    kernel::alloc::exhaust(false);
    assert!(list.is_empty());
}

/// Neither to drop a long list nor to move it recurses.
#[test]
fn a_list_may_be_long() {
    fn long() -> List<Joined> {
        let mut list = List::new();
        for number in 0..100_000u32 {
            let request = request(1, 99, &number.to_ne_bytes());
            match List::new().admit(&request, Some(6)) {
                Ok(Admission::Noted(place)) => list.insert(place, None),
                other => panic!("{other:?}"),
            }
        }
        list
    }

    drop(long());

    let told = Told::default();
    let (mut list, mut leaving) = (List::new(), List::new());
    add(&mut list, &told, request(1, PROMISC, &[])).unwrap();
    long().move_device(1, &mut leaving);
    list.move_device(1, &mut leaving);
    assert!(list.is_empty());
    leaving.pop().unwrap().leave();
    assert!(leaving.pop().is_none() && leaving.is_empty());
}

#[test]
fn same_request_counts_and_is_told_once() {
    let told = Told::default();
    let mut list = List::new();
    for _ in 0..3 {
        add(&mut list, &told, request(1, PROMISC, &[])).unwrap();
    }
    assert_eq!(told.borrow().values().sum::<usize>(), 1);
    assert!(list.remove(&request(1, PROMISC, &[])).is_none());
    assert!(list.remove(&request(1, PROMISC, &[])).is_none());
    list.remove(&request(1, PROMISC, &[])).unwrap().leave();
    assert!(list.is_empty() && told.borrow().is_empty());
}

#[test]
fn bytes_behind_the_address_do_not_tell_requests_apart() {
    let told = Told::default();
    let mut list = List::new();
    let first = parse(&bytes(1, MULTICAST, 6, &[1, 2, 3, 4, 5, 6, 7, 8])).unwrap();
    let second = parse(&bytes(1, MULTICAST, 6, &[1, 2, 3, 4, 5, 6, 9, 9])).unwrap();
    add(&mut list, &told, first).unwrap();
    assert!(list.remove(&second).map(Joined::leave).is_some());
}

#[test]
fn dropping_what_was_never_added_is_no_error() {
    let told = Told::default();
    let mut list = List::new();
    add(&mut list, &told, request(1, PROMISC, &[])).unwrap();
    for other in [
        request(2, PROMISC, &[]),
        request(1, ALLMULTI, &[]),
        request(1, PROMISC, &[1]),
    ] {
        assert!(list.remove(&other).is_none());
    }
    assert!(!list.is_empty());
    clear(&mut list);
}

#[test]
fn unknown_kind_is_accepted_without_effect() {
    let mut list = List::new();
    let told = Told::default();
    for kind in [4, 77, u16::MAX] {
        let unknown = request(1, kind, &[1]);
        assert!(matches!(
            list.admit(&unknown, Some(6)),
            Ok(Admission::Noted(_))
        ));
        assert_eq!(add(&mut list, &told, unknown), Ok(()));
        assert!(list.remove(&request(1, kind, &[1])).is_none());
    }
    assert!(list.is_empty());
}

#[test]
fn device_that_goes_away_takes_its_memberships_with_it() {
    let told = Told::default();
    let mut list = List::new();
    for ifindex in [1, 2, 1, 3, 1] {
        add(&mut list, &told, request(ifindex, PROMISC, &[])).unwrap();
        add(&mut list, &told, request(ifindex, ALLMULTI, &[])).unwrap();
    }
    clear_device(&mut list, 1);
    assert!(told.borrow().keys().all(|(ifindex, _)| *ifindex != 1));
    assert_eq!(told.borrow().len(), 4);
    assert!(list.remove(&request(1, PROMISC, &[])).is_none());
    clear(&mut list);
    assert!(told.borrow().is_empty());
}

proptest! {
    /// Against a plain multiset: whatever is added and dropped in whichever order, a device was
    /// told exactly of what is still wanted, and of nothing in the end.
    #[test]
    fn device_knows_exactly_what_is_wanted(
        steps in prop::collection::vec((0..4u8, 1..4i32, 0..6u16, 0..3u8), 0..120),
    ) {
        let told = Told::default();
        let mut list = List::new();
        let mut wanted: HashMap<(i32, u16, u8), usize> = HashMap::new();

        for (step, ifindex, kind, last) in steps {
            let request = request(ifindex, kind, &[0, 0, 0, 0, 0, last]);
            let key = (ifindex, kind, last);
            match step {
                0 | 1 => {
                    add(&mut list, &told, request).unwrap();
                    *wanted.entry(key).or_default() += 1;
                }
                2 => {
                    if let Some(joined) = list.remove(&request) {
                        joined.leave();
                    }
                    if let Some(count) = wanted.get_mut(&key) {
                        *count -= 1;
                    }
                    wanted.retain(|_, count| *count > 0);
                }
                _ => {
                    clear_device(&mut list, ifindex);
                    wanted.retain(|(index, ..), _| *index != ifindex);
                }
            }
            let known = wanted.keys().filter(|(_, kind, _)| *kind <= UNICAST).count();
            prop_assert_eq!(told.borrow().values().sum::<usize>(), known);
            prop_assert_eq!(list.is_empty(), wanted.is_empty());
        }
        clear(&mut list);
        prop_assert!(list.is_empty() && told.borrow().is_empty());
    }
}
