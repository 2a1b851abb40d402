use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A byte string as the kernel has them: argv, environment, paths, output.
///
/// In JSON it is a string where it is UTF-8 that JSON writes without blowing up, else `{"b64": "…"}`.
/// Both forms are read back to the same bytes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    /// The text, with U+FFFD in place of what is not UTF-8: for people, never for decisions.
    pub fn lossy(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }

    /// As an OS string (a path, an argument).
    pub fn as_os_str(&self) -> &OsStr {
        OsStr::from_bytes(&self.0)
    }

    /// As plain text if JSON can carry it so: valid UTF-8 in which control characters, which JSON
    /// writes with six bytes each, are rare.
    fn as_json_text(&self) -> Option<&str> {
        let controls = self
            .0
            .iter()
            .filter(|byte| **byte < 0x20 && !matches!(byte, b'\n' | b'\t' | b'\r'))
            .count();
        if controls > 16 && controls * 16 > self.0.len() {
            return None;
        }
        std::str::from_utf8(&self.0).ok()
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Bytes(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes(bytes)
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Self {
        Bytes(text.as_bytes().to_vec())
    }
}

impl From<String> for Bytes {
    fn from(text: String) -> Self {
        Bytes(text.into_bytes())
    }
}

impl From<OsString> for Bytes {
    fn from(text: OsString) -> Self {
        Bytes(text.into_vec())
    }
}

impl From<&OsStr> for Bytes {
    fn from(text: &OsStr) -> Self {
        Bytes(text.as_bytes().to_vec())
    }
}

impl From<&std::path::Path> for Bytes {
    fn from(path: &std::path::Path) -> Self {
        Bytes::from(path.as_os_str())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(text) = self.as_json_text() {
            return serializer.serialize_str(text);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("b64", &STANDARD.encode(&self.0))?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BytesVisitor;
        impl<'de> Visitor<'de> for BytesVisitor {
            type Value = Bytes;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a string or {\"b64\": \"…\"}")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
                Ok(Bytes::from(text))
            }
            fn visit_string<E: de::Error>(self, text: String) -> Result<Bytes, E> {
                Ok(Bytes::from(text))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Bytes, A::Error> {
                let Some((key, text)) = map.next_entry::<String, String>()? else {
                    return Err(de::Error::missing_field("b64"));
                };
                if key != "b64" {
                    return Err(de::Error::unknown_field(&key, &["b64"]));
                }
                if map.next_key::<String>()?.is_some() {
                    return Err(de::Error::custom("one key only: b64"));
                }
                STANDARD.decode(text).map(Bytes).map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_any(BytesVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_stays_text_and_other_bytes_become_base64() -> Result<(), serde_json::Error> {
        assert_eq!(serde_json::to_string(&Bytes::from("héllo"))?, "\"héllo\"");
        assert_eq!(serde_json::to_string(&Bytes(vec![0xff, 0x00]))?, r#"{"b64":"/wA="}"#);
        Ok(())
    }

    #[test]
    fn a_text_of_control_characters_does_not_grow_sixfold() -> Result<(), serde_json::Error> {
        let text = Bytes(vec![1; 3_000_000]);
        assert!(serde_json::to_string(&text)?.len() < 4_100_000);
        Ok(())
    }

    #[test]
    fn a_second_key_is_refused() {
        assert!(serde_json::from_str::<Bytes>(r#"{"b64":"","x":""}"#).is_err());
        assert!(serde_json::from_str::<Bytes>(r#"{"x":""}"#).is_err());
        assert!(serde_json::from_str::<Bytes>("{}").is_err());
    }

    proptest! {
        #[test]
        fn every_byte_string_survives_the_round_trip(bytes: Vec<u8>) {
            let json = serde_json::to_string(&Bytes(bytes.clone())).map_err(|e| TestCaseError::fail(e.to_string()))?;
            let back: Bytes = serde_json::from_str(&json).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(back.0, bytes);
        }
    }
}
