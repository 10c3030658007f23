//! Data forms, XEP-0004: what is shown to be filled in, what is submitted, what is only told.
//!
//! Section 3.1 (types of forms), 3.2 (fields), 3.3 (types of fields), 3.4 (several items, which are only told).

use crate::{Element, ns};

/// A form with its fields in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// `form`, `submit`, `cancel` or `result`.
    pub kind: String,
    /// A title for people.
    pub title: Option<String>,
    /// What to do with it, for people.
    pub instructions: Option<String>,
    /// The fields, `FORM_TYPE` included.
    pub fields: Vec<Field>,
    /// 3.4: what a table tells, with its columns; never read.
    pub table: Option<Table>,
}

/// Several results of the same fields, 3.4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The fields, without values.
    pub reported: Vec<Field>,
    /// The values of each item, in the order of the fields.
    pub items: Vec<Vec<String>>,
}

/// One field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name; empty for one of type `fixed`, which only says something.
    pub var: String,
    /// Its type, such as `text-single`; in a submitted form there may be none.
    pub kind: Option<String>,
    /// What it is, for people.
    pub label: Option<String>,
    /// The values; more than one for types that end in `-multi`.
    pub values: Vec<String>,
    /// What may be chosen from: (label, value).
    pub options: Vec<(Option<String>, String)>,
    /// Whether the form is not to be submitted without it.
    pub required: bool,
    /// Whether other values than the options may be said (XEP-0122 3.2.2).
    pub open: bool,
}

impl Form {
    /// A form without fields; `kind` is `form`, `submit`, `cancel` or `result`.
    pub fn new(kind: &str) -> Form {
        Form { kind: kind.to_owned(), title: None, instructions: None, fields: Vec::new(), table: None }
    }

    /// With a title for people.
    #[must_use]
    pub fn title(mut self, title: &str) -> Form {
        self.title = Some(title.to_owned());
        self
    }

    /// With instructions for people.
    #[must_use]
    pub fn instructions(mut self, instructions: &str) -> Form {
        self.instructions = Some(instructions.to_owned());
        self
    }

    /// With the hidden `FORM_TYPE` that says whose field names these are (XEP-0068).
    #[must_use]
    pub fn with_type(self, form_type: &str) -> Form {
        self.field(Field::new("hidden", "FORM_TYPE").value(form_type))
    }

    /// With a field appended.
    #[must_use]
    pub fn field(mut self, field: Field) -> Form {
        self.fields.push(field);
        self
    }

    /// With several items, each a value for each of these fields.
    #[must_use]
    pub fn table(mut self, reported: Vec<Field>, items: Vec<Vec<String>>) -> Form {
        self.table = Some(Table { reported, items });
        self
    }

    /// Reads `<x xmlns='jabber:x:data'/>`; `None` for another element or an unknown type of form.
    pub fn parse(x: &Element) -> Option<Form> {
        let kind = x.get("type").unwrap_or_default();
        if !x.is("x", ns::FORMS) || !matches!(kind, "form" | "submit" | "cancel" | "result") {
            return None;
        }
        Some(Form {
            kind: kind.to_owned(),
            title: child_text(x, "title"),
            instructions: child_text(x, "instructions"),
            fields: x.children().filter(|c| c.is("field", ns::FORMS)).map(Field::parse).collect(),
            table: None,
        })
    }

    /// Reads the first form within `parent`.
    pub fn find(parent: &Element) -> Option<Form> {
        parent.get_child("x", ns::FORMS).and_then(Form::parse)
    }

    /// The value of `FORM_TYPE`.
    pub fn form_type(&self) -> Option<&str> {
        self.get("FORM_TYPE")
    }

    /// The first value of a field; `None` where there is no such field or no value.
    pub fn get(&self, var: &str) -> Option<&str> {
        self.find_field(var)?.values.first().map(String::as_str)
    }

    /// All values of a field; `None` where there is no such field.
    pub fn values(&self, var: &str) -> Option<&[String]> {
        self.find_field(var).map(|field| field.values.as_slice())
    }

