//! Prosody's data files: tables of Lua as a data language. Nothing is executed; what is no plain value is an error.
//!
//! A `.dat` file is `return {…};`, a `.list` file `item({…});` again and again.

use crate::error::Wrong;
use std::collections::BTreeMap;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `nil`.
    Nil,
    /// `true`, `false`.
    Bool(bool),
    /// Any number.
    Number(f64),
    /// A string, which must be UTF-8: all that Prosody keeps came over XMPP.
    Text(String),
    /// A table.
    Table(Table),
}

/// What a table is indexed by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// A string.
    Text(String),
}

/// A table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table(pub BTreeMap<Key, Value>);

impl Table {
    /// What stands under a string.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(&Key::Text(name.to_owned()))
    }

    /// A string under a string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_text)
    }

    /// A table under a string.
    pub fn table(&self, name: &str) -> Option<&Table> {
        match self.get(name) {
            Some(Value::Table(table)) => Some(table),
            _ => None,
        }
    }

    /// A number under a string.
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.get(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// All that stands under strings, in their order.
    pub fn named(&self) -> impl Iterator<Item = (&str, &Value)> + Clone {
        self.0.iter().filter_map(|(key, value)| match key {
            Key::Text(name) => Some((name.as_str(), value)),
            _ => None,
        })
    }
}

impl Value {
    /// The string it is.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads a `.dat` file.
pub fn document(text: &[u8]) -> Result<Value, Wrong> {
    let mut reader = Reader { text, at: 0 };
    reader.word("return")?;
    let value = reader.value(0)?;
    reader.take(b';');
    reader.end()?;
    Ok(value)
}

/// The items of a `.list` file, one after the other; nothing follows an error.
pub fn items(text: &[u8]) -> Items<'_> {
    Items { reader: Reader { text, at: 0 }, over: false }
}

/// See [`items`].
pub struct Items<'t> {
    reader: Reader<'t>,
    over: bool,
}

impl Items<'_> {
    /// How many bytes are read.
    pub fn at(&self) -> usize {
        self.reader.at
    }

    fn item(&mut self) -> Result<Value, Wrong> {
        self.reader.word("item")?;
        self.reader.expect(b'(')?;
        let value = self.reader.value(0)?;
        self.reader.expect(b')')?;
        self.reader.take(b';');
        Ok(value)
    }
}

