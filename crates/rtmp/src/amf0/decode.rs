use std::mem;

use super::{
    BOOLEAN, DATE, ECMA_ARRAY, LONG_STRING, NULL, NUMBER, OBJECT, OBJECT_END, STRICT_ARRAY, STRING,
    TYPED_OBJECT, UNDEFINED, UNSUPPORTED, Value, XML_DOCUMENT,
};

/// Why bytes are not AMF 0 that is read here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// They end in the middle of a value.
    #[error("AMF0 ends in the middle of a value")]
    Truncated,
    /// A type that is not spoken: a reference, a recordset, AMF 3, or none at all.
    #[error("AMF0 type {0:#04x} is not spoken")]
    Type(u8),
    /// Objects and arrays nested more than 32 deep.
    #[error("AMF0 nested deeper than {DEPTH_MAX}")]
    Depth,
    /// More than 1,024 values.
    #[error("AMF0 with more than {VALUES_MAX} values")]
    Values,
}

/// Reads all the values that `bytes` hold, one after the other.
///
/// Bounded whatever the bytes are: 32 levels, 1,024 values (those inside others counted), text no longer than the
/// bytes (three times that where it is no UTF-8).
///
/// # Errors
/// When the bytes are cut short, use a type that is not spoken, or are past a bound.
pub fn decode(bytes: &[u8]) -> Result<Vec<Value>, Error> {
    let mut reader = Reader {
        rest: bytes,
        values_left: VALUES_MAX,
    };
    let mut values = Vec::new();
    while !reader.rest.is_empty() {
        values.push(reader.value()?);
    }
    Ok(values)
}

/// What the bytes of a value gave.
enum Part {
    Whole(Value),
    Open(Open),
}

/// An object or array whose end has not come yet.
enum Open {
    Properties {
        of_array: bool,
        read: Vec<(String, Value)>,
        /// Name of the property that is being read.
        name: String,
    },
    Entries {
        read: Vec<Value>,
        left: u32,
    },
}

impl Open {
    fn properties(of_array: bool) -> Self {
        Self::Properties {
            of_array,
            read: Vec::new(),
            name: String::new(),
        }
    }

    fn put(&mut self, value: Value) {
        match self {
            Self::Properties { read, name, .. } => read.push((mem::take(name), value)),
            Self::Entries { read, .. } => read.push(value),
        }
    }

    fn close(self) -> Value {
        match self {
            Self::Properties {
                of_array: false,
                read,
                ..
            } => Value::Object(read),
            Self::Properties { read, .. } => Value::EcmaArray(read),
            Self::Entries { read, .. } => Value::StrictArray(read),
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    values_left: usize,
}

impl Reader<'_> {
    /// A value with all that is in it. What is open around the place that is read is on a stack of its own, of
    /// [`DEPTH_MAX`] and one at most, and not on the thread's.
    fn value(&mut self) -> Result<Value, Error> {
        let mut around: Vec<Open> = Vec::new();
        loop {
            let mut part = self.begin(around.len())?;
            // Ends what is whole now, from the inside out, until something goes on.
            loop {
                part = match part {
                    Part::Whole(value) => match around.pop() {
                        None => return Ok(value),
                        Some(mut outer) => {
                            outer.put(value);
                            Part::Open(outer)
                        }
                    },
                    Part::Open(mut open) => {
                        if self.goes_on(&mut open)? {
                            around.push(open);
                            break;
                        }
                        Part::Whole(open.close())
                    }
                };
            }
        }
    }

    /// A plain value, or the front of one that holds others.
    fn begin(&mut self, depth: usize) -> Result<Part, Error> {
        if depth > DEPTH_MAX {
            return Err(Error::Depth);
        }
        self.values_left = self.values_left.checked_sub(1).ok_or(Error::Values)?;
        Ok(Part::Whole(match self.byte()? {
            NUMBER => Value::Number(self.number()?),
            BOOLEAN => Value::Boolean(self.byte()? != 0),
            STRING => Value::String(self.short_text()?),
            OBJECT => return Ok(Part::Open(Open::properties(false))),
            NULL => Value::Null,
            UNDEFINED | UNSUPPORTED => Value::Undefined,
            ECMA_ARRAY => {
                // The count is a hint that encoders get wrong; the end marker decides (AMF 0 §2.10).
                self.array::<4>()?;
                return Ok(Part::Open(Open::properties(true)));
            }
            STRICT_ARRAY => {
                return Ok(Part::Open(Open::Entries {
                    read: Vec::new(),
                    left: u32::from_be_bytes(self.array()?),
                }));
            }
            DATE => {
                let time = self.number()?;
                // Time zone, reserved (AMF 0 §2.13).
                self.array::<2>()?;
                Value::Date(time)
            }
            LONG_STRING | XML_DOCUMENT => {
                let length = u32::from_be_bytes(self.array()?);
                Value::String(self.text(usize::try_from(length).unwrap_or(usize::MAX))?)
            }
            TYPED_OBJECT => {
                self.short_text()?;
                return Ok(Part::Open(Open::properties(false)));
            }
            other => return Err(Error::Type(other)),
        }))
    }

    /// Whether another value of `open` follows. A property's name is read here, and so is the object end marker.
    fn goes_on(&mut self, open: &mut Open) -> Result<bool, Error> {
        match open {
            Open::Properties { name, .. } => {
                *name = self.short_text()?;
                let ends = name.is_empty() && self.rest.first() == Some(&OBJECT_END);
                if ends {
                    self.byte()?;
                }
                Ok(!ends)
            }
            Open::Entries { left, .. } => {
                let fewer = left.checked_sub(1);
                *left = fewer.unwrap_or_default();
                Ok(fewer.is_some())
            }
        }
    }

    fn byte(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Result<f64, Error> {
        self.array().map(f64::from_be_bytes)
    }

    fn short_text(&mut self) -> Result<String, Error> {
        let length = u16::from_be_bytes(self.array()?);
        self.text(usize::from(length))
    }

    fn text(&mut self, length: usize) -> Result<String, Error> {
        let (text, rest) = self.rest.split_at_checked(length).ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }
}

/// Levels of nesting. Encoders use 2; four other servers overflow their stack at 3,000 to 4,000.
const DEPTH_MAX: usize = 32;
/// Values of one message. OBS' metadata has 20; a limit also because a value takes 1 byte there and some 50 here.
const VALUES_MAX: usize = 1_024;
