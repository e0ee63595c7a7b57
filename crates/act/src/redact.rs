//! Takes secrets out of text before it is stored.

use std::collections::BTreeMap;

/// What stands in place of a secret.
const MASK: &str = "***";

/// Words in the name of an environment variable that say that its value is a secret.
const SECRET_WORDS: [&str; 5] = ["TOKEN", "PASSWORD", "SECRET", "APIKEY", "API_KEY"];

/// Shortest value of such a variable that is replaced: a shorter one would blank out ordinary text.
const SECRET_CHARS_MIN: usize = 6;

/// Replaces every secret, the longest first, so that one that contains another leaves nothing behind.
pub(crate) fn redact(text: &str, secrets: &[String]) -> String {
    let mut secrets: Vec<&str> = secrets.iter().map(String::as_str).filter(|secret| !secret.is_empty()).collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret, MASK))
}

/// The values of variables whose names say that they are secrets.
pub(crate) fn secret_values(env: &BTreeMap<String, String>) -> impl Iterator<Item = String> + '_ {
    let secret = |(name, value): &(&String, &String)| {
        let name = name.to_ascii_uppercase();
        value.len() >= SECRET_CHARS_MIN && SECRET_WORDS.iter().any(|word| name.contains(word))
    };
    env.iter().filter(secret).map(|(_, value)| value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_replaced_longest_first() {
        let secrets = ["tok".to_owned(), "token-1".to_owned(), String::new()];
        assert_eq!(redact("a token-1 b tok", &secrets), "a *** b ***");
    }

    #[test]
    fn variables_named_like_secrets_hold_secrets() {
        let env = [("DEPLOY_TOKEN", "abcdef1"), ("REGION", "eu-west"), ("DB_PASSWORD", "x")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(secret_values(&env).collect::<Vec<_>>(), ["abcdef1"]);
    }
}
