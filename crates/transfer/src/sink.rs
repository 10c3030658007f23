//! The one way into the store. Who is here already stays as he is, unless the operator says otherwise.

use crate::error::TransferError;
use crate::report::Report;
use accounts::config::PASSWORD_BYTES_MAX;
use accounts::records;
use machine::{Change, Row};
use rooms::Draft;
use std::collections::BTreeMap;
use store::Bulk;
use xmpp::sasl::{Credentials, ITERATIONS, Keys, SALT_BYTES};
use xmpp::{Element, Jid};

/// Whose data is taken: what belongs to other domains is told and left.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// Where accounts live here.
    pub domain: Option<Jid>,
    /// Where rooms are here.
    pub rooms: Option<Jid>,
    /// Localparts that no account can have.
    pub reserved: Vec<String>,
}

/// What becomes of rooms and accounts that are here already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum There {
    /// They stay as they are, and what was to be imported under their names is left.
    Stays,
    /// They are removed with all they have first.
    Replaced,
}

/// What a source gives its findings to.
pub struct Sink<'s, 'c> {
    bulk: &'s mut Bulk<'c>,
    target: Target,
    there: There,
    /// Of whom something has come: whether it is taken.
    decided: BTreeMap<String, bool>,
    /// What was done so far.
    pub report: Report,
}

/// A room on its way in.
pub struct Coming {
    draft: Draft,
    /// What was not taken of its archive.
    not_said: BTreeMap<String, u64>,
}

impl<'s, 'c> Sink<'s, 'c> {
    /// Into this.
    pub fn new(bulk: &'s mut Bulk<'c>, target: &Target, there: There) -> Sink<'s, 'c> {
        Sink { bulk, target: target.clone(), there, decided: BTreeMap::new(), report: Report::default() }
    }

    /// What a domain of the source is here.
    pub fn is_rooms(&self, domain: &str) -> bool {
        self.target.rooms.as_ref().is_some_and(|rooms| rooms.as_str() == domain)
    }

    /// Whether accounts of this domain are kept here.
    pub fn is_accounts(&self, domain: &str) -> bool {
        self.target.domain.as_ref().is_some_and(|own| own.as_str() == domain)
    }

    /// Says that a domain of the source is none here.
    pub fn leave_domain(&mut self, domain: &str, key: &str) {
        self.report.leave(domain, key, "no domain of this configuration, neither of accounts nor of rooms");
    }

    /// Begins a room; `None` where it is not to be taken, which is told.
    pub fn room(&mut self, address: &str) -> Result<Option<Coming>, TransferError> {
        let taken = self.takes_room(address)?;
        let room = Jid::new(address).ok().filter(|_| taken);
        Ok(room.map(|room| Coming { draft: Draft::new(room), not_said: BTreeMap::new() }))
    }

    /// Whether what is of a room is to be taken; decided once, and told where it is not.
    pub fn takes_room(&mut self, address: &str) -> Result<bool, TransferError> {
        let room = match Jid::new(address) {
            Ok(room) if room.is_bare() && room.local().is_some() => room.to_string(),
            _ => return Ok(self.decide(address, Err("no room can have this address"))),
        };
        if let Some(taken) = self.decided.get(&room) {
            return Ok(*taken);
        }
        if !self.is_rooms(room.split_once('@').map_or("", |(_, domain)| domain)) {
            return Ok(self.decide(&room, Err("the rooms of this configuration are elsewhere")));
        }
        if !self.bulk.holds("room", &room)? {
            return Ok(self.decide(&room, Ok(true)));
        }
        if self.there == There::Replaced {
            for space in rooms::SPACES {
                self.apply(&Change::DeleteAll { space, owner: room.clone() })?;
            }
            self.apply(&Change::DeleteArchive { archive: room.clone() })?;
        }
        Ok(self.decide(&room, Ok(self.there == There::Replaced)))
    }

