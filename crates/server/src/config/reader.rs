//! Walks the file once: typed values out, and every problem with its line, key and remedy.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::keys::{Key, SECTIONS, Section};
use super::setting::{Domain, Route, Routes, Setting, table};

/// How alike two names must be for one to be offered for the other, from 0 to 1.
const NEAR: f64 = 0.6;

/// Something wrong, or doubtful, in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; of the section where the key is not there; `None` when it is about the whole file.
    pub line: Option<usize>,
    /// The key with its section, as in `c2s.listen`; empty when it is about the whole file.
    pub key: String,
    /// What is wrong, and what to do about it.
    pub message: String,
    /// Whether the server cannot run like this.
    pub fatal: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        let grade = if self.fatal { "error" } else { "warning" };
        match self.key.as_str() {
            "" => write!(f, " {grade}: {}", self.message),
            key => write!(f, " {grade}: {key}: {}", self.message),
        }
    }
}

/// Reads one file.
pub struct Reader<'d, 'i> {
    file: PathBuf,
    text: &'i str,
    document: &'d DeTable<'i>,
    lines: BTreeMap<String, usize>,
    /// What was found so far.
    pub problems: Vec<Problem>,
}

impl<'d, 'i> Reader<'d, 'i> {
    /// Over a document that was parsed from this text; reports every key that is not known.
    pub fn new(file: &Path, text: &'i str, document: &'d DeTable<'i>) -> Reader<'d, 'i> {
        let mut reader = Reader { file: file.to_owned(), text, document, lines: BTreeMap::new(), problems: Vec::new() };
        reader.walk("", document);
        reader
    }

    /// Whether the file has this section.
    pub fn has(&self, section: &str) -> bool {
        self.section(section).is_some()
    }

    /// Whether something is wrong with this key already.
    pub fn complains_of(&self, key: &str) -> bool {
        self.problems.iter().any(|problem| problem.key == key)
    }

    /// Reads a key; where it is missing or wrong, the default stands in.
    pub fn key<T: Setting>(&mut self, section: &str, key: &Key) -> Option<T> {
        let path = join(section, key.name);
        match self.section(section).and_then(|table| table.get(key.name)) {
            Some(value) => match read_in_range::<T>(value.get_ref(), key) {
                Ok(value) => return Some(value),
                Err(message) => self.error(&path, message),
            },
            None if key.default.is_empty() && T::absent().is_none() => {
                self.error(&path, format!("is missing; {}", example(key)));
            }
            None => {}
        }
        default(key)
    }

    /// Reads `[s2s.routes]`.
    pub fn routes(&mut self, section: &str) -> Routes {
        let mut routes = Routes::new();
        let Some(table) = self.section(section) else { return routes };
        for (name, value) in table.iter() {
            let path = join(section, name.get_ref());
            match (Domain::new(name.get_ref()), Route::read(value.get_ref())) {
                (None, _) => self.error(&path, "is no domain; write it in quotes, like \"channel.avalon.irc\"".into()),
                (_, Err(message)) => self.error(&path, message),
                (Some(domain), Ok(route)) => drop(routes.insert(domain.as_str().to_owned(), route)),
            }
        }
        routes
    }

    /// Reports what makes the file unusable.
    pub fn error(&mut self, key: &str, message: String) {
        self.problem(key, message, true);
    }

    /// Reports what is doubtful.
    pub fn warning(&mut self, key: &str, message: String) {
        self.problem(key, message, false);
    }

    fn problem(&mut self, key: &str, message: String, fatal: bool) {
        let problem = Problem { file: self.file.clone(), line: self.line(key), key: key.to_owned(), message, fatal };
        self.problems.push(problem);
    }

    /// The line of a key, else of its section, else none.
    fn line(&self, key: &str) -> Option<usize> {
        let mut key = key;
        loop {
            if let Some(line) = self.lines.get(key) {
                return Some(*line);
            }
            key = key.rsplit_once('.')?.0;
        }
    }

    /// The paths of the sections of a list, each with its number: `component.1`, `component.2`.
    pub fn list(&self, path: &str) -> Vec<String> {
        let list = self.document.get(path).and_then(|list| list.get_ref().as_array());
        (1..=list.map_or(0, |list| list.len())).map(|number| join(path, &number.to_string())).collect()
    }

    fn section(&self, path: &str) -> Option<&'d DeTable<'i>> {
        let mut table = self.document;
        let mut names = path.split('.').filter(|name| !name.is_empty());
        while let Some(name) = names.next() {
            let value = table.get(name)?.get_ref();
            table = match value.as_array() {
                Some(list) => {
                    let number: usize = names.next()?.parse().ok()?;
                    list.get(number.checked_sub(1)?)?.get_ref().as_table()?
                }
                None => value.as_table()?,
            };
        }
        Some(table)
    }

