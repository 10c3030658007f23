//! Holds back what must not be seen before it is durable.
//!
//! A machine's outputs keep their order: what comes behind a gated `Persist` waits with it, whatever it is, so a
//! presence never overtakes the message before it. Persists themselves and reads go at once, so any number may be
//! under way and one commit serves many. When a `Persist` fails, exactly what was marked as depending on it is
//! dropped, and what was given for that case takes its place; everything else goes on.

use crate::{Output, Token};
use std::collections::VecDeque;

/// The queue between a machine's decisions and the world.
#[derive(Debug, Default)]
pub struct Gate {
    next_token: u64,
    held: VecDeque<Held>,
}

#[derive(Debug)]
enum Held {
    /// Goes when it is at the front.
    Free(Output),
    /// Everything behind waits here for the token.
    Wait { token: Token, then: Vec<Output>, otherwise: Vec<Output> },
}

impl Gate {
    /// Most outputs held at a time; over it the machine must refuse input that would need more.
    pub const HELD_MAX: usize = 50_000;

    /// An empty gate whose first token is 1.
    pub fn new() -> Gate {
        Gate::default()
    }

    /// A gate whose tokens no other gate of the same machine has: `number` is their upper half.
    pub fn numbered(number: u32) -> Gate {
        Gate { next_token: u64::from(number) << 32, held: VecDeque::new() }
    }

    /// Whether `token` was issued by the gate with this number.
    pub fn number_of(token: Token) -> u32 {
        (token.0 >> 32) as u32
    }

    /// Passes an output on, behind what is held.
    pub fn pass(&mut self, output: Output, out: &mut Vec<Output>) {
        if self.held.is_empty() { out.push(output) } else { self.held.push_back(Held::Free(output)) }
    }

    /// Passes many on.
    pub fn pass_all(&mut self, outputs: impl IntoIterator<Item = Output>, out: &mut Vec<Output>) {
        for output in outputs {
            self.pass(output, out);
        }
    }

    /// Persists without making anyone wait.
    pub fn persist(&mut self, changes: Vec<crate::Change>, out: &mut Vec<Output>) -> Token {
        self.next_token += 1;
        let token = Token(self.next_token);
        out.push(Output::Persist { token, changes });
        token
    }

    /// Persists; `then` goes out once it is durable, `otherwise` if it fails; all later outputs wait for either.
    pub fn persist_first(
        &mut self,
        changes: Vec<crate::Change>,
        then: Vec<Output>,
        otherwise: Vec<Output>,
        out: &mut Vec<Output>,
    ) -> Token {
        let token = self.persist(changes, out);
        self.held.push_back(Held::Wait { token, then, otherwise });
        token
    }

    /// Passes on something that tells of what a `Persist` still under way decides; `otherwise`, if anything, takes its place
    /// if that fails.
    pub fn pass_with(&mut self, token: Token, output: Output, otherwise: Option<Output>) {
        self.held.push_back(Held::Wait { token, then: vec![output], otherwise: otherwise.into_iter().collect() });
    }

    /// The store has committed everything up to `token`.
    pub fn persisted(&mut self, token: Token, out: &mut Vec<Output>) {
        for held in &mut self.held {
            if let Held::Wait { token: waiting, .. } = held
                && *waiting <= token
            {
                Gate::open(held, true);
            }
        }
        self.release(out);
    }

    /// The store has refused `token`.
    pub fn failed(&mut self, token: Token, out: &mut Vec<Output>) {
        for held in &mut self.held {
            if matches!(held, Held::Wait { token: waiting, .. } if *waiting == token) {
                Gate::open(held, false);
            }
        }
        self.release(out);
    }

    /// How many outputs are held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Marks a wait as over by giving it token 0, which is never issued.
    fn open(held: &mut Held, durable: bool) {
        if let Held::Wait { then, otherwise, .. } = held {
            let outputs = std::mem::take(if durable { then } else { otherwise });
            *held = Held::Wait { token: Token(0), then: outputs, otherwise: Vec::new() };
        }
    }

    fn release(&mut self, out: &mut Vec<Output>) {
        while let Some(front) = self.held.front() {
            if matches!(front, Held::Wait { token, .. } if token.0 != 0) {
                break;
            }
            match self.held.pop_front().expect("there is a front") {
                Held::Free(output) => out.push(output),
                Held::Wait { then, .. } => out.extend(then),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(text: &str) -> Output {
        Output::Log(text.into())
    }

    fn seen(out: &mut Vec<Output>) -> Vec<String> {
        out.drain(..)
            .filter_map(|o| match o {
                Output::Log(text) => Some(text),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn nothing_overtakes_what_waits() {
        let (mut gate, mut out) = (Gate::new(), Vec::new());
        let first = gate.persist_first(vec![], vec![log("a")], vec![], &mut out);
        gate.pass(log("b"), &mut out);
        let second = gate.persist_first(vec![], vec![log("c")], vec![], &mut out);
        gate.pass(log("d"), &mut out);
        assert_eq!(seen(&mut out), [""; 0]);
        gate.persisted(first, &mut out);
        assert_eq!(seen(&mut out), ["a", "b"]);
        gate.persisted(second, &mut out);
        assert_eq!(seen(&mut out), ["c", "d"]);
        assert_eq!(gate.held(), 0);
    }

    #[test]
    fn a_failure_costs_only_what_depends_on_it() {
        let (mut gate, mut out) = (Gate::new(), Vec::new());
        let first = gate.persist_first(vec![], vec![log("a")], vec![log("error a")], &mut out);
        gate.pass(log("b"), &mut out);
        let second = gate.persist_first(vec![], vec![log("c")], vec![log("error c")], &mut out);
        gate.failed(second, &mut out);
        assert_eq!(seen(&mut out), [""; 0]);
        gate.persisted(first, &mut out);
        assert_eq!(seen(&mut out), ["a", "b", "error c"]);
    }

    #[test]
    fn what_tells_of_something_shares_its_fate() {
        let (mut gate, mut out) = (Gate::new(), Vec::new());
        let kept = gate.persist_first(vec![], vec![log("a")], vec![], &mut out);
        gate.pass_with(kept, log("of a"), Some(log("without a")));
        let lost = gate.persist_first(vec![], vec![log("b")], vec![log("error b")], &mut out);
        gate.pass_with(lost, log("of b"), None);
        gate.pass_with(lost, log("more of b"), Some(log("without b")));
        gate.pass(log("c"), &mut out);
        gate.failed(lost, &mut out);
        gate.persisted(kept, &mut out);
        assert_eq!(seen(&mut out), ["a", "of a", "error b", "without b", "c"]);
    }
}
