//! Values that remember where in the text they stood.

use std::ops::{Deref, Range};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// A value with the bytes of the text that it came from.
#[derive(Debug, Clone, Default)]
pub struct At<T> {
    pub value: T,
    /// Byte offset and length in the text; empty at 0 for values that no text gave.
    pub span: (u32, u32),
}

impl<T> At<T> {
    /// The bytes of the text.
    pub fn range(&self) -> Range<usize> {
        let start = self.span.0 as usize;
        start..start + self.span.1 as usize
    }
}

impl<T> Deref for At<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<At<T>, D::Error> {
        let spanned = serde_saphyr::Spanned::<T>::deserialize(deserializer)?;
        let span = spanned.referenced.span();
        let narrow = |number: Option<u64>| number.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        Ok(At {
            value: spanned.value,
            span: (narrow(span.byte_offset()), narrow(span.byte_len())),
        })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<T>()
    }
}
