//! What people read, made from [`keys`](super::keys): the commented file and `docs/configuration.md`.

use std::fmt::Write as _;

use super::keys::{Key, ROOMS_TLS, SECTIONS, Section};

/// Columns that comments are wrapped at.
const COLUMNS: usize = 100;
/// The least number of columns for a comment, however far right it begins.
const COLUMNS_MIN: usize = 40;

/// Values for the commented file, beside the defaults.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// (section, key, value as TOML).
    pub values: Vec<(&'static str, &'static str, String)>,
    /// Optional sections that are left out: commented as a whole.
    pub without: Vec<&'static str>,
}

impl Given {
    /// Sets a key.
    pub fn set(&mut self, section: &'static str, key: &'static str, toml: String) {
        self.values.push((section, key, toml));
    }

    fn value(&self, section: &str, key: &str) -> Option<&str> {
        self.values.iter().find(|value| value.0 == section && value.1 == key).map(|value| value.2.as_str())
    }
}

/// The commented configuration: every key with its manual; what is a default is commented out.
pub fn file(given: &Given) -> String {
    let mut out = String::from("# netjoin. `netjoin check --config FILE` says what is wrong with this file.\n");
    out.push_str("# A line that begins with \"# name =\" shows the default; remove the # to change it.\n");
    for section in SECTIONS {
        let _ = writeln!(out);
        comment(&mut out, "# ", section.manual);
        // One of a list that nobody has given would be one too many.
        let given_none = section.is_list() && !given.values.iter().any(|value| value.0 == section.path);
        let left_out = given_none || given.without.contains(&section.path);
        match section.path {
            "" => {}
            _ if left_out => drop(writeln!(out, "# {}", section.heading())),
            _ => drop(writeln!(out, "{}", section.heading())),
        }
        for key in section.keys {
            file_key(&mut out, section, key, given);
        }
    }
    out
}

fn file_key(out: &mut String, section: &Section, key: &Key, given: &Given) {
    let _ = writeln!(out);
    comment(out, "# ", key.manual);
    match given.value(section.path, key.name) {
        Some(value) => drop(writeln!(out, "{} = {value}", key.name)),
        None => drop(writeln!(out, "# {} = {}", key.name, if key.default.is_empty() { "\"…\"" } else { key.default })),
    }
}

/// The text of `docs/configuration.md`.
pub fn reference() -> String {
    let mut out = String::from(
        "# Configuration\n\n\
         One TOML file. `netjoin init` writes it with these texts as comments, `netjoin check` says what is wrong with\n\
         it, by line and key. A key that is not known is an error. SIGHUP reads it again: certificates, routes and\n\
         `log.level` change at once, the log says what waits for the next start.\n\n\
         This page is generated: `netjoin check --manual > docs/configuration.md`.\n",
    );
    for section in SECTIONS {
        let name = if section.path.is_empty() { "At the top".to_owned() } else { format!("`{}`", section.heading()) };
        let _ = writeln!(out, "\n## {name}\n");
        comment(&mut out, "", section.manual);
        if section.path == ROOMS_TLS.path {
            let _ = writeln!(out, "\nKeys as in `[tls]`.");
            continue;
        }
        for key in section.keys {
            let _ = writeln!(out, "\n**`{}`** ({}), {}\n", key.name, kind(key), default(key));
            comment(&mut out, "", key.manual);
        }
    }
    out
}

/// The manual of a key, on one line; `path` is as in `c2s.listen`.
pub fn of_key(path: &str) -> Option<String> {
    let (section, name) = path.rsplit_once('.').unwrap_or(("", path));
    let section = super::reader::section_of(section)?;
    let key = section.keys.iter().find(|key| key.name == name)?;
    Some(key.manual.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn kind(key: &Key) -> String {
    match key.range {
        Some((min, max)) => format!("{} from {min} to {max}", (key.kind)()),
        None => (key.kind)(),
    }
}

fn default(key: &Key) -> String {
    match key.default {
        "" => "no default".to_owned(),
        default => format!("default `{default}`"),
    }
}

/// Writes a manual text, wrapped.
fn comment(out: &mut String, prefix: &str, manual: &str) {
    let width = COLUMNS.saturating_sub(prefix.len()).max(COLUMNS_MIN);
    let mut line = String::new();
    for word in manual.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            let _ = writeln!(out, "{prefix}{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(out, "{prefix}{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page in the repository is the one these texts give.
    #[test]
    fn the_reference_in_docs_is_the_generated_one() {
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
        let page = std::fs::read_to_string(page).expect("docs/configuration.md is there");
        assert!(page == reference(), "run: netjoin check --manual > docs/configuration.md");
    }

    #[test]
    fn the_commented_file_is_toml_and_has_every_key() {
        let text = file(&Given::default());
        assert!(toml::de::DeTable::parse(&text).is_ok());
        for section in SECTIONS {
            for key in section.keys {
                assert!(text.contains(&format!("# {} = ", key.name)), "{}.{}", section.path, key.name);
            }
        }
    }
}
