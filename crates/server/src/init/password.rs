//! Passwords that are made: long enough that nobody guesses one, plain enough to be read aloud.

use crate::control::Password;

/// Letters and digits that are not taken for one another; 32, so that a byte picks one without bias.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Letters in a password: five bits each, a hundred in all.
const LENGTH: usize = 20;
/// Letters between two hyphens.
const GROUP: usize = 5;

/// Makes one from the system's randomness.
pub fn generate() -> Result<Password, getrandom::Error> {
    let mut random = [0u8; LENGTH];
    getrandom::fill(&mut random)?;
    let letters: Vec<char> = random.iter().map(|byte| LETTERS[usize::from(byte % 32)].into()).collect();
    let groups: Vec<String> = letters.chunks(GROUP).map(|group| group.iter().collect()).collect();
    Ok(Password(groups.join("-")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_are_never_the_same_and_each_is_long() {
        let (Password(one), Password(other)) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 23);
        assert!(one.bytes().all(|letter| letter == b'-' || LETTERS.contains(&letter)));
    }
}
