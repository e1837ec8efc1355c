//! A seller's team, which always has an owner.

use leadflow_kernel::UserId;

use crate::Member;

/// Why a team stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TeamRefusal {
    /// Whoever acts does not own the tenant (any more).
    #[error("only an owner may change the team")]
    NotOwner,
    /// Nobody of the team.
    #[error("no such member of the team")]
    NoSuchMember,
    /// Nobody would be left who may do everything.
    #[error("the last owner cannot be removed or demoted; make somebody else an owner first")]
    LastOwner,
}

/// Who is in a team, as it is while nobody else can change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team(Vec<(UserId, Member)>);

impl Team {
    /// These members.
    #[must_use]
    pub const fn new(members: Vec<(UserId, Member)>) -> Self {
        Self(members)
    }

    /// Whether `actor` may change the team; `None` is a service, which may.
    ///
    /// # Errors
    /// [`TeamRefusal::NotOwner`].
    pub fn may_change(&self, actor: Option<UserId>) -> Result<(), TeamRefusal> {
        match actor {
            Some(actor) if self.member(actor) != Some(Member::Owner) => Err(TeamRefusal::NotOwner),
            _ => Ok(()),
        }
    }

    /// Lets `actor` give `user` another role, or none; whether that changes anything.
    ///
    /// # Errors
    /// [`TeamRefusal`].
    pub fn change(&self, actor: Option<UserId>, user: UserId, to: Option<Member>) -> Result<bool, TeamRefusal> {
        self.may_change(actor)?;
        let from = self.member(user).ok_or(TeamRefusal::NoSuchMember)?;
        if to == Some(from) {
            return Ok(false);
        }
        let others_own = self.0.iter().any(|(id, member)| *id != user && *member == Member::Owner);
        if from == Member::Owner && !others_own { Err(TeamRefusal::LastOwner) } else { Ok(true) }
    }

    fn member(&self, user: UserId) -> Option<Member> {
        self.0.iter().find(|(id, _)| *id == user).map(|(_, member)| *member)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_owner_changes_everybody_but_the_last_owner() {
        let [ann, bob, cas, stranger] = std::array::from_fn(|_| UserId::new());
        let team = Team::new(vec![(ann, Member::Owner), (bob, Member::Manager), (cas, Member::Viewer)]);
        assert_eq!(team.change(Some(ann), bob, Some(Member::Owner)), Ok(true));
        assert_eq!(team.change(Some(ann), bob, Some(Member::Manager)), Ok(false));
        assert_eq!(team.change(Some(ann), cas, None), Ok(true));
        assert_eq!(team.change(Some(ann), stranger, None), Err(TeamRefusal::NoSuchMember));
        assert_eq!(team.change(Some(ann), ann, Some(Member::Owner)), Ok(false));
        for to in [None, Some(Member::Manager), Some(Member::Viewer)] {
            assert_eq!(team.change(Some(ann), ann, to), Err(TeamRefusal::LastOwner));
            assert_eq!(team.change(None, ann, to), Err(TeamRefusal::LastOwner));
            for actor in [bob, cas, stranger] {
                assert_eq!(team.change(Some(actor), ann, to), Err(TeamRefusal::NotOwner));
            }
        }
        let two = Team::new(vec![(ann, Member::Owner), (bob, Member::Owner)]);
        assert_eq!(two.change(Some(ann), bob, None), Ok(true));
        assert_eq!(two.change(Some(ann), ann, None), Ok(true));
    }

    proptest! {
        #[test]
        fn whatever_is_allowed_an_owner_is_left(
            members in proptest::collection::vec(0_usize..3, 1..6),
            changes in proptest::collection::vec((0_usize..6, 0_usize..6, 0_usize..4), 0..30),
        ) {
            let ids: Vec<UserId> = members.iter().map(|_| UserId::new()).collect();
            let mut team: Vec<_> = ids.iter().copied().zip(members.iter().map(|at| Member::ALL[*at])).collect();
            team[0].1 = Member::Owner;
            for (actor, user, to) in changes {
                let (actor, user) = (ids[actor % ids.len()], ids[user % ids.len()]);
                let to = Member::ALL.get(to).copied();
                if Team::new(team.clone()).change(Some(actor), user, to) == Ok(true) {
                    team.retain(|(id, _)| *id != user);
                    team.extend(to.map(|member| (user, member)));
                }
                prop_assert!(team.iter().any(|(_, member)| *member == Member::Owner));
            }
        }
    }
}
