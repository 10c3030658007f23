//! Erlang's terms as text, as `~p` prints them: each ends with a full stop. A data language; nothing is executed.

use crate::error::Wrong;

/// A term.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// An atom.
    Atom(String),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// A binary.
    Binary(Vec<u8>),
    /// A list that is a string.
    Text(String),
    /// A list.
    List(Vec<Term>),
    /// A tuple.
    Tuple(Vec<Term>),
    /// A map.
    Map(Vec<(Term, Term)>),
    /// A process, a function: what means something within one virtual machine alone.
    Opaque,
}

impl Term {
    /// The elements of a tuple; none of anything else.
    pub fn tuple(&self) -> &[Term] {
        match self {
            Term::Tuple(elements) => elements,
            _ => &[],
        }
    }

    /// The elements of a list; none of anything else.
    pub fn list(&self) -> &[Term] {
        match self {
            Term::List(elements) => elements,
            _ => &[],
        }
    }

    /// A binary or a string as text; `None` where it is not UTF-8.
    pub fn text(&self) -> Option<&str> {
        match self {
            Term::Binary(bytes) => std::str::from_utf8(bytes).ok(),
            Term::Text(text) => Some(text),
            Term::List(list) if list.is_empty() => Some(""),
            _ => None,
        }
    }

    /// An atom's name.
    pub fn atom(&self) -> Option<&str> {
        match self {
            Term::Atom(name) => Some(name),
            _ => None,
        }
    }

    /// A whole number.
    pub fn int(&self) -> Option<i64> {
        match self {
            Term::Int(number) => Some(*number),
            _ => None,
        }
    }
}

/// The terms of a text, one after the other; nothing follows an error.
pub fn terms(text: &[u8]) -> Terms<'_> {
    Terms { reader: Reader { text, at: 0 }, over: false }
}

/// See [`terms`].
pub struct Terms<'t> {
    reader: Reader<'t>,
    over: bool,
}

impl Terms<'_> {
    /// How many bytes are read.
    pub fn at(&self) -> usize {
        self.reader.at
    }
}

impl Iterator for Terms<'_> {
    type Item = Result<Term, Wrong>;

    fn next(&mut self) -> Option<Result<Term, Wrong>> {
        self.reader.space();
        if self.over || self.reader.at == self.reader.text.len() {
            return None;
        }
        let term = self.reader.term(0).and_then(|term| self.reader.expect(b".").map(|()| term));
        self.over = term.is_err();
        Some(term)
    }
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
}

