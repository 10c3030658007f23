//! What shards and operators ask: credentials, binding, accounts, links, rooms.

use super::machines::Who;
use super::{At, Core};
use crate::control::{Answer, Refusal, Request, Response};
use crate::edge::shard::Order;
use accounts::{AccountError, BindError, Bound};
use machine::{Input, Token};
use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;
use tokio::sync::oneshot;
use xmpp::sasl::Credentials;
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid};

/// Who waits for an account to be durable, by token.
pub(super) type Waiting = BTreeMap<Token, Waiter>;

/// How somebody is told.
pub(super) enum Waiter {
    /// A client that registers.
    Client(oneshot::Sender<Result<(), StanzaError>>),
    /// An operator.
    Operator(oneshot::Sender<Response>),
}

impl Core {
    pub(super) fn credentials(&self, user: &Jid) -> Option<Credentials> {
        let (_, accounts) = self.machines.accounts.as_ref()?;
        accounts.credentials(user.local()?).cloned()
    }

    /// RFC 6120 7.7.2.2: the newer stream has the resource, the older ends with `conflict`.
    pub(super) async fn bind(&mut self, user: &Jid, at: At, reply: oneshot::Sender<Result<Jid, Condition>>) {
        let mut bound = self.try_bind(user).await;
        // Who comes back again and again without resuming is not shut out by what nobody will come back for.
        if bound == Err(BindError::TooManySessions)
            && let Some(longest) = self.asleep.get(user.bare_str()).and_then(|jids| jids.first().cloned())
        {
            self.end_session(longest, "resource-constraint").await;
            bound = self.try_bind(user).await;
        }
        let result = match bound {
            Ok(bound) => {
                let older = self.sessions.insert(bound.jid.clone(), at);
                self.wakes(&bound.jid);
                if let Some(older) = older.filter(|older| bound.replaced && *older != at) {
                    self.order(older.shard, Order::Close(older.place, "conflict")).await;
                }
                Ok(bound.jid)
            }
            Err(error) => Err(BindError::condition(error)),
        };
        self.note_sessions();
        // A client that has gone meanwhile says so by itself.
        let _ = reply.send(result);
    }

    async fn try_bind(&mut self, user: &Jid) -> Result<Bound, BindError> {
        let (_, accounts) = self.machines.accounts.as_mut().ok_or(BindError::NoAccount)?;
        let mut out = Vec::new();
        let bound = accounts.bind(user, &mut out);
        self.want(Who::Accounts, out);
        self.settle().await;
        bound
    }

    /// Ends a session from here; its shard says what it did not take.
    async fn end_session(&mut self, jid: Jid, condition: &'static str) {
        if let Some(at) = self.sessions.get(&jid).copied() {
            self.order(at.shard, Order::Close(at.place, condition)).await;
            self.session_ended(jid, at);
            self.settle().await;
        }
    }

    /// A client's stream has ended; one that was replaced has been dealt with.
    pub(super) fn session_ended(&mut self, jid: Jid, at: At) {
        if self.sessions.get(&jid) == Some(&at) {
            self.sessions.remove(&jid);
            self.wakes(&jid);
            self.feed(Who::Accounts, Input::SessionEnded(jid));
            self.note_sessions();
        }
    }

    pub(super) fn session_asleep(&mut self, jid: Jid, at: At, asleep: bool) {
        self.wakes(&jid);
        if asleep && self.sessions.get(&jid) == Some(&at) {
            self.asleep.entry(jid.bare_str().to_owned()).or_default().push(jid);
        }
    }

    /// A session does not wait any more.
    pub(super) fn wakes(&mut self, jid: &Jid) {
        if let Some(jids) = self.asleep.get_mut(jid.bare_str()) {
            jids.retain(|other| other != jid);
            if jids.is_empty() {
                self.asleep.remove(jid.bare_str());
            }
        }
    }

    /// What a session that has ended was sent and did not take is for its account to deal with.
    pub(super) fn give_back(&mut self, undelivered: Vec<Element>) {
        let now = self.now();
        let Some((_, accounts)) = &mut self.machines.accounts else { return };
        let mut out = Vec::new();
        for stanza in undelivered {
            accounts.undelivered(stanza, now, &mut out);
        }
        self.want(Who::Accounts, out);
    }

    fn note_sessions(&self) {
        self.edge.counters.sessions.store(self.sessions.len() as u64, Relaxed);
    }

    pub(super) fn stream_ended(&mut self, domain: &str) {
        for who in [Who::Primary, Who::Replica] {
            self.feed(who, Input::StreamEnded(domain.to_owned()));
        }
    }

    /// The replica cannot be sure of its users any more.
    pub(super) fn component_ended(&mut self, index: usize) {
        let Some((attached, serves)) = self.edge.config.attached() else { return };
        if attached == index {
            let serves: Vec<String> = serves.iter().map(ToString::to_string).collect();
            serves.into_iter().for_each(|domain| self.feed(Who::Replica, Input::StreamEnded(domain)));
        }
    }

    /// XEP-0077 3.1: answered when the account is durable.
    pub(super) fn register(
        &mut self,
        user: &Jid,
        credentials: Credentials,
        reply: oneshot::Sender<Result<(), StanzaError>>,
    ) {
        let made = self.create(user, credentials);
        match made {
            Ok(token) => _ = self.registering.insert(token, Waiter::Client(reply)),
            Err(error) => _ = reply.send(Err(StanzaError::new(error.condition(), error.to_string()))),
        }
    }

