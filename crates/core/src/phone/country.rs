//! Countries as numbering plans know them.

use std::{fmt, str::FromStr};

use rlibphonenumber::Region;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::library;

/// A country by its ISO 3166-1 alpha-2 code in upper case; always one that has a numbering plan.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country([u8; 2]);

impl Country {
    /// Reads a two-letter code in any case; none for a code without a numbering plan, such as `AQ` or `UK`.
    pub fn parse(code: &str) -> Option<Self> {
        let region = Region::from_code(code.trim()).ok()?;
        library::calling_code(region)?;
        Self::of(region)
    }

    /// The code in upper case: `RU`.
    pub fn as_str(&self) -> &str {
        // Two ASCII letters by construction.
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The country of a region of the library; none for its "world" region of numbers without a country.
    pub(super) fn of(region: Region) -> Option<Self> {
        match region.as_region_str().as_str().as_bytes() {
            &[first, second] => Some(Self([first, second])),
            _ => None,
        }
    }

    pub(super) fn region(self) -> Option<Region> {
        Region::from_code(self.as_str()).ok()
    }

    /// Whether national forms have the trunk prefix 8 and the country code 7.
    pub(super) fn is_zone_seven(self) -> bool {
        matches!(&self.0, b"RU" | b"KZ")
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no country code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a country: write its two-letter ISO 3166-1 code, such as `RU`, `KZ` or `DE`")]
pub struct UnknownCountry(String);

impl FromStr for Country {
    type Err = UnknownCountry;

    fn from_str(code: &str) -> Result<Self, UnknownCountry> {
        Self::parse(code).ok_or_else(|| UnknownCountry(code.to_owned()))
    }
}

impl Serialize for Country {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Code;
        impl de::Visitor<'_> for Code {
            type Value = Country;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a two-letter country code such as `RU`")
            }

            fn visit_str<E: de::Error>(self, code: &str) -> Result<Country, E> {
                code.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Code)
    }
}
