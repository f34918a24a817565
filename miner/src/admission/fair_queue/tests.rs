//! The bounds that the queue promises, against any traffic of the others.

use proptest::prelude::*;

use super::*;

/// Tokens of the largest ask.
const LARGEST: u32 = 256;
const VICTIM: Hotkey = Hotkey([0; 32]);

fn asker(n: u8) -> Hotkey {
    Hotkey([n; 32])
}

/// What others do before, and between, the turns.
#[derive(Clone, Debug)]
enum Act {
    Push { who: u8, tokens: u32 },
    Pop,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (1_u8..6, 1..=LARGEST).prop_map(|(who, tokens)| Act::Push { who, tokens }),
        1 => Just(Act::Pop),
    ]
}

fn weights() -> impl Strategy<Value = Vec<Weight>> {
    prop::collection::vec((1_u16..=1000).prop_map(Weight::new), 6)
}

proptest! {
    /// The first request of an idle asker waits for at most one request of every other, whatever has been going on and goes
    /// on, and whatever it weighs.
    #[test]
    fn an_idle_asker_waits_for_one_request_of_each_other(
        weights in weights(),
        before in prop::collection::vec(act(), 0..200),
        during in prop::collection::vec(act(), 400..401),
        tokens in 1..=LARGEST,
    ) {
        let mut queue = FairQueue::new(10_000);
        let push = |queue: &mut FairQueue<()>, who: u8, tokens| {
            assert!(queue.push(asker(who), weights[usize::from(who)], tokens, ()).is_none());
        };
        for act in before {
            match act {
                Act::Push { who, tokens } => push(&mut queue, who, tokens),
                Act::Pop => drop(queue.pop()),
            }
        }
        queue.push(VICTIM, weights[0], tokens, ());
        let mut ahead = [0; 6];
        for act in during {
            if let Act::Push { who, tokens } = act {
                push(&mut queue, who, tokens);
            }
            match queue.pop() {
                Some((VICTIM, ..)) => return Ok(()),
                Some((who, ..)) => ahead[usize::from(who.0[0])] += 1,
                None => {}
            }
            prop_assert!(ahead.iter().all(|served| *served <= 1), "{ahead:?}");
        }
        prop_assert!(false, "it is never served");
    }

    /// While an asker's own `c` tokens before a request are served, another gets at most `c` times the ratio of weights, and
    /// one request.
    #[test]
    fn who_is_served_besides_is_bounded_by_weight(
        weights in weights(),
        own in prop::collection::vec(1..=LARGEST, 1..20),
        others in prop::collection::vec((1_u8..6, 1..=LARGEST), 0..400),
    ) {
        let mut queue = FairQueue::new(10_000);
        for tokens in &own {
            queue.push(VICTIM, weights[0], *tokens, ());
        }
        for (who, tokens) in others {
            queue.push(asker(who), weights[usize::from(who)], tokens, ());
        }
        let (mut mine, mut theirs) = (0_u64, [0_u64; 6]);
        while let Some((who, tokens, ())) = queue.pop() {
            if who == VICTIM {
                mine += u64::from(tokens);
                if mine == own.iter().map(|t| u64::from(*t)).sum::<u64>() {
                    break;
                }
            } else {
                let who = usize::from(who.0[0]);
                theirs[who] += u64::from(tokens);
                let ratio = f64::from(weights[who].thousandths()) / f64::from(weights[0].thousandths());
                let most = mine as f64 * ratio + f64::from(LARGEST);
                // What is being served next is among what lies before the bound, so its own turn counts.
                let turn = f64::from(LARGEST) * ratio;
                prop_assert!(theirs[who] as f64 <= most + turn + 1.0, "{} over {most}", theirs[who]);
            }
        }
    }

    /// Nothing is lost or doubled, and the queue never holds more than its capacity.
    #[test]
    fn every_request_is_served_displaced_or_waits(
        capacity in 1_usize..20,
        acts in prop::collection::vec(act(), 0..300),
    ) {
        let mut queue = FairQueue::new(capacity);
        let (mut pushed, mut out) = (0_u32, Vec::new());
        for act in acts {
            match act {
                Act::Push { who, tokens } => {
                    let displaced = queue.push(asker(who), Weight::FULL, tokens, pushed);
                    out.extend(displaced.map(|displaced| displaced.item));
                    pushed += 1;
                }
                Act::Pop => out.extend(queue.pop().map(|(_, _, item)| item)),
            }
            prop_assert!(queue.len() <= capacity);
            prop_assert!(queue.lines.len() <= 6);
        }
        while let Some((_, _, item)) = queue.pop() {
            out.push(item);
        }
        prop_assert!(queue.is_empty());
        out.sort_unstable();
        prop_assert_eq!(out, (0..pushed).collect::<Vec<_>>());
    }

    /// Whoever holds less than the others for its weight has a place, however full the queue is.
    #[test]
    fn a_flood_displaces_itself(
        capacity in 2_usize..64,
        flood in prop::collection::vec(1..=LARGEST, 64..200),
        tokens in 1..=LARGEST,
    ) {
        let mut queue = FairQueue::new(capacity);
        for tokens in flood {
            queue.push(asker(1), Weight::FULL, tokens, ());
        }
        prop_assert_eq!(queue.len(), capacity);
        let held = queue.waiting_tokens(&asker(1));
        let displaced = queue.push(asker(2), Weight::FULL, tokens, ()).map(|d| d.asker);
        let expected = if held >= u64::from(tokens) && held != u64::from(tokens) { asker(1) } else { asker(2) };
        prop_assert_eq!(displaced, Some(expected));
    }
}

#[test]
fn the_same_traffic_gives_the_same_order() {
    let order = || {
        let mut queue = FairQueue::new(100);
        for n in 0..60_u8 {
            let tokens = 1 + u32::from(n) * 37 % LARGEST;
            queue.push(
                asker(n % 7),
                Weight::new(100 * (1 + u16::from(n % 7))),
                tokens,
                n,
            );
        }
        std::iter::from_fn(move || queue.pop().map(|(_, _, n)| n)).collect::<Vec<_>>()
    };
    assert_eq!(order(), order());
}

#[test]
fn weights_divide_the_miner_between_those_who_never_rest() {
    let mut queue = FairQueue::new(1_000);
    for _ in 0..400 {
        queue.push(asker(1), Weight::new(1000), 100, ());
        queue.push(asker(2), Weight::new(250), 100, ());
    }
    let mut served = [0_u32; 3];
    for _ in 0..200 {
        let (who, ..) = queue.pop().unwrap();
        served[usize::from(who.0[0])] += 1;
    }
    assert_eq!(served, [0, 160, 40]);
}

#[test]
fn who_left_keeps_no_place_but_has_had_its_turn() {
    let mut queue = FairQueue::new(10);
    for item in 0..4 {
        queue.push(asker(1), Weight::FULL, 100, item);
    }
    queue.push(asker(2), Weight::FULL, 100, 9);
    assert_eq!(queue.remove_if(|item| *item < 3), [0, 1, 2]);
    assert_eq!(queue.len(), 2);
    assert_eq!(queue.pop().unwrap().2, 9);
    assert_eq!(queue.pop().unwrap().2, 3);
    assert!(queue.pop().is_none());
}
