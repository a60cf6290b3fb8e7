// SPDX-License-Identifier: GPL-2.0

//! Every state that the model can reach, and long random stories.

use super::model::{
    Owner,
    Scene,
    Step, //
};
use kernel::prelude::*;
use proptest::prelude::*;
use std::collections::{
    HashSet,
    VecDeque, //
};

fn every_step(devices: i32) -> Vec<Step> {
    let mut steps = vec![
        Step::Finish,
        Step::Release,
        Step::GracePeriod,
        Step::Rtnl,
        Step::Join,
        Step::OtherEnters,
        Step::OtherLeaves, //
    ];
    for ifindex in 0..=devices {
        for protocol in [0, 3, 4] {
            steps.push(Step::Begin { ifindex, protocol });
        }
    }
    for ifindex in 1..=devices {
        steps.extend([
            Step::Up(ifindex),
            Step::Down(ifindex),
            Step::Remove(ifindex),
        ]);
    }
    steps
}

/// Visits every state that the model can reach, with two devices and two protocols, and a group for
/// `group`, by every step.
fn visit(group: i32) {
    const DEVICES: i32 = 2;

    let steps = every_step(DEVICES);
    let new = || Scene::with_group(DEVICES, group);
    let mut seen = HashSet::from([new().key()]);
    let mut next = VecDeque::from([Vec::new()]);
    let mut hooked = 0;
    let mut placed = 0;
    let mut notifier_waited = 0;
    let mut member_waited = 0;

    while let Some(path) = next.pop_front() {
        new().play(&path).settle();
        for step in &steps {
            let mut scene = new().play(&path);
            if !scene.step(*step) || !seen.insert(scene.key()) {
                continue;
            }
            let member = scene.binding.group().is_some();
            hooked += usize::from(scene.binding.is_hooked() && !member);
            placed += usize::from(scene.binding.is_hooked() && member);
            notifier_waited += usize::from(scene.owner == Some(Owner::Notifier));
            member_waited += usize::from(scene.owner.is_some() && member);
            next.push_back([path.as_slice(), &[*step]].concat());
        }
    }

    // The walk is worth nothing if it did not get around.
    println!(
        "{} states, {hooked} hooked, {placed} placed, {notifier_waited} {member_waited} waiting",
        seen.len()
    );
    assert!(seen.len() > 500, "only {} states", seen.len());
    assert!(hooked > 50 && placed > 5 && notifier_waited > 5 && member_waited > 2);
}

#[test]
fn holds_in_every_reachable_state() {
    visit(1);
}

#[test]
fn holds_in_every_reachable_state_with_a_group_for_all_devices() {
    visit(0);
}

fn any_step(devices: i32) -> impl Strategy<Value = Step> {
    let device = 1..=devices;
    prop_oneof![
        4 => (0..=devices, 0u16..4).prop_map(|(ifindex, protocol)| Step::Begin { ifindex, protocol }),
        4 => Just(Step::Finish),
        1 => Just(Step::Release),
        2 => Just(Step::GracePeriod),
        2 => device.clone().prop_map(Step::Up),
        2 => device.clone().prop_map(Step::Down),
        1 => device.prop_map(Step::Remove),
        6 => Just(Step::Rtnl),
        3 => Just(Step::Join),
        2 => Just(Step::OtherEnters),
        2 => Just(Step::OtherLeaves),
    ]
}

proptest! {
    #[test]
    fn holds_in_long_stories(steps in prop::collection::vec(any_step(4), 0..200)) {
        let mut scene = Scene::new(4).play(&steps);
        scene.settle();
        scene.step(Step::Release);
        scene.settle();
        prop_assert!(scene.devices.iter().all(|device| device.references.get() == 0));
    }

    /// `release()` in the middle of anything ends in `Dead`, and nothing brings the hook back.
    #[test]
    fn release_is_final(
        before in prop::collection::vec(any_step(2), 0..40),
        after in prop::collection::vec(any_step(2), 0..40),
    ) {
        let mut scene = Scene::new(2).play(&before);
        scene.step(Step::Release);
        for step in after {
            scene.step(step);
            prop_assert!(!scene.binding.is_hooked());
            prop_assert_eq!(scene.binding.begin(None, 3).err(), Some(EBADFD));
            prop_assert_eq!(scene.binding.join(|_| unreachable!()).err(), Some(EBADFD));
        }
    }
}
