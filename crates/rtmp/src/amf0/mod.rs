//! AMF 0: the values of RTMP commands and metadata.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub use decode::{Error, decode};
pub use encode::encode;

/// A value. References, recordsets and the switch to AMF 3 are not spoken.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A double, the only kind of number (AMF 0 §2.2).
    Number(f64),
    /// A boolean (§2.3).
    Boolean(bool),
    /// A string, long string or XML document (§2.4, §2.14, §2.17). Bytes that are no UTF-8 were replaced.
    String(String),
    /// An object, or a typed object whose class name is left out (§2.5, §2.18). Properties in the order they came.
    Object(Vec<(String, Self)>),
    /// Nothing (§2.7).
    Null,
    /// Undefined (§2.8).
    Undefined,
    /// An associative array (§2.10).
    EcmaArray(Vec<(String, Self)>),
    /// An array (§2.12).
    StrictArray(Vec<Self>),
    /// Milliseconds since 1970 (§2.13).
    Date(f64),
}

impl Value {
    /// The text, if it is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The property of that name, if it is an object or associative array that has one.
    pub fn property(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(properties) | Self::EcmaArray(properties) => properties
                .iter()
                .find_map(|(key, value)| (key == name).then_some(value)),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

// Type markers (AMF 0 §2.1).
const NUMBER: u8 = 0x00;
const BOOLEAN: u8 = 0x01;
const STRING: u8 = 0x02;
const OBJECT: u8 = 0x03;
const NULL: u8 = 0x05;
const UNDEFINED: u8 = 0x06;
const ECMA_ARRAY: u8 = 0x08;
const OBJECT_END: u8 = 0x09;
const STRICT_ARRAY: u8 = 0x0a;
const DATE: u8 = 0x0b;
const LONG_STRING: u8 = 0x0c;
const UNSUPPORTED: u8 = 0x0d;
const XML_DOCUMENT: u8 = 0x0f;
const TYPED_OBJECT: u8 = 0x10;