impl Reader<'_> {
    fn term(&mut self, depth: usize) -> Result<Term, Wrong> {
        if depth > DEPTH_MAX {
            return Err(self.wrong("terms lie too deep within each other"));
        }
        self.space();
        let start = self.at;
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                self.elements(b"}", depth).map(Term::Tuple)
            }
            Some(b'[') => {
                self.at += 1;
                self.elements(b"]", depth).map(Term::List)
            }
            Some(b'"') => {
                let bytes = self.strings()?;
                let text = String::from_utf8(bytes);
                text.map(Term::Text).map_err(|_| Wrong { at: start, what: "a string is not UTF-8".to_owned() })
            }
            Some(b'<') if self.take(b"<<") => self.binary().map(Term::Binary),
            Some(b'<') => self.opaque(),
            Some(b'#') if self.take(b"#{") => self.map(depth),
            Some(b'#') => self.opaque(),
            Some(b'\'') => self.quoted(b'\'').and_then(|name| {
                let name = String::from_utf8(name);
                name.map(Term::Atom).map_err(|_| Wrong { at: start, what: "an atom is not UTF-8".to_owned() })
            }),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(byte) if byte.is_ascii_lowercase() => {
                let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'@');
                Ok(Term::Atom(self.while_is(part)))
            }
            _ => Err(self.wrong("a term is missing")),
        }
    }

    fn elements(&mut self, end: &[u8], depth: usize) -> Result<Vec<Term>, Wrong> {
        let mut elements = Vec::new();
        if self.take(end) {
            return Ok(elements);
        }
        loop {
            elements.push(self.term(depth + 1)?);
            if self.take(end) {
                return Ok(elements);
            }
            self.expect(b",")?;
        }
    }

    fn map(&mut self, depth: usize) -> Result<Term, Wrong> {
        let mut entries = Vec::new();
        if self.take(b"}") {
            return Ok(Term::Map(entries));
        }
        loop {
            let key = self.term(depth + 1)?;
            self.expect(b"=>")?;
            entries.push((key, self.term(depth + 1)?));
            if self.take(b"}") {
                return Ok(Term::Map(entries));
            }
            self.expect(b",")?;
        }
    }

    /// What stands between `<<` and `>>`: bytes as numbers, and strings.
    fn binary(&mut self) -> Result<Vec<u8>, Wrong> {
        let mut bytes = Vec::new();
        if self.take(b">>") {
            return Ok(bytes);
        }
        loop {
            self.space();
            match self.peek() {
                Some(b'"') => {
                    bytes.extend(self.strings()?);
                    self.take(b"/utf8");
                }
                _ => {
                    let at = self.at;
                    let byte = match self.number()? {
                        Term::Int(number) => u8::try_from(number).ok(),
                        _ => None,
                    };
                    bytes.push(byte.ok_or_else(|| Wrong { at, what: "this is no byte".to_owned() })?);
                }
            }
            if self.take(b">>") {
                return Ok(bytes);
            }
            self.expect(b",")?;
        }
    }

    /// Strings that follow each other are one: so long ones are broken.
    fn strings(&mut self) -> Result<Vec<u8>, Wrong> {
        let mut bytes = Vec::new();
        loop {
            bytes.extend(self.quoted(b'"')?);
            self.space();
            if self.peek() != Some(b'"') {
                return Ok(bytes);
            }
        }
    }

    /// Bytes as they stand; what is escaped above 127 as UTF-8.
    fn quoted(&mut self, quote: u8) -> Result<Vec<u8>, Wrong> {
        let start = self.at;
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            match self.peek() {
                None => return Err(Wrong { at: start, what: "it has no end".to_owned() }),
                Some(b'\\') => self.escape(&mut bytes)?,
                Some(byte) => {
                    self.at += 1;
                    if byte == quote {
                        return Ok(bytes);
                    }
                    bytes.push(byte);
                }
            }
        }
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), Wrong> {
        let at = self.at;
        let wrong = |what: &str| Wrong { at, what: what.to_owned() };
        self.at += 1;
        let byte = self.peek().ok_or_else(|| wrong("it has no end"))?;
        self.at += 1;
        bytes.push(match byte {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 0x08,
            b'v' => 0x0b,
            b'f' => 0x0c,
            b'e' => 0x1b,
            b's' => b' ',
            b'd' => 0x7f,
            b'\\' | b'"' | b'\'' => byte,
            b'x' if self.take(b"{") => {
                let digits = self.while_is(|byte| byte.is_ascii_hexdigit());
                self.expect(b"}")?;
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                let code = code.ok_or_else(|| wrong("no such character"))?;
                bytes.extend_from_slice(code.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            b'0'..=b'7' => {
                let mut code = u16::from(byte - b'0');
                for _ in 0..2 {
                    let Some(digit @ b'0'..=b'7') = self.peek() else { break };
                    code = code * 8 + u16::from(digit - b'0');
                    self.at += 1;
                }
                u8::try_from(code).map_err(|_| wrong("no such character"))?
            }
            _ => return Err(wrong("no such escape")),
        });
        Ok(())
    }

    fn number(&mut self) -> Result<Term, Wrong> {
        let at = self.at;
        let mut end = at + usize::from(self.peek() == Some(b'-'));
        let digits = |from: usize| self.text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        end += digits(end);
        let mut is_float = false;
        // A full stop that no digit follows ends the term.
        if self.text.get(end) == Some(&b'.') && digits(end + 1) > 0 {
            is_float = true;
            end += 1 + digits(end + 1);
            if matches!(self.text.get(end), Some(b'e' | b'E')) {
                end += 1 + usize::from(matches!(self.text.get(end + 1), Some(b'+' | b'-')));
                end += digits(end);
            }
        }
        self.at = end;
        let text = std::str::from_utf8(&self.text[at..end]).unwrap_or_default();
        let number = if is_float { text.parse().ok().map(Term::Float) } else { text.parse().ok().map(Term::Int) };
        number.ok_or_else(|| Wrong { at, what: format!("{text:?} is no number that is kept") })
    }

    /// `<0.1.0>`, `#Ref<…>`, `#Fun<…>`.
    fn opaque(&mut self) -> Result<Term, Wrong> {
        let at = self.at;
        let within = self.text[at..].iter().take(OPAQUE_BYTES_MAX).position(|byte| *byte == b'>');
        let end = within.ok_or_else(|| Wrong { at, what: "a term is missing".to_owned() })?;
        self.at += end + 1;
        Ok(Term::Opaque)
    }

    fn while_is(&mut self, is: impl Fn(u8) -> bool) -> String {
        let start = self.at;
        while self.peek().is_some_and(&is) {
            self.at += 1;
        }
        String::from_utf8_lossy(&self.text[start..self.at]).into_owned()
    }

    fn expect(&mut self, word: &[u8]) -> Result<(), Wrong> {
        let missing = format!("{:?} is missing", String::from_utf8_lossy(word));
        if self.take(word) { Ok(()) } else { Err(self.wrong(&missing)) }
    }

    fn take(&mut self, word: &[u8]) -> bool {
        self.space();
        let there = self.text[self.at..].starts_with(word);
        self.at += if there { word.len() } else { 0 };
        there
    }

    /// White space, and comments.
    fn space(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'%' => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.at += 1;
                    }
                }
                byte if byte.is_ascii_whitespace() => self.at += 1,
                _ => return,
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn wrong(&self, what: &str) -> Wrong {
        Wrong { at: self.at, what: what.to_owned() }
    }
}

