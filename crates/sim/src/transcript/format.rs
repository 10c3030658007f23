//! The files: read, and written anew.

use std::fmt::Write;
use xmpp::{Element, Jid, Node};

/// A transcript.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Transcript {
    /// What it is about: the first line without its `#`.
    pub title: String,
    /// Further lines of the head that begin with `#`.
    pub remarks: Vec<String>,
    /// Who plays.
    pub cast: Vec<Member>,
    /// What happens.
    pub steps: Vec<Step>,
}

/// A client of the cast.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Its name in the transcript.
    pub name: String,
    /// Its full address in the transcript.
    pub jid: Jid,
}

/// Something a member does, and what follows.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The lines with `##` above it, without their marks.
    pub headings: Vec<String>,
    /// The line in the file, from 1.
    pub line: usize,
    /// Who does something.
    pub who: String,
    /// What.
    pub deed: Deed,
    /// What each of those who receive something receives, in the order in which they stand in the cast.
    pub receives: Vec<(String, Vec<Element>)>,
}

/// What a member does.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// Sends stanzas, one right behind the other.
    Sends(Vec<Element>),
    /// Logs in (again).
    Connects,
    /// Its stream ends without a word.
    Disconnects,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for FormatError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for FormatError {}

impl Transcript {
    /// Reads a file.
    pub fn parse(text: &str) -> Result<Transcript, FormatError> {
        let mut reader = Reader::default();
        for (index, line) in text.lines().enumerate() {
            reader.take(index + 1, line)?;
        }
        reader.end_block(text.lines().count())?;
        let transcript = reader.transcript;
        match transcript.cast.is_empty() {
            true => Err(FormatError { line: 1, what: "nobody plays".to_owned() }),
            false => Ok(transcript),
        }
    }

    /// The member with this name.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.cast.iter().find(|member| member.name == name)
    }

    /// The file.
    pub fn to_text(&self) -> String {
        let mut out = format!("# {}\n", self.title);
        for remark in &self.remarks {
            let _ = writeln!(out, "# {remark}");
        }
        for member in &self.cast {
            let _ = writeln!(out, "{}: {}", member.name, member.jid);
        }
        for step in &self.steps {
            out.push('\n');
            for heading in &step.headings {
                let _ = writeln!(out, "## {heading}");
            }
            match &step.deed {
                Deed::Sends(stanzas) => block(&mut out, &format!("{} sends:", step.who), stanzas),
                Deed::Connects => {
                    let _ = writeln!(out, "{} connects.", step.who);
                }
                Deed::Disconnects => {
                    let _ = writeln!(out, "{} disconnects.", step.who);
                }
            }
            for (who, stanzas) in &step.receives {
                out.push('\n');
                block(&mut out, &format!("{who} receives:"), stanzas);
            }
        }
        out
    }
}

/// What has been read so far.
#[derive(Default)]
struct Reader {
    transcript: Transcript,
    headings: Vec<String>,
    /// The block being read: whose it is, whether it is sent, its XML.
    block: Option<(String, bool, String)>,
    /// The line the block begins in.
    begins: usize,
}

impl Reader {
    fn take(&mut self, number: usize, line: &str) -> Result<(), FormatError> {
        let wrong = |what: String| Err(FormatError { line: number, what });
        if line.trim().is_empty() {
            return Ok(());
        }
        if line.starts_with(char::is_whitespace) {
            let Some((_, _, xml)) = &mut self.block else { return wrong("XML that nobody sends or receives".into()) };
            xml.push_str(line);
            xml.push('\n');
            return Ok(());
        }
        self.end_block(number)?;
        if let Some(heading) = line.strip_prefix("##") {
            self.headings.push(heading.trim().to_owned());
        } else if let Some(remark) = line.strip_prefix('#') {
            match self.transcript.title.is_empty() {
                true => self.transcript.title = remark.trim().to_owned(),
                false => self.transcript.remarks.push(remark.trim().to_owned()),
            }
        } else if let Some(who) = line.strip_suffix(" sends:") {
            self.begins = number;
            self.block = Some((self.known(number, who)?, true, String::new()));
        } else if let Some(who) = line.strip_suffix(" receives:") {
            if self.transcript.steps.is_empty() {
                return wrong("nobody has done anything yet".to_owned());
            }
            self.begins = number;
            self.block = Some((self.known(number, who)?, false, String::new()));
        } else if let Some(who) = line.strip_suffix(" connects.") {
            let who = self.known(number, who)?;
            self.step(number, who, Deed::Connects);
        } else if let Some(who) = line.strip_suffix(" disconnects.") {
            let who = self.known(number, who)?;
            self.step(number, who, Deed::Disconnects);
        } else if let Some((name, address)) = line.split_once(": ") {
            let Ok(jid) = Jid::new(address.trim()) else { return wrong(format!("no address: {address}")) };
            self.transcript.cast.push(Member { name: name.to_owned(), jid });
        } else {
            return wrong(format!("not understood: {line}"));
        }
        Ok(())
    }

    fn known(&self, line: usize, who: &str) -> Result<String, FormatError> {
        match self.transcript.member(who) {
            Some(member) => Ok(member.name.clone()),
            None => Err(FormatError { line, what: format!("{who} is not in the cast") }),
        }
    }

