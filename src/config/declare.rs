//! Declarations of keys. One declaration feeds the reader, the environment overrides, `config.example.toml`, the
//! reference, the JSON Schema, `sigbridge config show`, and the comparison at a reload.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::SecretString;

use rtm::value::Value;
use tables::diagnostics::{Diag, Source, Span};
use tables::spanned_toml::{Table, read_all};

use crate::config::Files;
use crate::config::values::{CERTIFICATE_ENV, valid_certificate};

/// When a changed key takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// At a reload.
    Reload,
    /// At the next start.
    Restart,
}

impl Change {
    /// Returns the name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reload => "reload",
            Self::Restart => "restart",
        }
    }
}

/// Type of a key.
pub trait Kind {
    /// Type of the field.
    type Value;

    /// Takes the key from its table and reports errors. Returns `None` for a missing or invalid one.
    fn read(&self, table: &mut Table<'_>, key: &str, files: &dyn Files) -> Option<Self::Value>;

    /// Returns the value as TOML, or `None` if it is not set. Secrets are not shown.
    fn show(&self, value: &Self::Value) -> Option<String>;

    /// Returns a text that differs for different values. It may contain a secret.
    fn content(&self, value: &Self::Value) -> String {
        self.show(value).unwrap_or_default()
    }

    /// Returns the JSON Schema.
    fn schema(&self) -> Value;

    /// Returns the accepted values in words.
    fn range(&self) -> Option<String> {
        None
    }

    /// Returns the TOML of a value in an environment variable.
    fn literal(&self, text: &str) -> String {
        quoted(text)
    }

    /// Returns true if the value is a secret.
    fn is_secret(&self) -> bool {
        false
    }
}

/// Returns a TOML string.
pub fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Section of the config.
#[derive(Clone, Debug)]
pub struct SectionSpec {
    /// Dotted name.
    pub name: &'static str,
    pub text: String,
    /// True for `[[name]]`.
    pub repeated: bool,
    pub keys: Vec<KeySpec>,
}

/// Declaration of a key.
#[derive(Clone, Debug)]
pub struct KeySpec {
    pub name: &'static str,
    pub text: String,
    /// Default as TOML, or `None` without a fixed one.
    pub default: Option<String>,
    /// Example as TOML, for a key without a default.
    pub example: Option<&'static str>,
    pub range: Option<String>,
    pub schema: Value,
    pub change: Change,
    pub is_secret: bool,
}

impl KeySpec {
    /// Creates the declaration of a key.
    pub fn new<K: Kind>(
        (name, text): (&'static str, String),
        kind: &K,
        default: &K::Value,
        example: &[&'static str],
        change: Change,
    ) -> Self {
        Self {
            name,
            text,
            default: kind.show(default),
            example: example.first().copied(),
            range: kind.range(),
            schema: kind.schema(),
            change,
            is_secret: kind.is_secret(),
        }
    }
}

/// Value of a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown {
    pub key: &'static str,
    /// The value as TOML; `None` if it is not set.
    pub value: Option<String>,
    /// A text that differs for different values. It may contain a secret, so it is not printed.
    pub content: String,
    pub change: Change,
    pub is_secret: bool,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown")
            .field("key", &self.key)
            .field("value", &self.value)
            .field("change", &self.change)
            .finish_non_exhaustive()
    }
}

impl Shown {
    /// Describes a value.
    pub fn new<K: Kind>(key: &'static str, kind: &K, value: &K::Value, change: Change) -> Self {
        Self {
            key,
            value: kind.show(value),
            content: kind.content(value),
            change,
            is_secret: kind.is_secret(),
        }
    }
}

/// Section that is declared by [`section!`](crate::config::declare::section).
pub trait Section: Default {
    /// Dotted name.
    const NAME: &'static str;

    /// Returns the declarations.
    fn spec() -> SectionSpec;

    /// Reads all keys.
    fn read(reader: &mut Reader<'_, '_>) -> Self;

    /// Returns all values, in the order of the declarations.
    fn values(&self) -> Vec<Shown>;
}

/// Reader of one section: environment variables first, then the file.
pub struct Reader<'t, 'r> {
    table: &'t mut Table<'r>,
    files: &'t dyn Files,
    /// Dotted name, or `None` where environment variables do not apply.
    section: Option<&'static str>,
    given: BTreeMap<&'static str, Span>,
}

impl<'t, 'r> Reader<'t, 'r> {
    /// Creates a reader of a table.
    pub fn new(table: &'t mut Table<'r>, files: &'t dyn Files, section: Option<&'static str>) -> Self {
        Self {
            table,
            files,
            section,
            given: BTreeMap::new(),
        }
    }

    /// Reads a key.
    pub fn key<K: Kind>(&mut self, key: &'static str, kind: &K) -> Option<K::Value> {
        let span = self.table.span_of(key);
        if let Some((name, text)) = self.overriding(key) {
            // The key is known, but its value does not count.
            let _ = self.table.take(key);
            return self.read_variable(key, kind, name, &text);
        }
        let value = kind.read(self.table, key, self.files);
        self.given.extend(span.map(|span| (key, span)));
        value
    }

    /// Returns the places of all keys that are set.
    pub fn given(&self) -> &BTreeMap<&'static str, Span> {
        &self.given
    }

