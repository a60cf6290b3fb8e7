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
        Step::Rtnl, //
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

/// Visits every state that the model can reach, with two devices and two protocols, by every step.
#[test]
fn holds_in_every_reachable_state() {
    const DEVICES: i32 = 2;

    let steps = every_step(DEVICES);
    let mut seen = HashSet::from([Scene::new(DEVICES).key()]);
    let mut next = VecDeque::from([Vec::new()]);
    let mut hooked = 0;
    let mut notifier_waited = 0;

    while let Some(path) = next.pop_front() {
        Scene::play(DEVICES, &path).settle();
        for step in &steps {
            let mut scene = Scene::play(DEVICES, &path);
            if !scene.step(*step) || !seen.insert(scene.key()) {
                continue;
            }
            hooked += usize::from(scene.binding.is_hooked());
            notifier_waited += usize::from(scene.owner == Some(Owner::Notifier));
            next.push_back([path.as_slice(), &[*step]].concat());
        }
    }

    // The walk is worth nothing if it did not get around.
    assert!(seen.len() > 500, "only {} states", seen.len());
    assert!(hooked > 50 && notifier_waited > 5);
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
    ]
}

proptest! {
    #[test]
    fn holds_in_long_stories(steps in prop::collection::vec(any_step(4), 0..200)) {
        let mut scene = Scene::play(4, &steps);
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
        let mut scene = Scene::play(2, &before);
        scene.step(Step::Release);
        for step in after {
            scene.step(step);
            prop_assert!(!scene.binding.is_hooked());
            prop_assert_eq!(scene.binding.begin(None, 3).err(), Some(EBADFD));
        }
    }
}