impl Iterator for Items<'_> {
    type Item = Result<Value, Wrong>;

    fn next(&mut self) -> Option<Result<Value, Wrong>> {
        if self.over || self.reader.end().is_ok() {
            return None;
        }
        let item = self.item();
        self.over = item.is_err();
        Some(item)
    }
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, Wrong> {
        self.space();
        match self.peek() {
            Some(b'{') if depth < DEPTH_MAX => self.table(depth),
            Some(b'{') => Err(self.wrong("tables lie too deep within each other")),
            Some(b'"' | b'\'') => self.string().map(Value::Text),
            Some(b'-' | b'0'..=b'9' | b'.') => self.number().map(Value::Number),
            // What is no number is written as one by another.
            Some(b'(') => self.division().map(Value::Number),
            Some(byte) if byte.is_ascii_alphabetic() => {
                let (at, name) = (self.at, self.name());
                match name.as_str() {
                    "true" => Ok(Value::Bool(true)),
                    "false" => Ok(Value::Bool(false)),
                    "nil" => Ok(Value::Nil),
                    _ => Err(Wrong { at, what: format!("{name:?} is no value") }),
                }
            }
            _ => Err(self.wrong("a value is missing")),
        }
    }

    fn table(&mut self, depth: usize) -> Result<Value, Wrong> {
        self.expect(b'{')?;
        let mut table = Table::default();
        let mut next = 1;
        loop {
            self.space();
            if self.take(b'}') {
                return Ok(Value::Table(table));
            }
            let at = self.at;
            let key = match self.peek() {
                Some(b'[') => {
                    self.at += 1;
                    let key = self.key(depth)?;
                    self.expect(b']')?;
                    self.expect(b'=')?;
                    key
                }
                _ => self.bare_key().unwrap_or_else(|| {
                    next += 1;
                    Key::Number(next - 1)
                }),
            };
            let value = self.value(depth + 1)?;
            if value != Value::Nil && table.0.insert(key, value).is_some() {
                return Err(Wrong { at, what: "a key stands here twice".to_owned() });
            }
            if !self.take(b';') && !self.take(b',') {
                self.expect(b'}')?;
                return Ok(Value::Table(table));
            }
        }
    }

    fn key(&mut self, depth: usize) -> Result<Key, Wrong> {
        let at = self.at;
        match self.value(depth + 1)? {
            Value::Text(text) => Ok(Key::Text(text)),
            Value::Bool(truth) => Ok(Key::Bool(truth)),
            Value::Number(number) if number.fract() == 0.0 && number.abs() < WHOLE_MAX => {
                Ok(Key::Number(number as i64))
            }
            _ => Err(Wrong { at, what: "nothing can stand under this key".to_owned() }),
        }
    }

    /// A name that is followed by `=`.
    fn bare_key(&mut self) -> Option<Key> {
        let before = self.at;
        let name = self.name();
        if !name.is_empty() && self.take(b'=') {
            return Some(Key::Text(name));
        }
        self.at = before;
        None
    }

    fn string(&mut self) -> Result<String, Wrong> {
        let start = self.at;
        let quote = self.text[start];
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            match self.peek() {
                None | Some(b'\n') => return Err(Wrong { at: start, what: "a string has no end".to_owned() }),
                Some(b'\\') => self.escape(&mut bytes)?,
                Some(byte) => {
                    self.at += 1;
                    if byte == quote {
                        break;
                    }
                    bytes.push(byte);
                }
            }
        }
        String::from_utf8(bytes).map_err(|_| Wrong { at: start, what: "a string is not UTF-8".to_owned() })
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), Wrong> {
        let at = self.at;
        let wrong = |what: &str| Wrong { at, what: what.to_owned() };
        self.at += 1;
        let byte = self.peek().ok_or_else(|| wrong("a string has no end"))?;
        self.at += 1;
        bytes.push(match byte {
            b'a' => 0x07,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' | b'\n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            b'\\' | b'"' | b'\'' => byte,
            b'x' => {
                let digits = self.text.get(self.at..self.at + 2).and_then(|d| std::str::from_utf8(d).ok());
                self.at += 2;
                digits.and_then(|d| u8::from_str_radix(d, 16).ok()).ok_or_else(|| wrong("no such byte"))?
            }
            b'0'..=b'9' => {
                let mut code = u16::from(byte - b'0');
                for _ in 0..2 {
                    let Some(digit @ b'0'..=b'9') = self.peek() else { break };
                    code = code * 10 + u16::from(digit - b'0');
                    self.at += 1;
                }
                u8::try_from(code).map_err(|_| wrong("no such byte"))?
            }
            _ => return Err(wrong("no such escape")),
        });
        Ok(())
    }

    fn number(&mut self) -> Result<f64, Wrong> {
        let start = self.at;
        let part = |byte: u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
        while self.peek().is_some_and(part) {
            self.at += 1;
        }
        let text = std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default();
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        number.ok_or_else(|| Wrong { at: start, what: format!("{text:?} is no number") })
    }

    /// `(1/0)`, `(-1/0)` and `(0/0)`.
    fn division(&mut self) -> Result<f64, Wrong> {
        let at = self.at;
        self.expect(b'(')?;
        let above = self.number()?;
        self.expect(b'/')?;
        let below = self.number()?;
        self.expect(b')')?;
        match below == 0.0 {
            true => Ok(above / below),
            false => Err(Wrong { at, what: "nothing is computed here".to_owned() }),
        }
    }

    fn name(&mut self) -> String {
        let start = self.at;
        while self
            .peek()
            .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_' || (self.at > start && b.is_ascii_digit()))
        {
            self.at += 1;
        }
        String::from_utf8_lossy(&self.text[start..self.at]).into_owned()
    }

    fn word(&mut self, word: &str) -> Result<(), Wrong> {
        self.space();
        let at = self.at;
        if self.name() == word { Ok(()) } else { Err(Wrong { at, what: format!("{word:?} is missing") }) }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Wrong> {
        if self.take(byte) { Ok(()) } else { Err(self.wrong(&format!("{:?} is missing", char::from(byte)))) }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn end(&mut self) -> Result<(), Wrong> {
        self.space();
        if self.at == self.text.len() { Ok(()) } else { Err(self.wrong("something follows the end")) }
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn wrong(&self, what: &str) -> Wrong {
        Wrong { at: self.at, what: what.to_owned() }
    }
}

/// Tables within each other: Prosody writes 127 at the most.
const DEPTH_MAX: usize = 128;
/// Whole numbers are exact below this.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Value, Wrong> {
        document(text.as_bytes())
    }

    #[test]
    fn a_room_as_prosody_writes_it() {
        let text = "return {\n\t[\"_data\"] = {\n\t\t[\"name\"] = \"Kaffee \\195\\188ber \\\"alles\\\"\\n\";\n\t\t[\"moderated\"] = true;\n\
            \t};\n\t[false] = { [\"version\"] = 1.5e+09; };\n\t[\"l\"] = {\n\t\t\"a\";\n\t\t{ };\n\t};\n\tjid = 'x';\n};\n";
        let Value::Table(table) = read(text).expect("a table") else { panic!("no table") };
        let data = table.table("_data").expect("its data");
        assert_eq!(data.text("name"), Some("Kaffee über \"alles\"\n"));
        assert_eq!(data.get("moderated"), Some(&Value::Bool(true)));
        let Some(Value::Table(pending)) = table.0.get(&Key::Bool(false)) else { panic!("no table") };
        assert_eq!(pending.number("version"), Some(1.5e9));
        assert_eq!(table.table("l").map(|l| l.0.len()), Some(2));
        assert_eq!(table.text("jid"), Some("x"));
    }

    #[test]
    fn a_list_is_read_item_by_item() {
        let text = b"item({\n\t[\"key\"] = \"a\";\n});\nitem({\n\t[\"key\"] = \"b\";\n});\nitem(os.exit());\n";
        let read: Vec<_> = items(text).collect();
        assert!(read[0].is_ok() && read[1].is_ok());
        assert_eq!(read[2], Err(Wrong { at: 59, what: "\"os\" is no value".to_owned() }));
        assert_eq!(read.len(), 3);
    }

    #[test]
    fn what_is_no_plain_value_is_refused_where_it_stands() {
        for (text, at) in [
            ("os.execute('x')", 0),
            ("return os.time()", 7),
            ("return { a = function() end }", 13),
            ("return \"a\" .. \"b\"", 11),
            ("return {} + 1", 10),
            ("return (6/2)", 7),
            ("return [[long]]", 7),
            ("return \"\\300\"", 8),
            ("return \"\\255\"", 7),
            ("return \"open", 7),
            ("return { 1, 2", 13),
            ("return { a = 1, a = 2 }", 16),
            ("return { [{}] = 1 }", 10),
            ("return 1e999", 7),
        ] {
            assert_eq!(read(text).expect_err(text).at, at, "{text}");
        }
        assert_eq!(read("return (1/0)"), Ok(Value::Number(f64::INFINITY)));
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |n: usize| format!("return {}{}", "{".repeat(n), "}".repeat(n));
        assert!(read(&deep(DEPTH_MAX)).is_ok());
        assert_eq!(read(&deep(100_000)).expect_err("too deep").at, 7 + DEPTH_MAX);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "[-a-z{}\\[\\]()=;,.\"'0-9/ \\\\\\n]{0,80}") {
            let _ = read(&text);
            let _ = read(&format!("return {text}"));
            items(format!("item({text}").as_bytes()).for_each(drop);
        }

        #[test]
        fn any_text_comes_back(text in "\\PC*") {
            let escaped: String = text.bytes().map(|byte| format!("\\{byte:03}")).collect();
            prop_assert_eq!(read(&format!("return \"{escaped}\"")), Ok(Value::Text(text)));
        }
    }
}
