//! Turn a number into the choices that make up a question: a mixed-radix reading, each choice one digit.

/// What is left of a number.
pub(super) struct Digits(u128);

impl Digits {
    pub(super) fn new(number: u128) -> Self {
        Self(number)
    }

    /// The next digit, below `radix`.
    pub(super) fn take(&mut self, radix: u8) -> u8 {
        let radix = u128::from(radix.max(1));
        let digit = self.0 % radix;
        self.0 /= radix;
        // Below a radix that is a byte.
        digit as u8
    }

    pub(super) fn letters(&mut self, count: u32) -> Vec<char> {
        (0..count)
            .map(|_| char::from(b'a' + self.take(26)))
            .collect()
    }

    /// `count` different letters, at most 26, in an order that is chosen too.
    pub(super) fn distinct_letters(&mut self, count: u32) -> Vec<char> {
        let mut left: Vec<char> = ('a'..='z').collect();
        (0..count.min(26))
            .map(|_| {
                let at = self.take(left.len() as u8);
                left.remove(usize::from(at))
            })
            .collect()
    }

    /// One of the 25 letters that are not `letter`.
    pub(super) fn letter_but(&mut self, letter: char) -> char {
        let code = b'a' + self.take(25);
        char::from(code + u8::from(u32::from(code) >= u32::from(letter)))
    }

    /// Two different places below `count`, the lower first: one digit of radix `count (count - 1) / 2`.
    pub(super) fn two_places(&mut self, count: u32) -> (u32, u32) {
        let mut index = u32::from(self.take((count * (count - 1) / 2) as u8));
        let mut first = 0;
        while index >= count - 1 - first {
            index -= count - 1 - first;
            first += 1;
        }
        (first, first + 1 + index)
    }
}

/// `base^exponent`, or the largest number.
pub(super) fn power(base: u128, exponent: u32) -> u128 {
    base.saturating_pow(exponent)
}

/// The ways to choose `count` of `from` things in order: from! / (from - count)!.
pub(super) fn selections(from: u32, count: u32) -> u128 {
    (0..count).fold(1_u128, |product, taken| {
        product.saturating_mul(from.saturating_sub(taken).into())
    })
}

/// n!, the orders of n things.
pub(super) fn orders(count: u32) -> f64 {
    (1..=count).map(f64::from).product()
}

/// Pairs of digits as questions write them.
pub(super) fn pairs(terms: &[(u8, u8)]) -> String {
    terms
        .iter()
        .map(|(a, b)| format!("{a} {b}"))
        .collect::<Vec<_>>()
        .join(" ,")
}

pub(super) fn spaced(items: impl IntoIterator<Item = impl ToString>) -> String {
    items
        .into_iter()
        .map(|item| item.to_string())
        .collect::<Vec<_>>()
        .join(" ")
}
