// SPDX-License-Identifier: GPL-2.0

//! Runs a scenario once for each way in which its choices can go.
//!
//! The scenario asks [`Oracle::choose`] wherever something may happen or not: an interrupt, a
//! completion, a step of another CPU. [`explore`] replays it with every sequence of answers, so what
//! holds at the end holds for each interleaving, not for those that a random test happened to hit.

/// Answers the questions of one run.
pub(crate) struct Oracle {
    answers: Vec<(usize, usize)>,
    position: usize,
}

impl Oracle {
    /// One of `0..count`.
    pub(crate) fn choose(&mut self, count: usize) -> usize {
        if self.position == self.answers.len() {
            self.answers.push((0, count));
        }
        let (answer, asked) = self.answers[self.position];
        assert_eq!(
            asked, count,
            "the scenario is not a function of its answers"
        );
        self.position += 1;
        answer
    }

    /// Yes or no.
    pub(crate) fn maybe(&mut self) -> bool {
        self.choose(2) == 1
    }
}

/// Runs `scenario` with every sequence of answers, and returns how many there are.
pub(crate) fn explore(mut scenario: impl FnMut(&mut Oracle)) -> usize {
    let mut oracle = Oracle {
        answers: Vec::new(),
        position: 0,
    };
    for run in 1.. {
        oracle.position = 0;
        scenario(&mut oracle);
        // The next sequence in lexicographic order.
        loop {
            match oracle.answers.pop() {
                None => return run,
                Some((answer, count)) if answer + 1 < count => {
                    oracle.answers.push((answer + 1, count));
                    break;
                }
                Some(_) => {}
            }
        }
    }
    unreachable!()
}

#[test]
fn explores_every_sequence_once() {
    let mut seen = std::collections::BTreeSet::new();
    let runs = explore(|oracle| {
        let first = oracle.choose(3);
        let second = if first == 1 { oracle.choose(2) } else { 9 };
        assert!(seen.insert((first, second)));
    });
    assert_eq!(runs, 4);
    assert_eq!(seen.len(), 4);
}