    /// Notes where each key stands, and reports those that are not known.
    fn walk(&mut self, path: &str, within: &DeTable<'i>) {
        let section = section_of(path);
        for (name, value) in within.iter() {
            let full = join(path, name.get_ref());
            let line = self.text[..name.span().start.min(self.text.len())].matches('\n').count() + 1;
            self.lines.insert(full.clone(), line);
            if let Some(list) = SECTIONS.iter().find(|section| section.is_list() && section.path == full) {
                self.walk_list(list, value.get_ref());
            } else if SECTIONS.iter().any(|section| section.path == full) {
                match table(value.get_ref()) {
                    Ok(inner) => self.walk(&full, inner),
                    Err(message) => self.error(&full, message),
                }
            } else if !section.is_some_and(|section| knows(section, name.get_ref())) {
                let message = unknown(path, name.get_ref(), matches!(value.get_ref(), DeValue::Table(_)));
                self.error(&full, message);
            }
        }
    }
}

impl<'i> Reader<'_, 'i> {
    fn walk_list(&mut self, section: &Section, value: &DeValue<'i>) {
        let items = value.as_array().map(|list| list.iter().map(|item| (item.span(), item.get_ref().as_table())));
        let Some(items) = items else {
            return self.error(section.path, format!("is no list; write {} above its keys", section.heading()));
        };
        for (number, (span, item)) in items.enumerate() {
            let path = join(section.path, &(number + 1).to_string());
            let line = self.text[..span.start.min(self.text.len())].matches('\n').count() + 1;
            self.lines.insert(path.clone(), line);
            match item {
                Some(item) => self.walk(&path, item),
                None => self.error(&path, format!("is no section; write {} above its keys", section.heading())),
            }
        }
    }
}

/// The section of a path; that of a list is found under the number of each.
pub fn section_of(path: &str) -> Option<&'static Section> {
    let of_list = |section: &&Section| {
        section.is_list()
            && path
                .strip_prefix(section.path)
                .and_then(|rest| rest.strip_prefix('.'))
                .is_some_and(|rest| rest.parse::<usize>().is_ok())
    };
    SECTIONS.iter().find(|section| section.path == path || of_list(section))
}

/// The nearest of some names, if one is near.
pub fn nearest<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    let name = name.to_lowercase();
    names
        .iter()
        .map(|known| (strsim::normalized_damerau_levenshtein(&name, known), *known))
        .filter(|(alike, _)| *alike >= NEAR)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}

/// The default of a key.
fn default<T: Setting>(key: &Key) -> Option<T> {
    if key.default.is_empty() {
        return T::absent();
    }
    let value = DeValue::parse(key.default).ok()?;
    T::read(value.get_ref()).ok()
}

fn read_in_range<T: Setting>(value: &DeValue<'_>, key: &Key) -> Result<T, String> {
    let read = T::read(value)?;
    if let Some((min, max)) = key.range {
        let number = u64::read(value)?;
        if !(min..=max).contains(&number) {
            return Err(format!("is {number}; write a number from {min} to {max}"));
        }
    }
    Ok(read)
}

fn example(key: &Key) -> String {
    format!("add `{} = …` ({}) to this section", key.name, (key.kind)())
}

fn knows(section: &Section, name: &str) -> bool {
    section.keys.is_empty() || section.keys.iter().any(|key| key.name == name)
}

/// What to say of a key that is not known: the nearest name here, else the section where it belongs.
fn unknown(path: &str, name: &str, is_table: bool) -> String {
    let subsections = SECTIONS.iter().filter_map(|section| child(path, section.path));
    let keys = section_of(path).into_iter().flat_map(|section| section.keys);
    let names: Vec<&str> = if is_table { subsections.collect() } else { keys.map(|key| key.name).collect() };
    if let Some(near) = nearest(name, &names) {
        let near = if is_table { format!("[{}]", join(path, near)) } else { near.to_owned() };
        return format!("is not known; did you mean {near}?");
    }
    let elsewhere = SECTIONS.iter().filter(|section| section.keys.iter().any(|key| key.name == name));
    let elsewhere: Vec<String> = elsewhere.map(|section| shown(section.path)).collect();
    if !elsewhere.is_empty() && !is_table {
        return format!("is not known here; it belongs in {}", elsewhere.join(" or "));
    }
    format!("is not known; remove it, or take one of: {}", names.join(", "))
}

fn child<'p>(path: &str, section: &'p str) -> Option<&'p str> {
    let rest = match path {
        "" => section,
        path => section.strip_prefix(path)?.strip_prefix('.')?,
    };
    (!rest.is_empty() && !rest.contains('.')).then_some(rest)
}

fn shown(path: &str) -> String {
    if path.is_empty() { "the top of the file, before the first section".into() } else { format!("[{path}]") }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_read_by_its_own_key() {
        for section in SECTIONS {
            for key in section.keys.iter().filter(|key| !key.default.is_empty()) {
                let value = DeValue::parse(key.default);
                assert!(value.is_ok(), "{}.{}", section.path, key.name);
                if let Some((min, max)) = key.range {
                    let number = default::<u64>(key);
                    assert!(number.is_some_and(|n| (min..=max).contains(&n)), "{}.{}", section.path, key.name);
                }
            }
        }
    }

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        assert_eq!(nearest("registation", &["listen", "registration"]), Some("registration"));
        assert_eq!(nearest("Listen-TLS", &["listen", "listen_tls"]), Some("listen_tls"));
        assert_eq!(nearest("zebra", &["listen", "listen_tls"]), None);
    }
}
