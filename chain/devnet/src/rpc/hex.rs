//! Bytes as clients write them: hexadecimal, with or without `0x`.

/// The bytes, if the text is hexadecimal.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    hex::decode(text.strip_prefix("0x").unwrap_or(text)).ok()
}

/// The text, with `0x`.
pub(super) fn encode(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}
