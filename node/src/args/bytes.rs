//! Numbers of bytes as people write them.

/// A number of bytes, written with a unit: in a file of settings it is a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

/// Reads `500MB` or `20GiB`.
pub fn bytes(text: &str) -> Result<Bytes, String> {
    let wrong = || format!("`{text}` is no number of bytes such as 500MB or 20GiB");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: u64 = match &text[digits.len()..] {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" | "M" => 1_000_000,
        "GB" | "G" => 1_000_000_000,
        "TB" | "T" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.trim_end().parse().map_err(|_| wrong())?;
    number.checked_mul(factor).map(Bytes).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_read_with_its_unit() {
        for (text, expected) in [
            ("7", 7),
            ("20GB", 20_000_000_000),
            ("2GiB", 1 << 31),
            ("1 kB", 1000),
        ] {
            assert_eq!(bytes(text), Ok(Bytes(expected)));
        }
        assert!(bytes("20 bananas").unwrap_err().contains("bananas"));
    }
}
