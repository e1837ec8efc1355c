//! Events as JSON, for people.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};

pub(crate) static POOL: LazyLock<Option<DescriptorPool>> =
    LazyLock::new(|| DescriptorPool::decode(crate::DESCRIPTOR_SET).ok());

/// The JSON form (protobuf's mapping; bytes are base64) of an encoded message of type `full_name`,
/// e.g. "leadflow.events.v1.LeadReceived". `None` for an unknown type or undecodable bytes.
#[must_use]
pub fn to_json(full_name: &str, payload: &[u8]) -> Option<serde_json::Value> {
    let descriptor = POOL.as_ref()?.get_message_by_name(full_name)?;
    let message = DynamicMessage::decode(descriptor, payload).ok()?;
    let options = SerializeOptions::new().skip_default_fields(true);
    message.serialize_with_options(serde_json::value::Serializer, &options).ok()
}
