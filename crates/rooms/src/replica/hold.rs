//! What must not be seen before it is on disk, held back in order: the way a room's outputs take while an island's writes
//! are under way.
//!
//! What is for local users waits behind what waits for the disk, whatever it is, so a leave never overtakes the last
//! words before it. Writes, reads, and what goes to other servers go at once.

use machine::{Output, Token};
use std::collections::VecDeque;
use xmpp::Jid;

/// Outputs of one room that wait.
#[derive(Debug, Default)]
pub(super) struct Hold {
    held: VecDeque<Held>,
}

#[derive(Debug)]
struct Held {
    output: Output,
    /// The write for which it waits, and everything behind it; none, and it goes when it is at the front.
    waits: Option<Token>,
}

impl Hold {
    /// Whether no more may be said until the disk has caught up.
    pub fn is_full(&self) -> bool {
        self.held.len() >= HELD_MAX
    }

    /// A write is on disk: what waited for it may go.
    pub fn kept(&mut self, token: Token) {
        for held in &mut self.held {
            held.waits.take_if(|waiting| *waiting == token);
        }
    }

    /// What waits for a write is not to be seen after all.
    pub fn forget(&mut self, token: Token) {
        self.held.retain(|held| held.waits != Some(token));
    }

    /// Takes the outputs of one input, which stand in `out` from `first` on; `waits` says which of them depend on which
    /// write.
    pub fn settle(
        &mut self,
        out: &mut Vec<Output>,
        first: usize,
        waits: &[(usize, Token)],
        local: impl Fn(&Jid) -> bool,
    ) {
        if self.held.is_empty() && waits.is_empty() {
            return;
        }
        let new = out.split_off(first);
        self.release(out);
        let mut waits = waits.iter().peekable();
        for (at, output) in (first..).zip(new) {
            if let Some((_, token)) = waits.next_if(|(index, _)| *index == at) {
                self.held.push_back(Held { output, waits: Some(*token) });
                continue;
            }
            let goes = match &output {
                Output::Persist { .. } | Output::Query { .. } | Output::Renew(_) | Output::Log(_) => true,
                Output::Send { to, .. } => !local(to),
                _ => false,
            };
            if goes || self.held.is_empty() {
                out.push(output)
            } else {
                self.held.push_back(Held { output, waits: None })
            }
        }
    }

    /// The room is given up here: what waits for no write goes, the rest has never been.
    pub fn give_up(&mut self, out: &mut Vec<Output>) {
        self.held.retain(|held| held.waits.is_none());
        self.release(out);
    }

    fn release(&mut self, out: &mut Vec<Output>) {
        while let Some(Held { output, .. }) = self.held.pop_front_if(|held| held.waits.is_none()) {
            out.push(output);
        }
    }
}

/// Most outputs of one room that wait for the disk before more messages are refused.
const HELD_MAX: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;
    use machine::{AudienceChange, AudienceId};
    use xmpp::{Element, Shared};

    fn send(to: &str) -> Output {
        Output::Send { to: to.parse().expect("an address"), stanza: Shared::new(Element::stanza("message")) }
    }

    fn end() -> Output {
        let member = "wallops@channel.avalon.irc".parse().expect("an address");
        Output::Audience { audience: AudienceId(1), member, change: AudienceChange::End }
    }

    fn local(jid: &Jid) -> bool {
        jid.domain() == "eris.dclxvii.irc"
    }

    /// What is for local users waits behind what waits; what goes elsewhere, and writes, do not.
    #[test]
    fn nothing_local_overtakes_what_waits() {
        let (mut hold, token) = (Hold::default(), Token(7));
        let persist = Output::Persist { token, changes: Vec::new() };
        let (here, there) = (send("squit@eris.dclxvii.irc/jupiter"), send("wallops@channel.avalon.irc"));
        let mut out = vec![end(), persist.clone(), here.clone(), end(), there.clone()];
        hold.settle(&mut out, 1, &[(2, token)], local);
        assert_eq!(out, [end(), persist, there]);
        let mut out = vec![here.clone()];
        hold.settle(&mut out, 0, &[], local);
        assert_eq!(out, []);
        hold.kept(token);
        hold.settle(&mut out, 0, &[], local);
        assert_eq!(out, [here.clone(), end(), here]);
    }

    /// A write that fails takes with it what waited for it, and nothing else.
    #[test]
    fn a_failed_write_takes_only_its_own() {
        let (mut hold, mut out) = (Hold::default(), vec![send("squit@eris.dclxvii.irc/jupiter"), end()]);
        hold.settle(&mut out, 0, &[(0, Token(7))], local);
        hold.forget(Token(7));
        hold.settle(&mut out, 0, &[], local);
        assert_eq!(out, [end()]);
    }
}
