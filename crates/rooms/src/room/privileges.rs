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
    if actor.role != Role::Moderator && actor.affiliation < Affiliation::Admin {
        return Err(Condition::Forbidden);
    }
    // 9.6: moderators are made by admins and owners alone.
    if to == Role::Moderator && actor.affiliation < Affiliation::Admin {
        return Err(Condition::Forbidden);
    }
    if to >= target.role {
        return Ok(());
    }
    // 8.2 and 8.4: nobody loses by the hand of somebody lower.
    if target.affiliation > actor.affiliation {
        return Err(Condition::NotAllowed);
    }
    // 5.1.3: moderators go by the hand of admins and owners.
    if target.role == Role::Moderator && actor.affiliation < Affiliation::Admin {
        return Err(Condition::NotAllowed);
    }
    // 5.1.1 and 9.7: admins and owners are moderators by what they are; only leaving the room ends it.
    if to != Role::None && target.affiliation >= Affiliation::Admin {
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
    // 9.1: an admin does nothing to admins and owners,
    if from >= Affiliation::Admin {
        return Err(Condition::NotAllowed);
    }
    // 10.3, 10.6: and makes none.
    if to >= Affiliation::Admin { Err(Condition::Forbidden) } else { Ok(()) }
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
    }
}
