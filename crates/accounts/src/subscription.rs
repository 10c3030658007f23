//! Subscription states and their tables, RFC 6121 appendix A.
//!
//! The nine states of A.1 are two halves, each of which is there, asked for, or not there: whether the user
//! sees the contact (`to`) and whether the contact sees the user (`from`). Every row of every table is then a
//! rule about one half, which the tests hold against the tables as they are printed.

use serde::{Deserialize, Serialize};

/// One direction of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Half {
    /// Not there.
    #[default]
    No,
    /// Asked for and not answered.
    Pending,
    /// Granted.
    Yes,
}

/// A state of A.1: `None + Pending Out` is `to` pending and `from` not there, `Both` is both granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// Whether the user gets the contact's presence.
    #[serde(default)]
    pub to: Half,
    /// Whether the contact gets the user's presence.
    #[serde(default)]
    pub from: Half,
}

/// The four presence types that change subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The sender wants to see the recipient's presence.
    Subscribe,
    /// The sender lets the recipient see its presence.
    Subscribed,
    /// The sender does not want the recipient's presence any more.
    Unsubscribe,
    /// The sender denies or takes back its presence.
    Unsubscribed,
}

impl Kind {
    /// From a presence stanza's `type`.
    pub fn parse(text: &str) -> Option<Kind> {
        Some(match text {
            "subscribe" => Kind::Subscribe,
            "subscribed" => Kind::Subscribed,
            "unsubscribe" => Kind::Unsubscribe,
            "unsubscribed" => Kind::Unsubscribed,
            _ => return None,
        })
    }

    /// As it stands in `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Subscribe => "subscribe",
            Kind::Subscribed => "subscribed",
            Kind::Unsubscribe => "unsubscribe",
            Kind::Unsubscribed => "unsubscribed",
        }
    }
}

/// What becomes of the stanza itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is routed to the contact (A.2) or delivered to the user (A.3).
    Pass,
    /// It goes no further.
    Stop,
    /// It goes no further, and is answered with `subscribed` (A.3.1, note 2).
    Answer,
}

impl State {
    /// The user sends `kind` to the contact, A.2.
    pub fn outbound(self, kind: Kind) -> (State, Verdict) {
        match kind {
            Kind::Subscribe if self.to == Half::No => (State { to: Half::Pending, ..self }, Verdict::Pass),
            Kind::Subscribe => (self, Verdict::Pass),
            Kind::Unsubscribe => (State { to: Half::No, ..self }, Verdict::Pass),
            Kind::Subscribed if self.from == Half::Pending => (State { from: Half::Yes, ..self }, Verdict::Pass),
            Kind::Unsubscribed if self.from != Half::No => (State { from: Half::No, ..self }, Verdict::Pass),
            Kind::Subscribed | Kind::Unsubscribed => (self, Verdict::Stop),
        }
    }

    /// The contact's `kind` comes in for the user, A.3.
    pub fn inbound(self, kind: Kind) -> (State, Verdict) {
        match kind {
            Kind::Subscribe if self.from == Half::No => (State { from: Half::Pending, ..self }, Verdict::Pass),
            Kind::Subscribe if self.from == Half::Yes => (self, Verdict::Answer),
            Kind::Unsubscribe if self.from != Half::No => (State { from: Half::No, ..self }, Verdict::Pass),
            Kind::Subscribed if self.to == Half::Pending => (State { to: Half::Yes, ..self }, Verdict::Pass),
            Kind::Unsubscribed if self.to != Half::No => (State { to: Half::No, ..self }, Verdict::Pass),
            _ => (self, Verdict::Stop),
        }
    }

    /// Whether the user gets the contact's presence.
    pub fn sees(self) -> bool {
        self.to == Half::Yes
    }

    /// Whether the contact gets the user's presence.
    pub fn shows(self) -> bool {
        self.from == Half::Yes
    }