    /// Keeps what was decided of somebody, and tells it: that he is there already, or why nobody can be him.
    fn decide(&mut self, whose: &str, taken: Result<bool, &str>) -> bool {
        match taken {
            Ok(true) => {}
            Ok(false) => self.report.there.push(whose.to_owned()),
            Err(why) => self.report.leave(whose, "", why),
        }
        *self.decided.entry(whose.to_owned()).or_insert(taken == Ok(true))
    }

    /// An option of a room, by the name the source has for it and by that of the owner's form.
    pub fn configure(&mut self, coming: &mut Coming, key: &str, var: &str, values: &[String]) {
        if let Err(why) = coming.draft.configure(var, values) {
            self.report.leave(coming.draft.room().as_str(), key, why);
        }
    }

    /// Who somebody is to a room.
    pub fn affiliate(
        &mut self,
        coming: &mut Coming,
        jid: &str,
        affiliation: &str,
        nick: Option<&str>,
        reason: Option<&str>,
    ) {
        let room = coming.draft.room().to_string();
        if let Err(why) = coming.draft.affiliate(jid, affiliation, nick, reason) {
            self.report.leave(room, format!("{affiliation} {jid}"), why);
        } else if let Some(nick) = nick
            && coming.draft.nick_of(jid).is_none()
        {
            self.report.leave(room, format!("nick {nick} of {jid}"), "cannot be reserved, or is reserved for another");
        }
    }

    /// What a room's subject is.
    pub fn entitle(&mut self, coming: &mut Coming, nick: Option<&str>, subject: &str, stamp_ms: i64) {
        coming.draft.entitle(nick, subject.to_owned(), stamp_ms);
    }

    /// A room's vCard, by the name the source has for it; `None` where it is none that can be read.
    pub fn show(&mut self, coming: &mut Coming, key: &str, card: Option<&Element>) {
        let done = card.ok_or("is no XML".to_owned()).and_then(|card| coming.draft.show(card));
        if let Err(why) = done {
            self.leave_of(coming, key, &why);
        }
    }

    /// Something of a room's archive, in the order in which it was said.
    pub fn say(&mut self, coming: &mut Coming, said: &Element, id: &str, stamp_ms: i64) -> Result<(), TransferError> {
        let taken = match coming.draft.say(said, id, stamp_ms) {
            Ok(row) => match self.apply(&Change::Append(row))? {
                true => Ok(()),
                false => Err("has the id of another".to_owned()),
            },
            Err(why) => Err(why.to_string()),
        };
        match taken {
            Ok(()) => self.report.messages += 1,
            Err(why) => *coming.not_said.entry(why).or_default() += 1,
        }
        Ok(())
    }

    /// Ends a room: it is there now.
    pub fn finish(&mut self, coming: Coming, archive: &str) -> Result<(), TransferError> {
        let Coming { draft, not_said } = coming;
        for (why, count) in not_said {
            self.report.leave(draft.room().as_str(), format!("{archive}, {count} of it"), why);
        }
        if !draft.has_owner() {
            self.report.leave(draft.room().as_str(), "owner", "it has none; an admin of the server can make one");
        }
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        draft.records(seed).into_iter().try_for_each(|change| self.record(change))
    }

    /// Says that something of a room stays behind.
    pub fn leave_of(&mut self, coming: &Coming, key: &str, why: &str) {
        self.report.leave(coming.draft.room().as_str(), key, why);
    }