    /// The value of a field as a boolean (3.3: `0`, `1`, `false`, `true`); `None` where it is none of these.
    pub fn boolean(&self, var: &str) -> Option<bool> {
        match self.get(var)? {
            "1" | "true" => Some(true),
            "0" | "false" => Some(false),
            _ => None,
        }
    }

    /// The form as an element.
    pub fn element(&self) -> Element {
        let text = |name: &str, text: &Option<String>| {
            text.as_ref().map(|text| Element::new(name, ns::FORMS).text(text.as_str()))
        };
        Element::new("x", ns::FORMS)
            .attr("type", &self.kind)
            .with(text("title", &self.title))
            .with(text("instructions", &self.instructions))
            .with(self.fields.iter().map(Field::element))
            .with(self.table.iter().flat_map(Table::elements))
    }

    fn find_field(&self, var: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.var == var)
    }
}

impl Table {
    fn elements(&self) -> Vec<Element> {
        let item = |values: &Vec<String>| {
            let named = self.reported.iter().zip(values);
            let told = |(field, value): (&Field, &String)| match value.is_empty() {
                true => Field::column(&field.var).element(),
                false => Field::submitted(&field.var, value).element(),
            };
            let fields = named.map(told);
            Element::new("item", ns::FORMS).with(fields)
        };
        let reported = Element::new("reported", ns::FORMS).with(self.reported.iter().map(Field::element));
        [reported].into_iter().chain(self.items.iter().map(item)).collect()
    }
}

impl Field {
    /// A field of a type of section 3.3, such as `text-single`, without a value.
    pub fn new(kind: &str, var: &str) -> Field {
        Field {
            var: var.to_owned(),
            kind: Some(kind.to_owned()),
            label: None,
            values: Vec::new(),
            options: Vec::new(),
            required: false,
            open: false,
        }
    }

    /// A field as it stands in a submitted form, where types need not be said again.
    pub fn submitted(var: &str, value: impl Into<String>) -> Field {
        Field::column(var).value(value)
    }

    /// A column of a table (3.4).
    pub fn column(var: &str) -> Field {
        Field { kind: None, ..Field::new("", var) }
    }

    /// A field of type `fixed`: a sentence between the others.
    pub fn fixed(text: &str) -> Field {
        Field::new("fixed", "").value(text)
    }

    /// A `boolean` field.
    pub fn boolean(var: &str, value: bool) -> Field {
        Field::new("boolean", var).value(if value { "1" } else { "0" })
    }

    /// With a label for people.
    #[must_use]
    pub fn label(mut self, label: &str) -> Field {
        self.label = Some(label.to_owned());
        self
    }

    /// With a value appended.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Field {
        self.values.push(value.into());
        self
    }

    /// With values appended.
    #[must_use]
    pub fn values<V: Into<String>>(mut self, values: impl IntoIterator<Item = V>) -> Field {
        self.values.extend(values.into_iter().map(Into::into));
        self
    }

    /// With something to choose.
    #[must_use]
    pub fn option(mut self, label: &str, value: &str) -> Field {
        self.options.push((Some(label.to_owned()), value.to_owned()));
        self
    }

    /// Marked as one that must be filled in.
    #[must_use]
    pub fn required(mut self) -> Field {
        self.required = true;
        self
    }

    /// A field that takes other values than its options, of any text (XEP-0122 3.2.2).
    #[must_use]
    pub fn open(mut self) -> Field {
        self.open = true;
        self
    }

    fn parse(field: &Element) -> Field {
        let option = |o: &Element| Some((o.get("label").map(str::to_owned), child_text(o, "value")?));
        Field {
            var: field.get("var").unwrap_or_default().to_owned(),
            kind: field.get("type").map(str::to_owned),
            label: field.get("label").map(str::to_owned),
            values: field.children().filter(|c| c.is("value", ns::FORMS)).map(Element::content).collect(),
            options: field.children().filter(|c| c.is("option", ns::FORMS)).filter_map(option).collect(),
            required: field.has_child("required", ns::FORMS),
            open: field.get_child("validate", ns::VALIDATE).is_some_and(|v| v.has_child("open", ns::VALIDATE)),
        }
    }

    fn element(&self) -> Element {
        let value = |text: &String| Element::new("value", ns::FORMS).text(text.as_str());
        let option = |(label, text): &(Option<String>, String)| {
            Element::new("option", ns::FORMS).attr_opt("label", label.as_ref()).child(value(text))
        };
        let open = || {
            let open = Element::new("open", ns::VALIDATE);
            Element::new("validate", ns::VALIDATE).attr("datatype", "xs:string").child(open)
        };
        Element::new("field", ns::FORMS)
            .attr_opt("var", Some(&self.var).filter(|var| !var.is_empty()))
            .attr_opt("type", self.kind.as_ref())
            .attr_opt("label", self.label.as_ref())
            .with(self.required.then(|| Element::new("required", ns::FORMS)))
            .with(self.open.then(open))
            .with(self.values.iter().map(value))
            .with(self.options.iter().map(option))
    }
}

