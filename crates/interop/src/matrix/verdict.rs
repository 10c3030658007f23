//! What each client has shown in the end against what the room has archived.

use super::client::Client;
use super::person::Look;
use crate::room::Heard;

/// What is wrong with what somebody was shown: all that the room has archived stands there once, and nothing else; whoever
/// said it, in the order in which he said it; and what nobody was cut off from, in the room's order, what he has said himself
/// apart: some clients show that before the room has it.
pub fn judge(client: Client, look: &Look, archive: &[Heard], in_order: &[String]) -> Vec<String> {
    let (who, nicks) = (client.name(), client.nicks());
    let mut wrong = Vec::new();
    let said: Vec<(String, String)> = archive.iter().map(|row| (row.nick.clone(), row.body.clone())).collect();
    for line in &said {
        let times = look.lines.iter().filter(|shown| *shown == line).count();
        if times != 1 {
            wrong.push(format!("{who} was shown {line:?} {times} times"));
        }
    }
    for line in look.lines.iter().filter(|line| !said.contains(line)) {
        wrong.push(format!("{who} was shown {line:?}, which the room does not have"));
    }
    let mut compare = |what: &str, keep: &dyn Fn(&(String, String)) -> bool| {
        let kept = |lines: &[(String, String)]| lines.iter().filter(|line| keep(line)).cloned().collect::<Vec<_>>();
        let (shown, has) = (kept(&look.lines), kept(&said));
        if shown != has {
            wrong.push(format!("{who} was shown {what} as {shown:?}, the room has {has:?}"));
        }
    };
    compare("what all heard at once", &|(nick, body)| in_order.contains(body) && !nicks.contains(&nick.as_str()));
    let authors: std::collections::BTreeSet<&String> = said.iter().map(|(nick, _)| nick).collect();
    for author in authors {
        compare(&format!("what {author} said"), &|(nick, _)| nick == author);
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(nick: &str, body: &str) -> Heard {
        Heard { id: String::new(), nick: nick.into(), message_id: String::new(), body: body.into() }
    }

    fn wrong(lines: &[(&str, &str)]) -> usize {
        let lines = lines.iter().map(|(nick, body)| ((*nick).to_owned(), (*body).to_owned())).collect();
        let (people, away, notices) = Default::default();
        let look = Look { inside: true, people, away, lines, notices };
        let said = [("WiZ", "one"), ("Mycroft", "two"), ("Anon", "three"), ("WiZ", "four"), ("Anon", "five")];
        let archive = said.map(|(nick, body)| row(nick, body));
        judge(Client::XmppJs, &look, &archive, &["one".into(), "two".into(), "three".into()]).len()
    }

    const ONE: (&str, &str) = ("WiZ", "one");
    const TWO: (&str, &str) = ("Mycroft", "two");
    const THREE: (&str, &str) = ("Anon", "three");
    const FOUR: (&str, &str) = ("WiZ", "four");
    const FIVE: (&str, &str) = ("Anon", "five");

    #[test]
    fn what_was_said_apart_or_by_oneself_may_be_in_another_order() {
        assert_eq!(wrong(&[ONE, TWO, THREE, FOUR, FIVE]), 0);
        assert_eq!(wrong(&[TWO, ONE, THREE, FIVE, FOUR]), 0);
    }

    #[test]
    fn a_line_too_few_or_too_many_or_of_another_is_wrong() {
        assert_ne!(wrong(&[ONE, TWO, THREE, FOUR]), 0);
        assert_ne!(wrong(&[ONE, TWO, THREE, FOUR, FIVE, FIVE]), 0);
        assert_ne!(wrong(&[ONE, TWO, THREE, FOUR, ("WiZ", "five")]), 0);
    }

    #[test]
    fn what_all_heard_at_once_has_one_order_and_so_has_each_author() {
        assert_ne!(wrong(&[TWO, THREE, ONE, FOUR, FIVE]), 0);
        assert_ne!(wrong(&[ONE, TWO, FIVE, THREE, FOUR]), 0);
    }
}
