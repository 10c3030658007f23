//! What waits for a stream of ours, and what was given to it and has perhaps not been seen.

use super::Item;
use crate::edge::conn::Conn;
use crate::edge::links::Remote;
use crate::edge::shard::Shard;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use xmpp::xml::Splice;

/// Bytes given to a stream until further stanzas wait as stanzas, so that they can bounce when it ends.
const AHEAD_BYTES_MAX: usize = 256 << 10;

/// How much may wait for a stream.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Stanzas.
    pub stanzas: usize,
    /// Bytes of theirs; one alone may have more.
    pub bytes: usize,
}

/// Stanzas on their way to one stream, in order.
pub struct Queue {
    /// Where they are counted.
    pub remote: Arc<Remote>,
    waiting: RefCell<VecDeque<Item>>,
    waiting_bytes: Cell<usize>,
    /// What the connection was given and the socket has not taken yet, each with the place where it ends. Not more than
    /// the connection lets wait.
    given: RefCell<VecDeque<(u64, Item)>>,
    /// The connection, once stanzas may be sent.
    conn: RefCell<Option<Rc<Conn>>>,
}

impl Queue {
    /// An empty one, without a stream.
    pub fn new(remote: Arc<Remote>) -> Queue {
        let waiting_bytes = Cell::default();
        Queue {
            remote,
            waiting: RefCell::default(),
            waiting_bytes,
            given: RefCell::default(),
            conn: RefCell::default(),
        }
    }

    /// The connection, while stanzas may be sent.
    pub fn conn(&self) -> Option<Rc<Conn>> {
        self.conn.borrow().clone()
    }

    /// Stanzas may be sent, or not any more.
    pub fn set_conn(&self, conn: Option<Rc<Conn>>) {
        *self.conn.borrow_mut() = conn;
    }

    /// Writes a stanza, or lets it wait; gives it back when too much waits already.
    pub fn put(&self, shard: &Shard, item: Item, bounds: Bounds) -> Result<(), Item> {
        let conn = self.conn();
        if let Some(conn) =
            conn.as_ref().filter(|conn| self.waiting.borrow().is_empty() && conn.waiting() < AHEAD_BYTES_MAX)
        {
            shard.cork(conn);
            self.write(shard, conn, item);
            return Ok(());
        }
        let (waiting, bytes) = (self.waiting.borrow().len(), self.waiting_bytes.get() + item.size());
        if waiting >= bounds.stanzas || waiting > 0 && bytes > bounds.bytes {
            return Err(item);
        }
        self.waiting_bytes.set(bytes);
        self.waiting.borrow_mut().push_back(item);
        self.remote.queued.fetch_add(1, Relaxed);
        if let Some(conn) = conn {
            conn.tell_drained();
        }
        Ok(())
    }

    /// Writes what waits, as far as the stream takes it.
    pub fn pump(&self, shard: &Shard) {
        let conn = self.conn.borrow();
        let Some(conn) = conn.as_ref() else { return };
        while conn.waiting() < AHEAD_BYTES_MAX {
            let Some(item) = self.waiting.borrow_mut().pop_front() else { return };
            self.remote.queued.fetch_sub(1, Relaxed);
            self.waiting_bytes.update(|bytes| bytes - item.size());
            self.write(shard, conn, item);
        }
        conn.tell_drained();
    }

    fn write(&self, shard: &Shard, conn: &Conn, item: Item) {
        shard.with_buffer(|scratch| {
            scratch.clear();
            item.stanza.splice(Splice { to: item.to.as_str(), tail: &item.tail }, scratch);
            conn.write(scratch);
        });
        conn.heard.set((shard.second(), false));
        self.remote.traffic.stanzas_out(1);
        let (mut given, taken) = (self.given.borrow_mut(), conn.taken());
        while given.pop_front_if(|(end, _)| *end <= taken).is_some() {}
        if conn.given() > taken {
            given.push_back((conn.given(), item));
        }
    }

    /// What the other side cannot have seen, in order. What the socket has taken may have arrived or not: an error for
    /// it could be wrong, and its sender would say it twice.
    pub fn take_unwritten(&self, conn: &Conn) -> Vec<Item> {
        let taken = conn.taken();
        let given = self.given.take();
        let unwritten: Vec<Item> = given.into_iter().filter(|(end, _)| *end > taken).map(|(_, item)| item).collect();
        if !unwritten.is_empty() {
            conn.abandon();
        }
        unwritten
    }

    /// Puts what was not written before all that waits.
    pub fn put_back(&self, unwritten: Vec<Item>) {
        self.remote.queued.fetch_add(unwritten.len() as u64, Relaxed);
        self.waiting_bytes.update(|bytes| bytes + unwritten.iter().map(Item::size).sum::<usize>());
        let mut waiting = self.waiting.borrow_mut();
        unwritten.into_iter().rev().for_each(|item| waiting.push_front(item));
    }

    /// All that waits.
    pub fn take_waiting(&self) -> Vec<Item> {
        let items: Vec<Item> = self.waiting.borrow_mut().drain(..).collect();
        self.remote.queued.fetch_sub(items.len() as u64, Relaxed);
        self.waiting_bytes.set(0);
        items
    }
}
