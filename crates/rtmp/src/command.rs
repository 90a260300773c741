#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use crate::Error;
use crate::amf0::{self, Value};
use crate::message::{COMMAND_AMF3, DATA_AMF3, Message};

/// A command message (RTMP §7.1.1): its name, the transaction it belongs to, its object and arguments.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) name: String,
    /// 0 asks for no answer.
    pub(crate) transaction: f64,
    pub(crate) object: Value,
    pub(crate) arguments: Vec<Value>,
}

impl Command {
    pub(crate) fn parse(message: &Message) -> Result<Self, Error> {
        let mut values = amf0::decode(amf0_part(message))?.into_iter();
        let Some(Value::String(name)) = values.next() else {
            return Err(Error::Command("a command does not begin with its name"));
        };
        Ok(Self {
            name,
            // gstreamer leaves nothing out, but librtmp's users do: no transaction is transaction 0.
            transaction: values.next().and_then(|v| v.as_number()).unwrap_or(0.0),
            object: values.next().unwrap_or(Value::Null),
            arguments: values.collect(),
        })
    }

    /// Text of the argument at `index`, empty where there is none.
    pub(crate) fn text(&self, index: usize) -> &str {
        self.arguments
            .get(index)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// The AMF0 values of a command or data message. The AMF3 kinds put a format byte in front and go on in AMF0.
pub(crate) fn amf0_part(message: &Message) -> &[u8] {
    let payload = message.payload.as_ref();
    match message.type_id {
        COMMAND_AMF3 | DATA_AMF3 => match payload.split_first() {
            Some((0, rest)) => rest,
            _ => payload,
        },
        _ => payload,
    }
}

/// The bytes of a command.
pub(crate) fn encode(name: &str, transaction: f64, values: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    amf0::encode(&Value::from(name), &mut bytes);
    amf0::encode(&Value::Number(transaction), &mut bytes);
    for value in values {
        amf0::encode(value, &mut bytes);
    }
    bytes
}

/// An information object of `onStatus` and of the answer to `connect` (RTMP §7.2.2).
pub(crate) fn information(level: &str, code: &str, description: &str) -> Vec<(String, Value)> {
    vec![
        ("level".to_owned(), level.into()),
        ("code".to_owned(), code.into()),
        ("description".to_owned(), description.into()),
    ]
}
