//! `<heads/>`: how far each side has sent, in pings and pongs between a service and a replica.

use super::HEADS_MAX;
use super::at::Ack;
use super::read::{Damaged, Reader, name, number, positive, room_jid};
use xmpp::{Element, Jid, ns};

/// How far a side has sent in all rooms between the two; empty where there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heads {
    /// What a service says.
    Down(Vec<Head>),
    /// What a replica says.
    Up(Vec<Sent>),
}

/// How far a room has sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The room.
    pub room: Jid,
    /// The registration.
    pub epoch: String,
    /// The last number down; 0 for none.
    pub d: u64,
    /// What has become durable of the present outbox.
    pub ack: Option<Ack>,
}

/// How far a replica has sent in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The room.
    pub room: Jid,
    /// The registration.
    pub epoch: String,
    /// The present outbox.
    pub outbox: String,
    /// The last number relayed; 0 for none.
    pub n: u64,
}

impl Heads {
    /// Reads `<heads/>`; an empty one is read as [`Heads::Down`].
    pub fn parse(element: &Element) -> Result<Heads, Damaged> {
        let heads = Reader::new(element, ("heads", ns::NETJOIN), &[])?;
        if element.children().count() > HEADS_MAX {
            return Err(Damaged::TooMany("heads"));
        }
        match element.children().next().map(Element::name) {
            None | Some("head") => element.children().map(Head::parse).collect::<Result<_, _>>().map(Heads::Down),
            Some("sent") => element.children().map(Sent::parse).collect::<Result<_, _>>().map(Heads::Up),
            Some(_) => Err(heads.unknown(element.children().next().expect("it has a name"))),
        }
    }

    /// The element.
    pub fn element(&self) -> Element {
        let heads = Element::new("heads", ns::NETJOIN);
        match self {
            Heads::Down(rooms) => heads.with(rooms.iter().map(Head::element)),
            Heads::Up(rooms) => heads.with(rooms.iter().map(Sent::element)),
        }
    }
}

impl Head {
    fn parse(element: &Element) -> Result<Head, Damaged> {
        let head = Reader::new(element, ("head", ns::NETJOIN), &["room", "epoch", "d", "ack", "outbox"])?.empty()?;
        let ack = match (head.read("ack", positive)?, head.read("outbox", name)?) {
            (None, None) => None,
            (Some(n), Some(outbox)) => Some(Ack { outbox, n }),
            _ => return Err(Damaged::Together("head", "'ack' and 'outbox' stand together")),
        };
        Ok(Head { room: head.get("room", room_jid)?, epoch: head.get("epoch", name)?, d: head.get("d", number)?, ack })
    }

    fn element(&self) -> Element {
        Element::new("head", ns::NETJOIN)
            .attr("room", self.room.as_str())
            .attr("epoch", &self.epoch)
            .attr("d", self.d.to_string())
            .attr_opt("ack", self.ack.as_ref().map(|ack| ack.n.to_string()))
            .attr_opt("outbox", self.ack.as_ref().map(|ack| &ack.outbox))
    }
}

impl Sent {
    fn parse(element: &Element) -> Result<Sent, Damaged> {
        let sent = Reader::new(element, ("sent", ns::NETJOIN), &["room", "epoch", "outbox", "n"])?.empty()?;
        Ok(Sent {
            room: sent.get("room", room_jid)?,
            epoch: sent.get("epoch", name)?,
            outbox: sent.get("outbox", name)?,
            n: sent.get("n", number)?,
        })
    }

    fn element(&self) -> Element {
        Element::new("sent", ns::NETJOIN)
            .attr("room", self.room.as_str())
            .attr("epoch", &self.epoch)
            .attr("outbox", &self.outbox)
            .attr("n", self.n.to_string())
    }
}