    fn step(&mut self, line: usize, who: String, deed: Deed) {
        let headings = std::mem::take(&mut self.headings);
        self.transcript.steps.push(Step { headings, line, who, deed, receives: Vec::new() });
    }

    fn end_block(&mut self, number: usize) -> Result<(), FormatError> {
        let Some((who, sent, xml)) = self.block.take() else { return Ok(()) };
        let begins = self.begins;
        let stanzas = Element::parse(&format!("<all xmlns='jabber:client'>{xml}</all>"))
            .map(|all| all.children().cloned().map(trimmed).collect::<Vec<Element>>())
            .map_err(|e| FormatError { line: begins, what: format!("no XML: {e}") })?;
        if stanzas.is_empty() {
            return Err(FormatError { line: number, what: format!("{who}: nothing stands here") });
        }
        if sent {
            self.step(begins, who, Deed::Sends(stanzas));
        } else if let Some(step) = self.transcript.steps.last_mut() {
            step.receives.push((who, stanzas));
        }
        Ok(())
    }
}

/// Without the white space between elements.
fn trimmed(element: Element) -> Element {
    if element.children().next().is_none() {
        return element;
    }
    let mut out = element.clone();
    out.clear();
    for node in element.nodes() {
        match node {
            Node::Element(child) => out.push(trimmed(child.clone())),
            Node::Text(text) if text.trim().is_empty() => {}
            Node::Text(text) => out.push_text(text.clone()),
        }
    }
    out
}

fn block(out: &mut String, head: &str, stanzas: &[Element]) {
    out.push_str(head);
    out.push('\n');
    for stanza in stanzas {
        pretty(stanza, xmpp::ns::CLIENT, INDENT, out);
    }
}

/// One element a line; what fits in a line stays in it.
fn pretty(element: &Element, outer: &str, indent: usize, out: &mut String) {
    // `to_xml` leaves out the namespace of clients, and that only.
    let within = |xml: String| match (element.ns() == outer, element.ns() == xmpp::ns::CLIENT) {
        (true, false) => xml.replacen(&format!(" xmlns='{outer}'"), "", 1),
        (false, true) => xml.replacen(element.name(), &format!("{} xmlns='{}'", element.name(), xmpp::ns::CLIENT), 1),
        _ => xml,
    };
    let whole = within(element.to_xml());
    let text_within = element.nodes().iter().any(|node| matches!(node, Node::Text(_)));
    if text_within || element.children().next().is_none() || whole.len() + indent <= LINE_MAX {
        let _ = writeln!(out, "{:indent$}{whole}", "");
        return;
    }
    let mut bare = element.clone();
    bare.clear();
    let open = within(bare.to_xml());
    let _ = writeln!(out, "{:indent$}{}>", "", open.trim_end_matches("/>"));
    for child in element.children() {
        pretty(child, element.ns(), indent + 2, out);
    }
    let _ = writeln!(out, "{:indent$}</{}>", "", element.name());
}

/// How far stanzas are indented.
const INDENT: usize = 4;
/// Longest line that is not broken where it could be.
const LINE_MAX: usize = 110;

#[cfg(test)]
mod tests {
    use super::*;

    const TALK: &str = "# Talking\n# in the coven\nHag: hag66@shakespeare.lit/pda\n\n## 7.4\nHag sends:\n    \
        <message to='coven@chat.shakespeare.lit' type='groupchat'><body>hi</body></message>\n\nHag receives:\n    \
        <message from='coven@chat.shakespeare.lit/thirdwitch' to='hag66@shakespeare.lit/pda' type='groupchat' id='1'>\n      \
        <body>hi</body>\n      <x xmlns='urn:a'>\n        <b c='a long value that does not fit into the line any more'/>\n        \
        <d e='and another one behind it, also long'/>\n        \
        <message xmlns='jabber:client' id='forwarded-within-another-namespace' type='groupchat'>\n          \
        <body>a line that is too long to stand in one with what is around it</body>\n        </message>\n      </x>\n    </message>\n\nHag disconnects.\n";

    #[test]
    fn what_is_written_is_what_was_read() {
        let transcript = Transcript::parse(TALK).unwrap();
        assert_eq!(transcript.steps.len(), 2);
        assert_eq!(transcript.to_text(), TALK);
    }

    #[test]
    fn a_fault_is_told_with_its_line() {
        let line = |text: &str| Transcript::parse(text).unwrap_err().line;
        assert_eq!(line("# a\nHag: hag66@shakespeare.lit/pda\nCrone sends:\n    <a/>\n"), 3);
        assert_eq!(line("# a\nHag: hag66@shakespeare.lit/pda\nHag sends:\n    <a>\n"), 3);
        assert_eq!(line("# a\nHag: hag66@shakespeare.lit/pda\nHag receives:\n    <a/>\n"), 3);
        assert_eq!(line("# a\nHag: @@\n"), 2);
        assert_eq!(line("# a\n    <a/>\n"), 2);
        assert_eq!(line("# a\n"), 1);
    }
}