    /// Begins an account whose password is known; `None` where it is not to be taken, which is told.
    pub fn account_with_password(
        &mut self,
        user: &str,
        password: &str,
    ) -> Result<Option<accounts::Draft>, TransferError> {
        if !(1..=PASSWORD_BYTES_MAX).contains(&password.len()) {
            self.leave_user(user, "password", "it is empty or too long");
            return Ok(None);
        }
        let Some(local) = self.account(user)? else { return Ok(None) };
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt)?;
        Ok(Some(accounts::Draft::new(&local, Credentials::new(password, &salt, ITERATIONS))))
    }

    /// Begins an account of which what SCRAM needs is known, in the same way.
    pub fn account_with_keys(
        &mut self,
        user: &str,
        sha1: Option<Keys>,
        sha256: Option<Keys>,
    ) -> Result<Option<accounts::Draft>, TransferError> {
        let Some(sha1) = sha1 else {
            let why = "without a password or keys for SCRAM-SHA-1 it could not log in here; make it anew";
            self.leave_user(user, "password", why);
            return Ok(None);
        };
        let Some(local) = self.account(user)? else { return Ok(None) };
        Ok(Some(accounts::Draft::new(&local, Credentials { sha1, sha256 })))
    }

    /// A contact of an account, as a roster shows it.
    pub fn contact(&mut self, draft: &mut accounts::Draft, item: &Element) {
        let taken = draft.contact(item);
        self.judge(draft.local(), &format!("contact {}", item.get("jid").unwrap_or_default()), taken);
    }

    /// Somebody's request that an account has not answered.
    pub fn request(&mut self, draft: &mut accounts::Draft, presence: &Element) {
        let taken = draft.request(presence);
        self.judge(draft.local(), &format!("request of {}", presence.get("from").unwrap_or_default()), taken);
    }

    /// Says that something of an account stays behind, where that is what was decided.
    pub fn judge(&mut self, user: &str, key: &str, taken: Result<(), String>) {
        if let Err(why) = taken {
            self.leave_user(user, key, &why);
        }
    }

    /// Says that something of an account, or all of it, stays behind.
    pub fn leave_user(&mut self, user: &str, key: &str, why: &str) {
        let domain = self.target.domain.as_ref().map_or("", Jid::as_str);
        self.report.leave(format!("{user}@{domain}"), key, why);
    }

    /// Ends an account: it is there now.
    pub fn finish_account(&mut self, draft: accounts::Draft) -> Result<(), TransferError> {
        draft.records().into_iter().try_for_each(|change| self.record(change))
    }

    /// Makes room for an account: its normalised localpart, or `None` where it is not to be taken, which is told.
    fn account(&mut self, user: &str) -> Result<Option<String>, TransferError> {
        let Some(domain) = self.target.domain.clone() else { return Ok(None) };
        let jid = Jid::from_parts(Some(user), domain.as_str(), None).ok();
        let Some(local) = jid.as_ref().and_then(Jid::local).map(str::to_owned) else {
            self.leave_user(user, "", "no account can have this name");
            return Ok(None);
        };
        Ok(self.takes_account(&local, domain.as_str())?.then_some(local))
    }

    /// Whether what is of an account, by its normalised localpart, is to be taken; in the same way.
    pub fn takes_account(&mut self, local: &str, domain: &str) -> Result<bool, TransferError> {
        let jid = format!("{local}@{domain}");
        if let Some(taken) = self.decided.get(&jid) {
            return Ok(*taken);
        }
        if !self.is_accounts(domain) {
            return Ok(self.decide(&jid, Err("the accounts of this configuration are elsewhere")));
        }
        if self.target.reserved.iter().any(|reserved| reserved == local) {
            return Ok(self.decide(&jid, Err("this name is kept for a service of the domain")));
        }
        if !self.bulk.holds(records::SPACE_ACCOUNT, local)? {
            return Ok(self.decide(&jid, Ok(true)));
        }
        if self.there == There::Replaced {
            records::delete_account(local).iter().try_for_each(|change| self.apply(change).map(drop))?;
        }
        Ok(self.decide(&jid, Ok(self.there == There::Replaced)))
    }

    /// A record of a room or an account that is taken, as it was kept.
    pub fn record(&mut self, change: Change) -> Result<(), TransferError> {
        if let Change::Put { space, key, .. } = &change {
            self.report.count(space, key);
        }
        self.apply(&change).map(drop)
    }

    /// A message of a room that is taken, as it was kept.
    pub fn message(&mut self, row: Row) -> Result<(), TransferError> {
        self.report.messages += u64::from(self.apply(&Change::Append(row))?);
        Ok(())
    }

    /// Makes one change.
    fn apply(&mut self, change: &Change) -> Result<bool, TransferError> {
        Ok(self.bulk.apply(change)?)
    }
}