    /// Tells whoever waits for a token of the accounts.
    pub(super) fn answer_registered(&mut self, who: Who, input: &Input) {
        if who != Who::Accounts {
            return;
        }
        let (token, durable) = match input {
            Input::Persisted(token) => (*token, true),
            Input::PersistFailed(token) => (*token, false),
            _ => return,
        };
        match self.registering.remove(&token) {
            Some(Waiter::Client(reply)) => {
                let result = if durable { Ok(()) } else { Err(Condition::InternalServerError.into()) };
                let _ = reply.send(result);
            }
            Some(Waiter::Operator(reply)) => {
                let refusal =
                    || Refusal::failed("the store could not keep it; `netjoin store stats` and the log say more");
                let _ = reply.send(if durable { Ok(Answer::Done) } else { Err(refusal()) });
            }
            None => {}
        }
    }

    /// What an operator asks.
    pub(super) async fn ask(
        &mut self,
        request: Request,
        credentials: Option<Box<Credentials>>,
        reply: oneshot::Sender<Response>,
    ) {
        let response = match (request, credentials) {
            (Request::UserAdd { account, .. }, Some(credentials)) => {
                let made = self.create(&account, *credentials);
                return self.answer_later(made, reply);
            }
            (Request::UserPassword { account, .. }, Some(credentials)) => {
                let changed =
                    self.on_account(&account, |accounts, user, out| accounts.set_credentials(user, *credentials, out));
                return self.answer_later(changed, reply);
            }
            (Request::UserDelete { account }, _) => {
                let deleted = self.on_account(&account, |accounts, user, out| accounts.delete(user, out));
                return self.answer_later(deleted, reply);
            }
            (Request::UserAdd { .. } | Request::UserPassword { .. }, None) => Err(Refusal::invalid("needs a password")),
            (Request::UserList, _) => Ok(Answer::Users(self.users())),
            (Request::LinkList, _) => Ok(Answer::Links(self.links())),
            (Request::LinkCut { domain }, _) => self.cut(domain).await,
            (Request::LinkHeal { domain }, _) => self.heal(&domain),
            (Request::RoomList, _) => Ok(Answer::Rooms(self.rooms())),
            (Request::RoomShow { room }, _) => self.room(&room),
        };
        let _ = reply.send(response);
    }

    fn create(&mut self, user: &Jid, credentials: Credentials) -> Result<Token, AccountError> {
        self.on_account(user, |accounts, user, out| accounts.create(user, credentials, out))
    }

    fn on_account(
        &mut self,
        user: &Jid,
        with: impl FnOnce(&mut accounts::Accounts, &str, &mut Vec<machine::Output>) -> Result<Token, AccountError>,
    ) -> Result<Token, AccountError> {
        let (domain, accounts) = self.machines.accounts.as_mut().ok_or(AccountError::Unknown)?;
        let local = user.local().filter(|_| user.domain() == domain).ok_or(AccountError::Unknown)?;
        let mut out = Vec::new();
        let result = with(accounts, local, &mut out);
        self.want(Who::Accounts, out);
        result
    }

    fn answer_later(&mut self, result: Result<Token, AccountError>, reply: oneshot::Sender<Response>) {
        match result {
            Ok(token) => _ = self.registering.insert(token, Waiter::Operator(reply)),
            Err(error) => {
                let refusal = match error {
                    AccountError::Unknown => Refusal::not_found(error.to_string()),
                    AccountError::Exists => Refusal::exists(error.to_string()),
                    AccountError::Busy => Refusal::failed(error.to_string()),
                    AccountError::Name(_) | AccountError::Reserved => Refusal::invalid(error.to_string()),
                };
                let _ = reply.send(Err(refusal));
            }
        }
    }

    fn users(&self) -> Vec<String> {
        let Some((domain, accounts)) = &self.machines.accounts else { return Vec::new() };
        accounts.list().map(|local| format!("{local}@{domain}")).collect()
    }

    /// Ends all streams with a domain and refuses new ones.
    async fn cut(&mut self, domain: String) -> Response {
        let Ok(jid) = Jid::new(&domain) else { return Err(Refusal::invalid(format!("{domain}: not a domain"))) };
        if self.edge.hosts(jid.domain()) {
            return Err(Refusal::invalid(format!("{domain} is this server's own")));
        }
        let domain = jid.domain().to_owned();
        self.edge.held_apart.write().unwrap_or_else(PoisonError::into_inner).insert(domain.clone());
        // Listed from now on, also when there has never been a stream.
        self.edge.links.of(&domain).note_change();
        self.order_all(|| Order::Cut(domain.clone())).await;
        self.stream_ended(&domain);
        Ok(Answer::Done)
    }

    /// Lets streams with a domain be made again; what links cross it are seen to at once.
    fn heal(&mut self, domain: &str) -> Response {
        let not_apart = || Refusal::not_found(format!("{domain} is not held apart"));
        let domain = Jid::new(domain).map_err(|_| not_apart())?.domain().to_owned();
        if !self.edge.held_apart.write().unwrap_or_else(PoisonError::into_inner).remove(&domain) {
            return Err(not_apart());
        }
        for who in [Who::Primary, Who::Replica] {
            self.feed(who, Input::Reachable(domain.clone()));
        }
        Ok(Answer::Done)
    }
}