fn child_text(parent: &Element, name: &str) -> Option<String> {
    parent.get_child(name, ns::FORMS).map(Element::content)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// XEP-0045 example 159: a room's configuration as its owner submits it.
    #[test]
    fn s3_1_a_submitted_form_is_read_by_field_name() {
        let x = Element::parse(
            "<x xmlns='jabber:x:data' type='submit'>\
             <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>\
             <field var='muc#roomconfig_roomname'><value>A Dark Cave</value></field>\
             <field var='muc#roomconfig_persistentroom'><value>0</value></field>\
             <field var='muc#roomconfig_moderatedroom'><value>true</value></field>\
             <field var='muc#roomconfig_maxusers'><value>10</value></field>\
             <field var='muc#roomconfig_roomadmins'><value>wiccarocks@shakespeare.lit</value>\
             <value>hecate@shakespeare.lit</value></field>\
             <field var='muc#roomconfig_roomsecret'/></x>",
        );
        let form = Form::parse(&x.unwrap()).unwrap();
        assert_eq!(form.form_type(), Some(ns::MUC_ROOMCONFIG));
        assert_eq!(form.get("muc#roomconfig_roomname"), Some("A Dark Cave"));
        assert_eq!(form.boolean("muc#roomconfig_persistentroom"), Some(false));
        assert_eq!(form.boolean("muc#roomconfig_moderatedroom"), Some(true));
        assert_eq!(form.boolean("muc#roomconfig_maxusers"), None);
        assert_eq!(form.values("muc#roomconfig_roomadmins").map(<[String]>::len), Some(2));
        assert_eq!(form.values("muc#roomconfig_roomsecret"), Some(&[][..]));
        assert_eq!(form.values("muc#roomconfig_lang"), None);
    }

    #[test]
    fn s3_2_a_form_is_written_with_labels_options_and_required_fields() {
        let form = Form::new("form").title("Configuration").with_type(ns::MUC_ROOMCONFIG).field(
            Field::new("list-single", "muc#roomconfig_maxusers")
                .label("Most occupants")
                .required()
                .value("20")
                .option("Twenty", "20"),
        );
        assert_eq!(
            form.element().to_xml(),
            "<x xmlns='jabber:x:data' type='form'><title>Configuration</title>\
             <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/muc#roomconfig</value></field>\
             <field var='muc#roomconfig_maxusers' type='list-single' label='Most occupants'><required/>\
             <value>20</value><option label='Twenty'><value>20</value></option></field></x>"
        );
        assert_eq!(Form::parse(&form.element()), Some(form));
    }

    #[test]
    fn s3_1_what_is_no_form_is_none() {
        assert_eq!(Form::parse(&Element::new("x", ns::MUC)), None);
        assert_eq!(Form::parse(&Element::new("x", ns::FORMS).attr("type", "wish")), None);
        assert_eq!(Form::find(&Element::new("query", ns::MUC_OWNER)), None);
    }
}