    /// Returns the place of a key that is set.
    pub fn place(&self, key: &str) -> Option<&Span> {
        self.given.get(key)
    }

    /// Returns the place of the section.
    pub fn section_place(&self) -> &Span {
        self.table.span()
    }

    /// Reports an error.
    pub fn report(&self, diag: Diag) {
        self.table.report(diag);
    }

    /// Returns the table, for further checks.
    pub fn table(&self) -> &Table<'r> {
        self.table
    }

    /// Returns the dotted name of the section.
    pub fn path(&self) -> &str {
        self.table.path()
    }

    /// Reports a certificate in the config itself.
    pub fn refuse_inline_certificate(&mut self) {
        if let Some(inline) = self.table.take_str("certificate") {
            let title = format!("`{}.certificate`: secrets must not be in the config", self.table.path());
            let hint = format!("set `certificate_file`; for `[auth]` also the environment variable {CERTIFICATE_ENV}");
            self.report(Diag::new(&inline.span, title).help(hint));
        }
    }

    /// Reads the certificate in [`CERTIFICATE_ENV`].
    pub fn certificate_of_environment(&self, text: &str) -> Option<SecretString> {
        valid_certificate(self.table, self.table.span(), text)
    }

    fn overriding(&self, key: &str) -> Option<(String, String)> {
        let name = variable(self.section?, key);
        let text = self.files.env(&name)?;
        Some((name, text))
    }

    /// Reads the value of an environment variable as a config of its own, so that errors name the variable.
    fn read_variable<K: Kind>(&mut self, key: &'static str, kind: &K, name: String, text: &str) -> Option<K::Value> {
        let section = self.section?;
        let source = Source::private(
            format!("environment variable {name}"),
            format!("{section}.{key} = {}", kind.literal(text)),
        );
        let (value, diags) = read_all(&source, |mut table| {
            for part in section.split('.') {
                let inner = table.take_table(part);
                table.finish();
                table = inner?;
            }
            let span = table.span_of(key);
            let value = kind.read(&mut table, key, self.files);
            table.finish();
            Some((value, span))
        });
        diags.into_iter().for_each(|diag| self.table.report(diag));
        let (value, span) = value?;
        self.given.extend(span.map(|span| (key, span)));
        value
    }
}

/// Returns the environment variable of a key.
pub fn variable(section: &str, key: &str) -> String {
    format!("SIGBRIDGE_{section}_{key}").replace('.', "_").to_uppercase()
}

/// Joins the lines of a doc comment.
pub fn joined(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

/// Declares a section: the struct, its defaults, and for each key the type, the text and when a change takes effect.
///
/// ```text
/// section! {
///     /// Text of the section.
///     pub struct Name("name") derives(PartialEq) {
///         /// Text of the key.
///         field: Type = default => Kind, Reload;
///         field as "key": Type = default, example "\"toml\"" => Kind, Restart;
///     }
///     nested: Type;
/// }
/// ```
macro_rules! section {
    (
        $(#[doc = $text:literal])*
        pub struct $name:ident($section:literal) derives($($derive:ident),*) {
            $(
                $(#[doc = $doc:literal])*
                $field:ident $(as $key:literal)? : $ty:ty = $default:expr $(, example $example:literal)?
                    => $kind:expr, $change:ident;
            )*
        }
        $($nested:ident: $nested_ty:ty;)*
    ) => {
        $(#[doc = $text])*
        #[derive(Clone, Debug, $($derive),*)]
        pub struct $name {
            $($(#[doc = $doc])* pub $field: $ty,)*
            $(pub $nested: $nested_ty,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($field: $default,)*
                    $($nested: Default::default(),)*
                }
            }
        }

        impl $crate::config::declare::Section for $name {
            const NAME: &'static str = $section;

            fn spec() -> $crate::config::declare::SectionSpec {
                let default = Self::default();
                $crate::config::declare::SectionSpec {
                    name: $section,
                    text: $crate::config::declare::joined(&[$($text),*]),
                    repeated: false,
                    keys: vec![$($crate::config::declare::KeySpec::new(
                        (
                            $crate::config::declare::key_name!($field $($key)?),
                            $crate::config::declare::joined(&[$($doc),*]),
                        ),
                        &$kind,
                        &default.$field,
                        &[$($example)?],
                        $crate::config::declare::Change::$change,
                    )),*],
                }
            }

            fn read(reader: &mut $crate::config::declare::Reader<'_, '_>) -> Self {
                let default = Self::default();
                Self {
                    $($field: reader
                        .key($crate::config::declare::key_name!($field $($key)?), &$kind)
                        .unwrap_or(default.$field),)*
                    $($nested: default.$nested,)*
                }
            }

            fn values(&self) -> Vec<$crate::config::declare::Shown> {
                vec![$($crate::config::declare::Shown::new(
                    $crate::config::declare::key_name!($field $($key)?),
                    &$kind,
                    &self.$field,
                    $crate::config::declare::Change::$change,
                )),*]
            }
        }
    };
}

/// Returns the name of a key: that of the field, or another.
macro_rules! key_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $key:literal) => {
        $key
    };
}

pub(crate) use key_name;
pub(crate) use section;