/// Terms within each other; a stanza takes three for each of its own levels.
const DEPTH_MAX: usize = 512;
/// Longest name of a process or function.
const OPAQUE_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Vec<Term>, Wrong> {
        terms(text.as_bytes()).collect()
    }

    fn one(text: &str) -> Term {
        read(&format!("{text}.\n")).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}")).remove(0)
    }

    #[test]
    fn a_room_as_ejabberd_prints_it() {
        let text = "{tables,[{muc_room,[{record_name,muc_room}]}]}.\n% a comment\n{muc_room,{<<\"casa\">>,<<\"rooms.lit\">>},\n  \
            [{title,<<\"Caf\u{e9} \\\"x\\\"\">>},{max_users,200},{age,-1.5e+3},\n   {d,<<226,128,148,\" a\" \n \"b\">>},{s,[]},{p,<0.1.0>}]}.\n";
        let read = read(text).expect("terms");
        assert_eq!(read.len(), 2);
        let [record, name, options] = read[1].tuple() else { panic!("no record") };
        assert_eq!((record.atom(), name.tuple()[0].text()), (Some("muc_room"), Some("casa")));
        let values: Vec<&Term> = options.list().iter().map(|option| &option.tuple()[1]).collect();
        assert_eq!(values[0].text(), Some("Café \"x\""));
        assert_eq!((values[1].int(), values[2]), (Some(200), &Term::Float(-1500.0)));
        assert_eq!(values[3].text(), Some("\u{2014} ab"));
        assert_eq!((values[4].text(), values[5]), (Some(""), &Term::Opaque));
    }

    #[test]
    fn every_kind_of_term() {
        assert_eq!(one("'Quoted atom'"), Term::Atom("Quoted atom".to_owned()));
        assert_eq!(one("\"\\x{e9}\\101\\n\""), Term::Text("\u{e9}A\n".to_owned()));
        assert_eq!(one("#{a => 1}"), Term::Map(vec![(Term::Atom("a".to_owned()), Term::Int(1))]));
        assert_eq!(one("<<\"\u{e9}\"/utf8>>").text(), Some("\u{e9}"));
        assert_eq!(one("<<>>"), Term::Binary(Vec::new()));
        assert_eq!(one("#Fun<erl_eval.6.99386804>"), Term::Opaque);
        assert_eq!(read("1.\n2.0.\n").map(|terms| terms.len()), Ok(2));
    }

    #[test]
    fn what_is_no_term_is_refused_where_it_stands() {
        for (text, at) in [
            ("{a,", 3),
            ("{a b}.", 3),
            ("{a}", 3),
            ("X.", 0),
            ("<<256>>.", 2),
            ("<<1:4>>.", 3),
            ("\"open", 0),
            ("99999999999999999999.", 0),
            ("f(x).", 1),
        ] {
            assert_eq!(read(text).expect_err(text).at, at, "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        assert!(read(&("[".repeat(500) + &"]".repeat(500) + ".")).is_ok());
        assert!(read(&"[".repeat(1_000_000)).is_err());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "[-a-z{}\\[\\]()=>;,.\"'0-9/ \\\\\\n#<]{0,80}") {
            let _ = read(&text);
        }

        #[test]
        fn any_bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let printed: Vec<String> = bytes.iter().map(u8::to_string).collect();
            prop_assert_eq!(one(&format!("<<{}>>", printed.join(","))), Term::Binary(bytes));
        }
    }
}
