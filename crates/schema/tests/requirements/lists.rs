//! The lists in `docs/requirements`: `id | keyword | what is asked for | reason without a test`, the last where there is one;
//! `##` begins a chapter.

/// What one document asks for.
pub struct List {
    /// `XEP-0045`
    pub xep: String,
    pub chapters: Vec<Chapter>,
}

/// What one of its chapters asks for.
pub struct Chapter {
    /// `7 Occupants`
    pub title: String,
    pub requirements: Vec<Requirement>,
}

/// A sentence with a keyword of RFC 2119.
pub struct Requirement {
    /// Its section, and a letter within it: `7.2.8-b`.
    pub id: String,
    pub keyword: String,
    /// In our own words.
    pub what: String,
    /// Why no test shows it.
    pub reason: Option<String>,
}

impl List {
    /// Reads a list; says what is wrong with it and where.
    pub fn parse(xep: &str, text: &str) -> Result<List, String> {
        let mut chapters: Vec<Chapter> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let wrong = |what: &str| Err(format!("line {}: {what}", index + 1));
            if let Some(title) = line.strip_prefix("## ") {
                chapters.push(Chapter { title: title.to_owned(), requirements: Vec::new() });
            } else if !line.is_empty() && !line.starts_with('#') {
                let Some(chapter) = chapters.last_mut() else { return wrong("no chapter has begun") };
                match requirement(line) {
                    Ok(requirement) => chapter.requirements.push(requirement),
                    Err(what) => return wrong(&what),
                }
            }
        }
        let list = List { xep: xep.to_owned(), chapters };
        let mut ids: Vec<&str> = list.requirements().map(|requirement| requirement.id.as_str()).collect();
        ids.sort_unstable();
        match ids.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(twice) => Err(format!("{} is there twice", twice[0])),
            None => Ok(list),
        }
    }

    pub fn requirements(&self) -> impl Iterator<Item = &Requirement> {
        self.chapters.iter().flat_map(|chapter| &chapter.requirements)
    }
}

fn requirement(line: &str) -> Result<Requirement, String> {
    let fields: Vec<&str> = line.split('|').map(str::trim).collect();
    let (id, keyword, what, reason) = match *fields {
        [id, keyword, what] => (id, keyword, what, None),
        [id, keyword, what, reason] => (id, keyword, what, Some(reason.to_owned())),
        _ => return Err("not `id | keyword | what | reason`".to_owned()),
    };
    if !is_id(id) {
        return Err(format!("{id} is no section with a letter"));
    }
    if !KEYWORDS.contains(&keyword) {
        return Err(format!("{keyword} is no keyword"));
    }
    if reason.as_ref().is_some_and(|reason| !REASONS.iter().any(|kind| reason.starts_with(kind))) {
        return Err(format!("a reason begins with one of {REASONS:?}"));
    }
    Ok(Requirement { id: id.to_owned(), keyword: keyword.to_owned(), what: what.to_owned(), reason })
}

/// Whether it is the name of a requirement: `7.2.8-b`.
pub fn is_id(text: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.split_once('-').is_some_and(|(section, letter)| {
        section.split('.').all(number) && !letter.is_empty() && letter.bytes().all(|b| b.is_ascii_lowercase())
    })
}

/// RFC 2119's, as far as they ask for something.
const KEYWORDS: [&str; 9] =
    ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "REQUIRED", "SHALL", "SHALL NOT", "RECOMMENDED", "NOT RECOMMENDED"];
/// Why a requirement may have no test: it is not ours, or does not arise here, or is not met.
pub const REASONS: [&str; 3] = ["client: ", "not here: ", "not yet: "];

#[test]
fn a_fault_in_a_list_is_told() {
    let fault = |line: &str| List::parse("XEP-0045", &format!("## 7 Occupants\n{line}\n")).err();
    assert_eq!(fault("7.2-a | MUST | be so | client: says it"), None);
    assert!(fault("7.2 | MUST | be so").is_some());
    assert!(fault("7.2-a | MAY | be so").is_some());
    assert!(fault("7.2-a | MUST | be so | because").is_some());
    assert!(fault("7.2-a | MUST").is_some());
    assert!(fault("7.2-a | MUST | be so\n7.2-a | MUST | be so again").is_some());
}