    /// The `subscription` attribute of a roster item, RFC 6121 2.1.2.5.
    pub fn as_str(self) -> &'static str {
        match (self.sees(), self.shows()) {
            (false, false) => "none",
            (true, false) => "to",
            (false, true) => "from",
            (true, true) => "both",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a state as the appendix names it.
    fn state(name: &str) -> State {
        let (base, pending) = name.split_once(" + ").unwrap_or((name, ""));
        let (to, from) = match base {
            "None" => (Half::No, Half::No),
            "To" => (Half::Yes, Half::No),
            "From" => (Half::No, Half::Yes),
            "Both" => (Half::Yes, Half::Yes),
            other => panic!("no state {other}"),
        };
        match pending {
            "" => State { to, from },
            "Pending Out" => State { to: Half::Pending, from },
            "Pending In" => State { to, from: Half::Pending },
            "Pending Out+In" => State { to: Half::Pending, from: Half::Pending },
            other => panic!("no state {other}"),
        }
    }

    /// Holds every row (existing state | MUST, MUST NOT or ANSWER | new state, `-` for no change) against `step`.
    fn table(step: impl Fn(State) -> (State, Verdict), rows: &str) {
        let mut seen = 0;
        for row in rows.lines().map(str::trim).filter(|row| !row.is_empty()) {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let before = state(cells[0]);
            let verdict = match cells[1] {
                "MUST" => Verdict::Pass,
                "MUST NOT" => Verdict::Stop,
                "ANSWER" => Verdict::Answer,
                other => panic!("no verdict {other}"),
            };
            let after = if cells[2] == "-" { before } else { state(cells[2]) };
            assert_eq!(step(before), (after, verdict), "{row}");
            seen += 1;
        }
        assert_eq!(seen, 9, "the table has nine states");
    }

    #[test]
    fn a_2_1_outbound_subscribe() {
        table(
            |s| s.outbound(Kind::Subscribe),
            "None                  | MUST | None + Pending Out
             None + Pending Out    | MUST | -
             None + Pending In     | MUST | None + Pending Out+In
             None + Pending Out+In | MUST | -
             To                    | MUST | -
             To + Pending In       | MUST | -
             From                  | MUST | From + Pending Out
             From + Pending Out    | MUST | -
             Both                  | MUST | -",
        );
    }

    #[test]
    fn a_2_2_outbound_unsubscribe() {
        table(
            |s| s.outbound(Kind::Unsubscribe),
            "None                  | MUST | -
             None + Pending Out    | MUST | None
             None + Pending In     | MUST | -
             None + Pending Out+In | MUST | None + Pending In
             To                    | MUST | None
             To + Pending In       | MUST | None + Pending In
             From                  | MUST | -
             From + Pending Out    | MUST | From
             Both                  | MUST | From",
        );
    }

    #[test]
    fn a_2_3_outbound_subscribed() {
        table(
            |s| s.outbound(Kind::Subscribed),
            "None                  | MUST NOT | -
             None + Pending Out    | MUST NOT | -
             None + Pending In     | MUST     | From
             None + Pending Out+In | MUST     | From + Pending Out
             To                    | MUST NOT | -
             To + Pending In       | MUST     | Both
             From                  | MUST NOT | -
             From + Pending Out    | MUST NOT | -
             Both                  | MUST NOT | -",
        );
    }

    #[test]
    fn a_2_4_outbound_unsubscribed() {
        table(
            |s| s.outbound(Kind::Unsubscribed),
            "None                  | MUST NOT | -
             None + Pending Out    | MUST NOT | -
             None + Pending In     | MUST     | None
             None + Pending Out+In | MUST     | None + Pending Out
             To                    | MUST NOT | -
             To + Pending In       | MUST     | To
             From                  | MUST     | None
             From + Pending Out    | MUST     | None + Pending Out
             Both                  | MUST     | To",
        );
    }

    #[test]
    fn a_3_1_inbound_subscribe() {
        table(
            |s| s.inbound(Kind::Subscribe),
            "None                  | MUST     | None + Pending In
             None + Pending Out    | MUST     | None + Pending Out+In
             None + Pending In     | MUST NOT | -
             None + Pending Out+In | MUST NOT | -
             To                    | MUST     | To + Pending In
             To + Pending In       | MUST NOT | -
             From                  | ANSWER   | -
             From + Pending Out    | ANSWER   | -
             Both                  | ANSWER   | -",
        );
    }

    #[test]
    fn a_3_2_inbound_unsubscribe() {
        table(
            |s| s.inbound(Kind::Unsubscribe),
            "None                  | MUST NOT | -
             None + Pending Out    | MUST NOT | -
             None + Pending In     | MUST     | None
             None + Pending Out+In | MUST     | None + Pending Out
             To                    | MUST NOT | -
             To + Pending In       | MUST     | To
             From                  | MUST     | None
             From + Pending Out    | MUST     | None + Pending Out
             Both                  | MUST     | To",
        );
    }

    #[test]
    fn a_3_3_inbound_subscribed() {
        table(
            |s| s.inbound(Kind::Subscribed),
            "None                  | MUST NOT | -
             None + Pending Out    | MUST     | To
             None + Pending In     | MUST NOT | -
             None + Pending Out+In | MUST     | To + Pending In
             To                    | MUST NOT | -
             To + Pending In       | MUST NOT | -
             From                  | MUST NOT | -
             From + Pending Out    | MUST     | Both
             Both                  | MUST NOT | -",
        );
    }

    #[test]
    fn a_3_4_inbound_unsubscribed() {
        table(
            |s| s.inbound(Kind::Unsubscribed),
            "None                  | MUST NOT | -
             None + Pending Out    | MUST     | None
             None + Pending In     | MUST NOT | -
             None + Pending Out+In | MUST     | None + Pending In
             To                    | MUST     | None
             To + Pending In       | MUST     | None + Pending In
             From                  | MUST NOT | -
             From + Pending Out    | MUST     | From
             Both                  | MUST     | From",
        );
    }
}
