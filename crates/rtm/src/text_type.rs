//! Text types whose content is validated when they are built.

/// Declares a type for texts that `$check` accepts; it fails with `$error`.
#[macro_export]
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $check:path, $error:ty) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name($crate::value::Text);

        impl $name {
            /// Builds the value from a valid text.
            ///
            /// # Errors
            /// The rule that the text breaks.
            pub fn new(text: impl Into<$crate::value::Text>) -> Result<Self, $error> {
                let text = text.into();
                $check(&text)?;
                Ok(Self(text))
            }

            /// Checks a text.
            ///
            /// # Errors
            /// The rule that the text breaks.
            pub fn check(text: &str) -> Result<(), $error> {
                $check(text)
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Returns the shared text.
            pub fn text(&self) -> &$crate::value::Text {
                &self.0
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
