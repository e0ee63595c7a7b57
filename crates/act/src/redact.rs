//! Takes secrets out of text before it is stored.

/// What stands in place of a secret.
const MASK: &str = "***";

/// Replaces every secret, the longest first, so that one that contains another leaves nothing behind.
pub(crate) fn redact(text: &str, secrets: &[String]) -> String {
    let mut secrets: Vec<&str> = secrets.iter().map(String::as_str).filter(|secret| !secret.is_empty()).collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret, MASK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_replaced_longest_first() {
        let secrets = ["tok".to_owned(), "token-1".to_owned(), String::new()];
        assert_eq!(redact("a token-1 b tok", &secrets), "a *** b ***");
    }
}
