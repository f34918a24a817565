//! Which attacks share a subnet.

use std::{collections::BTreeMap, fmt};

use crate::adversary::{Driver, Seat, Stage};

/// Seats of attackers that one subnet bears at most on two cores, those aside that compute nothing.
const SEATS: usize = 10;
/// Honest miners beside them, of whose pay the attackers' is a multiple.
const HONEST: usize = 3;

/// The attacks of one subnet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bill {
    stage: Stage,
    pub(super) drivers: Vec<&'static Driver>,
}

impl Bill {
    /// Honest miners on the subnet.
    pub(super) fn honest(&self) -> usize {
        HONEST
    }

    /// Whether the honest miners, too, draw from cards of stated speed.
    pub(super) fn is_on_cards(&self) -> bool {
        self.stage == Stage::Crowd
    }

    /// Whether the subnet has no free slot.
    pub(super) fn is_full(&self) -> bool {
        self.stage == Stage::Slots
    }
}

impl fmt::Display for Bill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.drivers.iter().map(|driver| driver.name).collect();
        f.write_str(&names.join(", "))
    }
}

/// The subnets that these attacks take, each with attacks of one stage.
pub(super) fn bills(drivers: &[&'static Driver]) -> Vec<Bill> {
    let mut stages: BTreeMap<Stage, Vec<&'static Driver>> = BTreeMap::new();
    for driver in drivers {
        stages.entry(driver.stage).or_default().push(driver);
    }
    let mut bills = Vec::new();
    for (stage, drivers) in stages {
        let mut bill: Vec<&'static Driver> = Vec::new();
        for driver in drivers {
            let seats = |drivers: &[&Driver]| drivers.iter().map(|it| computing(it)).sum::<usize>();
            if !bill.is_empty() && seats(&bill) + computing(driver) > SEATS {
                let drivers = std::mem::take(&mut bill);
                bills.push(Bill { stage, drivers });
            }
            bill.push(driver);
        }
        bills.push(Bill {
            stage,
            drivers: bill,
        });
    }
    bills
}

/// Seats of an attack that may compute answers or grades.
fn computing(driver: &Driver) -> usize {
    let seats = driver.seats.iter();
    seats.filter(|seat| **seat != Seat::Later).count().min(3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adversary;

    #[test]
    fn every_attack_is_on_one_bill_with_others_of_its_stage() {
        let all: Vec<&'static Driver> = adversary::ALL.iter().collect();
        let bills = bills(&all);
        let mut billed: Vec<_> = bills.iter().flat_map(|bill| bill.drivers.clone()).collect();
        assert_eq!(billed.len(), all.len());
        billed.sort_by_key(|driver| driver.name);
        billed.dedup();
        assert_eq!(billed.len(), all.len());
        for bill in &bills {
            assert!(
                bill.drivers.iter().all(|it| it.stage == bill.stage),
                "{bill}"
            );
            let seats: usize = bill.drivers.iter().map(|it| computing(it)).sum();
            assert!(seats <= SEATS, "{bill}");
        }
    }

    #[test]
    fn one_attack_has_a_subnet_for_itself() {
        let cabal = Driver::find("cabal").unwrap();
        assert_eq!(bills(&[cabal]).len(), 1);
        assert!(bills(&[]).is_empty());
    }
}
