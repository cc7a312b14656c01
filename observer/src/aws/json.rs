//! How the SDK's types become JSON: the API's own member names, absent and empty members left out.
//!
//! The SDK gives an empty list and an absent one alike, so neither is written.

use aws_smithy_types::DateTime;
pub(crate) use elava_schemas::Attributes;
use elava_schemas::Timestamp;
pub(crate) use serde_json::Value;

/// Something the API returned.
pub(crate) trait ToJson {
    /// Its JSON, or nothing where there is nothing to tell.
    fn to_json(&self) -> Option<Value>;
}

/// Adds a member if it is there.
pub(crate) fn put<T: ToJson>(object: &mut Attributes, member: &str, value: &T) {
    if let Some(value) = value.to_json() {
        object.insert(member.to_owned(), value);
    }
}

/// `types::Volume { volume_id "VolumeId" … }`: each field and the API's name of it.
macro_rules! structs {
    ($($name:path { $($field:ident $member:literal)* })*) => {$(
        impl ToJson for $name {
            fn to_json(&self) -> Option<Value> {
                let mut object = Attributes::new();
                $(put(&mut object, $member, &self.$field);)*
                (!object.is_empty()).then_some(Value::Object(object))
            }
        }
    )*};
}
pub(crate) use structs;

/// Enumerations; a value newer than the SDK stays as the API sent it.
macro_rules! enums {
    ($($name:path)*) => {$(
        impl ToJson for $name {
            fn to_json(&self) -> Option<Value> {
                Some(Value::String(self.as_str().to_owned()))
            }
        }
    )*};
}
pub(crate) use enums;

impl<T: ToJson> ToJson for Option<T> {
    fn to_json(&self) -> Option<Value> {
        self.as_ref().and_then(ToJson::to_json)
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn to_json(&self) -> Option<Value> {
        let items: Vec<Value> = self.iter().filter_map(ToJson::to_json).collect();
        (!items.is_empty()).then_some(Value::Array(items))
    }
}

impl ToJson for String {
    fn to_json(&self) -> Option<Value> {
        Some(Value::String(self.clone()))
    }
}

impl ToJson for DateTime {
    fn to_json(&self) -> Option<Value> {
        let text = instant(self)?.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
        Some(Value::String(text))
    }
}

macro_rules! plain {
    ($($name:ty)*) => {$(
        impl ToJson for $name {
            fn to_json(&self) -> Option<Value> {
                Some(Value::from(*self))
            }
        }
    )*};
}
plain! { bool i32 i64 f64 }

/// An instant of the SDK; nothing where it is beyond what a calendar holds.
pub(crate) fn instant(at: &DateTime) -> Option<Timestamp> {
    Timestamp::from_timestamp(at.secs(), at.subsec_nanos()).map(elava_schemas::micros)
}
