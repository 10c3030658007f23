//! Who may do what to whom: XEP-0045 5.1 and 5.2 with the tables of privileges and state changes, and the sentences about
//! single cases in 8.2 to 10.8. Pure.

use crate::names::{Affiliation, Role};
use xmpp::stanza::Condition;

/// Standing of somebody in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub role: Role,
    pub affiliation: Affiliation,
}

/// Whether `actor` may give `target` the role `to`.
pub(crate) fn judge_role(actor: Standing, target: Standing, to: Role) -> Result<(), Condition> {
    // 9, the introduction: who moderates is the admins' to say, in the room or not; 8: all else the moderators'.
    let of_moderators = to == Role::Moderator || (to == Role::Participant && target.role == Role::Moderator);
    let may = if of_moderators { actor.affiliation >= Affiliation::Admin } else { actor.role == Role::Moderator };
    if !may {
        return Err(Condition::Forbidden);
    }
    if to >= target.role {
        return Ok(());
    }
    // 8.2: nobody is kicked by somebody lower.
    if target.affiliation > actor.affiliation {
        return Err(Condition::NotAllowed);
    }
    // 5.1.3: moderators go by the hand of admins and owners.
    if target.role == Role::Moderator && actor.affiliation < Affiliation::Admin {
        return Err(Condition::NotAllowed);
    }
    // 8.4 and 9.7: admins and owners are moderators by what they are; only leaving the room ends it.
    if to != Role::None && target.affiliation >= Affiliation::Admin {
        return Err(Condition::NotAllowed);
    }
    // 8.4: voice is not taken from somebody "whose affiliation is at or above the moderator's level"; to have none (5.2) is to
    // be on no level.
    if to == Role::Visitor && target.affiliation >= actor.affiliation.max(Affiliation::Member) {
        return Err(Condition::NotAllowed);
    }
    Ok(())
}

/// Whether somebody of affiliation `actor` may make somebody who is `from` a `to`; `himself` when both are one.
pub(crate) fn judge_affiliation(
    actor: Affiliation,
    from: Affiliation,
    to: Affiliation,
    himself: bool,
) -> Result<(), Condition> {
    if actor < Affiliation::Admin {
        return Err(Condition::Forbidden);
    }
    // 9.1: nobody bans himself.
    if himself && to == Affiliation::Outcast {
        return Err(Condition::Conflict);
    }
    if actor == Affiliation::Owner {
        return Ok(());
    }
    // 9.1: an admin does not ban owners, nor (5.2.2) other admins;
    if from >= Affiliation::Admin && to == Affiliation::Outcast {
        return Err(Condition::NotAllowed);
    }
    // 10.3 to 10.8: all else about admins and owners is the owners' to say.
    if from >= Affiliation::Admin || to >= Affiliation::Admin { Err(Condition::Forbidden) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Affiliation::{Admin, Member, None, Outcast, Owner};

    fn role(actor: (Role, Affiliation), target: (Role, Affiliation), to: Role) -> Result<(), Condition> {
        let standing = |(role, affiliation)| Standing { role, affiliation };
        judge_role(standing(actor), standing(target), to)
    }

    /// 5.1.1, the table, and 8.2 to 8.4, 9.6, 9.7.
    #[test]
    fn s5_1_1_privileges_of_roles() {
        // XEP-0045 5.1.1-a, 5.1.3-b, 5.2.1-a
        use Role::{Moderator, Participant, Visitor};
        let out = Role::None;
        assert_eq!(role((Participant, Member), (Visitor, None), out), Err(Condition::Forbidden));
        assert_eq!(role((Moderator, None), (Participant, None), out), Ok(()));
        assert_eq!(role((Moderator, None), (Participant, Member), out), Err(Condition::NotAllowed));
        assert_eq!(role((Moderator, Member), (Moderator, Admin), out), Err(Condition::NotAllowed));
        assert_eq!(role((Moderator, Admin), (Moderator, Owner), out), Err(Condition::NotAllowed));
        assert_eq!(role((Moderator, None), (Moderator, None), out), Err(Condition::NotAllowed));
        assert_eq!(role((Moderator, Admin), (Moderator, None), out), Ok(()));
        assert_eq!(role((Moderator, None), (Visitor, None), Participant), Ok(()));
        assert_eq!(role((Moderator, Owner), (Moderator, Admin), Visitor), Err(Condition::NotAllowed));
        assert_eq!(role((Moderator, None), (Participant, None), Moderator), Err(Condition::Forbidden));
        assert_eq!(role((Moderator, Admin), (Participant, None), Moderator), Ok(()));
        assert_eq!(role((Moderator, Member), (Moderator, Admin), Participant), Err(Condition::Forbidden));
        assert_eq!(role((Moderator, Admin), (Moderator, Owner), Participant), Err(Condition::NotAllowed));
    }

    /// 8, the introduction: who is not in the room, or no moderator there, has no say about voice, whatever his affiliation;
    /// 9: about moderators admins have it from anywhere.
    #[test]
    fn s8_who_is_no_moderator_is_forbidden() {
        use Role::{Moderator, Participant, Visitor};
        assert_eq!(role((Role::None, Owner), (Participant, None), Role::None), Err(Condition::Forbidden));
        assert_eq!(role((Role::None, Owner), (Participant, None), Visitor), Err(Condition::Forbidden));
        assert_eq!(role((Role::None, Admin), (Participant, None), Moderator), Ok(()));
        assert_eq!(role((Role::None, Admin), (Moderator, Member), Participant), Ok(()));
    }

    /// 8.4: who may take voice from whom.
    #[test]
    fn s8_4_voice_is_not_taken_at_or_above_ones_level() {
        // XEP-0045 8.4-c
        use Role::{Moderator, Participant, Visitor};
        assert_eq!(role((Moderator, None), (Participant, None), Visitor), Ok(()));
        assert_eq!(role((Moderator, None), (Participant, Member), Visitor), Err(Condition::NotAllowed));
        assert_eq!(role((Moderator, Member), (Participant, Member), Visitor), Err(Condition::NotAllowed));
        assert_eq!(role((Moderator, Member), (Participant, None), Visitor), Ok(()));
        assert_eq!(role((Moderator, Admin), (Participant, Member), Visitor), Ok(()));
    }

    /// 5.2.1, the table, and 9.1, 10.3 to 10.8.
    #[test]
    fn s5_2_1_privileges_of_affiliations() {
        assert_eq!(judge_affiliation(Member, None, Outcast, false), Err(Condition::Forbidden));
        assert_eq!(judge_affiliation(Admin, None, Outcast, false), Ok(()));
        assert_eq!(judge_affiliation(Admin, Owner, Outcast, false), Err(Condition::NotAllowed));
        assert_eq!(judge_affiliation(Admin, Admin, Outcast, true), Err(Condition::Conflict));
        assert_eq!(judge_affiliation(Owner, Owner, Outcast, true), Err(Condition::Conflict));
        assert_eq!(judge_affiliation(Admin, None, Member, false), Ok(()));
        assert_eq!(judge_affiliation(Admin, None, Admin, false), Err(Condition::Forbidden));
        assert_eq!(judge_affiliation(Owner, Admin, None, false), Ok(()));
        assert_eq!(judge_affiliation(Admin, Owner, Member, false), Err(Condition::Forbidden));
        assert_eq!(judge_affiliation(Admin, Admin, None, false), Err(Condition::Forbidden));
        assert_eq!(judge_affiliation(Admin, Admin, None, true), Err(Condition::Forbidden));
    }
}
