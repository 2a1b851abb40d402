//! A value as it stands in a text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};
use serde_saphyr::Location;

/// What stands where a boolean or a number was asked for.
pub(super) enum Scalar {
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    Nothing,
    List,
    Map,
}

impl Scalar {
    /// Hands it to whoever asked, who takes it or says what was expected.
    pub fn visit<'de, V: Visitor<'de>, E: Error>(self, visitor: V) -> Result<V::Value, E> {
        match self {
            Scalar::Bool(value) => visitor.visit_bool(value),
            Scalar::Unsigned(number) => visitor.visit_u64(number),
            Scalar::Signed(number) => visitor.visit_i64(number),
            Scalar::Float(number) => visitor.visit_f64(number),
            Scalar::Text(text) => visitor.visit_string(text),
            Scalar::Nothing => visitor.visit_unit(),
            Scalar::List => Err(E::invalid_type(Unexpected::Seq, &visitor)),
            Scalar::Map => Err(E::invalid_type(Unexpected::Map, &visitor)),
        }
    }
}

/// The name by which the reader is asked for the place of a value as well, as its own type for that does
/// ([`serde_saphyr::Spanned`], which takes nothing from deserializers of other kinds).
const PLACED: &str = "__yaml_spanned";

/// A value, and where it stands if that is known.
pub(super) struct Placed {
    pub scalar: Scalar,
    pub place: Option<Location>,
}

impl Placed {
    /// Asks for it.
    pub fn of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Placed, D::Error> {
        deserializer.deserialize_newtype_struct(PLACED, WithPlace)
    }
}

struct WithPlace;

impl<'de> Visitor<'de> for WithPlace {
    type Value = Placed;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Placed, E> {
        Ok(Scalar::Bool(value).into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Placed, E> {
        Ok(Scalar::Unsigned(number).into())
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Placed, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut parts: A) -> Result<Placed, A::Error> {
        let mut placed = Placed::from(Scalar::Nothing);
        while let Some(part) = parts.next_key::<String>()? {
            match part.as_str() {
                "value" => placed.scalar = parts.next_value()?,
                "referenced" => placed.place = Some(parts.next_value()?),
                "defined" => drop(parts.next_value::<Location>()?),
                _ => drop(parts.next_value::<IgnoredAny>()?),
            }
        }
        Ok(placed)
    }
}

impl From<Scalar> for Placed {
    fn from(scalar: Scalar) -> Placed {
        Placed { scalar, place: None }
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Scalar;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::Unsigned(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Signed(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scalar, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Scalar, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Map)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scalar, D::Error> {
        deserializer.deserialize_any(Any)
    }
}
