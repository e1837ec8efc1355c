/// Of what is taken, one in so many is for what has failed before.
const EVERY: usize = 4;

/// Who is next where what is new goes first: one place in four is kept for what has failed, however few are taken at a time. So
/// a flood of news that never ends does not keep what failed from ever being tried again, and holds it up no more than fourfold.
#[derive(Debug, Clone, Default)]
pub struct Turns {
    /// Places since the last that was kept.
    since: usize,
}

impl Turns {
    /// How many of the next `places` are kept for what has failed. Those that it does not need are for what is new.
    pub const fn kept(&mut self, places: usize) -> usize {
        let all = self.since.saturating_add(places);
        self.since = all % EVERY;
        all / EVERY
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_place_at_a_time_is_one_in_four_too() {
        let mut turns = Turns::default();
        let kept: Vec<usize> = [1; 8].into_iter().map(|places| turns.kept(places)).collect();
        assert_eq!(kept, [0, 0, 0, 1, 0, 0, 0, 1]);
        assert_eq!(Turns::default().kept(16), 4);
    }

    proptest! {
        #[test]
        fn a_quarter_however_places_come(places in proptest::collection::vec(0_usize..40, 0..60)) {
            let mut turns = Turns::default();
            let (mut all, mut kept) = (0, 0);
            for places in places {
                let now = turns.kept(places);
                prop_assert!(now <= places);
                (all, kept) = (all + places, kept + now);
                prop_assert_eq!(kept, all / EVERY);
            }
        }
    }
}
